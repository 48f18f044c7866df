# The page comes back and goes once more before all is healthy: the down time ends with
# the last return.
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
page up
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
page down
step ok
settle
release kaapana-admin-chart deployed mine
workload Deployment/a progressing 0 of 1 pods are available
step ok
now +30s
page up
settle
now +30s
page down
settle
now +30s
page up
workload Deployment/a healthy
settle
now +5s
settle
history
