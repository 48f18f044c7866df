# Data that nobody ever deployed onto: only the migration can find out of which version it is.
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
node good
# A stray file is no platform's data.
disk fast used
plan
disk fast folder postgres
plan
# Somebody else's migration is left alone.
foreign kaapana-migration deployed
ask migrate
settle
gone kaapana-migration
ask migrate
settle
release kaapana-migration deployed mine
disk fast version 0.6.0
workload Job/migration healthy
step ok
settle
gone kaapana-migration
step ok
settle
