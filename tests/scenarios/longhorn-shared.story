# A file system that Longhorn has a disk on already gets no second one; tags and settings of the site stay.
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
end
longhorn 1 5000 3 1 1 default-disk-1=/var/lib/longhorn@1#mine
settle
now +10s
settle
values global.replica_count
