//! The loop: select → snapshot → plan → one step → publish.
//!
//! * [`Agent::run`] waits for whatever happens first: a sensor, a request, a change
//!   of the configuration, the end of an action, a time, a signal;
//! * [`requests`]: what others may ask, and the rules for accepting it (`migrating`: about a
//!   migration);
//! * [`perform`]: carries out the one step of a plan and writes it into the ledger, with
//!   `preparing` (what is brought in hand), `units` (what runs for a job) and `jobs` (how
//!   one begins and ends);
//! * [`publish`]: what D-Bus, the journal and systemd are told; `damper`: a check that flaps is told once;
//!   `warnings`: those of the cluster are kept in the journal;
//! * `questions`: what sensors look at only while somebody wants to know.
//!
//! Nothing here decides what to do with the platform: that is [`crate::planner`].

mod damper;
mod jobs;
mod migrating;
pub mod perform;
mod preparing;
pub mod publish;
mod questions;
pub mod requests;
mod units;
mod warnings;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, watch};

use crate::actuators::inhibitor;
use crate::config::settings::parse_duration;
use crate::config::{self, ConfigError, Settings};
use crate::ledger::{Ledger, LedgerError, LedgerStore};
use crate::paths::Paths;
use crate::planner::{self, Inputs, Plan};
use crate::sensors::Observation;
use crate::sensors::drift;
use crate::sensors::import::ImportQuestion;
use crate::sensors::page::Question;
use crate::state::{ConfigRefusal, Snapshot};
use crate::telemetry::id;
use crate::{error, service};
use perform::Outcome;
use publish::Published;
use requests::Request;

/// The settle time before any configuration is known.
const SETTLE: Duration = Duration::from_secs(5);

/// Wait after the ledger could not be written.
const LEDGER_RETRY: Duration = Duration::from_secs(10);

/// What the agent is told by the process around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessSignal {
    /// SIGTERM or SIGINT.
    Stop,
    /// SIGHUP: read the configuration now.
    Reload,
}

/// The ends of the channels that reach the loop.
pub struct Inbox {
    /// What sensors see.
    pub observations: mpsc::Receiver<Observation>,
    /// What others ask.
    pub requests: mpsc::Receiver<Request>,
    /// The configuration directories changed.
    pub config_changed: mpsc::Receiver<()>,
    /// Signals of the process.
    pub signals: mpsc::Receiver<ProcessSignal>,
}

/// The ends of the channels that the loop speaks through.
pub struct Outbox {
    /// What is published.
    pub published: watch::Sender<Arc<Published>>,
    /// The settings in force, for sensors.
    pub settings: watch::Sender<Option<Arc<Settings>>>,
    /// The step whose unit is watched.
    pub step: watch::Sender<Option<(String, PathBuf)>>,
    /// A deployment waits for a kind.
    pub kinds_wanted: watch::Sender<bool>,
    /// Somebody wants to know whether helm runs.
    pub helms_wanted: watch::Sender<bool>,
    /// The page that is asked for, while a job works.
    pub page_wanted: watch::Sender<Option<Question>>,
    /// The import that runs.
    pub import_wanted: watch::Sender<Option<ImportQuestion>>,
    /// The releases whose objects are compared with their manifests.
    pub drift_wanted: watch::Sender<Option<drift::Question>>,
    /// The settings whose chart the registry is asked for.
    pub registry_wanted: watch::Sender<Option<Arc<Settings>>>,
    /// The name that is asked for.
    pub name_wanted: watch::Sender<Option<String>>,
    /// How many actions changed what lies in the data directories.
    pub disks_touched: watch::Sender<u64>,
}

/// The agent.
pub struct Agent {
    paths: Arc<Paths>,
    store: LedgerStore,
    ledger: Ledger,
    snapshot: Snapshot,
    connection: zbus::Connection,
    outbox: Outbox,
    clock: fn() -> Timestamp,
    /// Name of the step that was taken last.
    current: &'static str,
    /// The action that is under way: never more than one.
    acting: Option<tokio::task::JoinHandle<Outcome>>,
    /// The configuration is being read.
    reading: Option<tokio::task::JoinHandle<Result<Option<Settings>, ConfigError>>>,
    /// Since when it is read.
    reading_since: Option<Timestamp>,
    /// Who waits for the configuration to be read.
    reload_waiters: Vec<requests::ReloadReply>,
    /// Keeps the machine from being shut down while a job runs.
    inhibitor: Option<tokio::task::JoinHandle<Option<zbus::OwnedFd>>>,
    /// When the ledger may be written again after it could not.
    ledger_retry: Option<Timestamp>,
    /// What was told of checks lately.
    damper: damper::Damper,
    /// Which of the cluster's warnings were told lately.
    told: warnings::Told,
    plan: Plan,
}

