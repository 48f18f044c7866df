# A deployment that a person asked for waits for workflows; the chart's path is edited meanwhile: the checks
# of the job are those of its own settings.
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
ask deploy
settle
config
[platform]
version = "0.6.0"
domain = "kaapana.example.org"
[deployment]
chart_path = "/srv/b/kaapana-admin-chart-0.6.0.tgz"
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
[network]
http_port = 8080
end
settle
nopod project-admin/train-1
settle
