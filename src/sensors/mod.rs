//! What looks at the node. Sensors push; nothing here changes anything.
//!
//! Each sensor is a task of its own with its own source of events, and sends whole
//! values; the loop keeps the newest. A sensor that hangs makes its own value
//! stale or unknown and nothing else.
//!
//! * [`units`]: systemd units of MicroK8s and of the running step, by signals;
//! * [`api`]: `/readyz` and the kinds the API server serves;
//! * [`cluster`]: releases, workloads, pods, volumes, nodes, by watches;
//! * [`release`]: Helm's release secrets, decoded; [`drift`]: what somebody changed of what they brought;
//! * [`disk`]: mounts, by events of the kernel, and free space;
//! * [`registry`]: would it give the configured chart? [`name`]: where the platform's name leads;
//! * [`runtime`]: the container runtime, at its socket;
//! * [`page`]: the platform's web page; [`workers`]: helm processes;
//! * [`gpu`]: NVML, and what the machine says of its GPUs without it; [`snap`]: snapd; [`system`]: memory and processors; [`kernel`]: its limits;
//! * [`arguments`]: what MicroK8s' API server is told; [`certificates`]: MicroK8s' certificates;
//! * [`storage`]: the provider of volumes, looked at when a deployment is prepared;
//! * [`patience`]: questions that may hang;
//! * [`tools`]: MicroK8s' files and the configured chart.

pub mod api;
pub mod arguments;
pub mod certificates;
pub mod cluster;
pub mod disk;
pub mod drift;
pub mod gpu;
pub mod import;
pub mod kernel;
pub mod name;
pub mod page;
pub mod patience;
pub mod registry;
pub mod release;
pub mod runtime;
pub mod snap;
pub mod storage;
pub mod system;
pub mod tools;
pub mod units;
pub mod workers;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use crate::config::Settings;
use crate::state::{
    ApiArguments, ApiState, Certificate, Chart, ClusterView, Disks, Drifted, Gpu, GpuHost, ImportProgress, Limits, Observed,
    Page, RegistryState, Resolved, RuntimeState, Snap, Snapshot, StepUnit, System, Tools, Trouble, UnitState,
};

/// A new value of one sensor.
#[derive(Debug)]
// Few of them exist at a time.
#[allow(clippy::large_enum_variant)]
pub enum Observation {
    /// MicroK8s' units.
    Services(Observed<BTreeMap<String, UnitState>>),
    /// The API server.
    Api(Observed<ApiState>),
    /// Kinds the API server serves.
    Kinds(Observed<Arc<BTreeSet<String>>>),
    /// The cluster's objects.
    Cluster(Observed<Arc<ClusterView>>),
    /// The data directories.
    Disks {
        /// So many actions had changed what lies in them when the look began.
        after: u64,
        /// What was seen.
        seen: Observed<Disks>,
    },
    /// The GPU.
    Gpu(Observed<Gpu>),
    /// What else the machine says of its GPUs.
    GpuHost(Observed<GpuHost>),
    /// How snapd keeps MicroK8s.
    Snap(Observed<Snap>),
    /// Memory and processors.
    System(Observed<System>),
    /// Limits of the kernel.
    Limits(Observed<Limits>),
    /// Objects that somebody changed, while no job works.
    Drift(Observed<Vec<Drifted>>),
    /// The registry, while no job works.
    Registry(Observed<RegistryState>),
    /// Where the platform's name leads.
    Name(Observed<Resolved>),
    /// The container runtime.
    Runtime(Observed<RuntimeState>),
    /// What MicroK8s' API server is told to do.
    Arguments(Observed<ApiArguments>),
    /// MicroK8s' certificates.
    Certificates(Observed<Vec<Certificate>>),
    /// MicroK8s' files.
    Tools(Observed<Tools>),
    /// The configured chart.
    Chart(Observed<Chart>),
    /// The unit of the running step.
    Step(Observed<StepUnit>),
    /// The platform's web page.
    Page(Observed<Page>),
    /// How far an import of images is.
    Import(Observed<ImportProgress>),
    /// Helm processes.
    Helms(Observed<Vec<u32>>),
    /// Warnings that the cluster gave just now. They are told, and kept nowhere.
    Warnings(Vec<Arc<Trouble>>),
    /// The system bus went away: the agent cannot go on without it.
    BusLost(String),
}

impl Observation {
    /// Puts it into the snapshot. A value that is stale keeps the last one.
    /// Returns whether anything changed.
    pub fn apply(self, snapshot: &mut Snapshot) -> bool {
        fn put<T: PartialEq>(place: &mut Observed<T>, new: Observed<T>) -> bool {
            let new = match new {
                Observed::Unknown { reason } => std::mem::take(place).into_stale(reason),
                other => other,
            };
            let changed = *place != new;
            *place = new;
            changed
        }
        match self {
            Self::Services(new) => put(&mut snapshot.services, new),
            Self::Api(new) => put(&mut snapshot.api, new),
            Self::Kinds(new) => put(&mut snapshot.kinds, new),
            Self::Cluster(new) => put(&mut snapshot.cluster, new),
            Self::Disks { seen, .. } => put(&mut snapshot.disks, seen),
            Self::Gpu(new) => put(&mut snapshot.gpu, new),
            Self::GpuHost(new) => put(&mut snapshot.gpu_host, new),
            Self::Snap(new) => put(&mut snapshot.snap, new),
            Self::System(new) => put(&mut snapshot.system, new),
            Self::Limits(new) => put(&mut snapshot.limits, new),
            Self::Runtime(new) => put(&mut snapshot.runtime, new),
            Self::Drift(new) => put(&mut snapshot.drift, new),
            Self::Registry(new) => put(&mut snapshot.registry, new),
            Self::Name(new) => put(&mut snapshot.name, new),
            Self::Arguments(new) => put(&mut snapshot.arguments, new),
            Self::Certificates(new) => put(&mut snapshot.certificates, new),
            Self::Tools(new) => put(&mut snapshot.tools, new),
            Self::Chart(new) => put(&mut snapshot.chart, new),
            Self::Step(new) => put(&mut snapshot.step, new),
            Self::Page(new) => put(&mut snapshot.page, new),
            Self::Import(new) => put(&mut snapshot.import, new),
            Self::Helms(new) => put(&mut snapshot.helms, new),
            Self::Warnings(_) | Self::BusLost(_) => false,
        }
    }
}

/// Where sensors send to.
pub type Observations = mpsc::Sender<Observation>;

/// The settings in force, for sensors that look where these say.
pub type SettingsInForce = watch::Receiver<Option<Arc<Settings>>>;
