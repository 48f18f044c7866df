# Field: Job cert-init cannot resolve the domain, so the login service never starts: the Job
# is named, not what waits for it.
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
workload Job/cert-init degraded BackoffLimitExceeded
workload Deployment/keycloak progressing 0 of 1 pods are available
step ok
settle
now +60s
settle
