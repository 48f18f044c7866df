# What lies in the fast data directory is no platform's, or of the configured release already: a
# person says so, and it is deployed onto.
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
disk fast used
disk fast folder postgres
plan
accept-unknown
checks
plan
