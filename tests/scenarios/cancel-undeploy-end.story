# An undeploy canceled when everything is down but its pods: it ends, and they are known to
# the next one.
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
pod services/a-1 Deployment/a running
ask undeploy
settle
gone kaapana-admin-chart
pod services/a-1 Deployment/a deleting
step ok
settle
cancel
settle
ask undeploy
settle
nopod services/a-1
settle
