# Helm fails with generation 2: the last good chart and values go back, and the time
# without a page is counted from the take-down to their return.
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
page up
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
end
settle
now +10s
gone kaapana-admin-chart
page down
step ok
settle
now +20s
release kaapana-admin-chart failed Release "kaapana-admin-chart" failed: boom
step fail 1 Error: INSTALLATION FAILED: boom
settle
now +5s
gone kaapana-admin-chart
step ok
settle
now +40s
release kaapana-admin-chart deployed mine
workload Deployment/a healthy
step ok
settle
# All parts are healthy; the page is waited for.
now +15s
plan
page up
settle
history
# Generation 2 is not tried again by itself, also not by the next start.
now +1h
restart
node good
settle
# The old values are wanted again: that is what runs.
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
settle
checks
