//! The vocabulary of decisions.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::health::platform::PlatformHealth;
use crate::ledger::{Cause, JobFailure, JobKind, JobResult, PageTimes, Stage};
use crate::state::{Condition, LonghornChange, ObjectId, Phase, StepResult};

/// How many, in words.
#[must_use]
pub fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Accept a job of the agent's own.
    StartJob {
        /// What it is to do.
        kind: JobKind,
        /// Why.
        reason: String,
    },
    /// Bring chart, values and manifest in hand. Touches nothing that runs.
    Prepare,
    /// Look into an archive of images: is it whole, and what is in it?
    CheckArchive {
        /// The archive.
        archive: PathBuf,
    },
    /// Have the container runtime import an archive of images, in a transient unit.
    ImportImages {
        /// The archive.
        archive: PathBuf,
    },
    /// Ask the container runtime which of these images it does not have.
    CheckImages {
        /// The images.
        images: Vec<String>,
    },
    /// Have the container runtime pull an image.
    PullImage {
        /// The image.
        image: String,
    },
    /// Note what is to be taken down.
    BeginTakeDown {
        /// Releases of this platform, in the order to take them down.
        releases: Vec<(String, String)>,
        /// Objects that must be gone afterwards.
        objects: Vec<ObjectId>,
        /// Jobs of hooks.
        hooks: Vec<ObjectId>,
    },
    /// Have volumes outlive their claims: name and path.
    RetainVolumes {
        /// Which.
        volumes: Vec<(String, String)>,
    },
    /// Delete Jobs of hooks that helm has given up and that still run.
    DeleteHooks {
        /// The Jobs.
        jobs: Vec<ObjectId>,
    },
    /// Uninstall a release in a transient unit.
    Uninstall {
        /// Namespace.
        namespace: String,
        /// Name.
        release: String,
        /// Without the chart's hooks.
        no_hooks: bool,
    },
    /// Delete pods by force: namespace, name and uid.
    DeletePods {
        /// The pods.
        pods: Vec<(String, String, String)>,
    },
    /// Run the site's own program in a transient unit, before anything is taken down.
    RunSiteProgram {
        /// Its path.
        program: PathBuf,
    },
    /// Note since when workflows are waited for, or that they no longer are.
    NoteWaiting(Option<Timestamp>),
    /// Note that an action or a unit failed, with the cause as it is seen now.
    NoteFault(JobFailure),
    /// A hook failed in the middle of a take-down: take note and go on without hooks.
    SkipHooks,
    /// Start a job that puts the last good deployment back: the try that should follow
    /// a failure cannot be made.
    StartWayBack {
        /// Why.
        reason: String,
    },
    /// Go on to an upgrade in place.
    BeginUpgrade {
        /// What the root release says of its maker now.
        from: String,
    },
    /// Upgrade the root release in a transient unit.
    Upgrade,
    /// Take the way back: the last good deployment is put back.
    TurnBack {
        /// Why.
        failure: JobFailure,
    },
    /// Note when the web page was gone or back.
    NotePage(PageTimes),
    /// Make the cluster give GPUs to pods, in a transient unit.
    EnableGpu {
        /// The chart of the GPU operator; `None`: MicroK8s' add-on brings it.
        chart: Option<PathBuf>,
    },
    /// Change disks and settings of Longhorn.
    ConfigureLonghorn {
        /// The changes, in order.
        changes: Vec<LonghornChange>,
    },
    /// Put the label `kaapana.io/node=storage` on the node.
    LabelNode {
        /// The node.
        node: String,
    },
    /// Have the cluster's DNS resolve the platform's name to its login proxy.
    ConfigureDns {
        /// The whole Corefile.
        corefile: String,
        /// The version of the ConfigMap it was made of: what somebody changed meanwhile stays.
        version: String,
    },
    /// Remove `kube-public/local-registry-hosting`, which the chart brings.
    RemoveRegistryHosting {
        /// Its unique id: another one of the same name is another's.
        uid: String,
    },
    /// Install the migration's release in a transient unit.
    Migrate,
    /// Note that the migration is seen at work.
    NoteMigration,
    /// Keep the log of the migration, which has ended, before its release goes.
    KeepMigrationLog {
        /// Its pods, namespace and name.
        pods: Vec<(String, String)>,
        /// It ended well.
        succeeded: bool,
        /// A sentence of its Job; empty when it ended well.
        message: String,
    },
    /// Install the root release in a transient unit.
    Install,
    /// Take note of how the unit ended and let systemd forget it.
    CloseStep {
        /// How it ended.
        result: StepResult,
    },
    /// A unit vanished without a result: forget it and look again.
    ForgetStep,
    /// Go on to the next stage.
    Advance {
        /// To which.
        stage: Stage,
    },
    /// Note since when everything is healthy, or that it is not.
    NoteHealthy(Option<Timestamp>),
    /// Note since when a Job of the platform is failed, or that none is.
    NoteFailing(Option<Timestamp>),
    /// What failed to become healthy in time did so since: the failure is over.
    NoteRecovered,
    /// End the job.
    FinishJob {
        /// How.
        result: JobResult,
        /// One `CamelCase` word and a sentence; empty when done.
        reason: String,
        /// A sentence.
        message: String,
        /// Why, as far as it decides about another try.
        cause: Cause,
        /// Last lines of what failed.
        tail: Vec<String>,
    },
    /// Take over what somebody else deployed and what is configured exactly. Changes nothing
    /// on the node.
    Adopt,
    /// Look, in a transient unit, at what lies beneath the mount point of a data directory. Changes
    /// nothing.
    LookBeneath {
        /// The data directory.
        path: PathBuf,
        /// Where it leads.
        resolved: PathBuf,
        /// The mount point it lies on.
        mount_point: PathBuf,
        /// The kernel's number of that mount.
        mount_id: u64,
    },
    /// Record the file system of a data directory and put the marker into it.
    MarkDisk {
        /// The data directory.
        path: PathBuf,
    },
}

