# The take-down ended at a pod that did not end; the next try cannot be prepared. The last good chart is
# in hand, the site is not left with nothing.
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
pod services/a-1 Deployment/a running
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
gone kaapana-admin-chart
pod services/a-1 Deployment/a deleting
step ok
settle
now +15m
settle
wants my.org/v1/Thing
nopod services/a-1
settle
now +3h
settle
