# The first deployment is canceled while helm installs: it ends when helm has, and nothing is
# begun again.
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
cancel
release kaapana-admin-chart deployed mine
workload Deployment/a progressing 0 of 1 pods are available
step ok
settle
now +1h
settle
