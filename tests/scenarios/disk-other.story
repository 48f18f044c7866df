# Another disk under the same path, then the marker missing on the right one.
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
disk fast uuid other
gone kaapana-admin-chart
plan
disk fast uuid uuid-of-data-fast
disk fast marker none
plan
disk fast marker mark
plan
