//! The one place that decides. `plan` is pure: no I/O, no clock, no randomness.
//!
//! * [`adoption`]: a platform that somebody else deployed;
//! * [`preflight`]: what every check says ([`Condition`]s), and which of them hold a job back;
//! * [`data`]: of which release the data is, and whether it wants a migration;
//! * [`migration`]: what a person may ask for about the data's release;
//! * [`interlock`]: the rules that keep a platform off the wrong disk;
//! * [`failure`]: a job that failed: tried again, put back, or a person decides;
//! * [`release`]: is what is deployed what is wanted, and may it be changed;
//! * [`job`]: the next step of the job that runs;
//! * [`step`]: the vocabulary: [`Step`], [`Hold`], [`Plan`].
//!
//! The loop takes the first step of a plan, does it, observes and plans again, so
//! a restart in the middle of anything is an ordinary start.

pub mod adoption;
pub mod beneath;
pub mod data;
pub mod failure;
pub mod interlock;
pub mod job;
pub mod migration;
pub mod preflight;
pub mod release;
pub mod step;

use jiff::Timestamp;

use crate::config::Settings;
use crate::health::platform::{self, Ownership, PlatformHealth};
use crate::ledger::{Deployed, Desired, Ledger};
use crate::state::{Chart, Condition, Disks, Node, Phase, Severity, Snapshot, Status};
pub use step::{Hold, Plan, Step};

/// What a decision is made of.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// Everything observed.
    pub snapshot: &'a Snapshot,
    /// Everything remembered, the settings in force among it.
    pub ledger: &'a Ledger,
    /// The time.
    pub now: Timestamp,
}

impl Inputs<'_> {
    /// How this platform's releases are recognised: those of what is installed, or
    /// of the configuration in force.
    #[must_use]
    pub fn ownership(&self) -> Option<Ownership> {
        if let Some(deployed) = &self.ledger.deployed {
            return Some(deployed.ownership.clone());
        }
        self.ledger.settings.as_ref().map(Ownership::of)
    }

    /// The platform's health, when the cluster can be seen.
    #[must_use]
    pub fn health(&self) -> Option<PlatformHealth> {
        let cluster = self.snapshot.cluster.fresh()?;
        let settled = self.ledger.deployed.as_ref().is_some_and(|deployed| deployed.healthy);
        Some(platform::assess(&self.ownership()?, cluster, settled))
    }

    /// The chart, if what was seen last is the one these settings name.
    #[must_use]
    pub fn chart(&self, settings: &Settings) -> Option<&Chart> {
        self.snapshot.chart.last().filter(|chart| match chart {
            Chart::File { path, .. } => path.as_os_str() == settings.text("deployment.chart_path"),
            Chart::Registry { reference, version } => {
                settings.text("deployment.chart_path").is_empty()
                    && version == settings.text("platform.version")
                    && *reference == settings.chart_reference()
            }
        })
    }

    /// The data directories, if what was seen last are those of these settings, and they
    /// answer: one that hangs is not known.
    #[must_use]
    pub fn disks(&self, settings: &Settings) -> Option<&Disks> {
        self.disks_told(settings).filter(|disks| !disks.fast.hung && !disks.slow.hung)
    }

    /// What is told of these settings' data directories; of one that hangs that is little.
    #[must_use]
    pub fn disks_told(&self, settings: &Settings) -> Option<&Disks> {
        self.snapshot
            .disks
            .fresh()
            .filter(|disks| disks.fast.path == settings.fast_dir() && disks.slow.path == settings.slow_dir())
    }

    /// Is the data of another release (major.minor) than this deployment by now? An older
    /// one on newer data corrupts it.
    #[must_use]
    pub fn data_of_another_release(&self, good: &Deployed) -> bool {
        good.settings.as_ref().is_some_and(|settings| {
            self.disks(settings)
                .is_some_and(|disks| data::other_release(self.ledger, &disks.fast, settings.text("platform.version")).is_some())
        })
    }

    /// Pods of workflows that run: people's work, which a take-down would end.
    #[must_use]
    pub fn workflows(&self) -> Vec<String> {
        let (Some(cluster), Some(ownership)) = (self.snapshot.cluster.fresh(), self.ownership()) else { return Vec::new() };
        // Of what runs, which an edit may have left behind.
        let deployed = self.ledger.deployed.as_ref().and_then(|deployed| deployed.settings.as_ref());
        let jobs = deployed.or(self.ledger.settings.as_ref()).and_then(Settings::jobs_namespace);
        ownership.workflows(cluster, jobs.as_deref()).into_iter().map(|pod| format!("{}/{}", pod.namespace, pod.name)).collect()
    }

    /// The node the platform runs on: the only one, or the one of this machine's name.
    #[must_use]
    pub fn node(&self) -> Option<&Node> {
        let nodes = &self.snapshot.cluster.fresh()?.nodes;
        let own = self.snapshot.system.last().map(|system| system.host_name.to_ascii_lowercase());
        match nodes.len() {
            1 => nodes.values().next().map(AsRef::as_ref),
            _ => nodes.get(&own?).map(AsRef::as_ref),
        }
    }
}

/// Decides what to do next, and says what is not done and why.
#[must_use]
pub fn plan(inputs: &Inputs<'_>) -> Plan {
    let health = inputs.health();
    let conditions = preflight::conditions(inputs, health.as_ref());
    let mut plan = decide(inputs, &conditions, health.as_ref());
    if plan.phase == Phase::Healthy
        && let Some(condition) = conditions.iter().find(|condition| undermines(condition))
    {
        plan.phase = Phase::Degraded;
        plan.summary = format!("{}: {}", condition.id, condition.message);
    }
    // While nothing else is to be done.
    if plan.steps.is_empty() && inputs.ledger.job.is_none() {
        plan.steps.extend(beneath::next(inputs));
    }
    // A time that has passed is no time to wake at.
    let times = [plan.wake_at, preflight::changes_at(inputs), beneath::again_at(inputs)];
    plan.wake_at = times.into_iter().flatten().filter(|at| *at > inputs.now).min();
    plan.conditions = conditions;
    plan.health = health;
    plan
}

/// Pods that run say little when the ground they stand on is gone.
fn undermines(condition: &Condition) -> bool {
    let ground = condition.id.starts_with("disk.")
        || (condition.id.starts_with("microk8s.") && condition.id != preflight::microk8s::NODE_PORTS);
    ground && condition.severity == Severity::Critical && condition.status == Status::False
}

fn decide(inputs: &Inputs<'_>, conditions: &[Condition], health: Option<&PlatformHealth>) -> Plan {
    let Some(settings) = &inputs.ledger.settings else {
        return release::unconfigured(inputs);
    };
    if let Some(job) = &inputs.ledger.job {
        return job::next(inputs, job, conditions, health);
    }
    match inputs.ledger.desired {
        Desired::Undeployed => release::toward_undeployed(inputs, conditions, health),
        Desired::Deployed => release::toward_deployed(inputs, settings, conditions, health),
    }
}
