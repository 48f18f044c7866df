# The agent is killed while helm runs and started again: it waits for the same unit.
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
restart
plan
node good
plan
step running
plan
release kaapana-admin-chart deployed mine
workload Deployment/a healthy
step ok
settle