impl Agent {
    /// An agent with the ledger that was read from `store`.
    #[must_use]
    pub fn new(
        paths: Arc<Paths>,
        store: LedgerStore,
        ledger: Ledger,
        connection: zbus::Connection,
        outbox: Outbox,
        clock: fn() -> Timestamp,
    ) -> Self {
        let agent = Self {
            plan: Plan::rest(crate::state::Phase::Unconfigured, "starting"),
            paths,
            store,
            ledger,
            snapshot: Snapshot::default(),
            connection,
            outbox,
            clock,
            current: "none",
            acting: None,
            reading: None,
            reading_since: None,
            reload_waiters: Vec::new(),
            inhibitor: None,
            ledger_retry: None,
            damper: damper::Damper::default(),
            told: warnings::Told::default(),
        };
        agent.point_sensors();
        agent.watch_step();
        agent
    }

    /// Runs until told to stop.
    ///
    /// # Errors
    ///
    /// When the system bus is lost: systemd starts the agent again.
    pub async fn run(mut self, mut inbox: Inbox, mut config_watch: config::watch::ConfigWatch) -> Result<(), String> {
        self.read_config();
        self.forget_old_steps();
        self.decide();
        service::ready(&self.plan.summary);
        tracing::info!(
            message_id = id::READY,
            phase = self.plan.phase.as_str(),
            generation = self.ledger.generation,
            version = env!("CARGO_PKG_VERSION"),
            "ready"
        );
        let watchdog_period = service::watchdog_period().unwrap_or(Duration::from_secs(3600));
        let mut watchdog = tokio::time::interval(watchdog_period);
        loop {
            let wake = self.wake_in();
            tokio::select! {
                Some(observation) = inbox.observations.recv() => {
                    let mut changed = self.observe(observation)?;
                    // What arrived meanwhile is one look.
                    while let Ok(observation) = inbox.observations.try_recv() {
                        changed |= self.observe(observation)?;
                    }
                    // What is as it was decides nothing.
                    if !changed {
                        continue;
                    }
                }
                Some(request) = inbox.requests.recv() => self.answer(request),
                Some(()) = inbox.config_changed.recv() => {
                    config_watch.follow();
                    self.settle();
                }
                outcome = finished(&mut self.acting) => self.note(outcome),
                read = finished(&mut self.reading) => self.note_config(read),
                Some(signal) = inbox.signals.recv() => match signal {
                    ProcessSignal::Stop => break,
                    ProcessSignal::Reload => self.read_config(),
                },
                () = sleep(wake) => self.wake_up(),
                _ = watchdog.tick() => {
                    service::alive();
                    continue;
                }
            }
            self.decide();
        }
        service::stopping();
        tracing::info!(message_id = id::STOPPING, "stopping; what runs in units of its own goes on");
        Ok(())
    }

    fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Takes note of what was seen. Returns whether it is something else than before.
    fn observe(&mut self, observation: Observation) -> Result<bool, String> {
        if let Observation::BusLost(reason) = observation {
            return Err(reason);
        }
        if let Observation::Warnings(warnings) = &observation {
            self.tell_warnings(warnings);
        }
        // A look from before an action of our own says what was there before it.
        if let Observation::Disks { after, .. } = observation
            && after < *self.outbox.disks_touched.borrow()
        {
            return Ok(false);
        }
        let looked = matches!(observation, Observation::Disks { .. });
        let changed = observation.apply(&mut self.snapshot);
        if let Some(disks) = self.snapshot.disks.fresh().filter(|_| looked) {
            planner::beneath::forget(&mut self.snapshot.beneath, disks);
        }
        let seen = self.snapshot.cluster.fresh().is_some();
        self.snapshot.cluster_since = seen.then(|| self.snapshot.cluster_since.unwrap_or(self.now()));
        Ok(changed)
    }

    /// Something was written into a data directory, or put back there: it is looked at again, and no
    /// look from before counts any more.
    fn touch_disks(&self) {
        self.outbox.disks_touched.send_modify(|touched| *touched += 1);
    }

    /// Plans, publishes, and begins the first step unless an action is under way.
    fn decide(&mut self) {
        // Steps that only change the ledger are taken at once; each looks again.
        for _ in 0..32 {
            let inputs = Inputs { snapshot: &self.snapshot, ledger: &self.ledger, now: self.now() };
            self.plan = planner::plan(&inputs);
            self.inhibit();
            self.ask_sensors();
            self.publish();
            let held_back = self.acting.is_some() || self.ledger_retry.is_some_and(|at| at > self.now());
            let Some(step) = self.plan.steps.first().cloned().filter(|_| !held_back) else { return };
            if !self.perform(step) {
                return;
            }
        }
    }

