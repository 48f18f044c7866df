# Undeployed was wished. A deployment that a person asked for is canceled in time: it is
# again, and nothing is begun by itself.
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
ask undeploy
settle
gone kaapana-admin-chart
step ok
settle
ask deploy
tick
cancel
settle
now +1h
settle
history
