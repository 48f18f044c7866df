//! Carries out the one step of a plan.
//!
//! A step that only changes the ledger is done at once. One that changes the node
//! is an action: a task beside the loop, never more than one, whose outcome is
//! written into the ledger when it ends.

use std::sync::Arc;
use std::time::Duration;

use super::Agent;
use crate::actuators::{ActionError, cluster, disk, helm, images, site_program, systemd};
use crate::config::derived::Machine;
use crate::config::values::hex;
use crate::fault;
use crate::ledger::{Cause, Intent, Job, JobFailure, JobKind, JobResult, Ledger, Prepared, StepKind};
use crate::planner::{Inputs, Step};
use crate::state::{DiskIdentity, Gpu, Node, ObjectId, Observed};
use crate::telemetry::id;

/// How long an action may take. Each part has a shorter limit of its own; this is for
/// a bus or a disk that does not answer at all.
const ACTION_LIMIT: Duration = Duration::from_secs(600);

/// How an action ended.
#[derive(Debug)]
pub enum Outcome {
    /// It did not end within this time.
    Late(Duration),
    /// A chart and its values are in hand, or not.
    Prepared(Result<Box<Prepared>, ActionError>),
    /// An image was pulled, or not.
    ImagePulled(String, Result<(), ActionError>),
    /// A unit was started, or not.
    Started(Result<(), ActionError>),
    /// Jobs of hooks were deleted, or not all.
    HooksDeleted(Result<Vec<ObjectId>, ActionError>),
    /// Pods were deleted by force, or not all.
    PodsDeleted(Result<Vec<(String, String, String)>, ActionError>),
    /// A unit was forgotten; what it did is in the ledger already.
    Forgotten,
    /// The node has its label, or not.
    Labelled(Result<(), ActionError>),
    /// A disk was marked, as far as it could be.
    Marked {
        /// The data directory.
        path: std::path::PathBuf,
        /// What is recorded.
        identity: DiskIdentity,
    },
}

impl Agent {
    /// Takes a step. Returns whether to look again at once; not while an action runs.
    pub(super) fn perform(&mut self, step: Step) -> bool {
        tracing::debug!(%step, "step");
        let name = step.name();
        fault::point("before", name);
        self.current = name;
        let again = self.carry_out(step);
        fault::point("after", name);
        again
    }

    fn carry_out(&mut self, step: Step) -> bool {
        match step {
            Step::StartJob { kind, reason } => self.start_job(kind, reason),
            Step::Prepare => self.begin_prepare(),
            Step::PullImage { image } => self.pull_image(image),
            Step::BeginTakeDown { releases, objects, hooks } => {
                let now = self.now();
                self.commit(|ledger| ledger.begin_take_down(releases, objects, hooks, now)).is_ok()
            }
            Step::DeleteHooks { jobs } => {
                let (paths, job) = (Arc::clone(&self.paths), self.ledger.job.as_ref().map_or(0, |job| job.id));
                self.act(async move { Outcome::HooksDeleted(cluster::delete_jobs(&paths, job, &jobs).await.map(|()| jobs)) });
                false
            }
            Step::Uninstall { namespace, release, no_hooks } => {
                self.begin_unit(StepKind::Uninstall { namespace, release, no_hooks })
            }
            Step::Install => self.begin_unit(StepKind::Install),
            Step::Upgrade => self.begin_unit(StepKind::Upgrade),
            Step::RunSiteProgram { program } => self.begin_unit(StepKind::PreTakedown { program }),
            Step::BeginUpgrade { from } => self.commit(|ledger| ledger.begin_upgrade(from)).is_ok(),
            Step::DeletePods { pods } => {
                let (paths, job) = (Arc::clone(&self.paths), self.ledger.job.as_ref().map_or(0, |job| job.id));
                self.act(async move { Outcome::PodsDeleted(cluster::delete_pods(&paths, job, &pods).await.map(|()| pods)) });
                false
            }
            Step::TurnBack { failure } => self.turn_back(failure),
            Step::NoteWaiting(since) => {
                let now = self.now();
                self.commit(|ledger| ledger.note_waiting(since, now)).is_ok()
            }
            Step::NoteFault(fault) => {
                let now = self.now();
                self.commit(|ledger| ledger.note_fault(fault, now)).is_ok()
            }
            Step::SkipHooks => self.skip_hooks(),
            Step::StartWayBack { reason } => self.start_way_back(reason),
            Step::NotePage(page) => self.change_job(|job| job.page = page),
            Step::LabelNode { node } => {
                let paths = Arc::clone(&self.paths);
                self.act(async move { Outcome::Labelled(cluster::label_node(&paths, &node).await) });
                false
            }
            Step::CloseStep { result } => self.close_step(result.success()),
            Step::ForgetStep => self.forget_step(),
            Step::Advance { stage } => {
                let now = self.now();
                self.commit(|ledger| ledger.advance(stage, now)).is_ok()
            }
            Step::NoteHealthy(since) => self.change_job(|job| job.healthy_since = since),
            Step::NoteFailing(since) => self.change_job(|job| job.failing_since = since),
            Step::NoteRecovered => self.commit(Ledger::recovered).is_ok(),
            Step::FinishJob { result, reason, message, cause, tail } => {
                let report = if reason.is_empty() { message.clone() } else { String::new() };
                let failure = JobFailure::of(result, reason, message, tail, cause);
                self.finish_job(result, failure, report)
            }
            Step::MarkDisk { path } => self.begin_mark(path),
        }
    }

