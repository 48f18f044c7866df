# A unit that never comes to be is not started for ever.
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
settle
step absent
settle
step absent
settle
step absent
settle
step absent
settle
now +15s
plan
