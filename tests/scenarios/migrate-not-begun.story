# What goes wrong before the migration is begun puts the last good deployment back.
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
step fail 1 Error: uninstall: timed out
settle
gone kaapana-admin-chart
workload Deployment/a absent
step ok
tick
disk fast unmounted /data
settle
disk fast mounted /data
settle
release kaapana-admin-chart deployed mine
step ok
workload Deployment/a healthy
settle
now +1m
settle
history
# A cancellation then, too.
ask migrate
cancel
settle
history
