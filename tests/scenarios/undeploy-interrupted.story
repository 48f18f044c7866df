# The server is restarted in the middle of an undeploy: it goes on.
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
gone kaapana-platform-chart
restart
plan
node good
step absent
settle
gone kaapana-admin-chart
step ok
settle
