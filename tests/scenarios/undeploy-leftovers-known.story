# Pods that were left by an undeploy are still known to the next one: it is not done
# before they are gone.
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
pod services/a-1 Deployment/a held
step ok
settle
now +15m
settle
ask undeploy nuke-pods
settle
history
