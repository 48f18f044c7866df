# It takes longer than the site allows: it is not ended, and followed again.
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
chart d6
ask migrate
settle
gone kaapana-admin-chart
workload Deployment/a absent
step ok
settle
release kaapana-migration deployed mine
workload Job/migration progressing
step ok
settle
now +25h
settle
plan
ask migrate
settle
cancel
disk fast version 0.6.0
workload Job/migration healthy
settle
gone kaapana-migration
workload Job/migration absent
step ok
settle
history
