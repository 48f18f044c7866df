# Helm fails half-way: the generation is not tried again by itself, a person may.
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
release kaapana-admin-chart failed mine
step fail 1 Error: INSTALLATION FAILED: boom
settle
checks
now +1h
plan
restart
node good
plan
# Asked for, it takes down what the failed installation left.
ask deploy
tick
tick
tick
tick
