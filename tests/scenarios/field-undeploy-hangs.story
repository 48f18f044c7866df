# Field: an undeploy hangs at a hook whose image cannot be pulled; --no-hooks is the way out.
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
release kaapana-platform-chart uninstalling Deletion in progress (or silently failed)
now +5m
plan
step fail 1 Error: failed pre-delete: timed out waiting for the condition
settle
ask undeploy no-hooks
settle
gone kaapana-platform-chart
step ok
settle
gone kaapana-admin-chart
step ok
settle
plan