    /// Takes note of how an action ended.
    pub(super) fn note(&mut self, outcome: Result<Outcome, tokio::task::JoinError>) {
        match outcome {
            Ok(Outcome::Prepared(Ok(prepared))) => {
                self.change_job(|job| job.prepared = Some(*prepared));
            }
            Ok(Outcome::ImagePulled(image, Ok(()))) => {
                let now = self.now();
                self.commit(|ledger| ledger.image_pulled(&image, now)).ok();
            }
            // Whether the unit runs all the same is seen, not guessed.
            Ok(Outcome::Started(started)) => {
                if let Err(fault) = started {
                    let job = self.ledger.job.as_ref();
                    let unit = job.and_then(|job| job.step.as_ref()).map(|step| step.unit.clone()).unwrap_or_default();
                    let job = job.map_or(0, |job| job.id);
                    tracing::warn!(
                        job,
                        unit_name = unit,
                        error = %fault,
                        "job {job}: {unit} was not started: {fault}; the agent looks whether it runs all the same"
                    );
                }
                self.watch_step();
            }
            Ok(
                Outcome::Prepared(Err(fault))
                | Outcome::Labelled(Err(fault))
                | Outcome::ImagePulled(_, Err(fault))
                | Outcome::HooksDeleted(Err(fault))
                | Outcome::PodsDeleted(Err(fault)),
            ) => {
                let ActionError { reason, message, tail, cause } = fault;
                self.note_fault(JobResult::Failed, reason, message, tail, cause);
            }
            Ok(Outcome::HooksDeleted(Ok(jobs))) => {
                self.commit(|ledger| ledger.hooks_deleted(jobs)).ok();
            }
            Ok(Outcome::PodsDeleted(Ok(pods))) => {
                let now = self.now();
                self.commit(|ledger| ledger.pods_deleted(pods.into_iter().map(|(_, _, uid)| uid), now)).ok();
            }
            Ok(Outcome::Labelled(Ok(()))) => {
                self.change_job(|job| job.labelled = true);
            }
            Ok(Outcome::Forgotten) => {}
            Ok(Outcome::Late(limit)) => {
                let message = format!("an action did not end within {} s", limit.as_secs());
                self.note_fault(JobResult::Timeout, "ActionTimeout", message, Vec::new(), Cause::Interrupted);
            }
            Ok(Outcome::Marked { path, identity }) => {
                // The unit that wrote the marker has seen it; the next look is far off.
                if let Observed::Fresh(disks) = &mut self.snapshot.disks {
                    for directory in [&mut disks.fast, &mut disks.slow] {
                        if directory.path == path {
                            directory.identity.marker.clone_from(&identity.marker);
                        }
                    }
                }
                self.commit(|ledger| {
                    ledger.disks.insert(path, identity);
                })
                .ok();
            }
            // A cancellation ended it.
            Err(fault) if fault.is_cancelled() => {}
            Err(fault) => {
                let message = format!("an action ended without an answer: {fault}");
                self.note_fault(JobResult::Failed, "Internal", message, Vec::new(), Cause::Interrupted);
            }
        }
    }

