# --nuke-pods: what is left of the platform's pods is deleted by force, each once, and what
# then is left by its finalizers is named. Strangers' pods stay.
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
pod services/a-2 Deployment/a running
pod services/other Deployment/other running
ask undeploy nuke-pods
settle
gone kaapana-admin-chart
pod services/a-1 Deployment/a deleting
pod services/a-2 Deployment/a held
step ok
settle
# Their own time to end is over after 30 s: one ends in it, the other does not.
now +20s
nopod services/a-1
settle
now +10s
settle
# It was deleted once; now it is its finalizer's.
now +1m
plan
nopod services/a-2
settle
history
