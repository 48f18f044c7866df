# An undeploy canceled in the middle; a key that only steers the agent is edited: the undeploy does not
# go on by itself.
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
gone kaapana-platform-chart
step ok
settle
config
[platform]
version = "0.6.0"
domain = "kaapana.example.org"
[deployment]
chart_path = "/srv/kaapana-admin-chart-0.6.0.tgz"
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
[agent]
stability = "10s"
end
settle
