# What is stuck in a platform that never was healthy is the rest of a failed deployment: no
# consent is wanted.
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
release kaapana-admin-chart deployed mine
release kaapana-platform-chart pending-install Initial install underway
step ok
settle
now +1h
settle
helms none
ask undeploy
settle
