# A machine that Longhorn does not know has no disk in it: told before anything is touched.
config
[platform]
version = "0.6.0"
domain = "kaapana.example.org"
[deployment]
chart_path = "/srv/kaapana-admin-chart-0.6.0.tgz"
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
[storage]
provider = "longhorn"
end
node good
longhorn unknown 100 25 7 8
settle
