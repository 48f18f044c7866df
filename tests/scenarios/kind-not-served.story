# A kind the API server does not serve fails before anything is touched, and is
# tried again when it is served.
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
wants my.org/v1/Thing
settle
plan
kinds apps/v1/Deployment my.org/v1/Thing
plan
