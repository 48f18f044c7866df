# An inner release is uninstalling by somebody else: it is waited for until it counts as
# stuck and no helm runs, then taken down without the hooks it got stuck at.
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
now +5m
settle
helms 4711
settle
helms none
settle
gone code-server-chart
step ok
settle
