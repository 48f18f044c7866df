# 0.5 to 0.6 without the claims of 0.6: the migration wants a fresh deployment first, and a
# person decides each step.
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
workload Job/migration degraded BackoffLimitExceeded
disk fast version 0.5.3 - fresh deploy and redeploy-needed
step ok
settle
gone kaapana-migration
workload Job/migration absent
step ok
settle
plan
accept-fresh
ask deploy
settle
release kaapana-admin-chart deployed mine
workload Deployment/a healthy
step ok
disk fast version 0.6.0
settle
now +5s
settle
checks
# The migration still starts from 0.5.3.
ask migrate
settle
gone kaapana-admin-chart
workload Deployment/a absent
step ok
settle
release kaapana-migration deployed mine
disk fast version 0.6.0
workload Job/migration healthy
step ok
settle
gone kaapana-migration
workload Job/migration absent
step ok
settle
history
