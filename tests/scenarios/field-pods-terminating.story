# Field: the runtime was away and pods stay Terminating; a person has them deleted by force.
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
ask undeploy nuke-pods
settle
# Each pod has its own time to end; that of this one is over after 30 s.
now +30s
settle
nopod services/a-1
settle
history
