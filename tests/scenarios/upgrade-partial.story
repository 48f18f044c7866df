# strategy = "upgrade": of a platform that was taken down in part nothing is upgraded, it is deployed anew.
config
[platform]
version = "0.6.0"
domain = "kaapana.example.org"
[deployment]
strategy = "upgrade"
chart_path = "/srv/kaapana-admin-chart-0.6.0.tgz"
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
end
deployed
release kaapana-platform-chart deployed
ask undeploy
settle
gone kaapana-platform-chart
step ok
settle
step fail 1 Error: boom
settle
ask deploy
settle
