# Field: the snap of MicroK8s is refreshed in the middle of a take-down: helm loses the API
# server, and the take-down goes on when it is back.
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
release kaapana-platform-chart deployed
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
release kaapana-platform-chart uninstalling Deletion in progress (or silently failed)
unit kubelite inactive
api down
step fail 1 Error: Kubernetes cluster unreachable: connection refused
settle
now +2m
unit kubelite active
api ready
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
