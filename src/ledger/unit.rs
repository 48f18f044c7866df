//! What runs for a job in a systemd unit of its own, and what is kept of it.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Name of the release of a migration, which Kaapana's own script gives it.
pub const MIGRATION_RELEASE: &str = "kaapana-migration";

/// Name of the chart and of the release of NVIDIA's GPU operator.
pub const GPU_OPERATOR: &str = "gpu-operator";

/// The namespace that MicroK8s' add-on gives it.
pub const GPU_OPERATOR_NAMESPACE: &str = "gpu-operator-resources";

/// A step that runs as a transient unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningStep {
    /// Name of the unit.
    pub unit: String,
    /// What it does: `install`, or `uninstall` with the release.
    pub what: StepKind,
    /// When it was started.
    pub started: Timestamp,
}

/// What a unit of a job does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum StepKind {
    /// `helm install` of the root release.
    Install,
    /// `helm upgrade` of the root release.
    Upgrade,
    /// `helm uninstall` of a release.
    Uninstall {
        /// Its namespace.
        namespace: String,
        /// Its name.
        release: String,
        /// Without the charts' hooks.
        #[serde(default)]
        no_hooks: bool,
    },
    /// `helm install` of the migration.
    Migrate,
    /// The container runtime imports an archive of images.
    ImportImages {
        /// The archive.
        archive: PathBuf,
    },
    /// The cluster is made to give GPUs to pods: by the chart of the GPU operator, or by
    /// MicroK8s' add-on.
    EnableGpu {
        /// The chart's archive; `None`: the add-on.
        chart: Option<PathBuf>,
    },
    /// The site's own program, before anything is taken down.
    PreTakedown {
        /// Its path.
        program: PathBuf,
    },
}

impl StepKind {
    /// The word in the unit's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Upgrade => "upgrade",
            Self::Uninstall { .. } => "uninstall",
            Self::Migrate => "migrate",
            Self::ImportImages { .. } => "import-images",
            Self::EnableGpu { .. } => "enable-gpu",
            Self::PreTakedown { .. } => "pre-takedown",
        }
    }

    /// The release it takes down; `None`: it takes none down.
    #[must_use]
    pub fn release(&self) -> Option<(String, String)> {
        match self {
            Self::Uninstall { namespace, release, .. } => Some((namespace.clone(), release.clone())),
            _ => None,
        }
    }
}

impl std::fmt::Display for StepKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Install => write!(f, "helm install of the chart"),
            Self::Upgrade => write!(f, "helm upgrade to the chart"),
            Self::Uninstall { namespace, release, no_hooks: false } => write!(f, "helm uninstall of {namespace}/{release}"),
            Self::Uninstall { namespace, release, no_hooks: true } => {
                write!(f, "helm uninstall of {namespace}/{release} without hooks")
            }
            Self::Migrate => write!(f, "helm install of the migration"),
            Self::ImportImages { archive } => write!(f, "import of the images in {}", archive.display()),
            Self::EnableGpu { chart: None } => write!(f, "microk8s enable nvidia"),
            Self::EnableGpu { chart: Some(_) } => write!(f, "helm install of the GPU operator"),
            Self::PreTakedown { program } => write!(f, "the site's program {}", program.display()),
        }
    }
}

/// A release that one of the agent's own units worked on without being seen to end well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfinished {
    /// Namespace and name.
    pub release: (String, String),
    /// When the unit was started.
    pub from: Timestamp,
    /// When it was known to have ended.
    pub until: Option<Timestamp>,
}

/// A unit that ran for a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRecord {
    /// Name of the unit.
    pub unit: String,
    /// What it did, in words.
    pub what: String,
    /// systemd's id of its run; empty when it was never seen.
    pub invocation: String,
    /// When it was started.
    pub started: Timestamp,
    /// When it was seen to have ended; `None`: it was lost.
    pub finished: Option<Timestamp>,
}
