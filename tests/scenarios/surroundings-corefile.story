# A Corefile without a kubernetes line is not changed by guesses.
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
dns .:53 {; forward . 8.8.8.8;};
settle
