# Somebody sets the volume's reclaim policy back: helm is not called.
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
release some-extension deployed
claim some-extension models erased
ask undeploy
settle
now +61m
settle
history
