# A Job of the platform fails in generation 2: after the grace the last good one goes back.
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
workload Job/init-collections degraded BackoffLimitExceeded
step ok
settle
now +60s
settle
gone kaapana-admin-chart
step ok
settle
release kaapana-admin-chart deployed mine
workload Job/init-collections healthy
step ok
settle
now +5s
settle
history
