# The same is deployed again and canceled during the take-down: what was said comes true,
# the site is not left with nothing.
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
cancel
gone kaapana-admin-chart
step ok
settle
history
