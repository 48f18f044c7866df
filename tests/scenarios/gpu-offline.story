# Offline the operator comes from the archive beside the chart, or nothing is deployed.
node good
gpu H200
config
[platform]
version = "0.6.0"
domain = "192.0.2.7"
[deployment]
chart_path = "/srv/kaapana-admin-chart-0.6.0.tgz"
gpu_support = "auto"
offline = true
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
end
settle
now +10s
settle
gpu-operator /state/gpu-operator/chart.tgz
now +1m
settle
step ok
settle
