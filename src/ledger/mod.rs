//! What must survive: generation, desired state, jobs, what is deployed, failures.
//!
//! [`Ledger`] is plain data with pure transitions (`transitions.rs`); [`LedgerStore`] is
//! its file. It holds secrets and is of mode 0600.

mod failure;
mod intent;
mod job;
mod migration;
mod store;
mod transitions;
mod unit;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::derived::Machine;
use crate::config::settings::{Identity, Settings};
use crate::config::values::Values;
use crate::health::platform::Ownership;
use crate::state::{DiskIdentity, ObjectId};
pub use failure::{Cause, Failure, JobFailure, JobResult};
pub use intent::Intent;
pub use job::{FinishedJob, ImageArchive, Job, JobKind, JobOptions, PageTimes, Prepared, Stage, TakeDown, WayBack};
pub use migration::{Migration, MigrationEnd, PreparedMigration};
pub use store::{LedgerError, LedgerStore};
pub use unit::{GPU_OPERATOR, GPU_OPERATOR_NAMESPACE, MIGRATION_RELEASE, RunningStep, StepKind, StepRecord, Unfinished};

/// Version of the ledger's format. A newer one is refused and kept.
pub const FORMAT: u32 = 1;

/// How many finished jobs are kept.
pub const HISTORY: usize = 50;

/// What the site wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Desired {
    /// The platform runs.
    Deployed,
    /// It does not.
    Undeployed,
}

impl Desired {
    /// The word in the configuration and on D-Bus.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deployed => "deployed",
            Self::Undeployed => "undeployed",
        }
    }
}

/// What was taken over from somebody else. Holds secrets.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Adopted {
    /// The values that the configuration yielded then: only another one is to change it.
    pub wanted: Values,
    /// What was given to Helm, as it was: the way back.
    pub given: serde_json::Value,
}

impl std::fmt::Debug for Adopted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Adopted").finish_non_exhaustive()
    }
}

/// What is installed, or was about to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deployed {
    /// The job that installed it.
    pub job: u32,
    /// What the release says of its maker.
    pub description: String,
    /// Its generation.
    pub generation: u64,
    /// Its settings; `None`: an agent that did not keep them installed it.
    #[serde(default)]
    pub settings: Option<Settings>,
    /// What it is.
    pub intent: Intent,
    /// What makes it this platform.
    pub identity: Identity,
    /// How its releases are recognised.
    pub ownership: Ownership,
    /// Digest of the chart.
    pub chart_digest: String,
    /// The agent's copy of the chart.
    pub chart_file: PathBuf,
    /// The values, as they were given to Helm.
    pub values: Values,
    /// Somebody else deployed it, and it was taken over as it is.
    #[serde(default)]
    pub adopted: Option<Adopted>,
    /// What was taken from the machine.
    pub machine: Machine,
    /// Kinds in the rendered manifest.
    #[serde(default)]
    pub kinds: Vec<String>,
    /// Images named by the rendered manifest.
    #[serde(default)]
    pub images: Vec<String>,
    /// The chart brings `kube-public/local-registry-hosting`.
    #[serde(default)]
    pub registry_hosting: bool,
    /// Helm ended well.
    pub installed: bool,
    /// Everything became healthy once.
    pub healthy: bool,
    /// Something of it was taken down.
    #[serde(default)]
    pub partial: bool,
    /// What the release said of its maker before it was upgraded in place.
    #[serde(default)]
    pub replaces: Option<String>,
    /// When its release was made, at the earliest and at the latest: one of another time
    /// is another's.
    #[serde(default)]
    pub made: Option<(Timestamp, Option<Timestamp>)>,
    /// When it was installed.
    pub at: Timestamp,
}

impl Deployed {
    /// Can it be put back: are its settings and its chart in hand?
    #[must_use]
    pub fn is_in_hand(&self) -> bool {
        self.settings.is_some() && !self.chart_file.as_os_str().is_empty()
    }

    /// What is given to Helm changes when these values are not those.
    #[must_use]
    pub fn reference(&self) -> &Values {
        self.adopted.as_ref().map_or(&self.values, |adopted| &adopted.wanted)
    }
}

/// An off switch that was thrown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Why.
    pub reason: String,
    /// When it ends by itself; `None`: when someone resumes.
    pub until: Option<Timestamp>,
    /// Since when.
    pub since: Timestamp,
    /// Who asked: the user id.
    pub requester: u32,
}

