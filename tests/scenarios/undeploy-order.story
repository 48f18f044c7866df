# An undeploy takes down what was installed last first: projects and extensions, the
# platform, collections, the root. A foreign release stays and is named.
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
release kaapana-extension-collection-060 deployed
release kaapana-platform-chart deployed
release code-server-chart deployed
release project-admin deployed
foreign monitoring deployed
pod services/probe Deployment/probe running
ask undeploy
plan
settle
gone code-server-chart
step ok
settle
gone project-admin
step ok
settle
gone kaapana-platform-chart
step ok
settle
gone kaapana-extension-collection-060
step ok
settle
gone kaapana-admin-chart
workload PersistentVolumeClaim/minio healthy
step ok
settle
history
