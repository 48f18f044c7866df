# A name is resolved by the cluster's DNS, and what nobody owns makes way for the chart.
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
dns there
brings-hosting
hosting none
settle
show-dns
