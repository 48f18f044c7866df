# An undeploy canceled while the site's program runs, which then fails: the wish is as it was, and
# an edit later does not undeploy.
config
[platform]
version = "0.6.0"
domain = "kaapana.example.org"
[deployment]
pre_takedown = "/usr/local/bin/backup"
chart_path = "/srv/kaapana-admin-chart-0.6.0.tgz"
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
end
deployed
ask undeploy
settle
cancel
step fail 1 no space
settle
history
config
[platform]
version = "0.6.0"
domain = "kaapana.example.org"
[deployment]
pre_takedown = "/usr/local/bin/backup"
chart_path = "/srv/kaapana-admin-chart-0.6.0.tgz"
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
[agent]
stability = "10s"
end
settle
