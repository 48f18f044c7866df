# The server was off for longer than helm may take in the middle of an undeploy: it looks
# how the unit ended before it decides.
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
ask undeploy no-hooks
settle
gone kaapana-platform-chart
restart
now +2h
tick
node good
settle
step absent
settle
gone kaapana-admin-chart
step ok
settle
history