    /// Begins an action beside the loop.
    fn act(&mut self, action: impl Future<Output = Outcome> + Send + 'static) {
        self.act_within(ACTION_LIMIT, action);
    }

    /// Begins one with another limit.
    pub(super) fn act_within(&mut self, limit: Duration, action: impl Future<Output = Outcome> + Send + 'static) {
        let name = self.current;
        let limited = async move {
            fault::point("acting", name);
            let outcome = tokio::time::timeout(limit, action).await.unwrap_or(Outcome::Late(limit));
            fault::point("acted", name);
            outcome
        };
        self.acting = Some(tokio::spawn(limited));
    }

    /// An action failed; what follows from it is decided by the planner.
    fn note_fault(&mut self, result: JobResult, reason: &str, message: String, tail: Vec<String>, cause: Cause) {
        let fault = JobFailure { result, reason: reason.into(), message, tail, cause };
        let now = self.now();
        self.commit(|ledger| ledger.note_fault(fault, now)).ok();
    }

    fn turn_back(&mut self, failure: JobFailure) -> bool {
        let reason = format!("{}: {}", failure.reason, failure.message);
        let (now, invocation) = (self.now(), self.invocation());
        let unit = self.ledger.job.as_ref().and_then(|job| job.step.as_ref()).map(|step| step.unit.clone());
        let kept = self.commit(|ledger| {
            if unit.is_some() {
                ledger.record_unit(&invocation, now);
            }
            ledger.turn_back(failure, now);
        });
        if kept.is_err() {
            return false;
        }
        if let Some((job, way)) = self.ledger.job.as_ref().and_then(|job| Some((job.id, job.way_back.as_ref()?))) {
            tracing::warn!(
                message_id = id::WAY_BACK,
                job,
                generation = way.generation,
                reason,
                "job {job}: {reason}; generation {} is put back",
                way.generation
            );
        }
        self.step_is_over(unit)
    }

    fn skip_hooks(&mut self) -> bool {
        let (mut unit, now, invocation) = (None, self.now(), self.invocation());
        let step = self.ledger.job.as_ref().and_then(|job| job.step.as_ref());
        let what = step.map(|step| step.what.to_string()).unwrap_or_default();
        if self.commit(|ledger| unit = ledger.skip_hooks(&invocation, now)).is_err() {
            return false;
        }
        let job = self.ledger.job.as_ref().map_or(0, |job| job.id);
        let unit_name = unit.clone().unwrap_or_default();
        tracing::warn!(
            job,
            unit_name,
            "job {job}: {what} failed or hung at a hook; the take-down goes on without hooks (journalctl -u {unit_name})"
        );
        self.step_is_over(unit)
    }

    fn start_way_back(&mut self, reason: String) -> bool {
        let (now, text) = (self.now(), reason.clone());
        if self.commit(|ledger| ledger.start_way_back(reason, now)).is_err() {
            return false;
        }
        let Some((job, way)) = self.ledger.job.as_ref().and_then(|job| Some((job.id, job.way_back.as_ref()?))) else {
            return true;
        };
        let generation = way.generation;
        tracing::info!(message_id = id::JOB_ACCEPTED, job, job_type = "deploy", reason = text, "job {job}: deploy ({text})");
        tracing::warn!(
            message_id = id::WAY_BACK,
            job,
            generation,
            reason = text,
            "job {job}: generation {generation} is put back"
        );
        true
    }

    /// systemd's id of the run of the unit that is watched.
    pub(super) fn invocation(&self) -> String {
        let unit = self.ledger.job.as_ref().and_then(|job| job.step.as_ref()).map(|step| &step.unit);
        self.snapshot.step.last().filter(|seen| Some(&seen.unit) == unit).map(|seen| seen.invocation.clone()).unwrap_or_default()
    }

