# The same is deployed again and fails: there is nothing else to put back.
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
ask deploy
settle
gone kaapana-admin-chart
step ok
settle
step fail 1 Error: INSTALLATION FAILED: boom
settle
history
