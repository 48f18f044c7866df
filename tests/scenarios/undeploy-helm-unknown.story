# Whether helm runs is not known: a release that is pending is not touched.
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
release code-server-chart pending-upgrade Preparing upgrade
ask undeploy
now +10m
settle
