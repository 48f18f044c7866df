# While paused nothing is started, and a job of the agent's own that touched nothing yet waits;
# one that has touched something goes on.
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
pause the disks are being replaced
plan
resume
tick
pause again
settle
resume
settle
pause once more
plan
release kaapana-admin-chart deployed mine
workload Deployment/a healthy
step ok
settle
