# The way back waits for an API server that does not come back: it can be given up.
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
version = "0.6.0"
domain = "kaapana.example.org"
[deployment]
chart_path = "/srv/kaapana-admin-chart-0.6.0.tgz"
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
[network]
http_port = 8080
end
settle
gone kaapana-admin-chart
step ok
settle
step fail 1 Error: INSTALLATION FAILED: boom
settle
api down
step fail 1 Error: connection refused
settle
now +48h
cancel
settle
