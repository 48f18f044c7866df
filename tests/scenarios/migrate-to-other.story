# A migration that failed leads on to its own release only; nothing older is deployed, nor migrated to.
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
workload Job/migration degraded BackoffLimitExceeded
settle
gone kaapana-migration
workload Job/migration absent
step ok
settle
# A way of several releases goes on where the last one was reached.
disk fast version 0.5.9
ask migrate
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
plan
