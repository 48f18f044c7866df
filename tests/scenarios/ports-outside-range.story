# Helm would fail at a port that the API server does not give, after the old platform was taken
# down: it is held before, and what runs stays as healthy as it is.
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
config
[platform]
version = "0.6.0"
domain = "kaapana.example.org"
[deployment]
chart_path = "/srv/kaapana-admin-chart-0.6.0.tgz"
[network]
https_port = 40000
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
end
settle
# The API server is told a wider range; that counts from its next start on.
started kubelite
now +10m
arguments --service-node-port-range=80-50000 --advertise-address=10.0.0.2
arguments-changed
plan
now +1m
started kubelite
plan
# What runs has its ports, whatever the file says by now.
config
[platform]
version = "0.6.0"
domain = "kaapana.example.org"
[deployment]
chart_path = "/srv/kaapana-admin-chart-0.6.0.tgz"
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
[agent]
retries = 7
end
arguments --service-node-port-range=30000-32767
arguments-changed
checks
