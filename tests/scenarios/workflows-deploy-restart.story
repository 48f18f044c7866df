# A deployment waits for workflows longer than its deadline: a restart of the agent ends nothing.
config
[platform]
version = "0.6.0"
domain = "kaapana.example.org"
[deployment]
wait_for_workflows = "3h"
chart_path = "/srv/kaapana-admin-chart-0.6.0.tgz"
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
end
deployed
pod project-admin/train-1 none running
config
[platform]
version = "0.6.0"
domain = "kaapana.example.org"
[deployment]
wait_for_workflows = "3h"
chart_path = "/srv/kaapana-admin-chart-0.6.0.tgz"
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
[network]
http_port = 8080
end
settle
now +2h
restart
settle
node good
settle