impl Step {
    /// Ends the job well, with what is worth a sentence.
    #[must_use]
    pub fn done(report: impl Into<String>) -> Self {
        Self::FinishJob {
            result: JobResult::Done,
            reason: String::new(),
            message: report.into(),
            cause: Cause::Platform,
            tail: Vec::new(),
        }
    }

    /// Ends the job with this failure.
    #[must_use]
    pub fn failed(failure: JobFailure) -> Self {
        let JobFailure { result, reason, message, tail, cause } = failure;
        Self::FinishJob { result, reason, message, cause, tail }
    }

    /// Ends the job as failed.
    #[must_use]
    pub fn fail(reason: &str, message: impl Into<String>, cause: Cause) -> Self {
        Self::FinishJob { result: JobResult::Failed, reason: reason.into(), message: message.into(), cause, tail: Vec::new() }
    }
}

impl Step {
    /// A short name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::StartJob { .. } => "start-job",
            Self::Prepare => "prepare",
            Self::CheckArchive { .. } => "check-archive",
            Self::CheckImages { .. } => "check-images",
            Self::ImportImages { .. } => "import-images",
            Self::PullImage { .. } => "pull-image",
            Self::BeginTakeDown { .. } => "begin-take-down",
            Self::Uninstall { .. } => "uninstall",
            Self::DeletePods { .. } => "delete-pods",
            Self::DeleteHooks { .. } => "delete-hooks",
            Self::RetainVolumes { .. } => "retain-volumes",
            Self::RunSiteProgram { .. } => "run-site-program",
            Self::NoteWaiting(_) => "note-waiting",
            Self::NoteFault(_) => "note-fault",
            Self::SkipHooks => "skip-hooks",
            Self::StartWayBack { .. } => "start-way-back",
            Self::BeginUpgrade { .. } => "begin-upgrade",
            Self::Upgrade => "upgrade",
            Self::TurnBack { .. } => "turn-back",
            Self::NotePage(_) => "note-page",
            Self::EnableGpu { .. } => "enable-gpu",
            Self::ConfigureLonghorn { .. } => "configure-longhorn",
            Self::LabelNode { .. } => "label-node",
            Self::ConfigureDns { .. } => "configure-dns",
            Self::RemoveRegistryHosting { .. } => "remove-registry-hosting",
            Self::Migrate => "migrate",
            Self::NoteMigration => "note-migration",
            Self::KeepMigrationLog { .. } => "keep-migration-log",
            Self::Install => "install",
            Self::CloseStep { .. } => "close-step",
            Self::ForgetStep => "forget-step",
            Self::Advance { .. } => "advance",
            Self::NoteHealthy(_) => "note-healthy",
            Self::NoteFailing(_) => "note-failing",
            Self::NoteRecovered => "note-recovered",
            Self::FinishJob { .. } => "finish-job",
            Self::Adopt => "adopt",
            Self::LookBeneath { .. } => "look-beneath",
            Self::MarkDisk { .. } => "mark-disk",
        }
    }
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::StartJob { kind, reason } => write!(f, "start a job: {} ({reason})", kind.as_str()),
            Self::Prepare => write!(f, "bring the chart and its values in hand"),
            Self::CheckImages { images } => write!(f, "look for {} in the container runtime", count(images.len(), "image")),
            Self::CheckArchive { archive } => write!(f, "look into {}", archive.display()),
            Self::ImportImages { archive } => write!(f, "import the images in {}", archive.display()),
            Self::PullImage { image } => write!(f, "pull the image {image}"),
            Self::BeginTakeDown { releases, .. } => write!(f, "take down {}", count(releases.len(), "release")),
            Self::Uninstall { namespace, release, no_hooks } => {
                write!(f, "uninstall the release {namespace}/{release}{}", if *no_hooks { " without its hooks" } else { "" })
            }
            Self::RetainVolumes { volumes } => write!(f, "have {} outlive the claims", count(volumes.len(), "volume")),
            Self::DeleteHooks { jobs } => {
                let names: Vec<String> = jobs.iter().map(ToString::to_string).collect();
                write!(f, "delete what is left of hooks: {}", names.join(", "))
            }
            Self::DeletePods { pods } => write!(f, "delete {} by force", count(pods.len(), "pod")),
            Self::RunSiteProgram { program } => write!(f, "run the site's program {}", program.display()),
            Self::NoteWaiting(Some(_)) => write!(f, "note that workflows are waited for"),
            Self::NoteWaiting(None) => write!(f, "note that no workflow is waited for any more"),
            Self::NoteFault(fault) => write!(f, "take note of a failure ({})", fault.reason),
            Self::SkipHooks => write!(f, "go on without the charts' hooks"),
            Self::StartWayBack { reason } => write!(f, "start a job: put the last good deployment back ({reason})"),
            Self::BeginUpgrade { .. } => write!(f, "go on to an upgrade in place"),
            Self::Upgrade => write!(f, "upgrade to the chart"),
            Self::TurnBack { failure } => write!(f, "put the last good deployment back ({})", failure.reason),
            Self::NotePage(page) if page.gone.is_some() && page.back.is_none() => write!(f, "note that the page is gone"),
            Self::NotePage(page) if page.back.is_some() => write!(f, "note that the page is back"),
            Self::NotePage(_) => write!(f, "note that the page answers"),
            Self::EnableGpu { chart: None } => write!(f, "have MicroK8s enable NVIDIA GPUs"),
            Self::EnableGpu { chart: Some(_) } => write!(f, "install the GPU operator"),
            Self::ConfigureLonghorn { changes } => {
                let changed: Vec<String> =
                    changes.iter().map(|change| format!("{}/{} {}", change.plural, change.name, change.patch)).collect();
                write!(f, "change in Longhorn: {}", changed.join(", "))
            }
            Self::LabelNode { node } => write!(f, "label the node {node} kaapana.io/node=storage"),
            Self::ConfigureDns { .. } => write!(f, "have CoreDNS resolve the platform's name"),
            Self::RemoveRegistryHosting { .. } => write!(f, "remove kube-public/local-registry-hosting"),
            Self::Migrate => write!(f, "migrate the data"),
            Self::NoteMigration => write!(f, "note that the migration is at work"),
            Self::KeepMigrationLog { succeeded: true, .. } => write!(f, "keep the log of the migration, which ended well"),
            Self::KeepMigrationLog { .. } => write!(f, "keep the log of the migration, which failed"),
            Self::Install => write!(f, "install the chart"),
            Self::CloseStep { result } => write!(f, "take note of the step's end (status {:?})", result.status),
            Self::ForgetStep => write!(f, "look again after a lost step"),
            Self::Advance { stage } => write!(f, "go on to {}", stage.as_str()),
            Self::NoteHealthy(Some(_)) => write!(f, "note that everything is healthy"),
            Self::NoteHealthy(None) => write!(f, "note that not everything is healthy"),
            Self::NoteFailing(Some(_)) => write!(f, "note that a Job has failed"),
            Self::NoteFailing(None) => write!(f, "note that no Job is failed"),
            Self::NoteRecovered => write!(f, "note that the platform became healthy after all"),
            Self::FinishJob { result, reason, message, .. } if reason.is_empty() => {
                write!(f, "end the job: {}{}{message}", result.as_str(), if message.is_empty() { "" } else { ", " })
            }
            Self::FinishJob { result, reason, message, .. } => write!(f, "end the job: {}, {reason}: {message}", result.as_str()),
            Self::Adopt => write!(f, "take over what is deployed, as it is"),
            Self::LookBeneath { path, .. } => write!(f, "look at what the disk of {} hides", path.display()),
            Self::MarkDisk { path } => write!(f, "record the disk of {}", path.display()),
        }
    }
}