    /// While a job runs, the machine is not shut down without somebody insisting.
    fn inhibit(&mut self) {
        match (&self.ledger.job, &self.inhibitor) {
            (Some(job), None) => {
                let connection = self.connection.clone();
                let id = job.id;
                let why = format!("job {id} ({}) is running: kaapanactl status", job.kind.as_str());
                self.inhibitor = Some(tokio::spawn(async move {
                    let taken = inhibitor::take(&connection, &why).await;
                    taken
                        .inspect_err(|fault| tracing::warn!(job = id, error = %fault, "no lock against a shutdown while job {id} runs: {fault}"))
                        .ok()
                }));
            }
            // The lock ends with the task that holds it.
            (None, Some(task)) => {
                task.abort();
                self.inhibitor = None;
            }
            _ => {}
        }
    }

    /// Changes the ledger: nothing counts before it is on disk. Returns whether it is.
    fn commit(&mut self, change: impl FnOnce(&mut Ledger)) -> Result<(), LedgerError> {
        let mut next = self.ledger.clone();
        change(&mut next);
        match self.store.save(&next) {
            Ok(()) => {
                self.ledger = next;
                self.ledger_retry = None;
                self.snapshot.ledger_error = None;
                // A configuration that could not be kept is read again.
                if self.snapshot.config.error.as_ref().is_some_and(|refusal| refusal.reason == "NotKept") {
                    let now = self.now();
                    self.snapshot.config.settling_until.get_or_insert(now);
                }
                self.point_sensors();
                Ok(())
            }
            Err(fault) => {
                let text = error::chain(&fault);
                if self.snapshot.ledger_error.as_ref() != Some(&text) {
                    tracing::error!(
                        error = %text,
                        "the ledger cannot be written: {text}; nothing is done before it can, which is tried again every {} s",
                        LEDGER_RETRY.as_secs()
                    );
                }
                self.snapshot.ledger_error = Some(text);
                self.ledger_retry = Some(self.now() + SignedDuration::try_from(LEDGER_RETRY).unwrap_or_default());
                Err(fault)
            }
        }
    }

    /// Sensors look where the running job works, else where the configuration says.
    fn point_sensors(&self) {
        let wanted = self.ledger.job.as_ref().map(|job| &job.settings).or(self.ledger.settings.as_ref());
        self.outbox.settings.send_if_modified(|known| {
            let changed = known.as_deref() != wanted;
            if changed {
                *known = wanted.cloned().map(Arc::new);
            }
            changed
        });
    }

    fn watch_step(&self) {
        let step = self.ledger.job.as_ref().and_then(|job| job.step.as_ref());
        let watched = step.map(|step| (step.unit.clone(), self.paths.step(&step.unit)));
        self.outbox.step.send_if_modified(|known| {
            let changed = *known != watched;
            *known = watched;
            changed
        });
    }

    /// Units and folders that a kill left behind between a step's end and its being
    /// forgotten. Nothing is begun before these units are gone: one may still run helm.
    fn forget_old_steps(&mut self) {
        let current = self.ledger.job.as_ref().and_then(|job| job.step.as_ref()).map(|step| step.unit.clone());
        let (folder, connection) = (self.paths.state.join("steps"), self.connection.clone());
        self.act_within(Duration::MAX, async move {
            let Ok(mut entries) = tokio::fs::read_dir(&folder).await else { return perform::Outcome::Forgotten };
            while let Ok(Some(entry)) = entries.next_entry().await {
                let Ok(unit) = entry.file_name().into_string() else { continue };
                if unit.starts_with("kaapana-job-") && unit.ends_with(".service") && current.as_deref() != Some(&unit) {
                    crate::actuators::systemd::forget_for_sure(&connection, &unit).await;
                    tokio::fs::remove_dir_all(entry.path()).await.ok();
                }
            }
            perform::Outcome::Forgotten
        });
    }

    // --- the configuration ---------------------------------------------------

    fn settle(&mut self) {
        let span = self
            .ledger
            .settings
            .as_ref()
            .map_or(SETTLE, |settings| parse_duration(settings.text("agent.settle")).unwrap_or(SETTLE));
        let until = self.now() + SignedDuration::try_from(span).unwrap_or_default();
        self.snapshot.config.settling_until = Some(until);
    }

    fn read_config(&mut self) {
        // It settles until it is read: nobody shall take what is about to change for all there is.
        self.reading_since = self.snapshot.config.settling_until.take().or_else(|| Some(self.now()));
        let directories = self.paths.config.clone();
        self.reading = Some(tokio::task::spawn_blocking(move || config::load_leniently(&directories)));
    }

