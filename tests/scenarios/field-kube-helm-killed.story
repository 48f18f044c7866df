# Field: kube-helm killed helm after 15 s and left the platform's release pending-install.
# When no helm has worked on it for a while the deployment ends and says so; the next one clears it up.
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
release kaapana-platform-chart pending-install Initial install underway
workload Job/init-extensions healthy
step ok
settle
helms none
now +5m
settle
ask deploy
settle
gone kaapana-platform-chart
step ok
settle
gone kaapana-admin-chart
step ok
settle
release kaapana-admin-chart deployed mine
step ok
settle
now +60s
settle
plan