    fn change_job(&mut self, change: impl FnOnce(&mut Job)) -> bool {
        self.commit(|ledger| {
            if let Some(job) = ledger.job.as_mut() {
                change(job);
            }
        })
        .is_ok()
    }

    fn start_job(&mut self, kind: JobKind, reason: String) -> bool {
        let now = self.now();
        let text = reason.clone();
        let kept = self.commit(|ledger| {
            ledger.start_job(kind, reason, None, now);
        });
        if kept.is_err() {
            return false;
        }
        let job = self.ledger.job.as_ref().map_or(0, |job| job.id);
        tracing::info!(
            message_id = id::JOB_ACCEPTED,
            job,
            job_type = kind.as_str(),
            reason = text,
            "job {job}: {} ({text})",
            kind.as_str()
        );
        true
    }

    fn begin_prepare(&mut self) -> bool {
        let Some(job) = &self.ledger.job else { return false };
        let inputs = Inputs { snapshot: &self.snapshot, ledger: &self.ledger, now: self.now() };
        let node = inputs.node().cloned();
        let disks = inputs.disks(&job.settings).map(|disks| [&disks.fast, &disks.slow]);
        let mut directories: Vec<_> =
            disks.into_iter().flatten().filter(|directory| directory.exists).map(|directory| directory.path.clone()).collect();
        directories.dedup();
        let (Some(chart), Some(tools)) = (inputs.chart(&job.settings), self.snapshot.tools.last()) else {
            // Asked for while the first look is outstanding: the next one decides.
            return false;
        };
        let Some(helm) = tools.helm.clone() else {
            self.note_fault(
                JobResult::Failed,
                "HelmNotFound",
                format!(
                    "helm is at none of {}",
                    tools.helm_candidates.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
                ),
                Vec::new(),
                Cause::Interrupted,
            );
            return true;
        };
        let (job, chart) = (job.clone(), chart.clone());
        let intent = Intent::new(&job.settings, &chart);
        let secret = self.ledger.oidc_client_secret.clone().unwrap_or_else(random_secret);
        if !self.ledger_has(&intent, &secret) {
            let kept = self.commit(|ledger| {
                ledger.oidc_client_secret = Some(secret.clone());
                if let Some(job) = ledger.job.as_mut() {
                    job.intent = Some(intent);
                }
            });
            if kept.is_err() {
                return false;
            }
        }
        let machine = self.machine(node, secret);
        let version = self.snapshot.api.fresh().map(|api| api.version.clone()).unwrap_or_default();
        let (paths, connection) = (Arc::clone(&self.paths), self.connection.clone());
        self.act(async move {
            for (number, directory) in directories.iter().enumerate() {
                let id = format!("{}-{number}", job.id);
                if let Err(fault) = disk::try_writing(&connection, &paths, directory, &id).await {
                    return Outcome::Prepared(Err(ActionError::node("DiskNotWritable", &fault)));
                }
            }
            let machine = Machine { api_ip: cluster::api_address(&paths).await, ..machine };
            Outcome::Prepared(helm::prepare(&paths, &helm, &job, &chart, machine, &version).await.map(Box::new))
        });
        false
    }

    fn pull_image(&mut self, image: String) -> bool {
        let Some(job) = &self.ledger.job else { return false };
        let (paths, settings) = (Arc::clone(&self.paths), job.settings.clone());
        self.act_within(images::PULL_LIMIT + ACTION_LIMIT, async move {
            let pulled = images::pull(&paths, &settings, &image).await;
            Outcome::ImagePulled(image, pulled)
        });
        false
    }

    fn ledger_has(&self, intent: &Intent, secret: &str) -> bool {
        self.ledger.oidc_client_secret.as_deref() == Some(secret)
            && self.ledger.job.as_ref().is_some_and(|job| job.intent.as_ref() == Some(intent))
    }

