# From nothing to healthy: prepare, install, follow, stable, disks recorded.
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
step running
plan
release kaapana-admin-chart deployed mine
workload Deployment/a progressing 0 of 1 pods are available
workload Job/version-ttl absent
step ok
settle
workload Deployment/a healthy
tick
plan
now +5s
settle
