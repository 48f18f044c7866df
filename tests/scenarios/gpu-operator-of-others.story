# The operator that somebody installed stays as it is.
node good
gpu H200
foreign gpu-operator failed
config
[platform]
version = "0.6.0"
domain = "192.0.2.7"
[deployment]
chart_path = "/srv/kaapana-admin-chart-0.6.0.tgz"
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
end
settle
now +10s
settle
