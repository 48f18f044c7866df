# The first deployment is canceled while it becomes healthy: nothing goes back, what is
# installed stays; a person may go on or undeploy.
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
workload Deployment/a progressing 0 of 1 pods are available
step ok
settle
cancel
settle
workload Deployment/a healthy
settle
history
