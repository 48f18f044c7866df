# wait_for_workflows = "0s": workflows are not waited for.
config
[platform]
version = "0.6.0"
domain = "kaapana.example.org"
[deployment]
wait_for_workflows = "0s"
chart_path = "/srv/kaapana-admin-chart-0.6.0.tgz"
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
end
deployed
pod project-admin/train-1 none running
ask undeploy
settle
