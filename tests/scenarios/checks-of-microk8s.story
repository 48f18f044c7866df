# What is wrong with MicroK8s and the kernel is told, and goes away by itself.
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
plan
limits 65530 128
checks
limits x 10000
checks
limits 262144 10000
# A certificate: nothing, a word, a warning, the last days, the end, and a new one.
certificate front-proxy-client.crt 2027-01-20T12:00:00Z
checks
now +720h
checks
now +480h
checks
now +168h
checks
now +48h
checks
certificate front-proxy-client.crt 2028-01-20T12:00:00Z
certificate kubelet.crt nonsense
checks
certificate kubelet.crt 2100-01-01T00:00:00Z
checks
# The third restart within ten minutes is a storm, which is over by itself.
restarted kubelite
now +4m
restarted kubelite
checks
now +1m
restarted kubelite
checks
plan
now +5m
checks
# Without an address of its own every new interface costs a restart of all pods.
arguments --service-node-port-range=80-32000 --authorization-mode=RBAC
checks
# A refresh of the snap starts the whole cluster again.
arguments --service-node-port-range=80-32000 --advertise-address=10.0.0.2 --authorization-mode=AlwaysAllow
snap none
checks
snap 2026-12-01T00:00:00Z
arguments --service-node-port-range=80-32000 --advertise-address=10.0.0.2 --authorization-mode=RBAC,Node
checks
