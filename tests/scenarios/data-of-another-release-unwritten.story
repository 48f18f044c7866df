# Data of a release that wrote no version: what was deployed onto it says what it is of.
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
settle
checks
