//! What is seen of the cluster, reduced to what is decided upon.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::values::Values;
use crate::health::Health;

/// An object's kind, namespace and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectId {
    /// Kind, such as `Deployment`.
    pub kind: String,
    /// Namespace; empty for cluster-wide objects.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl ObjectId {
    /// Makes an id.
    #[must_use]
    pub fn new(kind: &str, namespace: &str, name: &str) -> Self {
        Self { kind: kind.into(), namespace: namespace.into(), name: name.into() }
    }
}

impl std::fmt::Display for ObjectId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "{} {}", self.kind, self.name)
        } else {
            write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
        }
    }
}

/// The cluster, reduced to what is needed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ClusterView {
    /// Helm releases, newest revision, by namespace and name.
    pub releases: BTreeMap<(String, String), Arc<Release>>,
    /// Deployments, stateful sets, daemon sets, Jobs and claims.
    pub workloads: BTreeMap<ObjectId, Arc<Workload>>,
    /// Pods by namespace and name.
    pub pods: BTreeMap<(String, String), Arc<Pod>>,
    /// The newest of the events that say why something does not come about, by what they are about.
    pub troubles: BTreeMap<ObjectId, Arc<Trouble>>,
    /// Volumes by name.
    pub volumes: BTreeMap<String, Arc<Volume>>,
    /// The cluster's DNS, when MicroK8s' add-on is there.
    pub dns: Option<Arc<Dns>>,
    /// `kube-public/local-registry-hosting`.
    pub registry_hosting: Option<Arc<RegistryHosting>>,
    /// Nodes by name.
    pub nodes: BTreeMap<String, Arc<Node>>,
}

/// A Helm release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Name.
    pub name: String,
    /// Namespace of the release.
    pub namespace: String,
    /// Revision.
    pub revision: u64,
    /// Helm's status: `deployed`, `failed`, `pending-install`, `uninstalling` …
    pub status: String,
    /// When Helm last began something with it.
    pub changed: Option<Timestamp>,
    /// When its first revision was made.
    pub made: Option<Timestamp>,
    /// Helm's description; the agent's installations say which job made them.
    pub description: String,
    /// Name of the chart.
    pub chart: String,
    /// Version of the chart.
    pub chart_version: String,
    /// All its values, when it is the root of a platform: `global.release_name` is its own name.
    pub values: Option<Arc<ReleaseValues>>,
    /// `global.release_name` of its values.
    pub global_release_name: Option<String>,
    /// `global.instance_uid` of its values.
    pub global_instance_uid: Option<String>,
    /// `global.hostname` of its values.
    pub global_hostname: Option<String>,
    /// Workloads in its manifest.
    pub objects: Vec<ManifestObject>,
    /// Jobs of its hooks.
    pub hooks: Vec<ObjectId>,
    /// Namespaces in its manifest that go with it: those helm is not told to keep.
    pub namespaces: Vec<String>,
    /// Its contents could be read; otherwise only name, revision and status are known.
    pub readable: bool,
}

impl Release {
    /// Does its status say that a helm works on it, or did?
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.status == "uninstalling" || self.status.starts_with("pending-")
    }
}

/// The values of a release. They hold secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseValues {
    /// What was given to Helm, as it is.
    pub raw: serde_json::Value,
    /// The same, by path.
    pub given: Values,
    /// What the chart says where nothing was given.
    pub defaults: Values,
}

/// A workload of a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestObject {
    /// Which.
    pub id: ObjectId,
    /// A Job that deletes itself when done: absent counts as done.
    pub has_ttl: bool,
    /// `helm.sh/resource-policy: keep`: an uninstall leaves it.
    pub keep: bool,
}

/// A workload or claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workload {
    /// Which.
    pub id: ObjectId,
    /// Its health, by the rules of its kind.
    pub health: Health,
    /// It is being deleted.
    pub deleting: bool,
    /// What must be done before it is gone.
    pub finalizers: Vec<String>,
}

/// A pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// The workload it belongs to; a replica set is resolved to its deployment.
    pub owner: Option<ObjectId>,
    /// Its unique id: another pod of the same name has another.
    pub uid: String,
    /// It has not ended yet.
    pub active: bool,
    /// Its health.
    pub health: Health,
    /// It is being deleted; its own time to end is over then.
    pub deleting: Option<Timestamp>,
    /// What must be done before it is gone.
    pub finalizers: Vec<String>,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// The claims it mounts, in its namespace.
    pub claims: Vec<String>,
}

/// An event of the cluster that says why an object does not come about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What it is about.
    pub about: ObjectId,
    /// The unique id of that; empty when the event does not say.
    pub uid: String,
    /// Its reason, such as `FailedMount`.
    pub reason: String,
    /// What it says.
    pub message: String,
    /// When it was seen last.
    pub at: Timestamp,
}

/// A volume with a path on this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// Name.
    pub name: String,
    /// Path of a hostPath or local volume.
    pub path: Option<String>,
    /// Namespace and name of the claim it is bound to.
    pub claim: Option<(String, String)>,
    /// Its data is erased when its claim goes: its reclaim policy is not `Retain`.
    pub erased: bool,
}

/// The configuration of CoreDNS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dns {
    /// The Corefile.
    pub corefile: String,
    /// `resourceVersion` of its ConfigMap.
    pub version: String,
    /// It was changed and CoreDNS was not restarted since.
    pub restart_due: bool,
}

/// The ConfigMap `kube-public/local-registry-hosting` (KEP 1755).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryHosting {
    /// Its unique id.
    pub uid: String,
    /// Namespace and name of the Helm release it belongs to.
    pub release: Option<(String, String)>,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Name.
    pub name: String,
    /// Its Ready condition.
    pub ready: bool,
    /// Reason and message of the Ready condition when it is not.
    pub message: String,
    /// Conditions that are bad when they are true, such as `DiskPressure`, with their messages.
    pub pressure: Vec<String>,
    /// Version of its kubelet, such as `v1.33.1`.
    pub version: String,
    /// `InternalIP`.
    pub address: Option<String>,
    /// Value of the label `kaapana.io/node`.
    pub role: Option<String>,
    /// How many NVIDIA GPUs it gives to pods (`nvidia.com/gpu`).
    pub gpus: u64,
}

/// An object that does not say what its release's manifest says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drifted {
    /// Which.
    pub object: ObjectId,
    /// Name of the release.
    pub release: String,
    /// What differs, without values.
    pub how: String,
}
