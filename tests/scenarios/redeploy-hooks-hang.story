# A hook hangs in the take-down of a redeploy until helm gives up: the site is not left half
# down.
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
release kaapana-platform-chart deployed
config
[platform]
version = "0.6.0"
domain = "kaapana.example.org"
[deployment]
chart_path = "/srv/kaapana-admin-chart-0.6.0.tgz"
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
[network]
http_port = 8080
end
settle
release kaapana-platform-chart uninstalling Deletion in progress (or silently failed)
step fail 1 Error: failed pre-delete: timed out waiting for the condition
settle
gone kaapana-platform-chart
step ok
settle
gone kaapana-admin-chart
step ok
settle
