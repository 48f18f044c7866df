# Field: an image cannot be pulled (ImagePullBackOff). The deployment names it until the
# deadline; then the last good one goes back.
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
workload Deployment/a degraded ImagePullBackOff: r/a:1: unauthorized
step ok
settle
now +1h
tick
settle
gone kaapana-admin-chart
step ok
settle
workload Deployment/a absent
release kaapana-admin-chart deployed mine
step ok
settle
now +60s
settle
plan
