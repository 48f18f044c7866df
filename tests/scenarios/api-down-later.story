# The API server stops under a running platform: nothing is done on what is not known.
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
api down
plan
api ready
plan
gone kaapana-admin-chart
plan
