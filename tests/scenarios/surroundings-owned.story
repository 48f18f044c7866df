# What a chart brings belongs to somebody else's release: told before anything is touched.
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
dns there
brings-hosting
hosting default/other
settle
