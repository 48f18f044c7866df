# agent.on_change = "window": a change waits for the maintenance window, is not begun when
# everything is in hand only after it closed, and goes on when it closes in the middle.
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
[agent]
on_change = "window"
windows = ["Sat 02:00-05:00 Europe/Berlin", "Wed 23:00-01:00 Europe/Berlin"]
end
plan
# Wednesday, 23:00 by Berlin's clock.
now +60h
images r/a:1
tick
tick
tick
# The pull took until after one o'clock.
now +2h
settle
# Saturday: the image is there.
now +51h
present r/a:1
tick
tick
tick
tick
tick
# It closes while the old platform goes away: the new one comes all the same.
now +61m
step ok
gone kaapana-admin-chart
tick
tick
plan
