# A node that ends pods and takes no new ones is no place for a deployment; when it has room
# again, the agent goes on by itself.
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
pressure DiskPressure: kubelet has disk pressure
plan
config
[platform]
version = "0.6.0"
domain = "kaapana.example.org"
[deployment]
chart_path = "/srv/kaapana-admin-chart-0.6.0.tgz"
[network]
https_port = 8443
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
end
settle
pressure none
plan
