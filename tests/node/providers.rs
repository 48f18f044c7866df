//! What a deployment needs that others provide: volumes (Longhorn) and GPUs (MicroK8s'
//! add-on, or the GPU operator's chart). Longhorn's kinds and objects are served by the real
//! API server; Longhorn itself, which would act on them, is not there. MicroK8s' command is the
//! stand-in, which records what it is asked for.

use kaapana_agent::agent::publish::Published;
use kaapana_agent::state::Phase;
use serde_json::{Value, json};

use super::harness::{DEPLOYMENT, MOMENT, Node, config_of};

const KUBECTL: &str = "/snap/bin/microk8s.kubectl";

const METADATA: &str = "apiVersion: v2\nname: kaapana-admin-chart\nversion: 0.6.0\n";

const PLATFORM: &str = "apiVersion: v1
kind: ConfigMap
metadata: {name: what-is-given}
data:
  replicas: {{ .Values.global.replica_count | quote }}
  gpu: {{ .Values.global.gpu_support | quote }}
  class: {{ .Values.global.storage_class_fast | quote }}
";

/// Stands in for NVIDIA's chart: it keeps what it is given.
const OPERATOR: &str = "apiVersion: v1
kind: ConfigMap
metadata: {name: what-the-operator-is-given}
data:
  values: {{ .Values | toJson | quote }}
";

