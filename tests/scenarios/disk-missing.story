# A data directory that does not exist, and one that lies in the other behind a link, hold a deployment.
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
node good
disk fast missing
checks
settle
disk fast there
disk fast link /data/slow/fast
checks
settle
disk fast link /data/fast
tick
# Where a platform lives with it, it is told and no more.
release kaapana-admin-chart deployed another
disk fast link /data/slow/fast
checks
