# The other helm ends well while it is waited for.
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
release code-server-chart uninstalling Deletion in progress (or silently failed)
ask undeploy
settle
now +1m
gone code-server-chart
settle
