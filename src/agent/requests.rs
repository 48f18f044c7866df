//! What others may ask, and the rules for accepting it.
//!
//! An accepted request is in the ledger before the caller has its answer. A refused
//! one changed nothing.

use std::path::PathBuf;

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::Agent;
use crate::config::derived::Machine;
use crate::config::keys::{self, Effect};
use crate::config::values;
use crate::error;
use crate::ledger::{Desired, ImageArchive, Job, JobKind, Ledger, Pause};
use crate::planner::adoption::{self, Adoption};
use crate::planner::{Hold, Inputs, migration, preflight, release};
use crate::state::Status;
use crate::telemetry::id;

/// Answers with the generation, or with the problems of the configuration.
pub type ReloadReply = oneshot::Sender<Result<u64, String>>;

/// A request and where its answer goes.
#[derive(Debug)]
pub enum Request {
    /// Deploy what is configured; answers with the job.
    Deploy {
        /// Who asks.
        requester: Requester,
        /// How.
        options: DeployOptions,
        /// The answer.
        reply: oneshot::Sender<Result<u32, Refusal>>,
    },
    /// Take the platform down; answers with the job.
    Undeploy {
        /// Who asks.
        requester: Requester,
        /// How.
        options: UndeployOptions,
        /// The answer.
        reply: oneshot::Sender<Result<u32, Refusal>>,
    },
    /// End the running job where it can be ended; answers with what that means.
    Cancel {
        /// Who asks.
        requester: Requester,
        /// Which job.
        job: u32,
        /// The answer.
        reply: oneshot::Sender<Result<String, Refusal>>,
    },
    /// Do nothing by yourself.
    Pause {
        /// Who asks.
        requester: u32,
        /// Why.
        reason: String,
        /// Until when; `None`: until resumed.
        until: Option<Timestamp>,
        /// The answer.
        reply: oneshot::Sender<Result<(), Refusal>>,
    },
    /// Go on.
    Resume {
        /// The answer.
        reply: oneshot::Sender<Result<(), Refusal>>,
    },
    /// Read the configuration now.
    Reload {
        /// The answer.
        reply: ReloadReply,
    },
    /// Take over what somebody else deployed, as it is; answers with a sentence.
    Adopt {
        /// Who asks.
        requester: Requester,
        /// The answer.
        reply: oneshot::Sender<Result<String, Refusal>>,
    },
    /// Import an archive of images; answers with the job.
    ImportImages {
        /// Who asks.
        requester: Requester,
        /// The archive.
        archive: PathBuf,
        /// Why, for the history.
        reason: String,
        /// The answer.
        reply: oneshot::Sender<Result<u32, Refusal>>,
    },
    /// Migrate the data to the configured version; answers with the job.
    Migrate {
        /// Who asks.
        requester: Requester,
        /// How.
        options: MigrateOptions,
        /// The answer.
        reply: oneshot::Sender<Result<u32, Refusal>>,
    },
    /// Forget the migration that was begun, because the data was restored; answers with a sentence.
    ForgetMigration {
        /// Who asks.
        requester: Requester,
        /// The answer.
        reply: oneshot::Sender<Result<String, Refusal>>,
    },
    /// Show the values that Helm would be given; answers with a JSON document.
    Values {
        /// The answer.
        reply: oneshot::Sender<Result<String, Refusal>>,
    },
    /// Show what would be done; answers with a JSON document.
    Plan {
        /// The answer.
        reply: oneshot::Sender<String>,
    },
}

/// Who asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Requester {
    /// The user.
    pub uid: u32,
    /// The session of the login manager; empty: none.
    pub session: String,
}

