# A workflow began while the site's program ran: it is waited for, too.
config
[platform]
version = "0.6.0"
domain = "kaapana.example.org"
[deployment]
pre_takedown = "/usr/local/bin/backup"
chart_path = "/srv/kaapana-admin-chart-0.6.0.tgz"
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
end
deployed
ask undeploy
settle
now +30m
pod project-admin/train-1 none running
step ok
settle
