# A registry that is down or a login that has ended is known before the next deployment needs
# it, and holds nothing; a runtime that does not answer holds, and the way out is told.
config
[platform]
version = "0.6.0"
domain = "kaapana.example.org"
[registry]
url = "registry.example.org/kaapana"
username = "reader"
password = "Password1"
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
end
deployed
page up
registry there
name kaapana.example.org 10.0.0.5
checks
registry RegistryLoginRefused registry.example.org refuses the login of reader
name kaapana.example.org failed to lookup address information
checks
plan
name kaapana.example.org 192.0.2.7
registry ChartVersionNotFound it has 0.5.3
checks
registry there
drift Deployment/minio differs in spec.replicas
checks
plan
drift none
beneath slow studies incoming
checks
plan
beneath slow
checks
runtime silent no answer within 10 s
checks
plan
# A change meanwhile waits for the runtime, and not for the registry.
registry RegistryNotReachable connection refused
config
[platform]
version = "0.6.0"
domain = "kaapana.example.org"
[network]
http_port = 8080
[registry]
url = "registry.example.org/kaapana"
username = "reader"
password = "Password1"
[data]
fast_dir = "/data/fast"
slow_dir = "/data/slow"
end
plan
runtime unready NetworkReady: NetworkPluginNotReady cni plugin not initialized
checks
runtime ready
registry RegistryNotReachable connection refused
checks
plan
