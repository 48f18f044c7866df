# What a disk tells before it fails: few inodes, counted errors, a rate at which it fills up,
# a medium that is slow, and the system's own disk.
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
deployed
plan
disk fast inodes 4000
checks
disk fast inodes 12
checks
plan
disk fast inodes 90000
disk slow errors 3
checks
disk slow errors 0
disk fast filling 8
checks
disk fast filling 2
checks
disk fast turns
disk slow root
checks
plan