/// The kinds of Longhorn as far as they are used, and what a Longhorn of two nodes has.
const LONGHORN: &str = "
{
echo 'apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Namespace, metadata: {name: longhorn-system}}'
for kind in Node/nodes Setting/settings; do
cat <<END
- apiVersion: apiextensions.k8s.io/v1
  kind: CustomResourceDefinition
  metadata: {name: ${kind#*/}.longhorn.io}
  spec:
    group: longhorn.io
    scope: Namespaced
    names: {kind: ${kind%/*}, listKind: ${kind%/*}List, plural: ${kind#*/}, singular: $(echo ${kind%/*} | tr A-Z a-z)}
    versions:
    - name: v1beta2
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
END
done
} | KUBECTL apply -f -
KUBECTL wait --for=condition=Established crd/nodes.longhorn.io crd/settings.longhorn.io --timeout=30s
KUBECTL apply -f - <<END
apiVersion: v1
kind: List
items:
- {apiVersion: storage.k8s.io/v1, kind: CSIDriver, metadata: {name: driver.longhorn.io}, spec: {attachRequired: true}}
- apiVersion: longhorn.io/v1beta2
  kind: Node
  metadata: {name: kaapana-node, namespace: longhorn-system}
  spec:
    allowScheduling: true
    name: kaapana-node
    disks:
      default-disk-1: {path: /var/lib/longhorn/, allowScheduling: true, storageReserved: 30, tags: [mine]}
- {apiVersion: longhorn.io/v1beta2, kind: Node, metadata: {name: other, namespace: longhorn-system}, spec: {allowScheduling: true}}
- {apiVersion: longhorn.io/v1beta2, kind: Node, metadata: {name: closed, namespace: longhorn-system}, spec: {allowScheduling: false}}
- apiVersion: longhorn.io/v1beta2
  kind: Setting
  metadata: {name: storage-over-provisioning-percentage, namespace: longhorn-system}
  value: '100'
- apiVersion: longhorn.io/v1beta2
  kind: Setting
  metadata: {name: storage-minimal-available-percentage, namespace: longhorn-system}
  value: '25'
END
";

fn configure(node: &Node, deployment: &str) {
    let text = config_of(deployment, "[storage]\nprovider = \"longhorn\"\n").replace("gpu_support = false\n", "");
    let text = if deployment.contains("offline") { text.replacen("offline = true\n", "", 1) } else { text };
    node.configure(&text.replace("/srv/kaapana-admin-chart", "/srv/small/kaapana-admin-chart"));
}

fn failed(node: &Node, reason: &str) -> Published {
    node.wait(reason, MOMENT, |p| p.job.is_none() && p.history.last().is_some_and(|job| job.error.starts_with(reason)))
}

fn object(node: &Node, path: &str) -> Value {
    serde_json::from_str(&node.ok(&format!("{KUBECTL} get --raw {path}"))).unwrap()
}

fn longhorn(node: &Node, path: &str) -> Value {
    object(node, &format!("/apis/longhorn.io/v1beta2/namespaces/longhorn-system/{path}"))
}

fn given(node: &Node, namespace: &str, name: &str) -> Value {
    object(node, &format!("/api/v1/namespaces/{namespace}/configmaps/{name}"))["data"].clone()
}

#[test]
fn volumes_and_gpus_are_provided_before_anything_is_installed() {
    let node = Node::new();
    node.package_chart("small", "kaapana-admin-chart", &[("Chart.yaml", METADATA), ("templates/all.yaml", PLATFORM)]);
    node.ok("mkdir -p /var/lib/longhorn");

    // No Longhorn: told, and nothing is done.
    configure(&node, "offline = false\ngpu_support = true\n");
    let published = failed(&node, "StorageProviderMissing: ");
    assert!(published.history.last().unwrap().error.contains("CSIDriver driver.longhorn.io"), "{published:?}");
    assert_eq!(published.phase, Phase::Blocked);

    // It is there; MicroK8s has no way out. Longhorn is set up, nothing is installed.
    node.ok(&LONGHORN.replace("KUBECTL", KUBECTL));
    node.ok("echo 'Error: repo nvidia cannot be reached' >/run/microk8s-fails");
    node.exits(1, "kaapanactl deploy");
    let published = failed(&node, "GpuNotEnabled: ");
    let error = &published.history.last().unwrap().error;
    assert!(error.contains("microk8s enable nvidia ended with status 1: Error: repo nvidia cannot be reached"), "{error}");
    assert_eq!(node.helm_calls("install"), 0);
    let asked = node.ok("cat /run/microk8s-record");
    let wanted = [
        "enable",
        "nvidia",
        "--gpu-operator-driver",
        "host",
        "--gpu-operator-version",
        "v25.10.0",
        "--gpu-operator-set",
        "toolkit.env[3].name=RUNTIME_CONFIG_SOURCE",
        "--gpu-operator-set",
        "toolkit.env[3].value=file=/var/snap/microk8s/current/args/containerd.toml",
    ];
    assert_eq!(asked.lines().collect::<Vec<_>>(), wanted);
    let disks = longhorn(&node, "nodes/kaapana-node")["spec"]["disks"].clone();
    assert_eq!(
        disks,
        json!({
            "default-disk-1": {"path": "/var/lib/longhorn/", "allowScheduling": true, "storageReserved": 30, "tags": ["mine"]},
            "fast-data": {"path": "/data/fast", "allowScheduling": true, "tags": ["fast-data"]},
            "slow-data": {"path": "/data/slow", "allowScheduling": true, "tags": ["slow-data"]},
        })
    );
    assert_eq!(longhorn(&node, "settings/storage-over-provisioning-percentage")["value"], "1000000");
    assert_eq!(longhorn(&node, "settings/storage-minimal-available-percentage")["value"], "5");
    let set_up = longhorn(&node, "nodes/kaapana-node")["metadata"]["resourceVersion"].clone();

    // Offline the archive beside the chart is wanted, and a foreign one is refused.
    let offline = "offline = true\ngpu_support = true\n";
    configure(&node, offline);
    let published = failed(&node, "GpuOperatorMissing: ");
    assert!(published.history.last().unwrap().error.contains("/srv/small/gpu-operator.tgz"), "{published:?}");
    node.ok("cp /srv/small/kaapana-admin-chart-0.6.0.tgz /srv/small/gpu-operator.tgz");
    node.exits(1, "kaapanactl deploy");
    let published = failed(&node, "ChartInvalid: ");
    let error = &published.history.last().unwrap().error;
    assert!(error.contains("holds the chart kaapana-admin-chart, expected gpu-operator"), "{error}");
    let metadata = "apiVersion: v2\nname: gpu-operator\nversion: v25.10.0\n";
    node.package_chart("other", "gpu-operator", &[("Chart.yaml", metadata), ("templates/all.yaml", OPERATOR)]);
    node.ok("mv /srv/other/gpu-operator-v25.10.0.tgz /srv/small/gpu-operator.tgz");
    node.ok("kaapanactl deploy");
    node.wait("healthy", DEPLOYMENT, |p| p.phase == Phase::Healthy && p.job.is_none());
    let values: Value =
        serde_json::from_str(given(&node, "gpu-operator-resources", "what-the-operator-is-given")["values"].as_str().unwrap())
            .unwrap();
    let of = |name: &str, value: &str| json!({"name": name, "value": value});
    assert_eq!(
        values,
        json!({"driver": {"enabled": false}, "operator": {"defaultRuntime": "containerd"}, "toolkit": {"enabled": true, "env": [
            of("CONTAINERD_CONFIG", "/var/snap/microk8s/current/args/containerd-template.toml"),
            of("CONTAINERD_SOCKET", "/var/snap/microk8s/common/run/containerd.sock"),
            of("CONTAINERD_SET_AS_DEFAULT", "1"),
            of("RUNTIME_CONFIG_SOURCE", "file=/var/snap/microk8s/current/args/containerd.toml"),
        ]}})
    );
    assert_eq!(
        given(&node, "default", "what-is-given"),
        json!({"replicas": "2", "gpu": "true", "class": "kaapana-longhorn-fast-db"})
    );
    assert_eq!(longhorn(&node, "nodes/kaapana-node")["metadata"]["resourceVersion"], set_up, "set up once");
    assert_eq!(node.ok("cat /run/microk8s-record").lines().count(), wanted.len(), "offline the add-on is not asked for");

    // More nodes of Longhorn redeploy nothing; the operator stays when the platform goes.
    let installs = node.helm_calls("install");
    node.ok(&format!(
        "{KUBECTL} patch nodes.longhorn.io closed --namespace longhorn-system --type merge -p '{{\"spec\":{{\"allowScheduling\":true}}}}'"
    ));
    node.ok("kaapanactl reload");
    assert_eq!(node.ok("kaapanactl plan").lines().filter(|line| line.contains("replica_count")).count(), 0);
    assert_eq!(node.helm_calls("install"), installs);
    node.ok("kaapanactl undeploy --yes");
    let left = node.ok("/snap/bin/microk8s.helm3 list --all --all-namespaces --short");
    assert_eq!(left.trim(), "gpu-operator");
}
