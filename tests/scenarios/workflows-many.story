# Many workflows: the first few are named.
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
pod project-a/w-1 none running
pod project-a/w-2 none running
pod project-a/w-3 none running
pod project-a/w-4 none running
pod project-b/w-5 none running
pod project-b/w-6 none running
pod project-b/w-7 none running
ask undeploy
settle
