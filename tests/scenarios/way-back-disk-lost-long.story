# The data disk is away for five hours on the way back: when it is there again, the way back goes on.
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
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
[network]
http_port = 8080
end
settle
gone kaapana-admin-chart
step ok
settle
disk fast unmounted
step fail 1 Error: INSTALLATION FAILED: boom
settle
now +1h
settle
now +2m
settle
now +1h
settle
now +2m
settle
now +1h
settle
now +2m
settle
now +1h
settle
now +2m
settle
now +1h
settle
now +2m
settle
disk fast mounted
settle
