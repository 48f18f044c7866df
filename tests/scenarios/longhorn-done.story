# What is set up already is not touched.
node good
config
[platform]
version = "0.6.0"
domain = "192.0.2.7"
[deployment]
chart_path = "/srv/kaapana-admin-chart-0.6.0.tgz"
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
[storage]
provider = "longhorn"
replica_count = 3
end
longhorn 4 1000000 5 7 8 fast-data=/data/fast@7#fast-data slow-data=/data/slow@8#slow-data
settle
now +10s
settle
values global.replica_count
