# What a person may ask for about the data, and what is answered when it makes no sense.
config
[platform]
version = "0.6.0"
domain = "kaapana.example.org"
[deployment]
chart_path = "/srv/kaapana-admin-chart-0.6.0.tgz"
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
end
node good
may migrate
may accept-unknown
may accept-fresh
may restored
disk fast version 0.6.0
may migrate
disk fast version 0.7.0
may migrate
disk fast version none
disk fast used
disk fast folder minio
may migrate
may accept-unknown
api down
may restored
# A platform of the release is healthy on it: only the file says something else.
node good
disk fast mounted
disk fast empty
deployed
disk fast folder minio
disk fast version 0.5.3
may migrate
tick
config
[platform]
version = "0.5.3"
domain = "kaapana.example.org"
[deployment]
chart_path = "/srv/kaapana-admin-chart-0.5.3.tgz"
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
end
may migrate
