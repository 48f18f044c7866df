# A cluster that gives no GPU is made to before anything is taken down; a failure there takes nothing down.
config
[platform]
version = "0.6.0"
domain = "192.0.2.7"
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
domain = "192.0.2.7"
[deployment]
chart_path = "/srv/kaapana-admin-chart-0.6.0.tgz"
gpu_support = true
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
end
settle
now +10s
settle
step fail 1 Error: looks like "https://helm.ngc.nvidia.com/nvidia" is not a valid chart repository
settle
# It asks again, ever more rarely.
now +1m
tick
settle
step ok
settle
