//! What D-Bus, the journal and systemd are told.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Agent;
use super::damper::{Damper, Tell};
use crate::health::platform::{Count, PlatformHealth};
use crate::ledger::{FinishedJob, Job, JobKind, PageTimes, Stage, StepRecord};
use crate::planner::Hold;
use crate::planner::preflight::documentation_of;
use crate::service;
use crate::state::{Condition, ImportProgress, Phase, Severity, Status};
use crate::telemetry::id;

/// Everything that is published, at one moment. Holds no secret. Serialized it is
/// the document of `kaapanactl status --json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Published {
    /// Version of the agent.
    pub version: String,
    /// What the platform is in.
    pub phase: Phase,
    /// One sentence.
    pub summary: String,
    /// Generation of the configuration in force; 0: none.
    pub generation: u64,
    /// `deployed` or `undeployed`.
    pub desired_state: String,
    /// Name of the platform, its version and its address, when one is configured.
    pub platform: Option<PlatformName>,
    /// What is wrong with the configuration on disk; empty when nothing is.
    pub config_error: String,
    /// A change of the configuration is read at this time.
    pub settling_until: Option<Timestamp>,
    /// Why the agent is paused; empty when it is not.
    pub pause_reason: String,
    /// When the pause ends by itself.
    pub paused_until: Option<Timestamp>,
    /// What every check says.
    pub conditions: Vec<Condition>,
    /// What is not done, and why.
    pub holds: Vec<Hold>,
    /// The job that runs.
    pub job: Option<JobView>,
    /// Finished jobs, newest last.
    pub history: Vec<FinishedJob>,
    /// The platform's health, when the cluster can be seen.
    pub health: Option<PlatformHealth>,
    /// What a take-down would end and leave, when the cluster can be seen.
    #[serde(default)]
    pub running: Option<Running>,
}

/// What runs in and beside the platform.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Running {
    /// Generation of what is installed; 0: nothing is.
    pub generation: u64,
    /// Pods of workflows: people's work.
    pub workflows: Vec<String>,
    /// Pods of the platform.
    pub pods: Vec<String>,
    /// Releases and pods in its namespaces that are not the platform's.
    pub strangers: Vec<String>,
}

/// Which platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlatformName {
    /// Name of the root release.
    pub name: String,
    /// Version of its chart.
    pub version: String,
    /// Its address in a browser.
    pub address: String,
}

/// A running job, as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobView {
    /// Its number.
    pub id: u32,
    /// `deploy` or `undeploy`.
    pub kind: String,
    /// Why.
    pub reason: String,
    /// Who asked; `None`: the agent itself.
    pub requester: Option<u32>,
    /// When it was accepted.
    pub created: Timestamp,
    /// How far it is.
    pub stage: String,
    /// What it does now, a sentence.
    pub step: String,
    /// From 0 to 1.
    pub progress: f64,
    /// Done of how many: `releases`, `jobs`, `images`, `pods`, as far as they are known.
    #[serde(default)]
    pub counts: BTreeMap<String, Count>,
    /// Why the last good deployment is being put back; empty when it is not.
    #[serde(default)]
    pub way_back: String,
    /// What it means to cancel it now; empty when it cannot be canceled.
    #[serde(default)]
    pub cancel_means: String,
    /// In which session of the login manager the asker was; empty: in none.
    #[serde(default)]
    pub session: String,
    /// The web page meanwhile.
    #[serde(default)]
    pub page: PageTimes,
    /// Units that ran or run for it.
    #[serde(default)]
    pub steps: Vec<StepRecord>,
    /// The unit that runs for it; empty when none does.
    pub unit: String,
    /// systemd's id of that unit's run.
    pub invocation: String,
}

impl Agent {
    /// What is published before anything was seen.
    #[must_use]
    pub fn nothing_yet() -> Published {
        Published {
            version: env!("CARGO_PKG_VERSION").into(),
            phase: Phase::Unconfigured,
            summary: "starting".into(),
            generation: 0,
            desired_state: "deployed".into(),
            platform: None,
            config_error: String::new(),
            settling_until: None,
            pause_reason: String::new(),
            paused_until: None,
            conditions: Vec::new(),
            holds: Vec::new(),
            job: None,
            history: Vec::new(),
            health: None,
            running: None,
        }
    }

