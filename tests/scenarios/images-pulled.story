# With a registry, what is missing is pulled while the old platform still runs.
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
images r/a:1 r/b:1 r/c:1
present r/a:1
chart two
tick
tick
tick
# The pulls may take longer than the deadline of a deployment, which begins with the
# take-down.
now +3h
tick
tick
tick
now +1m
plan
