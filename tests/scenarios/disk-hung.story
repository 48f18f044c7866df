# A file system that does not answer is said to hang; what is on it is not known, and nothing is
# done on that ground: no deployment, no other disk. When it answers, all goes on by itself.
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
disk slow hung
plan
checks
config
[platform]
version = "0.6.0"
domain = "kaapana.example.org"
[deployment]
chart_path = "/srv/kaapana-admin-chart-0.6.0.tgz"
[network]
https_port = 8443
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
end
settle
disk slow there
disk slow mounted
plan
