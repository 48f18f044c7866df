# Nothing else works on the data when the migration is begun.
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
pod project-a/work none running
ask migrate
settle
now +31m
settle
nopod project-a/work
ask migrate
settle
pod project-a/work none running
gone kaapana-admin-chart
workload Deployment/a absent
step ok
settle
now +2h
settle
gone kaapana-admin-chart
# Put back; another version is wished while the platform goes down.
release kaapana-admin-chart deployed mine
step ok
workload Deployment/a healthy
settle
now +1m
settle
nopod project-a/work
ask migrate
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
gone kaapana-admin-chart
workload Deployment/a absent
step ok
settle