/// How to deploy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeployOptions {
    /// Why, for the history.
    pub reason: String,
    /// Deploy again what is deployed already.
    pub again: bool,
    /// Also outside of the maintenance windows.
    pub now: bool,
    /// A person accepts that this is another platform than the one before.
    pub accept_identity_change: bool,
    /// Running workflows are not waited for.
    pub stop_workflows: bool,
    /// A person gives up releases that are stuck at their first revision.
    pub unlock: bool,
    /// A person accepts that the data directories lie on other disks than before.
    pub accept_disk_change: bool,
    /// A person says that what lies in the fast data directory is no platform's data.
    pub accept_unknown_data: bool,
    /// A person accepts that the version is deployed afresh, as a migration wants it.
    pub accept_fresh_deploy: bool,
}

/// How to migrate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MigrateOptions {
    /// Why, for the history.
    pub reason: String,
    /// Also outside of the maintenance windows.
    pub now: bool,
    /// A person gives up releases that are stuck at their first revision.
    pub unlock: bool,
}

/// How to undeploy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UndeployOptions {
    /// Why, for the history.
    pub reason: String,
    /// Without the charts' hooks.
    pub no_hooks: bool,
    /// Delete the platform's pods by force.
    pub nuke_pods: bool,
    /// Running workflows are not waited for.
    pub stop_workflows: bool,
    /// A person gives up releases that are stuck at their first revision.
    pub unlock: bool,
}

/// Why a request was refused. Nothing was changed by it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no configuration.
    #[error("no platform is configured; write /etc/kaapana/config/*.toml")]
    NotConfigured,
    /// Another job runs.
    #[error("{0}")]
    JobConflict(String),
    /// There is no such job.
    #[error("there is no job {0}")]
    NoSuchJob(u32),
    /// It is so already.
    #[error("{0}")]
    NothingToDo(String),
    /// A check holds it back.
    #[error("{0}")]
    Blocked(String),
    /// An argument is not as it should be.
    #[error("{0}")]
    InvalidArgument(String),
    /// It could not be written down.
    #[error("{0}")]
    NotKept(String),
}

pub(super) fn blocked(holds: &[Hold]) -> Refusal {
    let lines: Vec<String> = holds
        .iter()
        .map(|hold| if hold.advice.is_empty() { hold.message.clone() } else { format!("{} ({})", hold.message, hold.advice) })
        .zip(holds)
        .map(|(text, hold)| format!("{}: {text}", hold.reason))
        .collect();
    Refusal::Blocked(lines.join("\n"))
}

/// What to do about a job that is in the way.
pub(super) fn conflict(job: &Job) -> Refusal {
    let (id, kind) = (job.id, job.kind.as_str());
    Refusal::JobConflict(match (&job.way_back, job.canceled_by) {
        (Some(_), _) => format!(
            "job {id} ({kind}) is putting the last good deployment back; wait for its end, or, while it waits, kaapanactl cancel {id}"
        ),
        (None, Some(_)) => format!("job {id} ({kind}) is being canceled; wait for its end"),
        (None, None) => {
            format!("job {id} ({kind}) is running and does something else; wait for its end, or kaapanactl cancel {id}")
        }
    })
}

/// What somebody wants of the platform who asks for such a job; `None`: nothing.
fn wish(kind: JobKind) -> Option<Desired> {
    match kind {
        JobKind::Deploy | JobKind::Migrate => Some(Desired::Deployed),
        JobKind::Undeploy => Some(Desired::Undeployed),
        JobKind::ImportImages => None,
    }
}