    /// What a deployment takes from the machine, as it is now.
    fn machine(&self, node: Option<Node>, oidc_client_secret: String) -> Machine {
        Machine {
            memory_mib: self.snapshot.system.last().map_or(0, |system| system.memory_mib),
            gpu: matches!(self.snapshot.gpu.last(), Some(Gpu::Devices { .. })),
            node_name: node.as_ref().map(|node| node.name.clone()).unwrap_or_default(),
            server_ip: node.and_then(|node| node.address.clone()),
            api_ip: None,
            timestamp: self.now().strftime("%Y-%m-%d-%H-%M").to_string(),
            oidc_client_secret,
        }
    }

    /// Starts the unit of a step: first it is in the ledger, then it is started.
    fn begin_unit(&mut self, what: StepKind) -> bool {
        let (Some(job), Some(helm)) = (&self.ledger.job, self.snapshot.tools.last().and_then(|tools| tools.helm.clone())) else {
            return false;
        };
        let order = match (&what, &job.prepared) {
            (StepKind::Install, Some(prepared)) => helm::install_order(&self.paths, &helm, job, prepared),
            (StepKind::Upgrade, Some(prepared)) => helm::upgrade_order(&self.paths, &helm, job, prepared),
            (StepKind::Install | StepKind::Upgrade, None) => return false,
            (StepKind::Uninstall { namespace, release, no_hooks }, _) => {
                helm::uninstall_order(&self.paths, &helm, job, namespace, release, *no_hooks)
            }
            (StepKind::PreTakedown { program }, _) => {
                let runs = self.ledger.deployed.as_ref().and_then(|deployed| deployed.settings.as_ref());
                site_program::order(&self.paths, job, runs.unwrap_or(&job.settings), program)
            }
        };
        let secrets = helm::secrets_of(job, self.ledger.deployed.as_ref().map(|deployed| &deployed.values));
        let (id, kind, name, now) = (job.id, job.kind, what.name(), self.now());
        let mut begun = None;
        if self.commit(|ledger| begun = ledger.begin_unit(what, now)).is_err() {
            return false;
        }
        let Some(unit) = begun else { return false };
        tracing::info!(
            message_id = id::JOB_STEP,
            job = id,
            job_type = kind.as_str(),
            step = name,
            unit_name = unit,
            "job {id}: {name} in {unit}"
        );
        let (paths, connection) = (Arc::clone(&self.paths), self.connection.clone());
        let confined = name != "pre-takedown";
        self.act(async move {
            let started = async {
                let (of, named) = (Arc::clone(&paths), unit.clone());
                let folder = tokio::task::spawn_blocking(move || helm::write_order(&of, &named, &order, &secrets))
                    .await
                    .unwrap_or_else(|fault| Err(std::io::Error::other(fault)))
                    .map_err(|fault| ActionError::node("StateNotWritable", &fault))?;
                let text = format!("Kaapana job {id}: {name}");
                systemd::start_step(&connection, id, &unit, &text, &paths.program, &folder, confined)
                    .await
                    .map_err(|fault| ActionError::node("UnitNotStarted", &fault))
            };
            Outcome::Started(started.await)
        });
        false
    }

    /// The unit ended: what it did goes into the ledger, then systemd forgets it.
    fn close_step(&mut self, success: bool) -> bool {
        let (mut unit, now, invocation) = (None, self.now(), self.invocation());
        self.commit(|ledger| unit = ledger.close_unit(success, &invocation, now)).is_ok() && self.step_is_over(unit)
    }

    fn forget_step(&mut self) -> bool {
        let unit = self.ledger.job.as_ref().and_then(|job| job.step.as_ref()).map(|step| step.unit.clone());
        let now = self.now();
        self.commit(|ledger| ledger.forget_unit(now)).is_ok() && self.step_is_over(unit)
    }

    /// Stops watching a unit and has systemd forget it. Looks again at once when
    /// there is nothing to forget.
    fn step_is_over(&mut self, unit: Option<String>) -> bool {
        self.watch_step();
        let Some(unit) = unit else { return true };
        let connection = self.connection.clone();
        let folder = self.paths.step(&unit);
        self.act_within(Duration::MAX, async move {
            systemd::forget_for_sure(&connection, &unit).await;
            // What it was told to redact holds secrets; what it did is in the ledger.
            tokio::fs::remove_dir_all(&folder).await.ok();
            Outcome::Forgotten
        });
        false
    }

