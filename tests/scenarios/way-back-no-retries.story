# agent.retries = 0: an interruption puts the last good one back at once; another one
# on the way back is for a person.
config
[platform]
version = "0.6.0"
domain = "kaapana.example.org"
[deployment]
chart_path = "/srv/kaapana-admin-chart-0.6.0.tgz"
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
[agent]
retries = 0
end
deployed
config
[platform]
version = "0.6.0"
domain = "kaapana.example.org"
[deployment]
chart_path = "/srv/kaapana-admin-chart-0.6.0.tgz"
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
[network]
http_port = 8080
[agent]
retries = 0
end
settle
gone kaapana-admin-chart
step ok
settle
step killed
settle
step killed
settle
history
