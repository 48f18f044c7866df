# Credentials that the charts would mangle: nothing is deployed with them for the first time.
config
[platform]
version = "0.6.0"
domain = "kaapana.example.org"
[deployment]
chart_path = "/srv/kaapana-admin-chart-0.6.0.tgz"
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
[credentials.minio]
password = "12#34"
end
node good
plan
