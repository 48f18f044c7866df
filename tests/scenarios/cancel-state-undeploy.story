# An undeploy that platform.state began is canceled in time: the agent does not begin it again.
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
deployed
pod project-admin/train-1 none running
config
[platform]
version = "0.6.0"
state = "undeployed"
domain = "kaapana.example.org"
[deployment]
chart_path = "/srv/kaapana-admin-chart-0.6.0.tgz"
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
end
settle
cancel
settle
nopod project-admin/train-1
now +1h
settle
