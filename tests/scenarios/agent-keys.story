# A change of what steers the agent, or of the machine, redeploys nothing.
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
memory 128000
gpu Tesla
config
[platform]
version = "0.6.0"
domain = "kaapana.example.org"
[deployment]
chart_path = "/srv/kaapana-admin-chart-0.6.0.tgz"
deadline = "2h"
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
[agent]
settle = "1s"
end
plan
# The archive is put away; what is deployed stays.
chart missing
plan
# Another archive under the same name is another chart.
chart two
plan
