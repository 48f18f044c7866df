# The same, of a release that comes up while the old platform is taken down: it is waited for.
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
ask undeploy
settle
release some-extension deployed
claim some-extension models erased
step ok
gone kaapana-admin-chart
settle
claim some-extension models retained
settle
step ok
gone some-extension
settle
