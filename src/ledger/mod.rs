//! What must survive: generation, desired state, jobs, what is deployed, failures.
//!
//! [`Ledger`] is plain data with pure transitions; [`LedgerStore`] is its file. It
//! holds secrets and is of mode 0600.

mod job;
mod store;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::config::derived::Machine;
use crate::config::keys::{self, Effect};
use crate::config::settings::{Identity, Settings};
use crate::config::values::Values;
use crate::health::platform::Ownership;
use crate::state::{Chart, DiskIdentity, ObjectId};
pub use job::{
    Cause, Failure, FinishedJob, Job, JobFailure, JobKind, JobOptions, JobResult, PageTimes, Prepared, RunningStep, Stage,
    StepKind, StepRecord, TakeDown, Unfinished, WayBack,
};
pub use store::{LedgerError, LedgerStore};

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

/// What a deployment is meant to be, independent of the machine and of the
/// version of the agent: the chart, and the keys that differ from their default.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// Where the chart comes from.
    pub chart: String,
    /// Digest of the chart, when it is known.
    pub digest: Option<String>,
    /// Keys of the configuration that redeploy, and `[values]`.
    pub settings: BTreeMap<String, Json>,
}

impl std::fmt::Debug for Intent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intent").field("chart", &self.chart).field("digest", &self.digest).finish_non_exhaustive()
    }
}

impl Intent {
    /// The intent of these settings with this chart.
    #[must_use]
    pub fn new(settings: &Settings, chart: &Chart) -> Self {
        Self { chart: chart.source(), digest: chart.digest().map(str::to_owned), settings: relevant(settings) }
    }

    /// Is it the same? A digest that is not known on one side does not count: an
    /// archive that was put away redeploys nothing.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.settings == other.settings && self.same_chart(other)
    }

    /// Is it the same chart?
    #[must_use]
    pub fn same_chart(&self, other: &Self) -> bool {
        match (&self.digest, &other.digest) {
            (Some(a), Some(b)) => a == b,
            // An archive that cannot be read now says nothing.
            (None, Some(_)) if self.chart.ends_with(".tgz") => true,
            _ => self.chart == other.chart,
        }
    }
}