    fn note_config(&mut self, read: Result<Result<Option<Settings>, ConfigError>, tokio::task::JoinError>) {
        let first = !self.snapshot.config.read;
        self.snapshot.config.read = true;
        let refusal = match read {
            Err(fault) => {
                Some(ConfigRefusal { reason: "NotReadable".into(), file: String::new(), problems: vec![fault.to_string()] })
            }
            Ok(Err(fault)) => Some(ConfigRefusal::invalid(&fault)),
            Ok(Ok(None)) if self.ledger.generation == 0 => None,
            Ok(Ok(None)) => Some(ConfigRefusal {
                reason: "Missing".into(),
                file: String::new(),
                problems: vec![format!(
                    "there is no [platform] table in any *.toml of {}",
                    self.paths.config.paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
                )],
            }),
            Ok(Ok(Some(settings))) => self.accept(settings, first).err(),
        };
        if let Some(refusal) = &refusal
            && self.snapshot.config.error.as_ref() != Some(refusal)
        {
            let file = refusal.file.as_str();
            tracing::error!(
                message_id = id::CONFIG_REFUSED,
                file,
                generation = self.ledger.generation,
                reason = %refusal.problems.join("; "),
                "configuration refused: {}",
                refusal.problems.join("; ")
            );
        }
        self.snapshot.config.error = refusal;
        let answer = match &self.snapshot.config.error {
            None => Ok(self.ledger.generation),
            Some(refusal) => Err(refusal.problems.join("\n")),
        };
        for waiter in self.reload_waiters.drain(..) {
            waiter.send(answer.clone()).ok();
        }
    }

    fn accept(&mut self, settings: Settings, first: bool) -> Result<(), ConfigRefusal> {
        // Where something is or was deployed, only what it was deployed with is kept.
        let last = [&self.ledger.deployed, &self.ledger.previous].into_iter().flatten().find_map(|one| one.settings.as_ref());
        let wrong = settings.not_tolerated(last);
        if !wrong.is_empty() && (last.is_some() || self.ledger.identity.is_some()) {
            return Err(ConfigRefusal { reason: "Invalid".into(), file: String::new(), problems: wrong });
        }
        self.snapshot.config.warnings = settings.warnings.iter().chain(settings.tolerated.values()).cloned().collect();
        let unchanged = self.ledger.settings.as_ref().is_some_and(|known| known.changed_keys(&settings).is_empty());
        if unchanged {
            return Ok(());
        }
        let mut changed = Vec::new();
        self.commit(|ledger| changed = ledger.accept(settings)).map_err(|fault| ConfigRefusal {
            reason: "NotKept".into(),
            file: String::new(),
            problems: vec![error::chain(&fault)],
        })?;
        let keys = if self.ledger.generation == 1 || first && changed.len() > 20 { "all".to_owned() } else { changed.join(", ") };
        tracing::info!(
            message_id = id::CONFIG_ACCEPTED,
            generation = self.ledger.generation,
            keys,
            "configuration accepted as generation {}",
            self.ledger.generation
        );
        Ok(())
    }

    // --- time ----------------------------------------------------------------

    fn wake_in(&self) -> Option<Duration> {
        let next = [self.plan.wake_at, self.snapshot.config.settling_until, self.ledger_retry].into_iter().flatten().min()?;
        let span = next.duration_since(self.now());
        // A little later rather than a little earlier, so that one wake-up is enough; and
        // never in a frenzy, should what is waited for have passed without effect.
        Some(Duration::try_from(span).unwrap_or(Duration::from_millis(250)) + Duration::from_millis(1))
    }

    fn wake_up(&mut self) {
        if self.snapshot.config.settling_until.is_some_and(|until| until <= self.now()) {
            self.read_config();
        }
        if self.ledger_retry.is_some_and(|at| at <= self.now()) {
            self.ledger_retry = None;
            // What could not be kept holds everything back; whether it can be now is seen by
            // writing.
            if self.snapshot.ledger_error.is_some() {
                self.commit(|_| {}).ok();
            }
        }
    }
}

/// Waits for a task, if there is one, and forgets it.
async fn finished<T>(task: &mut Option<tokio::task::JoinHandle<T>>) -> Result<T, tokio::task::JoinError> {
    let Some(running) = task else { return std::future::pending().await };
    let result = running.await;
    *task = None;
    result
}

async fn sleep(span: Option<Duration>) {
    match span {
        Some(span) => tokio::time::sleep(span).await, // ok: the plan says until when
        None => std::future::pending().await,
    }
}
