# Helm fails on the way back, too: a person decides, and is told both reasons.
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
release kaapana-admin-chart failed Release "kaapana-admin-chart" failed: boom
step fail 1 Error: INSTALLATION FAILED: boom
settle
gone kaapana-admin-chart
step ok
settle
release kaapana-admin-chart failed Release "kaapana-admin-chart" failed: bang
step fail 1 Error: INSTALLATION FAILED: bang
settle
now +1h
settle
checks
history
# A person mends it and deploys generation 1 again.
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
settle
