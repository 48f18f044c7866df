# A GPU fails when its container is started again, not when the driver is upgraded under it; the
# page and its certificate are looked at all the time.
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
page up
gpu NVIDIA-H100
gpu-host 570.86.15 570.86.15 0000:01:00.0
checks
gpus 1
checks
gpu-host 570.86.15 575.51.03 0000:01:00.0
checks
gpu-host 575.51.03 575.51.03 0000:01:00.0 0000:02:00.0
checks
gpu none
gpu-host none none
page down
checks
page up
page-certificate 2026-12-08T00:00:00Z
checks
plan
page-certificate 2100-01-01T00:00:00Z
checks
