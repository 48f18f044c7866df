# A changed value takes the old platform down, inner releases first, and deploys again.
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
release kaapana-platform-chart deployed
release project-admin deployed
foreign stranger deployed
plan
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
plan
tick
tick
tick
tick
tick
plan
step ok
gone project-admin
tick
tick
step ok
gone kaapana-platform-chart
tick
tick
step ok
# The release is gone, its pods are not yet.
settle
gone kaapana-admin-chart
settle
