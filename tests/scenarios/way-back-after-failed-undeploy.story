# A deployment was interrupted, an undeploy of it failed, then deployed is wished and the chart is not
# there: no job claims that generation 1 is back.
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
release kaapana-admin-chart failed mine
step killed
settle
ask undeploy
settle
step fail 1 Error: boom
settle
chart missing
config
[platform]
version = "0.6.0"
state = "undeployed"
domain = "kaapana.example.org"
[deployment]
chart_path = "/srv/kaapana-admin-chart-0.6.0.tgz"
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
[network]
http_port = 8080
end
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
