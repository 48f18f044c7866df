# The disk goes away between the preparation and the installation: nothing is written.
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
tick
tick
disk fast unmounted
settle
disk fast mounted
plan