    pub(super) fn publish(&mut self) {
        let before = Arc::clone(&self.outbox.published.borrow());
        // A condition's time is that of its last change.
        for condition in &mut self.plan.conditions {
            if let Some(known) =
                before.conditions.iter().find(|known| known.id == condition.id && known.status == condition.status)
            {
                condition.since = known.since;
            }
        }
        let pause = self.ledger.paused(self.now());
        let error = self.snapshot.config.error.as_ref();
        let published = Published {
            version: env!("CARGO_PKG_VERSION").into(),
            phase: self.plan.phase,
            summary: self.plan.summary.clone(),
            generation: self.ledger.generation,
            desired_state: self.ledger.desired.as_str().into(),
            platform: self.ledger.settings.as_ref().map(|settings| PlatformName {
                name: settings.release_name().to_owned(),
                version: settings.text("platform.version").to_owned(),
                address: match settings.integer("network.https_port") {
                    443 => format!("https://{}/", settings.text("platform.domain")),
                    port => format!("https://{}:{port}/", settings.text("platform.domain")),
                },
            }),
            running: self.running(),
            config_error: error.map(|error| error.problems.join("\n")).unwrap_or_default(),
            settling_until: self.snapshot.config.settling_until.or(self.reading_since.filter(|_| self.reading.is_some())),
            pause_reason: pause.map(|pause| pause.reason.clone()).unwrap_or_default(),
            paused_until: pause.and_then(|pause| pause.until),
            conditions: self.plan.conditions.clone(),
            holds: self.plan.holds.clone(),
            job: self.ledger.job.as_ref().map(|job| self.job_view(job)),
            history: self.ledger.history.clone(),
            health: self.plan.health.clone(),
        };
        if published == *before {
            return;
        }
        let now = self.now();
        log_changes(&before, &published, &mut self.damper, now);
        if published.phase != before.phase || published.summary != before.summary {
            service::status(&format!("{}: {}", published.phase.as_str(), published.summary));
        }
        self.outbox.published.send_replace(Arc::new(published));
    }

    fn running(&self) -> Option<Running> {
        let inputs = crate::planner::Inputs { snapshot: &self.snapshot, ledger: &self.ledger, now: self.now() };
        let (cluster, ownership) = (self.snapshot.cluster.fresh()?, inputs.ownership()?);
        let deployed = self.ledger.deployed.as_ref();
        let settings = deployed.and_then(|deployed| deployed.settings.as_ref()).or(self.ledger.settings.as_ref())?;
        let name = |pod: &crate::state::Pod| format!("{}/{}", pod.namespace, pod.name);
        Some(Running {
            generation: deployed.filter(|deployed| deployed.installed).map_or(0, |deployed| deployed.generation),
            workflows: inputs.workflows(),
            pods: ownership.pods(cluster, &self.ledger.leftovers).into_iter().map(name).collect(),
            strangers: ownership.strangers(cluster, &settings.namespaces(), &self.ledger.leftovers),
        })
    }

    /// How far the import is, while it runs.
    fn import(&self) -> Option<&ImportProgress> {
        self.import_step().and_then(|_| self.snapshot.import.fresh())
    }

    fn job_view(&self, job: &Job) -> JobView {
        let step = job.step.as_ref();
        JobView {
            id: job.id,
            kind: job.kind.as_str().into(),
            reason: job.reason.clone(),
            requester: job.requester,
            created: job.created,
            stage: job.stage.as_str().into(),
            step: self.plan.summary.clone(),
            progress: progress(job, self.plan.health.as_ref(), self.import()),
            counts: counts(job, self.plan.health.as_ref(), self.import()),
            way_back: job.way_back.as_ref().map(|way| way.failure.message.clone()).unwrap_or_default(),
            cancel_means: crate::planner::job::cancel_means(job, &self.ledger).unwrap_or_default(),
            session: job.session.clone(),
            page: job.page,
            steps: job.steps.clone(),
            unit: step
                .map(|step| step.unit.clone())
                .or_else(|| job.steps.last().map(|step| step.unit.clone()))
                .unwrap_or_default(),
            invocation: self.invocation(),
        }
    }
}

/// A share for each stage, so that it grows steadily: what takes longest, the
/// following, counts by workloads.
fn progress(job: &Job, health: Option<&PlatformHealth>, import: Option<&ImportProgress>) -> f64 {
    let share = |done: usize, of: usize| if of == 0 { 0.0 } else { done as f64 / of as f64 };
    if job.kind == JobKind::ImportImages {
        let bytes = |import: &ImportProgress| share(mebibytes(import.bytes), mebibytes(import.total));
        return import.map_or(0.0, |import| 0.8 * bytes(import) + 0.2 * share(import.images, import.of));
    }
    match job.stage {
        Stage::Prepare => 0.0,
        Stage::TakeDown => 0.1,
        Stage::Migrate => 0.2,
        Stage::Install => 0.3,
        Stage::Follow => {
            let (done, total) = health.map_or((0, 0), |health| (health.workloads.done, health.workloads.total));
            let share = if total == 0 { 0.0 } else { f64::from(done) / f64::from(total) };
            0.4 + 0.6 * share
        }
    }
}

