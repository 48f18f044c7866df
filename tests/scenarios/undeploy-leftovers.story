# What is not gone is named with what it waits for, until the limit; then the undeploy
# fails with it. Finalizers stay.
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
workload Job/b healthy
pod services/a-1 Deployment/a running
pod services/a-2 Deployment/a running
ask undeploy
settle
pod services/a-1 Deployment/a deleting
pod services/a-2 Deployment/a held
step ok
settle
gone kaapana-admin-chart
nopod services/a-1
settle
now +15m
settle
history
