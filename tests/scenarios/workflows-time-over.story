# wait_for_workflows is over: the job goes on and ends what runs.
config
[platform]
version = "0.6.0"
domain = "kaapana.example.org"
[deployment]
wait_for_workflows = "10m"
chart_path = "/srv/kaapana-admin-chart-0.6.0.tgz"
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
end
deployed
pod project-admin/train-1 none running
pod project-admin/train-2 Job/train running
pod jobs/old-3 none running
config
[platform]
version = "0.6.0"
domain = "kaapana.example.org"
[deployment]
wait_for_workflows = "10m"
chart_path = "/srv/kaapana-admin-chart-0.6.0.tgz"
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
[network]
http_port = 8080
end
settle
now +10m
settle
