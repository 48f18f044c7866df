# Someone takes our release down and deploys by hand under the same name: it is left alone.
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
release kaapana-admin-chart deployed by hand
plan
ask undeploy
settle
