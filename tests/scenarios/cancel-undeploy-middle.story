# An undeploy canceled in the middle stops after the release at hand; the agent neither goes
# on nor brings anything back by itself.
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
release kaapana-platform-chart deployed
ask undeploy
settle
cancel
gone kaapana-platform-chart
step ok
settle
now +1h
restart
node good
settle
history
ask deploy
settle
