# A migration that fails keeps everything down: nothing is put back onto half migrated data.
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
pod migration/migration-x Job/migration running
step ok
settle
workload Job/migration degraded BackoffLimitExceeded
pod migration/migration-x Job/migration done
settle
gone kaapana-migration
workload Job/migration absent
nopod migration/migration-x
step ok
settle
history
now +1h
settle
# Nor is the old version deployed, as long as nobody says that the data was restored.
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
# It may be tried again.
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
release kaapana-migration deployed mine
workload Job/migration progressing
step ok
settle
workload Job/migration degraded BackoffLimitExceeded
settle
# What is left of its release changes nothing.
step fail 1 Error: uninstall: timed out
settle
ask migrate
settle
gone kaapana-migration
workload Job/migration absent
step ok
settle
release kaapana-migration deployed mine
workload Job/migration degraded BackoffLimitExceeded
step ok
settle
gone kaapana-migration
workload Job/migration absent
step ok
settle
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
restored
plan
