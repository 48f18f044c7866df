# What the chart does not bring is left where it is; an address as domain needs no name in the DNS.
config
[platform]
version = "0.6.0"
domain = "10.0.0.5"
[deployment]
chart_path = "/srv/kaapana-admin-chart-0.6.0.tgz"
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
end
node good
dns there
hosting none
settle
show-dns
