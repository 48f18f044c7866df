# Data of an older release is migrated when a person says so: what runs goes away, the
# platform's migration chart works on the data, and the deployment follows by itself.
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
settle
ask migrate
settle
gone kaapana-admin-chart
workload Deployment/a absent
step ok
settle
release kaapana-migration deployed mine
step ok
settle
workload Job/migration progressing
pod migration/migration-x Job/migration running
settle
# It goes on while the agent is away, and cannot be canceled.
restart
node good
chart d6
cancel
settle
now +3h
disk fast version 0.6.0
workload Job/migration healthy
pod migration/migration-x Job/migration done
settle
gone kaapana-migration
nopod migration/migration-x
step ok
settle
release kaapana-admin-chart deployed mine
workload Deployment/a healthy
step ok
settle
now +5s
settle
history
# Its version is on the data by now.
disk fast version 0.6.0
checks
# The older release is not deployed onto it any more.
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
chart d1
plan