    fn finish_job(&mut self, result: JobResult, failure: Option<JobFailure>, report: String) -> bool {
        let (now, invocation) = (self.now(), self.invocation());
        let unit = self.ledger.job.as_ref().and_then(|job| job.step.as_ref()).map(|step| step.unit.clone());
        let stage = self.ledger.job.as_ref().map_or("", |job| job.stage.as_str());
        let Some((job, kind)) = self.ledger.job.as_ref().map(|job| (job.id, job.kind)) else { return true };
        let reason = failure.as_ref().map(|failure| format!("{}: {}", failure.reason, failure.message)).unwrap_or_default();
        let said = report.clone();
        let kept = self.commit(|ledger| {
            if unit.is_some() {
                ledger.record_unit(&invocation, now);
            }
            ledger.finish_job(result, failure, report, now);
        });
        if kept.is_err() {
            return false;
        }
        if matches!(result, JobResult::Done | JobResult::Skipped) {
            tracing::info!(
                message_id = id::JOB_DONE,
                job,
                job_type = kind.as_str(),
                result = result.as_str(),
                reason = said,
                "job {job} ({}) is {}{}{said}",
                kind.as_str(),
                result.as_str(),
                if said.is_empty() { "" } else { ": " }
            );
        } else {
            tracing::error!(
                message_id = id::JOB_FAILED,
                job,
                job_type = kind.as_str(),
                result = result.as_str(),
                stage,
                reason,
                unit_name = unit.clone().unwrap_or_default(),
                "job {job} ({}) {}: {reason}",
                kind.as_str(),
                result.as_str()
            );
        }
        self.prune();
        self.step_is_over(unit)
    }

    /// Removes folders of deployments that nothing refers to any more.
    fn prune(&self) {
        let kept: Vec<std::path::PathBuf> = [&self.ledger.deployed, &self.ledger.previous]
            .into_iter()
            .flatten()
            .filter_map(|deployed| deployed.chart_file.parent().map(std::path::Path::to_path_buf))
            .collect();
        // A new job has a number of its own, and so a folder that is not looked at here.
        let next = self.ledger.next_job;
        let folder = self.paths.state.join("deployments");
        tokio::task::spawn_blocking(move || {
            let Ok(entries) = std::fs::read_dir(folder) else { return };
            for entry in entries.flatten() {
                let number = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok());
                if number.is_some_and(|number| number < next) && !kept.contains(&entry.path()) {
                    std::fs::remove_dir_all(entry.path()).ok();
                }
            }
        });
    }

    fn begin_mark(&mut self, path: std::path::PathBuf) -> bool {
        let Some(disks) = self.snapshot.disks.fresh() else { return false };
        let seen = [&disks.fast, &disks.slow].into_iter().find(|directory| directory.path == path);
        let Some(mut identity) = seen.map(|directory| directory.identity.clone()) else { return false };
        let (paths, connection) = (Arc::clone(&self.paths), self.connection.clone());
        self.act(async move {
            if identity.marker.is_none() {
                let id: String = random_secret().chars().take(32).collect();
                match disk::mark(&connection, &paths, &path, &id).await {
                    Ok(()) => identity.marker = Some(id),
                    Err(fault) => {
                        let error = crate::error::chain(&fault);
                        tracing::warn!(
                            path = %path.display(),
                            error,
                            "{} gets no marker and is recognised by its file system alone: {error}",
                            path.display()
                        );
                    }
                }
            }
            Outcome::Marked { path, identity }
        });
        false
    }
}

/// 256 bits, hexadecimal.
fn random_secret() -> String {
    let mut bytes = [0_u8; 32];
    // Without randomness no secret can be made, and there is no other source.
    getrandom::fill(&mut bytes).expect("the kernel gives random bytes");
    hex(&bytes)
}
