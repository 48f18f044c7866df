# The volumes of a first deployment are seen before what it writes: no reason for alarm.
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
step running
volumes 1
checks
release kaapana-admin-chart deployed mine
workload Deployment/a progressing 0 of 1 pods are available
step ok
settle
checks
disk fast used
disk slow used
workload Deployment/a healthy
settle
now +5s
settle
checks
