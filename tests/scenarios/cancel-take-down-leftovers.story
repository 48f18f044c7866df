# Canceled during the take-down, and a pod does not end in time: what was canceled is not deployed;
# generation 1 goes back when the pod is gone.
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
cancel
gone kaapana-admin-chart
pod services/a-1 Deployment/a deleting
step ok
settle
now +15m
settle
nopod services/a-1
settle
