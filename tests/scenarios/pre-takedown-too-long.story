# The site's program does not end in time: nothing is touched.
config
[platform]
version = "0.6.0"
domain = "kaapana.example.org"
[deployment]
pre_takedown = "/usr/local/bin/backup"
chart_path = "/srv/kaapana-admin-chart-0.6.0.tgz"
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
end
deployed
config
[platform]
version = "0.6.0"
domain = "kaapana.example.org"
[deployment]
pre_takedown = "/usr/local/bin/backup"
chart_path = "/srv/kaapana-admin-chart-0.6.0.tgz"
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
[network]
http_port = 8080
end
settle
step running
now +62m
settle
