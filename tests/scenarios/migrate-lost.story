# What vanishes before its end was seen is no success, and is not begun again by itself.
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
workload Job/migration absent
settle
now +1h
settle
gone kaapana-migration
step ok
settle
# The whole release, while its pod still works.
ask migrate
settle
release kaapana-migration deployed mine
workload Job/migration progressing
pod migration/migration-x Job/migration running
step ok
settle
gone kaapana-migration
settle
now +1h
settle
nopod migration/migration-x
settle