/// What can be counted of a job, by name.
fn counts(job: &Job, health: Option<&PlatformHealth>, import: Option<&ImportProgress>) -> BTreeMap<String, Count> {
    let mut counts = BTreeMap::new();
    let of = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    if let Some(prepared) = &job.prepared {
        let (total, missing) = (of(prepared.images.len()), of(prepared.missing_images.len()));
        let imported = of(import.map_or(0, |import| import.images));
        counts.insert("images".into(), Count { done: total.saturating_sub(missing) + imported, total });
    } else if let Some(archive) = &job.archive {
        let done = if job.imported { archive.images.len() } else { import.map_or(0, |import| import.images) };
        counts.insert("images".into(), Count { done: of(done), total: of(archive.images.len()) });
    }
    if let Some(import) = import {
        counts.insert("MiB".into(), Count { done: of(mebibytes(import.bytes)), total: of(mebibytes(import.total)) });
    }
    if let (Stage::Prepare | Stage::TakeDown, Some(down)) = (job.stage, &job.takedown) {
        counts.insert("releases".into(), Count { done: of(down.uninstalled.len()), total: of(down.releases.len()) });
    } else if let (Stage::Install | Stage::Follow, Some(health)) = (job.stage, health) {
        counts.insert("releases".into(), health.releases);
        counts.insert("jobs".into(), health.jobs);
        counts.insert("pods".into(), health.pods);
    }
    counts
}

fn mebibytes(bytes: u64) -> usize {
    usize::try_from(bytes >> 20).unwrap_or(usize::MAX)
}

/// An event at a level that is known only now; tracing wants one for each place.
macro_rules! at {
    ($level:expr, $($event:tt)*) => {
        match $level {
            tracing::Level::ERROR => tracing::error!($($event)*),
            tracing::Level::WARN => tracing::warn!($($event)*),
            _ => tracing::info!($($event)*),
        }
    };
}

/// What to do, behind what is the matter.
fn arrow(advice: &str) -> String {
    if advice.is_empty() { String::new() } else { format!(" -> {advice}") }
}

/// A condition, as the journal gets it.
fn tell(condition: &Condition) {
    let level = match (condition.status, condition.severity) {
        (Status::False, Severity::Critical) => tracing::Level::ERROR,
        (Status::False, Severity::Warning) => tracing::Level::WARN,
        _ => tracing::Level::INFO,
    };
    at!(
        level,
        message_id = id::CONDITION,
        condition = condition.id,
        status = condition.status.as_str(),
        reason = condition.reason,
        advice = condition.advice,
        documentation = documentation_of(&condition.id),
        "{} is {}: {} {}{}",
        condition.id,
        condition.status.as_str(),
        condition.reason,
        condition.message,
        arrow(&condition.advice)
    );
}

fn log_changes(before: &Published, now: &Published, damper: &mut Damper, at: jiff::Timestamp) {
    if before.phase != now.phase {
        let bad = matches!(now.phase, Phase::Degraded | Phase::Blocked | Phase::NeedsOperator);
        at!(
            if bad { tracing::Level::WARN } else { tracing::Level::INFO },
            message_id = id::PHASE,
            previous_phase = before.phase.as_str(),
            phase = now.phase.as_str(),
            reason = now.summary,
            "{} -> {}: {}",
            before.phase.as_str(),
            now.phase.as_str(),
            now.summary
        );
        if now.phase == Phase::NeedsOperator {
            tracing::error!(message_id = id::OPERATOR, reason = now.summary, "a person must decide: {}", now.summary);
        }
    }
    // What flapped and is calm is told once more: its last change was not.
    for condition in damper.calmed(at).iter().filter_map(|id| now.conditions.iter().find(|known| known.id == *id)) {
        tell(condition);
    }
    for condition in &now.conditions {
        let known = before.conditions.iter().find(|known| known.id == condition.id);
        // While things are on their way the reason changes all the time.
        let on_its_way = |condition: &Condition| condition.reason == "Progressing";
        if known.is_some_and(|known| {
            known.status == condition.status && (known.reason == condition.reason || on_its_way(known) || on_its_way(condition))
        }) {
            continue;
        }
        // The first look at what is as it should be is no news.
        let first = known.is_none_or(|known| known.reason == "Pending");
        if first && condition.status != Status::False {
            continue;
        }
        let told = damper.note(&condition.id, at);
        if told == Tell::Nothing {
            continue;
        }
        tell(condition);
        if told == Tell::Flaps {
            tracing::warn!(
                message_id = id::FLAPS,
                condition = condition.id,
                "{} changes again and again; further changes are told once it was calm for ten minutes",
                condition.id
            );
        }
    }
    if !before.pause_reason.is_empty() && now.pause_reason.is_empty() {
        tracing::info!(message_id = id::RESUMED, reason = before.pause_reason, "no longer paused");
    }
    for hold in &now.holds {
        if before.holds.iter().all(|known| known.reason != hold.reason) {
            tracing::warn!(
                message_id = id::HELD,
                hold = hold.reason,
                reason = hold.message,
                advice = hold.advice,
                "held: {}: {}{}",
                hold.reason,
                hold.message,
                arrow(&hold.advice)
            );
        }
    }
}
