# Generation 2 failed and generation 1 is back. platform.state is set to undeployed and back while
# workflows are waited for: generation 2 still is not tried again by itself.
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
release kaapana-admin-chart deployed mine
workload Deployment/a healthy
step ok
settle
now +5s
settle
pod project-admin/train-1 none running
config
[platform]
version = "0.6.0"
state = "undeployed"
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
