# An inner release is pending-rollback: stuck after its time, and taken down with its hooks.
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
release code-server-chart pending-rollback Rollback to 1
ask undeploy
settle
helms none
now +5m
settle
