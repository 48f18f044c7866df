//! Carries out the one step of a plan.
//!
//! A step that only changes the ledger is done at once. One that changes the node
//! is an action: a task beside the loop, never more than one, whose outcome is
//! written into the ledger when it ends.

use std::sync::Arc;
use std::time::Duration;

use super::Agent;
use crate::actuators::{ActionError, cluster, disk, images, longhorn};
use crate::fault;
use crate::ledger::{Cause, ImageArchive, Job, JobFailure, JobResult, Ledger, MigrationEnd, Prepared, StepKind};
use crate::planner::Step;
use crate::state::{Beneath, DiskIdentity, ObjectId, Observed};

/// How long an action may take. Each part has a shorter limit of its own; this is for
/// a bus or a disk that does not answer at all.
pub(super) const ACTION_LIMIT: Duration = Duration::from_secs(600);

/// How an action ended.
#[derive(Debug)]
pub enum Outcome {
    /// It did not end within this time.
    Late(Duration),
    /// A chart and its values are in hand, or not.
    Prepared(Result<Box<Prepared>, ActionError>),
    /// An archive of images was looked into, or is none.
    ArchiveChecked(Result<ImageArchive, ActionError>),
    /// Images were looked for in the runtime: those that are not there.
    ImagesChecked(Result<Vec<String>, ActionError>),
    /// An image was pulled, or not.
    ImagePulled(String, Result<(), ActionError>),
    /// A unit was started, or not.
    Started(Result<(), ActionError>),
    /// Jobs of hooks were deleted, or not all.
    HooksDeleted(Result<Vec<ObjectId>, ActionError>),
    /// Volumes outlive their claims, or not all.
    VolumesRetained(Result<Vec<(String, String)>, ActionError>),
    /// Pods were deleted by force, or not all.
    PodsDeleted(Result<Vec<(String, String, String)>, ActionError>),
    /// The migration has ended, and its log is kept.
    MigrationEnded(Box<MigrationEnd>),
    /// A unit was forgotten; what it did is in the ledger already.
    Forgotten,
    /// The node has its label, or not.
    Labelled(Result<(), ActionError>),
    /// The cluster around the releases was changed, or not.
    Arranged(&'static str, Result<bool, ActionError>),
    /// It was looked beneath the mount point of a data directory.
    LookedBeneath(std::path::PathBuf, Beneath),
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
        let name = step.name();
        match step {
            Step::StartJob { kind, reason } => self.start_job(kind, reason),
            Step::Prepare => self.begin_prepare(),
            Step::CheckArchive { archive } => {
                self.act(async move { Outcome::ArchiveChecked(images::look_into(archive).await) });
                false
            }
            Step::CheckImages { images: wanted } => {
                let paths = Arc::clone(&self.paths);
                self.act(async move { Outcome::ImagesChecked(images::missing(&paths, &wanted).await) });
                false
            }
            Step::ImportImages { archive } => self.begin_unit(StepKind::ImportImages { archive }),
            Step::PullImage { image } => self.pull_image(image),
            Step::BeginTakeDown { releases, objects, hooks } => {
                let now = self.now();
                self.commit(|ledger| ledger.begin_take_down(releases, objects, hooks, now)).is_ok()
            }
            Step::RetainVolumes { volumes } => {
                let (paths, job) = (Arc::clone(&self.paths), self.ledger.job.as_ref().map_or(0, |job| job.id));
                self.act(async move {
                    Outcome::VolumesRetained(cluster::retain_volumes(&paths, job, &volumes).await.map(|()| volumes))
                });
                false
            }
            Step::DeleteHooks { jobs } => {
                let (paths, job) = (Arc::clone(&self.paths), self.ledger.job.as_ref().map_or(0, |job| job.id));
                self.act(async move { Outcome::HooksDeleted(cluster::delete_jobs(&paths, job, &jobs).await.map(|()| jobs)) });
                false
            }
            Step::Uninstall { namespace, release, no_hooks } => {
                self.begin_unit(StepKind::Uninstall { namespace, release, no_hooks })
            }
            Step::Migrate => self.begin_unit(StepKind::Migrate),
            Step::NoteMigration => {
                let now = self.now();
                self.commit(|ledger| ledger.migration_seen(now)).is_ok()
            }
            Step::KeepMigrationLog { pods, succeeded, message } => self.keep_migration_log(pods, succeeded, message),
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
            Step::EnableGpu { chart } => self.begin_unit(StepKind::EnableGpu { chart }),
            Step::ConfigureLonghorn { changes } => {
                let (paths, job) = (Arc::clone(&self.paths), self.ledger.job.as_ref().map_or(0, |job| job.id));
                self.act(async move { Outcome::Arranged(name, longhorn::configure(&paths, job, &changes).await) });
                false
            }
            Step::LabelNode { node } => {
                let paths = Arc::clone(&self.paths);
                self.act(async move { Outcome::Labelled(cluster::label_node(&paths, &node).await) });
                false
            }
            Step::ConfigureDns { corefile, version } => {
                let (paths, job) = (Arc::clone(&self.paths), self.ledger.job.as_ref().map_or(0, |job| job.id));
                self.act(async move { Outcome::Arranged(name, cluster::configure_dns(&paths, job, &corefile, &version).await) });
                false
            }
            Step::RemoveRegistryHosting { uid } => {
                let (paths, job) = (Arc::clone(&self.paths), self.ledger.job.as_ref().map_or(0, |job| job.id));
                self.act(async move { Outcome::Arranged(name, cluster::remove_registry_hosting(&paths, job, &uid).await) });
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
            Step::Adopt => self.adopt(None).is_ok(),
            Step::LookBeneath { path, resolved, mount_point, mount_id } => {
                let (paths, connection, at) = (Arc::clone(&self.paths), self.connection.clone(), self.now());
                self.act(async move {
                    let found = disk::look_beneath(&connection, &paths, &mount_point, &resolved, mount_id).await;
                    Outcome::LookedBeneath(path, Beneath { mount_id, at, found })
                });
                false
            }
            Step::MarkDisk { path } => self.begin_mark(path),
        }
    }

    /// Takes note of how an action ended.
    pub(super) fn note(&mut self, outcome: Result<Outcome, tokio::task::JoinError>) {
        match outcome {
            Ok(Outcome::Prepared(Ok(prepared))) => {
                let hosting = self.snapshot.cluster.last().and_then(|cluster| cluster.registry_hosting.as_ref());
                if hosting.is_some_and(|found| found.release.is_none()) && !prepared.registry_hosting {
                    let job = self.ledger.job.as_ref().map_or(0, |job| job.id);
                    tracing::warn!(
                        job,
                        "kube-public/local-registry-hosting is there and stays: a MicroK8s add-on's or an extension's; an extension that \
                         brings its own cannot be installed beside it"
                    );
                }
                self.commit(|ledger| ledger.prepared(*prepared)).ok();
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
            // A platform that goes back is not kept down by this.
            Ok(Outcome::Arranged(what, Err(fault))) if self.ledger.job.as_ref().is_some_and(|job| job.way_back.is_some()) => {
                let job = self.ledger.job.as_ref().map_or(0, |job| job.id);
                tracing::warn!(job, error = %fault, "job {job}: {what} failed and is left out on the way back: {fault}");
                self.commit(|ledger| ledger.arranged(what)).ok();
            }
            Ok(
                Outcome::Prepared(Err(fault))
                | Outcome::ArchiveChecked(Err(fault))
                | Outcome::ImagesChecked(Err(fault))
                | Outcome::Labelled(Err(fault))
                | Outcome::Arranged(_, Err(fault))
                | Outcome::ImagePulled(_, Err(fault))
                | Outcome::HooksDeleted(Err(fault))
                | Outcome::VolumesRetained(Err(fault))
                | Outcome::PodsDeleted(Err(fault)),
            ) => {
                let ActionError { reason, message, tail, cause } = fault;
                self.note_fault(JobResult::Failed, reason, message, tail, cause);
            }
            Ok(Outcome::VolumesRetained(Ok(volumes))) => {
                self.commit(|ledger| ledger.volumes_retained(volumes)).ok();
            }
            Ok(Outcome::HooksDeleted(Ok(jobs))) => {
                self.commit(|ledger| ledger.hooks_deleted(jobs)).ok();
            }
            Ok(Outcome::PodsDeleted(Ok(pods))) => {
                let now = self.now();
                self.commit(|ledger| ledger.pods_deleted(pods.into_iter().map(|(_, _, uid)| uid), now)).ok();
            }
            // Another one is there by now: it is looked at again.
            Ok(Outcome::Arranged(_, Ok(false))) => {}
            Ok(Outcome::Arranged(what, Ok(true))) => {
                self.commit(|ledger| ledger.arranged(what)).ok();
            }
            Ok(Outcome::ImagesChecked(Ok(missing))) => {
                self.change_job(|job| job.archive.iter_mut().for_each(|archive| archive.missing = Some(missing.clone())));
            }
            Ok(Outcome::ArchiveChecked(Ok(archive))) => {
                self.change_job(|job| job.archive = Some(archive));
            }
            Ok(Outcome::Labelled(Ok(()))) => {
                self.change_job(|job| job.labelled = true);
            }
            Ok(Outcome::MigrationEnded(end)) => {
                self.touch_disks();
                self.commit(|ledger| ledger.migration_ended(*end)).ok();
            }
            Ok(Outcome::Forgotten) => {}
            Ok(Outcome::Late(limit)) => {
                let message = format!("an action did not end within {} s", limit.as_secs());
                self.note_fault(JobResult::Timeout, "ActionTimeout", message, Vec::new(), Cause::Interrupted);
            }
            Ok(Outcome::LookedBeneath(path, seen)) => {
                self.snapshot.beneath.insert(path, seen);
            }
            Ok(Outcome::Marked { path, identity }) => {
                // The unit that wrote the marker has seen it.
                if let Observed::Fresh(disks) = &mut self.snapshot.disks {
                    for directory in [&mut disks.fast, &mut disks.slow] {
                        if directory.path == path {
                            directory.identity.marker.clone_from(&identity.marker);
                        }
                    }
                }
                self.touch_disks();
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
    pub(super) fn act(&mut self, action: impl Future<Output = Outcome> + Send + 'static) {
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
    pub(super) fn note_fault(&mut self, result: JobResult, reason: &str, message: String, tail: Vec<String>, cause: Cause) {
        let fault = JobFailure { result, reason: reason.into(), message, tail, cause };
        let now = self.now();
        self.commit(|ledger| ledger.note_fault(fault, now)).ok();
    }

    pub(super) fn change_job(&mut self, change: impl FnOnce(&mut Job)) -> bool {
        self.commit(|ledger| {
            if let Some(job) = ledger.job.as_mut() {
                change(job);
            }
        })
        .is_ok()
    }
}
