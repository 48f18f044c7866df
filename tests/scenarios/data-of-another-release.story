# Data of another release is not deployed onto: that wants a migration.
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
disk fast version 0.5.3
plan
disk fast version 0.6.1
plan