impl Agent {
    pub(super) fn answer(&mut self, request: Request) {
        match request {
            Request::Deploy { requester, options, reply } => {
                reply.send(self.accept_deploy(requester, options)).ok();
            }
            Request::Undeploy { requester, options, reply } => {
                reply.send(self.accept_undeploy(requester, options)).ok();
            }
            Request::Cancel { requester, job, reply } => {
                reply.send(self.accept_cancel(&requester, job)).ok();
            }
            Request::Pause { requester, reason, until, reply } => {
                reply.send(self.accept_pause(requester, reason, until)).ok();
            }
            Request::Resume { reply } => {
                reply.send(self.accept_resume()).ok();
            }
            Request::Reload { reply } => {
                self.reload_waiters.push(reply);
                self.read_config();
            }
            Request::Adopt { requester, reply } => {
                reply.send(self.accept_adopt(&requester)).ok();
            }
            Request::ImportImages { requester, archive, reason, reply } => {
                reply.send(self.accept_import(requester, archive, reason)).ok();
            }
            Request::Migrate { requester, options, reply } => {
                reply.send(self.accept_migrate(requester, options)).ok();
            }
            Request::ForgetMigration { requester, reply } => {
                reply.send(self.accept_forget_migration(&requester)).ok();
            }
            Request::Values { reply } => {
                reply.send(self.values_document()).ok();
            }
            Request::Plan { reply } => {
                reply.send(self.plan_document()).ok();
            }
        }
    }

    fn accept_deploy(&mut self, requester: Requester, options: DeployOptions) -> Result<u32, Refusal> {
        let Some(settings) = self.ledger.settings.clone() else { return Err(Refusal::NotConfigured) };
        if let Some(job) = &self.ledger.job {
            let same = job.generation == self.ledger.generation
                && job.way_back.is_none()
                && (job.options.accept_identity_change || !options.accept_identity_change);
            let same = same && job.canceled_by.is_none() && (job.options.unlock || !options.unlock);
            return match job.kind {
                JobKind::Deploy if !options.again && same => {
                    self.join(job.id, requester, options.stop_workflows, options.accept_disk_change)
                }
                _ => Err(conflict(job)),
            };
        }
        let mut ledger = self.ledger.clone();
        if options.accept_disk_change {
            ledger.disks.clear();
        }
        let inputs = Inputs { snapshot: &self.snapshot, ledger: &self.ledger, now: self.now() };
        if options.accept_unknown_data {
            migration::unknown_data(&inputs, &settings)?;
            ledger.accept_data(&settings);
        }
        let migration = options.accept_fresh_deploy.then(|| migration::fresh_deploy(&inputs, &settings)).transpose()?;
        if migration.is_some() {
            ledger.migration.clone_from(&migration);
        }
        let inputs = Inputs { ledger: &ledger, ..inputs };
        let kind = release::kind_of(&inputs, &settings);
        // All that is in the way, so that nobody mends one thing after the other.
        let mut holds = Vec::from_iter(release::refusal(&inputs, &settings, options.accept_identity_change));
        holds.extend(preflight::holds(kind, &preflight::conditions(&inputs, inputs.health().as_ref())));
        if !holds.is_empty() {
            return Err(blocked(&holds));
        }
        if release::is_as_wished(&inputs, &settings) && !options.again {
            if self.ledger.desired != Desired::Deployed {
                self.commit(|ledger| ledger.desired = Desired::Deployed)
                    .map_err(|fault| Refusal::NotKept(error::chain(&fault)))?;
                return Err(Refusal::NothingToDo("it is deployed; that it stays so is remembered".into()));
            }
            // Whoever edited a file and asks for its deployment would take that for done.
            if let Some(refusal) = &self.snapshot.config.error {
                return Err(Refusal::Blocked(format!(
                    "the configuration on disk is not in force: {} (mend it; generation {} stays in force, and is deployed)",
                    refusal.problems.join("; "),
                    self.ledger.generation
                )));
            }
            return Err(Refusal::NothingToDo(format!(
                "generation {} is deployed; nothing differs (--again deploys it again)",
                self.ledger.deployed.as_ref().map_or(0, |deployed| deployed.generation)
            )));
        }
        if let Some((hold, _)) = release::outside_window(&inputs, &settings).filter(|_| !options.now) {
            return Err(blocked(&[hold]));
        }
        let reason = if options.reason.is_empty() { "asked for".to_owned() } else { options.reason };
        self.accept_job(kind, reason, requester, |ledger| {
            if options.accept_disk_change {
                ledger.disks.clear();
            }
            if options.accept_unknown_data {
                ledger.accept_data(&settings);
            }
            if migration.is_some() {
                ledger.migration = migration;
            }
            if let Some(job) = ledger.job.as_mut() {
                job.options.accept_identity_change = options.accept_identity_change;
                job.options.stop_workflows = options.stop_workflows;
                job.options.unlock = options.unlock;
            }
        })
    }

