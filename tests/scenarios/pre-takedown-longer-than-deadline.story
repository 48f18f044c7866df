# The site's program took longer than the deadline of a deployment: a check that fails for
# a moment afterwards is waited for.
config
[platform]
version = "0.6.0"
domain = "kaapana.example.org"
[deployment]
pre_takedown = "/usr/local/bin/backup"
pre_takedown_timeout = "4h"
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
pre_takedown_timeout = "4h"
chart_path = "/srv/kaapana-admin-chart-0.6.0.tgz"
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
[network]
http_port = 8080
end
settle
now +2h
disk slow readonly
step ok
settle
disk slow mounted
settle
