# Field: the same after an edit: the way back clears it up by itself.
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
release kaapana-admin-chart deployed mine
now +55m
release kaapana-platform-chart pending-install Initial install underway
step ok
settle
now +5m
settle
helms none
settle
gone kaapana-platform-chart
step ok
settle
gone kaapana-admin-chart
step ok
settle
release kaapana-admin-chart deployed mine
step ok
settle
now +60s
settle
plan
