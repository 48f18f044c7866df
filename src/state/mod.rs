//! What is known of the node: observations, conditions, the phase.
//!
//! `cluster`, `node`, `host` and `storage` are what is seen of them, `condition` what is concluded from it.
//!
//! These types are data. Sensors fill them, the planner and the rules of
//! [`crate::health`] read them, nothing here looks at the node.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

use crate::config::ConfigError;

mod cluster;
mod condition;
mod host;
mod node;
mod storage;

pub use cluster::*;
pub use condition::*;
pub use host::*;
pub use node::*;
pub use storage::*;

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
    /// What else the machine says of its GPUs.
    pub gpu_host: Observed<GpuHost>,
    /// How snapd keeps MicroK8s.
    pub snap: Observed<Snap>,
    /// Memory and processors.
    pub system: Observed<System>,
    /// Limits of the kernel.
    pub limits: Observed<Limits>,
    /// What lies beneath the mount points of the data directories, by directory.
    pub beneath: BTreeMap<PathBuf, Beneath>,
    /// Objects of the platform's releases that somebody changed, while no job works.
    pub drift: Observed<Vec<Drifted>>,
    /// The registry, while no job works.
    pub registry: Observed<RegistryState>,
    /// Where the platform's name leads.
    pub name: Observed<Resolved>,
    /// The container runtime.
    pub runtime: Observed<RuntimeState>,
    /// What MicroK8s' API server is told to do.
    pub arguments: Observed<ApiArguments>,
    /// MicroK8s' certificates.
    pub certificates: Observed<Vec<Certificate>>,
    /// Files the agent needs of MicroK8s.
    pub tools: Observed<Tools>,
    /// The chart of the configuration.
    pub chart: Observed<Chart>,
    /// The transient unit of the running job's step.
    pub step: Observed<StepUnit>,
    /// How far the import of images is, while there is one.
    pub import: Observed<ImportProgress>,
    /// The platform's web page, while there is one.
    pub page: Observed<Page>,
    /// Helm processes on this machine, those in containers among them, while a release
    /// is pending: their process numbers.
    pub helms: Observed<Vec<u32>>,
    /// Why the ledger could not be written last, when it could not.
    pub ledger_error: Option<String>,
    /// Why what is remembered could not be read, when it could not; the agent does not start then.
    pub ledger_unread: Option<String>,
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

impl ConfigRefusal {
    /// A configuration with mistakes.
    #[must_use]
    pub fn invalid(error: &ConfigError) -> Self {
        let file = error.problems.iter().find_map(|problem| problem.file.as_ref());
        Self {
            reason: "Invalid".into(),
            file: file.map(|file| file.display().to_string()).unwrap_or_default(),
            problems: error.problems.iter().map(ToString::to_string).collect(),
        }
    }
}
