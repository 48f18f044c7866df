# Where GPUs are given to pods, or the operator is there, or GPUs are not wanted, nothing is brought.
node good
gpu H200
gpus 1
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
