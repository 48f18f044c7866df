# Generation 2 is not healthy at its deadline, and the data is of another release by then: generation 1 cannot
# go back. Generation 2 is taken down, and everything stays down until a person decides.
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
release kaapana-admin-chart deployed mine
workload Deployment/a progressing 0 of 1
step ok
settle
disk fast version 0.7.0
now +1h
settle
gone kaapana-admin-chart
step ok
settle
plan
