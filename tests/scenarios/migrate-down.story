# Also of what is down already the site makes its backup before the migration.
config
[platform]
version = "0.5.3"
domain = "kaapana.example.org"
[deployment]
chart_path = "/srv/kaapana-admin-chart-0.5.3.tgz"
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
end
deployed
disk fast used
disk fast version 0.5.3
ask undeploy
settle
gone kaapana-admin-chart
workload Deployment/a absent
step ok
settle
config
[platform]
version = "0.6.0"
domain = "kaapana.example.org"
[deployment]
chart_path = "/srv/kaapana-admin-chart-0.6.0.tgz"
pre_takedown = "/usr/local/sbin/backup"
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
end
chart d6
plan
ask migrate
settle
step ok
settle
