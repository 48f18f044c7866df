# An undeploy canceled in the middle, and helm is killed: the agent does not go on with it.
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
release kaapana-platform-chart deployed
ask undeploy
settle
cancel
step killed
settle
now +15s
settle
