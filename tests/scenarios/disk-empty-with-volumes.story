# No ledger, an empty directory, and a cluster with volumes in it: a new system disk
# with the old cluster, or an unmounted disk nobody declared.
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
volumes 3
plan
disk fast used
plan
disk fast version 0.6.0
plan
