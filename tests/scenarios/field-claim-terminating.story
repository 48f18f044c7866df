# Field: a claim is Terminating because a pod still mounts it. The claim is not waited for and
# its finalizers stay; the pod is what is named.
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
workload PersistentVolumeClaim/minio healthy
pod services/a-1 Deployment/a running
ask undeploy
settle
gone kaapana-admin-chart
workload PersistentVolumeClaim/minio degraded it is being deleted
pod services/a-1 Deployment/a deleting
step ok
settle
nopod services/a-1
settle
