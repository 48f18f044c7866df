# Field: the same in a first deployment. The next one that a person asks for clears it up.
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
settle
release kaapana-admin-chart deployed mine
release kaapana-platform-chart uninstalling Deletion in progress (or silently failed)
workload Job/init-extensions degraded cannot re-use a name that is still in use
step ok
settle
now +60s
settle
checks
now +10m
helms none
ask deploy
settle
gone kaapana-platform-chart
step ok
settle
gone kaapana-admin-chart
step ok
settle
workload Job/init-extensions absent
release kaapana-admin-chart deployed mine
step ok
settle
now +60s
settle
plan
