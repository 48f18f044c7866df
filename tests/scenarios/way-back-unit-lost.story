# The server is restarted while the way back takes down what failed: it goes on.
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
release kaapana-admin-chart failed Release "kaapana-admin-chart" failed: boom
step fail 1 Error: INSTALLATION FAILED: boom
settle
release kaapana-admin-chart uninstalling Deletion in progress (or silently failed)
restart
plan
node good
step absent
settle
gone kaapana-admin-chart
step ok
settle
release kaapana-admin-chart deployed mine
workload Deployment/a healthy
restart
node good
step absent
settle
now +5s
settle
history
