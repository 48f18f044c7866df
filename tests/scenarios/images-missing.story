# Offline, an image that is not on the machine fails before anything is touched; it is
# looked for again ever more rarely, and the deployment goes on when it is there.
config
[platform]
version = "0.6.0"
domain = "kaapana.example.org"
[deployment]
offline = true
chart_path = "/srv/kaapana-admin-chart-0.6.0.tgz"
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
end
node good
images r/a:1 r/b:1 r/c:1 r/d:1 r/e:1 r/f:1 r/g:1
present r/b:1
settle
plan
now +1m
settle
plan
present r/a:1 r/b:1 r/c:1 r/d:1 r/e:1 r/f:1 r/g:1
now +2m
tick
tick
tick
plan
