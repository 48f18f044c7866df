# A claim that waits for its first consumer does not hold up a deployment.
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
node good
settle
release kaapana-admin-chart deployed mine
workload PersistentVolumeClaim/later suspended the claim has no volume yet
workload Deployment/a healthy
step ok
settle
now +5s
settle
