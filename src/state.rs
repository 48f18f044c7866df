//! What is known of the node: observations, conditions, the phase.
//!
//! These types are data. Sensors fill them, the planner and the rules of
//! [`crate::health`] read them, nothing here looks at the node.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::health::Health;

/// An observation and how far it can be trusted. Unknown never leads to a change.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Observed<T> {
    /// True now, as far as the source can tell.
    Fresh(T),
    /// Was true; the source does not answer any more.
    Stale {
        /// The last value.
        value: T,
        /// Why it is stale.
        reason: String,
    },
    /// Not seen yet.
    #[default]
    Pending,
    /// Not known.
    Unknown {
        /// Why.
        reason: String,
    },
}

impl<T> Observed<T> {
    /// The value when it is fresh.
    #[must_use]
    pub fn fresh(&self) -> Option<&T> {
        match self {
            Self::Fresh(value) => Some(value),
            _ => None,
        }
    }

    /// The value, however old it is.
    #[must_use]
    pub fn last(&self) -> Option<&T> {
        match self {
            Self::Fresh(value) | Self::Stale { value, .. } => Some(value),
            _ => None,
        }
    }

    /// Why it is not fresh; empty when it is.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::Fresh(_) => "",
            Self::Stale { reason, .. } | Self::Unknown { reason } => reason,
            Self::Pending => "not looked at yet",
        }
    }

    /// Makes it stale, or unknown when there never was a value.
    #[must_use]
    pub fn into_stale(self, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        match self {
            Self::Fresh(value) | Self::Stale { value, .. } => Self::Stale { value, reason },
            _ => Self::Unknown { reason },
        }
    }
}

/// What a condition says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// It is as it should be.
    True,
    /// It is not.
    False,
    /// Nobody can tell.
    Unknown,
}

impl Status {
    /// The word on D-Bus and in the journal.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// How much a failed check matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Wants attention; does not stop a deployment.
    Warning,
    /// Nothing is deployed while it fails.
    Critical,
}

impl Severity {
    /// The word on D-Bus and in the journal.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// What one check says. `since` changes only when `status` does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// Stable id, such as `disk.fast.mounted`.
    pub id: String,
    /// True is good.
    pub status: Status,
    /// How much a failure matters.
    pub severity: Severity,
    /// One `CamelCase` word.
    pub reason: String,
    /// One sentence for a person. Never holds a secret.
    pub message: String,
    /// What to do; empty when nothing is to be done.
    pub advice: String,
    /// When the status last changed.
    pub since: Timestamp,
}

/// What the platform is in, as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// There is no configuration.
    Unconfigured,
    /// Something must be mended before the agent can do what is wanted.
    Blocked,
    /// Nothing is deployed, as wished.
    Undeployed,
    /// A deployment is being prepared or installed.
    Deploying,
    /// Installed; waiting for everything to become healthy.
    Progressing,
    /// Everything is as it should be.
    Healthy,
    /// Deployed, but something is not as it should be.
    Degraded,
    /// A repair is under way.
    Repairing,
    /// The platform is being taken down.
    Undeploying,
    /// The agent has done what it may; a person must decide.
    NeedsOperator,
    /// The agent was told to leave the platform alone.
    Paused,
}

impl Phase {
    /// The word on D-Bus, in the journal and on the terminal.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unconfigured => "Unconfigured",
            Self::Blocked => "Blocked",
            Self::Undeployed => "Undeployed",
            Self::Deploying => "Deploying",
            Self::Progressing => "Progressing",
            Self::Healthy => "Healthy",
            Self::Degraded => "Degraded",
            Self::Repairing => "Repairing",
            Self::Undeploying => "Undeploying",
            Self::NeedsOperator => "NeedsOperator",
            Self::Paused => "Paused",
        }
    }
}

/// Everything observed, as the planner gets it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    /// What the configuration directories hold now.
    pub config: ConfigState,
    /// MicroK8s' units, by name.
    pub services: Observed<BTreeMap<String, UnitState>>,
    /// The API server.
    pub api: Observed<ApiState>,
    /// Kinds the API server serves, as `group/version/Kind`; the core group is empty.
    pub kinds: Observed<Arc<BTreeSet<String>>>,
    /// The cluster's objects, reduced to what is needed.
    pub cluster: Observed<Arc<ClusterView>>,
    /// Since when these are seen without a gap.
    pub cluster_since: Option<Timestamp>,
    /// The two data directories.
    pub disks: Observed<Disks>,
    /// The GPU.
    pub gpu: Observed<Gpu>,
    /// Memory and processors.
    pub system: Observed<System>,
    /// Files the agent needs of MicroK8s.
    pub tools: Observed<Tools>,
    /// The chart of the configuration.
    pub chart: Observed<Chart>,
    /// The transient unit of the running job's step.
    pub step: Observed<StepUnit>,
    /// The platform's web page, while a job works.
    pub page: Observed<Page>,
    /// Helm processes on this machine, those in containers among them, while a release
    /// is pending: their process numbers.
    pub helms: Observed<Vec<u32>>,
    /// Why the ledger could not be written last, when it could not.
    pub ledger_error: Option<String>,
}

/// The state of the configuration on disk, which need not be the one in force.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigState {
    /// The directories were read at least once.
    pub read: bool,
    /// Why what is on disk was refused.
    pub error: Option<ConfigRefusal>,
    /// A change was seen; it is read at this time.
    pub settling_until: Option<Timestamp>,
    /// Allowed, but worth a sentence.
    pub warnings: Vec<String>,
}

/// A refused configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigRefusal {
    /// One `CamelCase` word.
    pub reason: String,
    /// The file of the first problem; empty: it is about none.
    pub file: String,
    /// Each problem in a line: file, line, column, key, expectation.
    pub problems: Vec<String>,
}

