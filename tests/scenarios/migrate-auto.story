# The site has it done by itself, after its own backup.
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
migration = "auto"
pre_takedown = "/usr/local/sbin/backup"
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
end
chart d6
settle
# Without a backup nothing is migrated.
step fail 1 no space
settle
# Asked for once more, the backup succeeds, and helm is killed while it begins.
ask migrate
settle
step ok
settle
gone kaapana-admin-chart
workload Deployment/a absent
step ok
settle
release kaapana-migration pending-install Initial install underway
step absent
settle
gone kaapana-migration
step ok
settle
release kaapana-migration deployed mine
disk fast version 0.6.0
workload Job/migration healthy
step ok
settle
gone kaapana-migration
step ok
settle
