# Field: Job init-extensions fails with "cannot re-use a name that is still in use", because
# the platform's release was left uninstalling. The way back clears it up without its hooks.
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
release kaapana-platform-chart uninstalling Deletion in progress (or silently failed)
workload Job/init-extensions degraded cannot re-use a name that is still in use
step ok
settle
now +60s
settle
helms none
now +4m
settle
gone kaapana-platform-chart
step ok
settle
gone kaapana-admin-chart
step ok
settle
workload Job/init-extensions absent
release kaapana-admin-chart deployed mine
step ok
settle
now +60s
settle
plan
