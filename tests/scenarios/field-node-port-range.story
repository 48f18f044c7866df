# Field: the API server takes no port below 30000. Helm's own words are told, and the last good one
# goes back.
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
gone kaapana-admin-chart
step ok
settle
release kaapana-admin-chart failed Release "kaapana-admin-chart" failed: provided port is not in the valid range
step fail 1 Error: INSTALLATION FAILED: Service "traefik" is invalid: spec.ports[0].nodePort: Invalid value: 8080: provided port is not in the valid range. The range of valid ports is 30000-32767
tick
settle
gone kaapana-admin-chart
step ok
settle
release kaapana-admin-chart deployed mine
step ok
settle
now +60s
settle
plan