/// A step that is not taken, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// One `CamelCase` word, or the id of the check that holds.
    pub reason: String,
    /// A sentence.
    pub message: String,
    /// What to do about it.
    pub advice: String,
}

impl Hold {
    /// A hold.
    #[must_use]
    pub fn new(reason: &str, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { reason: reason.into(), message: message.into(), advice: advice.into() }
    }
}

/// A decision.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What the platform is in.
    pub phase: Phase,
    /// One sentence for the status line.
    pub summary: String,
    /// What is done, in this order; only the first is taken before looking again.
    pub steps: Vec<Step>,
    /// What is not done, and why.
    pub holds: Vec<Hold>,
    /// The steps that would be taken if nothing held them back.
    pub would: Vec<Step>,
    /// When to look again at the latest, if nothing happens before.
    pub wake_at: Option<Timestamp>,
    /// What every check says.
    pub conditions: Vec<Condition>,
    /// The platform's health, when the cluster can be seen.
    pub health: Option<PlatformHealth>,
}

impl Plan {
    /// A plan that does nothing.
    #[must_use]
    pub fn rest(phase: Phase, summary: impl Into<String>) -> Self {
        Self {
            phase,
            summary: summary.into(),
            steps: Vec::new(),
            holds: Vec::new(),
            would: Vec::new(),
            wake_at: None,
            conditions: Vec::new(),
            health: None,
        }
    }

    /// With these steps.
    #[must_use]
    pub fn steps(mut self, steps: Vec<Step>) -> Self {
        self.steps = steps;
        self
    }

    /// With these holds.
    #[must_use]
    pub fn holds(mut self, holds: Vec<Hold>) -> Self {
        self.holds = holds;
        self
    }

    /// With the steps that would be taken.
    #[must_use]
    pub fn would(mut self, steps: Vec<Step>) -> Self {
        self.would = steps;
        self
    }

    /// Looks again at this time at the latest.
    #[must_use]
    pub fn wake(mut self, at: Option<Timestamp>) -> Self {
        self.wake_at = at;
        self
    }
}
