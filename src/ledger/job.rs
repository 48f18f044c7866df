//! A job: what it is to do, how far it is, how it ended.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Desired, Intent, JobFailure, JobResult, MigrationEnd, PreparedMigration, RunningStep, StepRecord};
use crate::config::Settings;
use crate::config::derived::Machine;
use crate::config::values::Values;
use crate::state::{ObjectId, StorageProvider};

/// Kind of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobKind {
    /// Install what is configured; takes down what is there before.
    Deploy,
    /// Take the platform down, data stays.
    Undeploy,
    /// Take down what runs and migrate the data; a deployment follows by itself.
    Migrate,
    /// Import an archive of images; touches nothing that runs.
    #[serde(rename = "import-images")]
    ImportImages,
}

impl JobKind {
    /// Does it change what is deployed, and put it back when that fails?
    #[must_use]
    pub fn deploys(self) -> bool {
        matches!(self, Self::Deploy | Self::Migrate)
    }

    /// The word on D-Bus.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::Undeploy => "undeploy",
            Self::Migrate => "migrate",
            Self::ImportImages => "import-images",
        }
    }
}

/// How far a job is. Everything before `TakeDown` touches nothing that runs.
/// An undeploy has the first two only; a migration those and its own, or those and the last
/// two of a way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Chart, values, manifest and images are brought in hand; people and the site's
    /// own program are waited for.
    Prepare,
    /// The old platform goes away.
    #[serde(rename = "take-down", alias = "takedown")]
    TakeDown,
    /// The data is migrated.
    Migrate,
    /// Helm installs the root release.
    Install,
    /// Everything becomes healthy.
    Follow,
}

impl Stage {
    /// The word on D-Bus.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::TakeDown => "take-down",
            Self::Migrate => "migrate",
            Self::Install => "install",
            Self::Follow => "follow",
        }
    }
}

/// A chart and values brought in hand for a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prepared {
    /// Digest of the chart's archive.
    pub chart_digest: String,
    /// The agent's own copy of the archive.
    pub chart_file: PathBuf,
    /// The values, with the machine's share in them.
    pub values: Values,
    /// What was taken from the machine.
    pub machine: Machine,
    /// Kinds in the rendered manifest, as `group/version/Kind`.
    pub kinds: Vec<String>,
    /// Images named by the rendered manifest.
    pub images: Vec<String>,
    /// The chart brings `kube-public/local-registry-hosting`.
    #[serde(default)]
    pub registry_hosting: bool,
    /// Those of them that the container runtime does not have yet.
    #[serde(default)]
    pub missing_images: Vec<String>,
    /// The archive that the missing ones are imported from.
    #[serde(default)]
    pub import: Option<PathBuf>,
    /// Its chart, put aside with the values of what was taken over and runs: the way back.
    #[serde(default)]
    pub aside: Option<PathBuf>,
    /// What a migration needs.
    #[serde(default)]
    pub migration: Option<PreparedMigration>,
    /// The provider of volumes; `None`: the release has no choice of one.
    #[serde(default)]
    pub storage: Option<StorageProvider>,
    /// The chart of the GPU operator, offline, when it is there; or what is wrong with it.
    #[serde(default)]
    pub gpu_operator: Option<Result<PathBuf, String>>,
}

/// An archive of images that a job imports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageArchive {
    /// Where it is.
    pub path: PathBuf,
    /// The images in it; empty until it was looked into.
    pub images: Vec<String>,
    /// Its size, in bytes.
    pub bytes: u64,
    /// Those that the runtime does not have after the import; `None`: not asked yet.
    #[serde(default)]
    pub missing: Option<Vec<String>>,
}

/// What a person said about how a job is done; it holds for the tries that follow by
/// themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct JobOptions {
    /// Uninstall without the charts' hooks.
    pub no_hooks: bool,
    /// A change of identity is meant.
    pub accept_identity_change: bool,
    /// First revisions which are stuck are given up.
    pub unlock: bool,
    /// Pods that do not end are deleted by force.
    pub nuke_pods: bool,
    /// Workflows are not waited for.
    pub stop_workflows: bool,
}

/// The way back: the last good deployment is put back because the new one failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WayBack {
    /// Why.
    pub failure: JobFailure,
    /// What had been tried.
    pub intent: Option<Intent>,
    /// The generation that is put back.
    pub generation: u64,
    /// How often it was begun.
    pub attempts: u32,
}

/// When the web page was gone, as far as it was seen. It is asked once a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PageTimes {
    /// It answered before the job touched anything.
    pub answered: bool,
    /// When it was seen to be gone.
    pub gone: Option<Timestamp>,
    /// When it answered again.
    pub back: Option<Timestamp>,
}

/// What the take-down of a job waits for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TakeDown {
    /// Releases that were there, namespace and name.
    pub releases: Vec<(String, String)>,
    /// Releases whose uninstall ended well.
    pub uninstalled: Vec<(String, String)>,
    /// Objects that must be gone.
    pub objects: Vec<ObjectId>,
    /// Jobs of the releases' hooks: they may stay when they have ended.
    #[serde(default)]
    pub hooks: Vec<ObjectId>,
    /// Those that were deleted, because helm had given them up.
    #[serde(default)]
    pub ended: Vec<ObjectId>,
    /// When it began.
    pub since: Option<Timestamp>,
}

