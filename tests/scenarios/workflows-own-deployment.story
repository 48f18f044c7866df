# A pod of a project's own Deployment is no workflow, nor is one that is being deleted, nor
# one elsewhere.
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
pod project-admin/viewer-1 Deployment/viewer running
pod project-admin/train-1 none deleting
pod elsewhere/train-2 none running
ask undeploy
settle
