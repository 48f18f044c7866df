# The upgrade has ended and the cluster's view still is that from before: nothing is concluded from it.
config
[platform]
version = "0.6.0"
domain = "kaapana.example.org"
[deployment]
strategy = "upgrade"
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
strategy = "upgrade"
chart_path = "/srv/kaapana-admin-chart-0.6.0.tgz"
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
[network]
http_port = 8080
end
settle
step ok
settle
now +5s
settle