    /// A request for what a job does already. It may wait less patiently; and a job of the
    /// agent's own becomes the person's, so that no pause and no window holds it any more.
    pub(super) fn join(
        &mut self,
        id: u32,
        requester: Requester,
        stop_workflows: bool,
        accept_disks: bool,
    ) -> Result<u32, Refusal> {
        let own = self.ledger.job.as_ref().is_some_and(|job| job.requester.is_none());
        let wished = self.ledger.job.as_ref().is_some_and(|job| wish(job.kind).is_none_or(|wish| wish == self.ledger.desired));
        if wished && !own && !stop_workflows && !accept_disks {
            return Ok(id);
        }
        let Requester { uid, session } = requester;
        self.commit(|ledger| {
            if accept_disks {
                ledger.disks.clear();
            }
            if let Some(job) = ledger.job.as_mut() {
                // The file may say something else by now; a person's word is the newer one.
                ledger.desired = wish(job.kind).unwrap_or(ledger.desired);
                job.options.stop_workflows |= stop_workflows;
                if own {
                    (job.requester, job.session) = (Some(uid), session);
                }
            }
        })
        .map_err(|fault| Refusal::NotKept(error::chain(&fault)))?;
        tracing::info!(job = id, requester = uid, "job {id} is asked for by uid {uid}, too");
        Ok(id)
    }

    fn accept_undeploy(&mut self, requester: Requester, options: UndeployOptions) -> Result<u32, Refusal> {
        if self.ledger.settings.is_none() {
            return Err(Refusal::NotConfigured);
        }
        if let Some(job) = &self.ledger.job {
            let covers = (job.options.no_hooks || !options.no_hooks) && (job.options.nuke_pods || !options.nuke_pods);
            let same = covers && (job.options.unlock || !options.unlock) && job.canceled_by.is_none();
            return match job.kind {
                JobKind::Undeploy if same => self.join(job.id, requester, options.stop_workflows, false),
                _ => Err(conflict(job)),
            };
        }
        if self.ledger.deployed.is_none() {
            if self.ledger.desired == Desired::Undeployed {
                return Err(Refusal::NothingToDo("nothing is deployed, and that is remembered".into()));
            }
            self.commit(|ledger| {
                ledger.desired = Desired::Undeployed;
                ledger.previous = None;
            })
            .map_err(|fault| Refusal::NotKept(error::chain(&fault)))?;
            return Err(Refusal::NothingToDo("nothing is deployed; that it stays so is remembered".into()));
        }
        let inputs = crate::planner::Inputs { snapshot: &self.snapshot, ledger: &self.ledger, now: self.now() };
        let holds = preflight::holds(JobKind::Undeploy, &preflight::conditions(&inputs, inputs.health().as_ref()));
        if !holds.is_empty() {
            return Err(blocked(&holds));
        }
        let reason = if options.reason.is_empty() { "asked for".to_owned() } else { options.reason };
        self.accept_job(JobKind::Undeploy, reason, requester, |ledger| {
            if let Some(job) = ledger.job.as_mut() {
                job.options.no_hooks |= options.no_hooks;
                job.options.nuke_pods = options.nuke_pods;
                job.options.stop_workflows = options.stop_workflows;
                job.options.unlock = options.unlock;
            }
        })
    }

