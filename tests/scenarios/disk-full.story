# Little space warns, critical space holds; a read-only file system holds.
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
disk fast free 10
checks
plan
disk fast free 5
plan
disk fast free 50
disk fast readonly
plan