/// A systemd unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitState {
    /// `LoadState`, such as `loaded`, `not-found`.
    pub load: String,
    /// `ActiveState`, such as `active`, `failed`.
    pub active: String,
    /// `SubState`, such as `running`.
    pub sub: String,
}

/// What the API server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiState {
    /// `/readyz` answered 200.
    pub ready: bool,
    /// What it said when it did not.
    pub message: String,
    /// Its version, such as `v1.33.1`.
    pub version: String,
}

/// A file or directory of MicroK8s the agent needs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tools {
    /// The helm binary, when one was found.
    pub helm: Option<PathBuf>,
    /// Where it was looked for.
    pub helm_candidates: Vec<PathBuf>,
    /// The credentials file, and whether it can be read.
    pub kubeconfig: PathBuf,
    /// Why the credentials file cannot be used.
    pub kubeconfig_error: Option<String>,
}

/// The chart the configuration names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chart {
    /// An archive on this machine.
    File {
        /// Its path.
        path: PathBuf,
        /// SHA-256 of the archive, hexadecimal; or why it cannot be read.
        digest: Result<String, String>,
    },
    /// In a registry; its digest is known once it was pulled.
    Registry {
        /// `oci://host/path/name`.
        reference: String,
        /// The version.
        version: String,
    },
}

impl Chart {
    /// Where it comes from, as it is kept with a deployment.
    #[must_use]
    pub fn source(&self) -> String {
        match self {
            Self::File { path, .. } => path.display().to_string(),
            Self::Registry { reference, version } => format!("{reference}:{version}"),
        }
    }

    /// Its digest, when it is known.
    #[must_use]
    pub fn digest(&self) -> Option<&str> {
        match self {
            Self::File { digest: Ok(digest), .. } => Some(digest),
            _ => None,
        }
    }
}

/// The transient unit of a step, and what it left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepUnit {
    /// Its name.
    pub unit: String,
    /// Running, ended or not there.
    pub state: StepState,
    /// systemd's id of this run, for the journal.
    pub invocation: String,
}

/// What a step's unit does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepState {
    /// It runs.
    Running,
    /// It ended and said how.
    Ended(StepResult),
    /// There is no such unit and no result: never started, or lost with a reboot.
    Absent,
}

/// How a step's program ended; it is written to disk by the step itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepResult {
    /// Exit status; `None`: killed by a signal or not started.
    pub status: Option<i32>,
    /// It ran past its time limit and was ended.
    pub timed_out: bool,
    /// The last lines it printed, secrets removed.
    pub tail: Vec<String>,
}

impl StepResult {
    /// Ended with exit status 0.
    #[must_use]
    pub fn success(&self) -> bool {
        self.status == Some(0) && !self.timed_out
    }
}

/// What the platform's web page does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Its address.
    pub url: String,
    /// It answers with a status below 500.
    pub answers: bool,
    /// What it said.
    pub message: String,
}

/// Memory and processors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct System {
    /// Name of this machine.
    pub host_name: String,
    /// Total memory in MiB.
    pub memory_mib: u64,
    /// Memory available to programs in MiB.
    pub available_mib: u64,
    /// Number of processors.
    pub processors: usize,
    /// Load average of 5 minutes, in hundredths.
    pub load5_centi: u64,
}

/// The GPU, seen through NVML. No driver, no library and no GPU are states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gpu {
    /// NVML lists these.
    Devices {
        /// Names of the devices, by index.
        names: Vec<String>,
        /// Version of the driver.
        driver: String,
    },
    /// The library is there, the driver is not loaded (NVML code 9).
    NoDriver,
    /// There is no `libnvidia-ml.so`.
    NoLibrary,
    /// The driver is loaded and lists nothing.
    NoDevice,
    /// NVML answered with an error.
    Failed(String),
}

/// The two data directories; they may be the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disks {
    /// Of databases and working data.
    pub fast: Directory,
    /// Of images and archives.
    pub slow: Directory,
}

/// A data directory and the file system under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    /// Its path.
    pub path: PathBuf,
    /// Does it exist as a directory?
    pub exists: bool,
    /// Nothing in it but `lost+found` and the agent's marker; `None`: could not be read.
    pub empty: Option<bool>,
    /// First line of the file `version`, which the platform writes: its release.
    pub version: Option<String>,
    /// Mount points at or above the directory which fstab or a mount unit declares
    /// and which are not mounted.
    pub missing_mounts: Vec<PathBuf>,
    /// The mount point the directory lies on now.
    pub mount_point: PathBuf,
    /// Source of that mount, such as `/dev/sdb1`.
    pub source: String,
    /// Its file system type.
    pub fs_type: String,
    /// Mounted read-only.
    pub read_only: bool,
    /// What identifies the file system.
    pub identity: DiskIdentity,
    /// Bytes in all.
    pub total: u64,
    /// Bytes that can still be written by the platform.
    pub free: u64,
    /// Why space or contents are not known, when they are not.
    pub error: Option<String>,
}

/// What identifies a disk: what is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DiskIdentity {
    /// UUID of the file system.
    pub uuid: Option<String>,
    /// `f_fsid` of `statfs(2)` where the file system derives it from its UUID (ext4, btrfs).
    pub fsid: Option<String>,
    /// The id in the agent's marker file.
    pub marker: Option<String>,
}

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
    /// Volumes by name.
    pub volumes: BTreeMap<String, Arc<Volume>>,
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

/// A node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Name.
    pub name: String,
    /// Its Ready condition.
    pub ready: bool,
    /// Reason and message of the Ready condition when it is not.
    pub message: String,
    /// `InternalIP`.
    pub address: Option<String>,
    /// Value of the label `kaapana.io/node`.
    pub role: Option<String>,
}