    fn accept_import(&mut self, requester: Requester, path: PathBuf, reason: String) -> Result<u32, Refusal> {
        if self.ledger.settings.is_none() {
            return Err(Refusal::NotConfigured);
        }
        if !path.is_absolute() {
            return Err(Refusal::InvalidArgument(format!("{} is no absolute path", path.display())));
        }
        if let Some(job) = &self.ledger.job {
            let same = job.archive.as_ref().is_some_and(|archive| archive.path == path) && job.canceled_by.is_none();
            return if same { self.join(job.id, requester, false, false) } else { Err(conflict(job)) };
        }
        let reason = if reason.is_empty() { "asked for".to_owned() } else { reason };
        self.accept_job(JobKind::ImportImages, reason, requester, |ledger| {
            if let Some(job) = ledger.job.as_mut() {
                job.archive = Some(ImageArchive { path, images: Vec::new(), bytes: 0, missing: None });
            }
        })
    }

    pub(super) fn accept_job(
        &mut self,
        kind: JobKind,
        reason: String,
        requester: Requester,
        adjust: impl FnOnce(&mut Ledger),
    ) -> Result<u32, Refusal> {
        let now = self.now();
        let (text, Requester { uid, session }) = (reason.clone(), requester);
        self.commit(|ledger| {
            if let Some(job) = ledger.start_job(kind, reason, Some(uid), now) {
                job.session.clone_from(&session);
                adjust(ledger);
            }
            ledger.desired = wish(kind).unwrap_or(ledger.desired);
        })
        .map_err(|fault| Refusal::NotKept(error::chain(&fault)))?;
        crate::fault::point("accepted", kind.as_str());
        let job = self.ledger.job.as_ref().map_or(0, |job| job.id);
        tracing::info!(
            message_id = id::JOB_ACCEPTED,
            job,
            job_type = kind.as_str(),
            requester = uid,
            session,
            reason = text,
            "job {job} accepted: {} ({text}), asked by uid {uid}",
            kind.as_str()
        );
        Ok(job)
    }

    fn accept_cancel(&mut self, requester: &Requester, id: u32) -> Result<String, Refusal> {
        let Some(job) = self.ledger.job.as_ref().filter(|job| job.id == id) else {
            let known = self.ledger.history.iter().any(|job| job.id == id);
            return Err(if known { Refusal::NothingToDo(format!("job {id} has ended")) } else { Refusal::NoSuchJob(id) });
        };
        let means = crate::planner::job::cancel_means(job, &self.ledger).map_err(Refusal::JobConflict)?;
        let (uid, untouched) = (requester.uid, !job.has_touched() && job.step.is_none());
        self.commit(|ledger| {
            if let Some(job) = ledger.job.as_mut() {
                job.canceled_by = Some(uid);
            }
        })
        .map_err(|fault| Refusal::NotKept(error::chain(&fault)))?;
        tracing::info!(
            message_id = crate::telemetry::id::JOB_CANCELED,
            job = id,
            requester = uid,
            "job {id} is canceled by uid {uid}: {means}"
        );
        // A pull or a rendering changes nothing that runs.
        let harmless = untouched && ["prepare", "pull-image", "check-archive"].contains(&self.current);
        if let Some(acting) = self.acting.as_ref().filter(|_| harmless) {
            acting.abort();
        }
        Ok(means)
    }

    fn accept_adopt(&mut self, requester: &Requester) -> Result<String, Refusal> {
        if self.ledger.settings.is_none() {
            return Err(Refusal::NotConfigured);
        }
        if let Some(job) = &self.ledger.job {
            return Err(conflict(job));
        }
        if self.ledger.deployed.is_some() {
            return Err(Refusal::NothingToDo("what is deployed is the agent's already".into()));
        }
        let inputs = crate::planner::Inputs { snapshot: &self.snapshot, ledger: &self.ledger, now: self.now() };
        let holds = adoption::holds(&preflight::conditions(&inputs, inputs.health().as_ref()));
        if !holds.is_empty() {
            return Err(blocked(&holds));
        }
        self.adopt(Some(requester))
    }

