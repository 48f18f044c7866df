# strategy = "upgrade" and another domain: what is foreseen is a redeploy.
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
domain = "other.example.org"
[deployment]
strategy = "upgrade"
chart_path = "/srv/kaapana-admin-chart-0.6.0.tgz"
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
end
plan
