# Without a provider of volumes nothing is taken down; it is asked again.
config
[platform]
version = "0.6.0"
domain = "192.0.2.7"
[deployment]
chart_path = "/srv/kaapana-admin-chart-0.6.0.tgz"
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
end
node good
deployed
provider missing
config
[platform]
version = "0.6.0"
domain = "192.0.2.8"
[deployment]
chart_path = "/srv/kaapana-admin-chart-0.6.0.tgz"
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
end
settle
now +10s
settle
provider there
now +1m
settle
