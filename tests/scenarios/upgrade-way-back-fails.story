# strategy = "upgrade": the upgrade back fails, too; the last good one is installed anew.
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
release kaapana-admin-chart failed boom
step fail 1 Error: UPGRADE FAILED: field is immutable
settle
release kaapana-admin-chart failed boom
step fail 1 Error: UPGRADE FAILED: field is immutable
settle