/// The keys an intent is made of: those that are inputs of a deployment and are
/// not at their default, so that a new key of a newer agent changes nothing.
fn relevant(settings: &Settings) -> BTreeMap<String, Json> {
    let mut map: BTreeMap<String, Json> = keys::KEYS
        .iter()
        .filter(|key| matches!(key.effect, Effect::Redeploy | Effect::Identity))
        .filter(|key| !["deployment.chart_path"].contains(&key.path) && !key.path.ends_with("password_file"))
        .filter_map(|key| {
            let value = settings.get(key.path)?.to_json();
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let default = key.default.map(|default| default.trim_matches('"'));
            (default != Some(text.as_str())).then(|| (key.path.to_owned(), value))
        })
        .collect();
    map.extend(settings.extra().iter().map(|(path, value)| (format!("values.{path}"), value.to_json())));
    map
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
    /// What was taken from the machine.
    pub machine: Machine,
    /// Kinds in the rendered manifest.
    #[serde(default)]
    pub kinds: Vec<String>,
    /// Images named by the rendered manifest.
    #[serde(default)]
    pub images: Vec<String>,
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
    /// The identity of the last installation, also after an undeploy.
    pub identity: Option<Identity>,
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
            identity: None,
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
        }
        if !changed.is_empty() || self.settings.is_none() {
            self.generation += 1;
        }
        self.settings = Some(settings);
        changed
    }

    /// Is the off switch thrown at this time?
    #[must_use]
    pub fn paused(&self, now: Timestamp) -> Option<&Pause> {
        self.pause.as_ref().filter(|pause| pause.until.is_none_or(|until| until > now))
    }

    /// Accepts a job. There must be none running.
    pub fn start_job(&mut self, kind: JobKind, reason: String, requester: Option<u32>, now: Timestamp) -> Option<&mut Job> {
        let settings = self.settings.clone()?;
        if self.job.is_some() {
            return None;
        }
        let id = self.next_job;
        self.next_job += 1;
        let no_hooks = settings.flag("deployment.no_hooks");
        // The agent's own next try is made as a person wanted the last one.
        let again = |failure: &&Failure| requester.is_none() && failure.kind == kind && failure.generation == self.generation;
        let options = self.failure.as_ref().filter(again).map(|failure| failure.options).unwrap_or_default();
        self.job = Some(Job {
            id,
            kind,
            reason,
            requester,
            session: String::new(),
            created: now,
            desired_before: self.desired,
            stage: Stage::Prepare,
            generation: self.generation,
            asked_generation: self.generation,
            settings,
            intent: None,
            prepared: None,
            in_hand: None,
            takedown: None,
            step: None,
            options: JobOptions { no_hooks: options.no_hooks || no_hooks, ..options },
            nuked: Vec::new(),
            waiting_since: None,
            pre_takedown_done: None,
            upgrade_from: None,
            canceled_by: None,
            fault: None,
            way_back: None,
            page: PageTimes::default(),
            steps: Vec::new(),
            units: 0,
            installing: false,
            lost: 0,
            last_unit: String::new(),
            labelled: false,
            healthy_since: None,
            failing_since: None,
        });
        self.job.as_mut()
    }

    /// Ends the running job. A failure counts its attempts with the same intent; a job
    /// that was canceled before it touched anything leaves no wish behind.
    pub fn finish_job(
        &mut self,
        result: JobResult,
        failure: Option<JobFailure>,
        report: String,
        now: Timestamp,
    ) -> Option<FinishedJob> {
        let job = self.job.take()?;
        let error = failure.as_ref().map(|failure| format!("{}: {}", failure.reason, failure.message)).unwrap_or_default();
        // A wish that was withdrawn before anything was touched says nothing of another job.
        let wish = if job.kind == JobKind::Deploy { Desired::Deployed } else { Desired::Undeployed };
        let withdrawn = result == JobResult::Canceled && !job.has_touched() && job.desired_before != wish;
        match failure {
            Some(_) if withdrawn => {}
            None if result == JobResult::Skipped => {}
            Some(failure) => {
                let intent = job.way_back.as_ref().map_or(&job.intent, |way| &way.intent).clone();
                let same = |known: &&Failure| known.kind == job.kind && known.intent == intent;
                let attempts = self.failure.as_ref().filter(same).map_or(0, |known| known.attempts) + 1;
                self.failure = Some(Failure {
                    job: job.id,
                    kind: job.kind,
                    intent,
                    reason: failure.reason,
                    message: failure.message,
                    tail: failure.tail,
                    cause: failure.cause,
                    attempts,
                    generation: job.asked_generation,
                    options: job.options,
                    turned_back: job.way_back.is_some(),
                    at: now,
                });
            }
            None => self.failure = None,
        }
        if result == JobResult::Canceled && !job.has_touched() {
            self.desired = job.desired_before;
        }
        // Also the last good one, when it is back.
        let healthy = job.stage == Stage::Follow && job.healthy_since.is_some();
        if let Some(deployed) = self.deployed.as_mut().filter(|_| healthy) {
            deployed.healthy = true;
        }
        if (job.kind, result) == (JobKind::Undeploy, JobResult::Done) {
            self.deployed = None;
            self.previous = None;
            self.leftovers.clear();
            self.hooks.clear();
        }
        if job.step.is_some() {
            self.end_unfinished(now);
        }
        let finished = FinishedJob {
            id: job.id,
            kind: job.kind,
            reason: job.reason,
            requester: job.requester,
            session: job.session,
            created: job.created,
            finished: now,
            stage: job.stage,
            result,
            error,
            report,
            unit: job.last_unit,
            generation: job.asked_generation,
            put_back: job.way_back.as_ref().filter(|_| healthy).map(|way| way.generation),
            page: job.page,
            steps: job.steps,
        };
        self.history.push(finished.clone());
        let surplus = self.history.len().saturating_sub(HISTORY);
        self.history.drain(..surplus);
        Some(finished)
    }

    /// Notes what is to be taken down.
    pub fn begin_take_down(
        &mut self,
        releases: Vec<(String, String)>,
        objects: Vec<ObjectId>,
        hooks: Vec<ObjectId>,
        now: Timestamp,
    ) {
        self.leftovers.extend(objects.iter().cloned());
        self.hooks.extend(hooks.iter().cloned());
        if let Some(job) = self.job.as_mut() {
            let (since, known) = (Some(now), job.takedown.take().unwrap_or_default());
            job.takedown = Some(TakeDown { releases, objects, hooks, since, ..known });
        }
    }

    /// Pods were deleted by force: what is left has its time from here on.
    pub fn pods_deleted(&mut self, uids: impl IntoIterator<Item = String>, now: Timestamp) {
        let Some(job) = self.job.as_mut() else { return };
        job.nuked.extend(uids);
        if let Some(down) = job.takedown.as_mut() {
            down.since = Some(now);
        }
    }

    /// Jobs of hooks were deleted.
    pub fn hooks_deleted(&mut self, jobs: Vec<ObjectId>) {
        if let Some(down) = self.job.as_mut().and_then(|job| job.takedown.as_mut()) {
            down.ended.extend(jobs);
        }
    }

    /// A hook failed: what is left is taken down without them.
    pub fn skip_hooks(&mut self, invocation: &str, now: Timestamp) -> Option<String> {
        self.record_unit(invocation, now);
        self.end_unfinished(now);
        let job = self.job.as_mut()?;
        job.options.no_hooks = true;
        Some(job.step.take()?.unit)
    }

    /// The unit that worked last is known to have ended, not to have ended well.
    fn end_unfinished(&mut self, now: Timestamp) {
        for unfinished in self.unfinished.iter_mut().filter(|unfinished| unfinished.until.is_none()) {
            unfinished.until = Some(now);
        }
        if let Some(deployed) = self.deployed.as_mut()
            && let Some((_, until @ None)) = deployed.made.as_mut()
        {
            *until = Some(now);
        }
    }

    /// Goes on to an upgrade in place of what is there.
    pub fn begin_upgrade(&mut self, from: String) {
        if let Some(job) = self.job.as_mut() {
            job.upgrade_from = Some(from);
            job.stage = Stage::Install;
        }
    }

    /// Notes a unit before it is started, and returns its name. What is about to be
    /// installed counts as ours from here on, however the installation ends.
    pub fn begin_unit(&mut self, what: StepKind, now: Timestamp) -> Option<String> {
        let job = self.job.as_mut()?;
        let name = what.name();
        job.units += 1;
        let unit = format!("kaapana-job-{}-{name}-{}.service", job.id, job.units);
        let begun = match what {
            StepKind::Install | StepKind::Upgrade => {
                job.installing = true;
                let mut deployed = installing(job, now)?;
                if what == StepKind::Upgrade {
                    deployed.made = self.deployed.as_ref().and_then(|before| before.made);
                    deployed.replaces.clone_from(&job.upgrade_from);
                }
                Some(deployed)
            }
            _ => None,
        };
        if !matches!(what, StepKind::PreTakedown { .. }) {
            let release = release_of(job, &what);
            self.unfinished.retain(|known| known.release != release);
            self.unfinished.push(Unfinished { release, from: now, until: None });
        }
        job.steps.push(StepRecord {
            unit: unit.clone(),
            what: what.to_string(),
            invocation: String::new(),
            started: now,
            finished: None,
        });
        job.last_unit.clone_from(&unit);
        let uninstalls = matches!(what, StepKind::Uninstall { .. });
        job.step = Some(RunningStep { unit: unit.clone(), what, started: now });
        if let Some(deployed) = self.deployed.as_mut().filter(|_| uninstalls) {
            deployed.partial = true;
        }
        if let Some(begun) = begun {
            self.identity = Some(begun.identity.clone());
            // What an upgrade replaces is the way back.
            self.forget_deployed();
            self.deployed = Some(begun);
        }
        Some(unit)
    }

    /// Notes how a unit ended, and returns its name.
    pub fn close_unit(&mut self, success: bool, invocation: &str, now: Timestamp) -> Option<String> {
        self.record_unit(invocation, now);
        let job = self.job.as_mut()?;
        let step = job.step.take()?;
        let release = release_of(job, &step.what);
        self.unfinished.retain(|known| known.release != release);
        match step.what {
            StepKind::Install | StepKind::Upgrade if success => {
                job.stage = Stage::Follow;
                self.note_installed(now);
            }
            StepKind::Install | StepKind::Upgrade => {}
            StepKind::PreTakedown { program } => {
                job.pre_takedown_done = success.then_some(program);
                job.in_hand = Some(now);
            }
            StepKind::Uninstall { namespace, release, .. } => {
                if let Some(down) = job.takedown.as_mut() {
                    down.uninstalled.push((namespace, release));
                    // What is left has its time from the last uninstallation on.
                    down.since = Some(now);
                }
            }
        }
        Some(step.unit)
    }

    /// Notes the run of the unit that ended.
    pub fn record_unit(&mut self, invocation: &str, now: Timestamp) {
        if let Some(record) = self.job.as_mut().and_then(|job| job.steps.last_mut()) {
            record.finished = Some(now);
            invocation.clone_into(&mut record.invocation);
        }
    }

    /// A unit vanished without a result.
    pub fn forget_unit(&mut self, now: Timestamp) {
        self.end_unfinished(now);
        if let Some(job) = self.job.as_mut() {
            job.step = None;
            job.lost += 1;
        }
    }

    /// The last good deployment is to be put back: the job goes on with its chart,
    /// values and settings, and takes down what failed first.
    pub fn turn_back(&mut self, failure: JobFailure, now: Timestamp) {
        self.end_unfinished(now);
        // What was taken down in part, or to its end, was good before.
        if let Some(good) = self.deployed.as_ref().filter(|deployed| deployed.partial && deployed.healthy) {
            self.previous = Some(Deployed { partial: false, ..good.clone() });
        }
        let (Some(job), Some(previous)) = (self.job.as_mut(), &self.previous) else { return };
        let Some(settings) = &previous.settings else { return };
        let known = job.way_back.take();
        let attempts = known.as_ref().map_or(0, |way| way.attempts) + 1;
        let (failure, intent) = known.map_or((failure, job.intent.clone()), |way| (way.failure, way.intent));
        job.way_back = Some(WayBack { failure, intent, generation: previous.generation, attempts });
        // How the agent works is as the site wants it now.
        job.settings = settings.with_agent_keys(&job.settings);
        job.intent = Some(previous.intent.clone());
        job.generation = previous.generation;
        job.prepared = Some(Prepared {
            chart_digest: previous.chart_digest.clone(),
            chart_file: previous.chart_file.clone(),
            values: previous.values.clone(),
            machine: previous.machine.clone(),
            kinds: previous.kinds.clone(),
            images: previous.images.clone(),
            missing_images: Vec::new(),
        });
        job.stage = Stage::TakeDown;
        job.in_hand = Some(now);
        (job.takedown, job.step, job.upgrade_from, job.fault) = (None, None, None, None);
        // What was canceled is canceled; the way back is another thing.
        job.canceled_by = None;
        (job.healthy_since, job.failing_since) = (None, None);
        (job.installing, job.lost) = (false, 0);
        job.pre_takedown_done = None;
    }

    /// A job of the agent's own that puts the last good deployment back, because the try
    /// that was to follow a failure cannot be made.
    pub fn start_way_back(&mut self, reason: String, now: Timestamp) {
        let Some(failure) = self.failure.clone() else { return };
        let Some(job) = self.start_job(JobKind::Deploy, reason, None, now) else { return };
        job.intent.clone_from(&failure.intent);
        let Failure { reason, message, tail, cause, .. } = failure;
        self.turn_back(JobFailure { result: JobResult::Failed, reason, message, tail, cause }, now);
    }

    /// Workflows are waited for, or no longer: the job's time counts anew then.
    pub fn note_waiting(&mut self, since: Option<Timestamp>, now: Timestamp) {
        if let Some(job) = self.job.as_mut() {
            job.waiting_since = since;
            job.in_hand = Some(now);
        }
    }

    /// An action of the running job failed.
    pub fn note_fault(&mut self, fault: JobFailure, now: Timestamp) {
        self.end_unfinished(now);
        if let Some(job) = self.job.as_mut() {
            job.in_hand = Some(now);
            job.fault = Some(fault);
        }
    }

    /// Notes that an image was brought in hand.
    pub fn image_pulled(&mut self, image: &str, now: Timestamp) {
        let Some(job) = self.job.as_mut() else { return };
        job.in_hand = Some(now);
        if let Some(prepared) = job.prepared.as_mut() {
            prepared.missing_images.retain(|missing| missing != image);
        }
    }

    /// Goes on to a stage of the running job.
    pub fn advance(&mut self, stage: Stage, now: Timestamp) {
        let Some(job) = self.job.as_mut() else { return };
        job.stage = stage;
        match stage {
            Stage::TakeDown => job.in_hand = Some(now),
            // The take-down is over: what was there is the way back.
            Stage::Install => {
                self.leftovers.clear();
                self.hooks.clear();
                self.forget_deployed();
            }
            // The installation ended while the agent was away.
            Stage::Follow => self.note_installed(now),
            Stage::Prepare => {}
        }
    }

    fn note_installed(&mut self, now: Timestamp) {
        if let Some(deployed) = self.deployed.as_mut() {
            deployed.installed = true;
            if let Some((_, until @ None)) = deployed.made.as_mut() {
                *until = Some(now);
            }
        }
    }

    /// The platform became healthy after its job had given up.
    pub fn recovered(&mut self) {
        let Some(deployed) = self.deployed.as_mut() else { return };
        deployed.healthy = true;
        // What failed with another intent has failed all the same.
        let other = |failure: &mut Failure| failure.intent.as_ref().is_some_and(|intent| !intent.matches(&deployed.intent));
        self.failure = self.failure.take_if(other);
    }

    /// What was installed is down; it stays as the way back when it was healthy once.
    fn forget_deployed(&mut self) {
        if let Some(mut deployed) = self.deployed.take()
            && deployed.healthy
        {
            deployed.partial = false;
            self.previous = Some(deployed);
        }
    }
}