/// A piece of work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Its number, unique for the life of the ledger.
    pub id: u32,
    /// What it does.
    pub kind: JobKind,
    /// Why it was started, a sentence.
    pub reason: String,
    /// Who asked: the user id; `None`: the agent itself.
    pub requester: Option<u32>,
    /// In which session of the login manager; empty: in none.
    #[serde(default)]
    pub session: String,
    /// When it was accepted.
    pub created: Timestamp,
    /// What the site wanted before: it does again when the job is canceled in time.
    #[serde(default = "deployed")]
    pub desired_before: Desired,
    /// How far it is.
    pub stage: Stage,
    /// Generation it deploys.
    pub generation: u64,
    /// Generation it was started for; on the way back it deploys another.
    #[serde(default)]
    pub asked_generation: u64,
    /// The settings it works with; an edit while it runs is for the next job.
    pub settings: Settings,
    /// What it is meant to reach.
    pub intent: Option<Intent>,
    /// Chart and values in hand.
    pub prepared: Option<Prepared>,
    /// When something was last brought in hand: its deadline counts from here.
    #[serde(default)]
    pub in_hand: Option<Timestamp>,
    /// The take-down, once it began.
    pub takedown: Option<TakeDown>,
    /// The unit that runs for it.
    pub step: Option<RunningStep>,
    /// What a person said about how it is done.
    #[serde(default)]
    pub options: JobOptions,
    /// The pods that were deleted by force, by uid.
    #[serde(default)]
    pub nuked: Vec<String>,
    /// Volumes that were told to outlive their claims, with their paths.
    #[serde(default)]
    pub retained: BTreeMap<String, String>,
    /// Since when workflows are waited for.
    #[serde(default)]
    pub waiting_since: Option<Timestamp>,
    /// The site's program that has run.
    #[serde(default)]
    pub pre_takedown_done: Option<PathBuf>,
    /// The root release is upgraded in place; this is what it said of its maker before.
    #[serde(default)]
    pub upgrade_from: Option<String>,
    /// Who asked to cancel it.
    #[serde(default)]
    pub canceled_by: Option<u32>,
    /// An action of it failed; what follows from that is decided by the planner.
    #[serde(default)]
    pub fault: Option<JobFailure>,
    /// The last good deployment is being put back.
    #[serde(default)]
    pub way_back: Option<WayBack>,
    /// The web page meanwhile.
    #[serde(default)]
    pub page: PageTimes,
    /// Units that ran.
    #[serde(default)]
    pub steps: Vec<StepRecord>,
    /// How many units it has started, so that names never repeat.
    pub units: u32,
    /// Helm was told to install or upgrade.
    #[serde(default)]
    pub installing: bool,
    /// How many of them were lost without a result.
    pub lost: u32,
    /// The unit it started last.
    pub last_unit: String,
    /// The node has its label.
    pub labelled: bool,
    /// The archive of images that it imports, when that is all it does.
    #[serde(default)]
    pub archive: Option<ImageArchive>,
    /// The archive of images was imported.
    #[serde(default)]
    pub imported: bool,
    /// What was arranged around the releases, by the name of the step: the watch may show it
    /// only later.
    #[serde(default)]
    pub arranged: BTreeSet<String>,
    /// The migration was seen at work: the job follows it.
    #[serde(default)]
    pub migrating: bool,
    /// The migration has ended.
    #[serde(default)]
    pub migration_end: Option<MigrationEnd>,
    /// Since when everything is healthy, while it follows.
    pub healthy_since: Option<Timestamp>,
    /// Since when a Job of the platform is failed, while it follows.
    pub failing_since: Option<Timestamp>,
}

/// A finished job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinishedJob {
    /// Its number.
    pub id: u32,
    /// What it did.
    pub kind: JobKind,
    /// Why it was started.
    pub reason: String,
    /// Who asked.
    pub requester: Option<u32>,
    /// In which session of the login manager; empty: in none.
    #[serde(default)]
    pub session: String,
    /// When it was accepted.
    pub created: Timestamp,
    /// When it ended.
    pub finished: Timestamp,
    /// How far it came.
    pub stage: Stage,
    /// How it ended.
    pub result: JobResult,
    /// Why it failed: one word and a sentence; empty when it did not.
    pub error: String,
    /// What is worth a sentence of a job that did not fail; often empty.
    #[serde(default)]
    pub report: String,
    /// The unit that ran last.
    pub unit: String,
    /// The generation it worked for.
    #[serde(default)]
    pub generation: u64,
    /// The last good generation, when it was put back.
    #[serde(default)]
    pub put_back: Option<u64>,
    /// The web page meanwhile.
    #[serde(default)]
    pub page: PageTimes,
    /// Units that ran.
    #[serde(default)]
    pub steps: Vec<StepRecord>,
}

impl Job {
    /// How the agent's own descriptions begin.
    pub const DESCRIPTION: &'static str = "kaapana-agent job ";

    /// Since when its deadline counts: bringing things in hand takes no time from it.
    #[must_use]
    pub fn deadline_since(&self) -> Timestamp {
        self.in_hand.unwrap_or(self.created)
    }

    /// What the release says of its maker, by which it is found again.
    #[must_use]
    pub fn description(&self) -> String {
        let way = self.way_back.as_ref().map(|way| format!(", way back {}", way.attempts)).unwrap_or_default();
        format!("{}{} of {}{way}", Self::DESCRIPTION, self.id, self.created)
    }

    /// Has it touched anything that runs?
    #[must_use]
    pub fn has_touched(&self) -> bool {
        match self.stage {
            Stage::Prepare => false,
            Stage::TakeDown => self.way_back.is_some() || self.takedown.is_some(),
            // An upgrade in place begins with helm.
            Stage::Install => self.upgrade_from.is_none() || self.installing,
            Stage::Migrate | Stage::Follow => true,
        }
    }
}

fn deployed() -> Desired {
    Desired::Deployed
}

impl PageTimes {
    /// How long the page was gone; `None`: it was not, or is still.
    #[must_use]
    pub fn down_time(&self) -> Option<std::time::Duration> {
        std::time::Duration::try_from(self.back?.duration_since(self.gone?)).ok()
    }
}
