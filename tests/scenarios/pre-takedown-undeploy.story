# The site's program runs before an undeploy, too; its failure leaves the platform up.
config
[platform]
version = "0.6.0"
domain = "kaapana.example.org"
[deployment]
pre_takedown = "/usr/local/bin/backup"
chart_path = "/srv/kaapana-admin-chart-0.6.0.tgz"
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
end
deployed
ask undeploy
settle
step fail 1 no space left on the backup server
settle
history
