//! The one place that decides. `plan` is pure: no I/O, no clock, no randomness.
//!
//! * [`preflight`]: what every check says ([`Condition`]s), and which of them hold a job back;
//! * [`interlock`]: the rules that keep a platform off the wrong disk;
//! * [`release`]: is what is deployed what is wanted, and may it be changed;
//! * [`job`]: the next step of the job that runs;
//! * [`step`]: the vocabulary: [`Step`], [`Hold`], [`Plan`].
//!
//! The loop takes the first step of a plan, does it, observes and plans again, so
//! a restart in the middle of anything is an ordinary start.

pub mod interlock;
pub mod job;
pub mod preflight;
pub mod release;
pub mod step;

use jiff::Timestamp;

use crate::health::platform::{self, Ownership, PlatformHealth};
use crate::ledger::{Desired, Ledger};
use crate::state::{Condition, Snapshot};
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
        Some(platform::assess(&self.ownership()?, cluster))
    }
}

/// Decides what to do next, and says what is not done and why.
#[must_use]
pub fn plan(inputs: &Inputs<'_>) -> Plan {
    let conditions = preflight::conditions(inputs);
    let health = inputs.health();
    let mut plan = decide(inputs, &conditions, health.as_ref());
    plan.conditions = conditions;
    plan.health = health;
    plan
}

fn decide(inputs: &Inputs<'_>, conditions: &[Condition], health: Option<&PlatformHealth>) -> Plan {
    let Some(settings) = &inputs.ledger.settings else {
        return release::unconfigured(inputs);
    };
    if let Some(job) = &inputs.ledger.job {
        return job::next(inputs, job, health);
    }
    match inputs.ledger.desired {
        Desired::Undeployed => release::toward_undeployed(inputs, conditions, health),
        Desired::Deployed => release::toward_deployed(inputs, settings, conditions, health),
    }
}
