# An earlier undeploy failed at an extension. Later somebody upgrades that extension: it is
# waited for like any other.
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
release code-server-chart deployed
ask undeploy
settle
step fail 1 Error: failed to delete release: code-server-chart
settle
now +24h
helms 4711
release code-server-chart pending-upgrade Preparing upgrade
ask undeploy
settle
helms none
now +1m
release code-server-chart deployed
settle
