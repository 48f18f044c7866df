# What a try to bring the GPU operator left behind is no operator: nothing is taken down until it is gone.
config
[platform]
version = "0.6.0"
domain = "kaapana.example.org"
[deployment]
chart_path = "/srv/kaapana-admin-chart-0.6.0.tgz"
gpu_support = false
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
end
node good
gpu H200
deployed
config
[platform]
version = "0.6.0"
domain = "kaapana.example.org"
[deployment]
chart_path = "/srv/kaapana-admin-chart-0.6.0.tgz"
gpu_support = true
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
end
settle
foreign gpu-operator pending-install
# The unit is lost with a reboot, and looked for again.
step absent
settle
# The network of another host is no word of the API server.
now +1m
gone gpu-operator
settle
step fail 1 Error: Get "https://helm.ngc.nvidia.com/nvidia/index.yaml": dial tcp: connection refused
settle
