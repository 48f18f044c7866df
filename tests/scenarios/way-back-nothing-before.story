# Nothing was healthy before: what failed stays as it is, for a person to look at.
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
settle
release kaapana-admin-chart failed Release "kaapana-admin-chart" failed: boom
step fail 1 Error: INSTALLATION FAILED: boom
settle
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
release kaapana-admin-chart failed Release "kaapana-admin-chart" failed: bang
step fail 1 Error: INSTALLATION FAILED: bang
settle
history