/// Everything that must survive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// Format version.
    pub format: u32,
    /// Grows with each accepted configuration; 0: none yet.
    pub generation: u64,
    /// The configuration in force.
    pub settings: Option<Settings>,
    /// What the site wants.
    pub desired: Desired,
    /// `platform.state` as last accepted: only its change overrides a request.
    pub configured_state: Option<Desired>,
    /// Number of the next job.
    pub next_job: u32,
    /// The job that runs.
    pub job: Option<Job>,
    /// Finished jobs, oldest first.
    pub history: Vec<FinishedJob>,
    /// What is installed.
    pub deployed: Option<Deployed>,
    /// What was installed and healthy before: the way back. An undeploy ends it.
    pub previous: Option<Deployed>,
    /// Releases the agent's own units worked on without being seen to end well: what is
    /// unfinished there is nobody else's work.
    #[serde(default)]
    pub unfinished: Vec<Unfinished>,
    /// Objects of what was taken down that were not seen to be gone.
    #[serde(default)]
    pub leftovers: BTreeSet<ObjectId>,
    /// Jobs of the hooks of what was taken down.
    #[serde(default)]
    pub hooks: BTreeSet<ObjectId>,
    /// The name that the cluster's DNS was told to resolve to the platform.
    #[serde(default)]
    pub resolved: Option<String>,
    /// The identity of the last installation, also after an undeploy.
    pub identity: Option<Identity>,
    /// The version that was deployed last onto a fast data directory, by path; it outlives
    /// an undeploy.
    #[serde(default)]
    pub data_versions: BTreeMap<PathBuf, String>,
    /// The migration that was begun.
    #[serde(default)]
    pub migration: Option<Migration>,
    /// File systems of the data directories, by path, recorded at the first good deployment.
    pub disks: BTreeMap<PathBuf, DiskIdentity>,
    /// The last failure.
    pub failure: Option<Failure>,
    /// The off switch.
    pub pause: Option<Pause>,
    /// Secret of the login service: made once, kept, reused.
    pub oidc_client_secret: Option<String>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            format: FORMAT,
            generation: 0,
            settings: None,
            desired: Desired::Deployed,
            configured_state: None,
            next_job: 1,
            job: None,
            history: Vec::new(),
            deployed: None,
            previous: None,
            unfinished: Vec::new(),
            leftovers: BTreeSet::new(),
            hooks: BTreeSet::new(),
            resolved: None,
            identity: None,
            data_versions: BTreeMap::new(),
            migration: None,
            disks: BTreeMap::new(),
            failure: None,
            pause: None,
            oidc_client_secret: None,
        }
    }
}

impl Ledger {
    /// Takes a valid configuration into force. Returns the keys that changed; empty
    /// when it is the one in force already.
    pub fn accept(&mut self, settings: Settings) -> Vec<String> {
        let changed = match &self.settings {
            Some(known) => known.changed_keys(&settings),
            None => settings.masked().into_keys().collect(),
        };
        let state = if settings.text("platform.state") == "undeployed" { Desired::Undeployed } else { Desired::Deployed };
        if self.configured_state != Some(state) {
            // What was canceled or failed before is wished anew.
            self.failure = self.failure.take_if(|failure| failure.kind == JobKind::Deploy);
            self.desired = state;
            self.configured_state = Some(state);
            // Canceling what runs does not take this wish back.
            if let Some(job) = self.job.as_mut() {
                job.desired_before = state;
            }
        }
        if !changed.is_empty() || self.settings.is_none() {
            self.generation += 1;
        }
        self.settings = Some(settings);
        changed
    }

    /// The last good deployment, when nothing (whole) of the platform is there.
    #[must_use]
    pub fn way_back(&self) -> Option<&Deployed> {
        let previous = self.previous.as_ref();
        let good = match &self.deployed {
            Some(last) if last.installed && last.partial => Some(last).filter(|last| last.healthy).or(previous),
            Some(last) if last.installed => None,
            _ => previous,
        };
        good.filter(|good| good.is_in_hand())
    }

    /// Is the off switch thrown at this time?
    #[must_use]
    pub fn paused(&self, now: Timestamp) -> Option<&Pause> {
        self.pause.as_ref().filter(|pause| pause.until.is_none_or(|until| until > now))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::state::Chart;
    use std::path::Path;

    fn now() -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    pub(crate) fn settings(state: &str) -> Settings {
        let mut fragments = crate::config::Fragments::default();
        let text = format!(
            "[platform]\nversion=\"0.6.0\"\ndomain=\"a.b\"\nstate=\"{state}\"\n[registry]\nurl=\"r.org\"\n[network]\nhttp_port=80\n"
        );
        fragments.merge_text(Path::new("/x.toml"), &text).unwrap();
        crate::config::validate(&fragments).unwrap().unwrap()
    }

    #[test]
    fn only_a_change_of_the_configured_state_overrides_an_undeploy() {
        let mut ledger = Ledger::default();
        ledger.accept(settings("deployed"));
        assert_eq!((ledger.generation, ledger.desired), (1, Desired::Deployed));
        ledger.desired = Desired::Undeployed;
        assert!(ledger.accept(settings("deployed")).is_empty());
        assert_eq!((ledger.generation, ledger.desired), (1, Desired::Undeployed));
        ledger.accept(settings("undeployed"));
        ledger.accept(settings("deployed"));
        assert_eq!((ledger.generation, ledger.desired), (3, Desired::Deployed));
    }

    #[test]
    fn an_intent_ignores_defaults_and_an_archive_that_was_put_away() {
        let chart = |digest: Result<String, String>| Chart::File { path: "/srv/c.tgz".into(), digest };
        let intent = Intent::new(&settings("deployed"), &chart(Ok("d1".into())));
        assert_eq!(intent.settings.keys().collect::<Vec<_>>(), ["platform.domain", "platform.version", "registry.url"]);
        assert!(intent.matches(&Intent::new(&settings("undeployed"), &chart(Err("gone".into())))));
        assert!(!intent.matches(&Intent::new(&settings("deployed"), &chart(Ok("d2".into())))));
    }

    #[test]
    fn attempts_are_counted_for_the_same_intent() {
        let mut ledger = Ledger::default();
        ledger.accept(settings("deployed"));
        for attempt in 1..=3 {
            ledger.start_job(JobKind::Deploy, "test".into(), None, now()).unwrap();
            let failure = JobFailure {
                result: JobResult::Failed,
                reason: "R".into(),
                message: "m".into(),
                tail: vec![],
                cause: Cause::Platform,
            };
            ledger.finish_job(JobResult::Failed, Some(failure), String::new(), now());
            assert_eq!(ledger.failure.as_ref().unwrap().attempts, attempt);
        }
        assert_eq!(ledger.next_job, 4);
    }
}
