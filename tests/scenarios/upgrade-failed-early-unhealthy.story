# The upgrade of a platform that never became healthy fails before helm wrote anything: it still is the
# agent's own.
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
node good
settle
release kaapana-admin-chart deployed mine
workload Deployment/a progressing 0 of 1
step ok
settle
now +1h
settle
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
step fail 1 Error: UPGRADE FAILED: cannot patch: field is immutable
settle
ask undeploy
settle
