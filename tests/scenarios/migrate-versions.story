# Which versions are migrated to which.
config
[platform]
version = "0.4.0"
domain = "kaapana.example.org"
[deployment]
chart_path = "/srv/kaapana-admin-chart-0.4.0.tgz"
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
end
node good
disk fast used
plan
# Before 0.5.3 no release brings a migration: what nobody knows the version of is deployed onto.
disk fast folder postgres
plan
disk fast version 0.3.1
plan
disk fast version 0.6.0
plan
disk fast version nonsense
plan
disk fast version 0.5.3 - fresh deploy and redeploy-needed
plan
config
[platform]
version = "0.5.2"
domain = "kaapana.example.org"
[deployment]
chart_path = "/srv/kaapana-admin-chart-0.5.2.tgz"
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
end
chart d5
disk fast version none
plan
disk fast version 0.4.0
plan
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
chart d6
plan
disk fast version none
plan
