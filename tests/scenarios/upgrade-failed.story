# strategy = "upgrade": a failed upgrade goes back by an upgrade; nothing is uninstalled.
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
release kaapana-platform-chart deployed
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
release kaapana-admin-chart failed Upgrade "kaapana-admin-chart" failed: boom
step fail 1 Error: UPGRADE FAILED: boom
settle
release kaapana-admin-chart deployed mine
step ok
settle
now +5s
settle
history