/// The release a unit of the job works on.
fn release_of(job: &Job, what: &StepKind) -> (String, String) {
    what.release().unwrap_or_else(|| (job.settings.helm_namespace(), job.settings.release_name().to_owned()))
}

/// What is about to be installed, as it is remembered.
fn installing(job: &Job, at: Timestamp) -> Option<Deployed> {
    let prepared = job.prepared.as_ref()?;
    let mut intent = job.intent.clone()?;
    intent.digest = Some(prepared.chart_digest.clone());
    Some(Deployed {
        job: job.id,
        description: job.description(),
        generation: job.generation,
        settings: Some(job.settings.clone()),
        intent,
        identity: job.settings.identity(),
        ownership: Ownership::of(&job.settings),
        chart_digest: prepared.chart_digest.clone(),
        chart_file: prepared.chart_file.clone(),
        values: prepared.values.clone(),
        machine: prepared.machine.clone(),
        kinds: prepared.kinds.clone(),
        images: prepared.images.clone(),
        installed: false,
        healthy: false,
        partial: false,
        replaces: None,
        made: Some((at, None)),
        at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn now() -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn settings(state: &str) -> Settings {
        let mut fragments = crate::config::Fragments::default();
        let text = format!(
            "[platform]\nversion=\"0.6.0\"\ndomain=\"a.b\"\nstate=\"{state}\"\n[registry]\nurl=\"r.org\"\n[network]\nhttp_port=80\n"
        );
        fragments.merge_text(Path::new("/x.toml"), &text).unwrap();
        crate::config::settings::validate(&fragments).unwrap().unwrap()
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
