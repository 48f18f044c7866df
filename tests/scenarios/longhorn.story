# Longhorn is set up before anything else: a disk for each data directory, its settings, two replicas.
node good
config
[platform]
version = "0.6.0"
domain = "192.0.2.7"
[deployment]
chart_path = "/srv/kaapana-admin-chart-0.6.0.tgz"
dev_mode = false
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
[storage]
provider = "longhorn"
end
longhorn 2 100 25 7 8 default-disk-1=/var/lib/longhorn@1#
settle
now +10s
settle
values global.replica_count
