# A first revision is stuck in pending-install in a healthy platform: a person must give it
# up. Nothing was touched until then.
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
deployed
release code-server-chart pending-install Initial install underway
helms none
ask undeploy
settle
now +5m
settle
history
ask undeploy unlock
settle
