# A data disk goes away under a running platform: that is no healthy platform, and
# nothing is done about it on its own.
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
disk fast unmounted
plan
disk fast mounted
plan
# Put away or not, the chart of what runs is no reason to worry.
chart missing
plan
