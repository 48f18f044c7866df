# A reboot in the middle of the installation: the unit is gone.
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
# Helm had not begun.
tick
plan
tick
# Helm had ended: the release says whose it is.
release kaapana-admin-chart deployed mine
step absent
settle
