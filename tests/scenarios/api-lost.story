# The API server crashes while helm runs: tried again when it is back, not for ever.
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
api down
step fail 1 Error: Kubernetes cluster unreachable: connection refused
settle
api ready
release kaapana-admin-chart pending-install mine
settle
now +20s
settle
gone kaapana-admin-chart
step ok
settle
step fail 1 Error: Kubernetes cluster unreachable: connection refused
settle
now +2m
settle
step fail 1 Error: Kubernetes cluster unreachable: connection refused
settle
now +2m
settle
step fail 1 Error: Kubernetes cluster unreachable: connection refused
settle
now +2m
settle
history