    /// Takes over what is deployed, as it is. `None`: by itself, since nothing differs.
    pub(super) fn adopt(&mut self, requester: Option<&Requester>) -> Result<String, Refusal> {
        let Some(settings) = self.ledger.settings.clone() else { return Err(Refusal::NotConfigured) };
        let inputs = crate::planner::Inputs { snapshot: &self.snapshot, ledger: &self.ledger, now: self.now() };
        let found = adoption::look(&inputs, &settings).map_err(|hold| blocked(&[hold]))?;
        let Some(Adoption { deployed, differences }) = found else {
            return Err(Refusal::NothingToDo("nothing is deployed that could be taken over".into()));
        };
        let release = format!("{}/{}", deployed.ownership.namespace, deployed.ownership.root);
        self.commit(|ledger| ledger.adopt(deployed)).map_err(|fault| Refusal::NotKept(error::chain(&fault)))?;
        let means = match differences.len() {
            0 => "nothing differs from the configuration".to_owned(),
            1 => format!("{} stays as it is until the configuration changes or kaapanactl deploy", adoption::told(&differences)),
            _ => {
                format!("{} stay as they are until the configuration changes or kaapanactl deploy", adoption::told(&differences))
            }
        };
        tracing::info!(
            message_id = id::ADOPTED,
            release,
            requester = requester.map_or(0, |requester| requester.uid),
            session = requester.map(|requester| requester.session.as_str()).unwrap_or_default(),
            differences = differences.len(),
            "the release {release} is taken over: {means}"
        );
        Ok(format!("the release {release} is taken over; {means}"))
    }

    fn accept_pause(&mut self, requester: u32, reason: String, until: Option<Timestamp>) -> Result<(), Refusal> {
        let now = self.now();
        if reason.trim().is_empty() {
            return Err(Refusal::InvalidArgument("a pause wants a reason, for the next person who looks".into()));
        }
        if until.is_some_and(|until| until <= now) {
            return Err(Refusal::InvalidArgument("the end of the pause has passed already".into()));
        }
        let shown = until.map_or("someone resumes".to_owned(), |until| until.to_string());
        let text = reason.clone();
        self.commit(|ledger| ledger.pause = Some(Pause { reason, until, since: now, requester }))
            .map_err(|fault| Refusal::NotKept(error::chain(&fault)))?;
        tracing::info!(message_id = id::PAUSED, until = shown, reason = text, requester, "paused until {shown}: {text}");
        Ok(())
    }

    fn accept_resume(&mut self) -> Result<(), Refusal> {
        if self.ledger.paused(self.now()).is_none() {
            return Err(Refusal::NothingToDo("the agent is not paused".into()));
        }
        self.commit(|ledger| ledger.pause = None).map_err(|fault| Refusal::NotKept(error::chain(&fault)))?;
        Ok(())
    }

    /// The values of what is configured, masked: on the machine of what is deployed, which
    /// they are compared on, or on this one.
    fn values_document(&self) -> Result<String, Refusal> {
        let Some(settings) = &self.ledger.settings else { return Err(Refusal::NotConfigured) };
        let deployed = self.ledger.deployed.as_ref().filter(|deployed| deployed.installed);
        if deployed.is_none() && self.snapshot.system.last().is_none() {
            return Err(Refusal::Blocked("this server was not looked at yet; ask again in a moment".into()));
        }
        let inputs = crate::planner::Inputs { snapshot: &self.snapshot, ledger: &self.ledger, now: self.now() };
        let machine = deployed.map_or_else(
            || self.machine(inputs.node().cloned(), "made once, for the first deployment".into()),
            |deployed| deployed.machine.clone(),
        );
        let values = values::values(settings, &machine).map_err(|fault| Refusal::Blocked(fault.to_string()))?;
        Ok(serde_json::json!(values.masked()).to_string())
    }

