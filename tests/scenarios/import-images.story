# Images are imported by a job that touches nothing that runs, and says nothing of a deployment.
config
[platform]
version = "0.6.0"
domain = "kaapana.example.org"
[deployment]
chart_path = "/srv/kaapana-admin-chart-0.6.0.tgz"
offline = true
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
end
node good
images r/a:1 r/b:1
settle
now +10s
# It is what the deployment misses.
ask import-images /srv/images.tar
settle
step running
settle
restart
node good
step running
settle
present r/a:1 r/b:1
step ok
settle
release kaapana-admin-chart deployed mine
workload Deployment/a healthy
step ok
settle
now +5s
settle
# An archive may name its images otherwise than the runtime does: the report is asked for.
present r/a:1
ask import-images /srv/renamed.tar
settle
step ok
settle
# One that fails leaves the platform as it is; one that is canceled ends in its middle.
ask import-images /srv/other.tar
settle
step fail 1 ctr: unexpected EOF
settle
ask import-images /srv/third.tar
settle
cancel
settle
history
