# An undeploy is remembered over a restart; a person deploys again.
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
restart
node good
now +24h
settle
ask deploy
settle
