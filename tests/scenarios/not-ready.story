# Each thing that is missing holds the deployment and says what to do.
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
plan
node good
helm missing
plan
helm there
unit kubelite failed
plan
unit kubelite active
api down
plan
api ready
chart missing
plan
chart one
plan
