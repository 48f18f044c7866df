# Helm runs somewhere on the machine: a release that is pending is not touched, however
# long it takes; at the deadline the undeploy ends with nothing touched.
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
release code-server-chart pending-upgrade Preparing upgrade
helms 4711 4712
ask undeploy
settle
now +30m
settle
now +30m
settle
history
