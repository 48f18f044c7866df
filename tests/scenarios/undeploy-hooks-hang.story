# Its hooks hang until helm gives up: the next undeploy does not run them again.
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
ask undeploy
settle
release kaapana-admin-chart uninstalling Deletion in progress (or silently failed)
step fail 1 Error: failed pre-delete: timed out waiting for the condition
settle
ask undeploy
settle