    /// The plan, and which values would change.
    fn plan_document(&self) -> String {
        let changes = self.value_changes();
        let inputs = crate::planner::Inputs { snapshot: &self.snapshot, ledger: &self.ledger, now: self.now() };
        let failed: Vec<_> = self.plan.conditions.iter().filter(|condition| condition.status != Status::True).collect();
        serde_json::json!({
            "phase": self.plan.phase,
            "summary": self.plan.summary,
            "steps": self.plan.steps.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "holds": self.plan.holds,
            "would": self.plan.would.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "changes": changes,
            "later": self.machine_changes(),
            "because": self.key_changes(),
            "failed_checks": failed,
            "paused": self.ledger.paused(inputs.now).is_some(),
        })
        .to_string()
    }

    /// The keys that differ from what is installed, masked, and what each forces.
    fn key_changes(&self) -> Vec<serde_json::Value> {
        let installed = self.ledger.deployed.as_ref().filter(|deployed| deployed.installed);
        let (Some(old), Some(new)) = (installed.and_then(|deployed| deployed.settings.as_ref()), &self.ledger.settings) else {
            return Vec::new();
        };
        let (was, is) = (old.masked(), new.masked());
        let same = self.value_changes().is_empty();
        let changed = old.changed_keys(new);
        let moves = |key: &String| key == "platform.domain" || keys::find(key).is_some_and(|key| key.effect == Effect::Identity);
        let in_place = new.text("deployment.strategy") == "upgrade" && !changed.iter().any(moves);
        let forces = |key: &str| match keys::find(key).map(|key| key.effect) {
            Some(Effect::Redeploy) | None if same => "nothing, since no value of the charts differs",
            Some(Effect::Agent) => "nothing, since it steers the agent",
            Some(Effect::State) => "what it says: deployed or undeployed",
            Some(Effect::Identity) => "another platform: held until kaapanactl deploy --accept-identity-change",
            Some(Effect::Redeploy) | None if in_place => "an upgrade in place",
            Some(Effect::Redeploy) | None => "a redeploy",
        };
        let change =
            |key: &String| serde_json::json!({"key": key, "old": was.get(key), "new": is.get(key), "forces": forces(key)});
        changed.iter().map(change).collect()
    }

    /// The values that would come out otherwise on this machine as it is now. They redeploy
    /// nothing; the next deployment takes them.
    fn machine_changes(&self) -> Vec<values::ValueChange> {
        let installed = self.ledger.deployed.as_ref().filter(|deployed| deployed.installed);
        let (Some(deployed), Some(settings)) = (installed, &self.ledger.settings) else { return Vec::new() };
        let inputs = crate::planner::Inputs { snapshot: &self.snapshot, ledger: &self.ledger, now: self.now() };
        let (Some(node), Some(_), Some(_)) = (inputs.node(), self.snapshot.system.fresh(), self.snapshot.gpu.fresh()) else {
            return Vec::new();
        };
        let then = &deployed.machine;
        let now = self.machine(Some(node.clone()), then.oidc_client_secret.clone());
        let now = Machine {
            timestamp: then.timestamp.clone(),
            api_ip: then.api_ip.clone(),
            longhorn_nodes: then.longhorn_nodes,
            ..now
        };
        match (values::values(settings, then), values::values(settings, &now)) {
            (Ok(then), Ok(now)) => then.diff(&now),
            _ => Vec::new(),
        }
    }

    fn value_changes(&self) -> Vec<values::ValueChange> {
        let Some(settings) = &self.ledger.settings else { return Vec::new() };
        let old = self.ledger.deployed.as_ref().filter(|deployed| deployed.installed);
        let machine = old.map_or_else(release::any_machine, |deployed| deployed.machine.clone());
        let Ok(new) = values::values(settings, &machine) else { return Vec::new() };
        match old {
            Some(deployed) if deployed.adopted.is_some() => adoption::masked(deployed.values.diff(&new), settings),
            Some(deployed) => deployed.values.diff(&new),
            None => {
                let inputs = crate::planner::Inputs { snapshot: &self.snapshot, ledger: &self.ledger, now: self.now() };
                adoption::look(&inputs, settings).ok().flatten().map(|found| found.differences).unwrap_or_default()
            }
        }
    }
}
