//! What every check says, as conditions, and which of them hold a job back. Pure.
//!
//! * [`microk8s`]: its files, units, API server and node;
//! * [`host`]: memory, processors, limits of the kernel;
//! * [`disks`]: the data directories;
//! * [`gpu`]: the GPU;
//! * [`platform`]: chart, deployment, workloads.

pub mod disks;
pub mod gpu;
pub mod host;
pub mod microk8s;
pub mod platform;

use jiff::Timestamp;

use super::interlock::Verdict;
use super::job::migrate;
use super::{Hold, Inputs};
use crate::health::platform::PlatformHealth;
use crate::ledger::JobKind;
use crate::state::{Condition, Observed, Severity, Status};
pub use microk8s::UNITS;

/// Every check there is. One of the data directories is there twice, as `disk.fast.…` and as
/// `disk.slow.…`.
pub const CHECKS: &[&str] = &[
    "agent.ledger",
    "chart.available",
    "config.valid",
    "disk.answers",
    "disk.errors",
    "disk.identity",
    "disk.inodes",
    "disk.medium",
    "disk.monitored",
    "disk.mounted",
    "disk.separate",
    "disk.shadowed",
    "disk.space",
    "disk.version",
    "disk.writable",
    "gpu.allocatable",
    "gpu.count",
    "gpu.device",
    "gpu.driver",
    "helm.binary",
    "kernel.inotify",
    "kernel.max_map_count",
    "microk8s.advertise_address",
    "microk8s.api",
    "microk8s.auxiliary",
    "microk8s.certificates",
    "microk8s.credentials",
    "microk8s.dns",
    "microk8s.node",
    "microk8s.node_ports",
    "microk8s.pressure",
    "microk8s.rbac",
    "microk8s.refresh",
    "microk8s.restarts",
    "microk8s.runtime",
    "microk8s.services",
    "platform.certificate",
    "platform.deployment",
    "platform.drift",
    "platform.migration",
    "platform.name",
    "platform.page",
    "platform.workloads",
    "registry.chart",
    "system.cpu",
    "system.memory",
];

/// The name in [`CHECKS`] of a check, by which its page in the documentation is found.
#[must_use]
pub fn page_of(id: &str) -> String {
    id.replace(".fast.", ".").replace(".slow.", ".")
}

/// Where the page of a check is, on a server with the package.
#[must_use]
pub fn documentation_of(id: &str) -> String {
    format!("file:///usr/share/doc/kaapana-agent/checks/{}.md", page_of(id))
}

/// Checks that must not fail before a platform is taken down.
const UNDEPLOY_NEEDS: [&str; 3] = ["helm.binary", "microk8s.credentials", "microk8s.api"];

/// The check of which release the data is.
pub const DATA_VERSION: &str = "disk.fast.version";

/// The check whether a migration is at work.
pub const MIGRATION: &str = "platform.migration";

/// The failed or unknown checks that hold back a job of this kind.
#[must_use]
pub fn holds(kind: JobKind, conditions: &[Condition]) -> Vec<Hold> {
    conditions
        .iter()
        .filter(|condition| condition.status != Status::True)
        .filter(|condition| match kind {
            JobKind::Deploy => condition.severity == Severity::Critical,
            // That is what it is for; what forbids it is looked at when it is asked for.
            JobKind::Migrate => {
                condition.severity == Severity::Critical && ![DATA_VERSION, MIGRATION].contains(&condition.id.as_str())
            }
            // What is missing for it, it finds out itself.
            JobKind::ImportImages => false,
            JobKind::Undeploy => UNDEPLOY_NEEDS.contains(&condition.id.as_str()),
        })
        .map(hold_of)
        .collect()
}

/// The hold of a check that failed or is not known.
#[must_use]
pub fn hold_of(condition: &Condition) -> Hold {
    Hold::new(&condition.id, format!("{}: {}", condition.reason, condition.message), condition.advice.clone())
}

