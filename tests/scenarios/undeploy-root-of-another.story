# The platform was replaced by hand under the same name while the agent was stopped, and that
# installation failed: it is not the agent's, and left alone.
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
gone kaapana-admin-chart
now +1h
restart
release kaapana-admin-chart failed Release "kaapana-admin-chart" failed: boom
node good
helms none
ask undeploy
settle
