# A broken edit changes nothing.
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
broken /etc/kaapana/config/10.toml:3:1: platform.versoin: unknown key (did you mean platform.version?)
plan
checks
