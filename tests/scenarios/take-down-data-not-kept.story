# A chart forgot to keep its claim: its volume is told to outlive it, before helm is.
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
claim some-extension models retained
settle
step ok
gone some-extension
settle
step ok
gone kaapana-admin-chart
settle
history