/// What every check says. `since` is the time of the decision; whoever publishes
/// keeps the time of the last change.
#[must_use]
pub fn conditions(inputs: &Inputs<'_>, health: Option<&PlatformHealth>) -> Vec<Condition> {
    let mut list = List { now: inputs.now, conditions: Vec::new() };
    config(inputs, &mut list);
    if let Some(error) = &inputs.snapshot.ledger_error {
        let advice = "free space under /var/lib/kaapana-agent; the agent tries again by itself";
        list.add("agent.ledger", Severity::Critical, Status::False, "NotWritable", error.clone(), advice);
    }
    if let Some(error) = &inputs.snapshot.ledger_unread {
        list.add("agent.ledger", Severity::Critical, Status::Unknown, "NotReadable", error.clone(), "");
    }
    microk8s::tools(inputs, &mut list);
    microk8s::services(inputs, &mut list);
    microk8s::restarts(inputs, &mut list);
    microk8s::runtime(inputs, &mut list);
    microk8s::api(inputs, &mut list);
    microk8s::node(inputs, &mut list);
    microk8s::pressure(inputs, &mut list);
    microk8s::addons(inputs, &mut list);
    microk8s::advertise_address(inputs, &mut list);
    microk8s::refresh(inputs, &mut list);
    microk8s::certificates(inputs, &mut list);
    host::system(inputs, &mut list);
    host::limits(inputs, &mut list);
    // While a job works, sensors look where it does.
    let looked_at = inputs.ledger.job.as_ref().map(|job| &job.settings).or(inputs.ledger.settings.as_ref());
    if let Some(settings) = looked_at {
        microk8s::node_ports(inputs, settings, &mut list);
        disks::disks(inputs, settings, &mut list);
        gpu::gpu(inputs, settings, &mut list);
        gpu::host(inputs, &mut list);
        gpu::allocatable(inputs, settings, &mut list);
        platform::chart(inputs, settings, &mut list);
        if let Some(work) = migrate::at_work(inputs, settings) {
            let advice = "wait until it has ended: microk8s kubectl -n migration get jobs,pods";
            list.add(MIGRATION, Severity::Critical, Status::False, "AtWork", work, advice);
        }
        platform::platform(inputs, health, &mut list);
        platform::drift(inputs, &mut list);
        platform::page(inputs, &mut list);
        platform::name(inputs, settings, &mut list);
        platform::registry(inputs, settings, &mut list);
    }
    list.conditions
}

/// When what a check says changes although nothing new is seen.
#[must_use]
pub fn changes_at(inputs: &Inputs<'_>) -> Option<Timestamp> {
    let all = [microk8s::certificates_change(inputs), microk8s::restarts_change(inputs), microk8s::refresh_change(inputs)];
    all.into_iter().flatten().min()
}

struct List {
    now: Timestamp,
    conditions: Vec<Condition>,
}

impl List {
    fn add(
        &mut self,
        id: &str,
        severity: Severity,
        status: Status,
        reason: &str,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) {
        debug_assert!(CHECKS.contains(&page_of(id).as_str()), "{id} is not in CHECKS");
        self.conditions.push(Condition {
            id: id.into(),
            status,
            severity,
            reason: reason.into(),
            message: message.into(),
            advice: advice.into(),
            since: self.now,
        });
    }

    fn good(&mut self, id: &str, severity: Severity, message: impl Into<String>) {
        self.add(id, severity, Status::True, "Good", message, "");
    }

    fn verdict(&mut self, id: &str, severity: Severity, verdict: Verdict) {
        self.add(id, severity, verdict.status, verdict.reason, verdict.message, verdict.advice);
    }

    fn unknown<T>(&mut self, id: &str, severity: Severity, observed: &Observed<T>) {
        let reason = if matches!(observed, Observed::Pending) { "Pending" } else { "NotObserved" };
        self.add(id, severity, Status::Unknown, reason, observed.reason(), "");
    }
}

fn config(inputs: &Inputs<'_>, list: &mut List) {
    let id = "config.valid";
    let state = &inputs.snapshot.config;
    let generation = inputs.ledger.generation;
    match (&state.error, state.read) {
        (Some(refusal), _) => {
            let stays = if refusal.reason == "NotKept" {
                "free space under /var/lib/kaapana-agent; it is read again by itself".to_owned()
            } else if generation > 0 {
                format!("generation {generation} stays in force; mend the file, it is read again by itself")
            } else {
                "mend the file, it is read again by itself".to_owned()
            };
            let (status, stays) = match refusal.reason.as_str() {
                "NotReadable" => (Status::Unknown, String::new()),
                _ => (Status::False, stays),
            };
            list.add(id, Severity::Warning, status, &refusal.reason, refusal.problems.join("; "), stays);
        }
        (None, false) => list.add(id, Severity::Warning, Status::Unknown, "Pending", "the configuration was not read yet", ""),
        (None, true) if !state.warnings.is_empty() => {
            list.add(id, Severity::Warning, Status::True, "Warnings", state.warnings.join("; "), "");
        }
        (None, true) if generation == 0 => {
            list.add(id, Severity::Warning, Status::True, "Unconfigured", "there is no [platform] table in any fragment", "");
        }
        (None, true) => list.good(id, Severity::Warning, format!("generation {generation} is in force")),
    }
}
