# A Job of the platform fails: after the grace the deployment fails with it; when it
# becomes healthy after all, that is noted.
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
release kaapana-admin-chart deployed mine
workload Job/init degraded BackoffLimitExceeded
step ok
settle
now +60s
settle
now +1h
plan
workload Job/init healthy
settle
