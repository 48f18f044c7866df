//! What must survive: generation, desired state, jobs, what is deployed, failures.
//!
//! The ledger is one file, written whole: to a temporary file, synced, renamed,
//! the directory synced; the state before is kept beside it. Each file ends with
//! the digest of its contents, so that a torn write is noticed and the state
//! before is read instead. It holds secrets and is of mode 0600.
//!
//! [`Ledger`] itself is plain data with pure transitions; [`LedgerStore`] is the file.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};

use crate::config::derived::Machine;
use crate::config::keys::{self, Effect};
use crate::config::settings::{Identity, Settings};
use crate::config::values::{Values, hex};
use crate::health::platform::Ownership;
use crate::state::{Chart, DiskIdentity, ObjectId};

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

/// Kind of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobKind {
    /// Install what is configured; takes down what is there before.
    Deploy,
    /// Take the platform down, data stays.
    Undeploy,
}

impl JobKind {
    /// The word on D-Bus.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::Undeploy => "undeploy",
        }
    }
}

/// How far a job is. Everything before `TakeDown` touches nothing that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Chart, values and manifest are brought in hand.
    Prepare,
    /// The old platform goes away.
    TakeDown,
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
            Self::Install => "install",
            Self::Follow => "follow",
        }
    }
}

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobResult {
    /// It did what it was asked.
    Done,
    /// It did not.
    Failed,
    /// Ended on request.
    Canceled,
    /// Its deadline passed.
    Timeout,
    /// There was nothing to do.
    Skipped,
}

impl JobResult {
    /// The word on D-Bus.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Timeout => "timeout",
            Self::Skipped => "skipped",
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
}

/// A step that runs as a transient unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningStep {
    /// Name of the unit.
    pub unit: String,
    /// What it does: `install`, or `uninstall` with the release.
    pub what: StepKind,
    /// When it was started.
    pub started: Timestamp,
}

/// What a unit of a job does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum StepKind {
    /// `helm install` of the root release.
    Install,
    /// `helm uninstall` of a release.
    Uninstall {
        /// Its namespace.
        namespace: String,
        /// Its name.
        release: String,
    },
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
    /// When it was accepted.
    pub created: Timestamp,
    /// How far it is.
    pub stage: Stage,
    /// Generation it deploys.
    pub generation: u64,
    /// The settings it works with; an edit while it runs is for the next job.
    pub settings: Settings,
    /// What it is meant to reach.
    pub intent: Option<Intent>,
    /// Chart and values in hand.
    pub prepared: Option<Prepared>,
    /// The take-down, once it began.
    pub takedown: Option<TakeDown>,
    /// The unit that runs for it.
    pub step: Option<RunningStep>,
    /// Uninstall without the charts' hooks.
    pub no_hooks: bool,
    /// A person accepted a change of identity.
    pub accept_identity_change: bool,
    /// How many units it has started, so that names never repeat.
    pub units: u32,
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
    /// The unit that ran last.
    pub unit: String,
}

/// What is installed, or was about to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deployed {
    /// The job that installed it.
    pub job: u32,
    /// Its generation.
    pub generation: u64,
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
    /// Helm ended well.
    pub installed: bool,
    /// Everything became healthy once.
    pub healthy: bool,
    /// When it was installed.
    pub at: Timestamp,
}

/// Why a job failed, as far as it decides about another try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// Chart or configuration: only another one helps.
    Configuration,
    /// Kinds the API server does not serve.
    Kinds(Vec<String>),
    /// The API server or the node was not ready.
    Api,
    /// The step was lost with a reboot or a kill.
    Interrupted,
    /// The registry did not give the chart.
    Registry,
    /// Helm or the platform failed: a person looks.
    Platform,
}

/// A failure that is not tried again until its cause goes away.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// The job.
    pub job: u32,
    /// Its kind.
    pub kind: JobKind,
    /// What it tried.
    pub intent: Option<Intent>,
    /// One `CamelCase` word.
    pub reason: String,
    /// A sentence.
    pub message: String,
    /// The last lines of what failed, secrets removed.
    pub tail: Vec<String>,
    /// Why, as far as it decides about another try.
    pub cause: Cause,
    /// How many jobs failed in a row with this intent.
    pub attempts: u32,
    /// When.
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
    /// What was installed and healthy before: the way back.
    pub previous: Option<Deployed>,
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
    /// Charts pulled from a registry: source → digest.
    pub pulled: BTreeMap<String, String>,
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
            identity: None,
            disks: BTreeMap::new(),
            failure: None,
            pause: None,
            oidc_client_secret: None,
            pulled: BTreeMap::new(),
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
        self.job = Some(Job {
            id,
            kind,
            reason,
            requester,
            created: now,
            stage: if kind == JobKind::Deploy { Stage::Prepare } else { Stage::TakeDown },
            generation: self.generation,
            settings,
            intent: None,
            prepared: None,
            takedown: None,
            step: None,
            no_hooks,
            accept_identity_change: false,
            units: 0,
            healthy_since: None,
            failing_since: None,
        });
        self.job.as_mut()
    }

    /// Ends the running job. A failure counts its attempts with the same intent.
    pub fn finish_job(&mut self, result: JobResult, failure: Option<JobFailure>, now: Timestamp) -> Option<FinishedJob> {
        let job = self.job.take()?;
        let error = failure.as_ref().map(|failure| format!("{}: {}", failure.reason, failure.message)).unwrap_or_default();
        match failure {
            Some(failure) => {
                let same = |known: &&Failure| known.kind == job.kind && known.intent == job.intent;
                let attempts = self.failure.as_ref().filter(same).map_or(0, |known| known.attempts) + 1;
                self.failure = Some(Failure {
                    job: job.id,
                    kind: job.kind,
                    intent: job.intent.clone(),
                    reason: failure.reason,
                    message: failure.message,
                    tail: failure.tail,
                    cause: failure.cause,
                    attempts,
                    at: now,
                });
            }
            None => self.failure = None,
        }
        if result == JobResult::Done {
            match (job.kind, self.deployed.as_mut()) {
                (JobKind::Deploy, Some(deployed)) => deployed.healthy = true,
                (JobKind::Undeploy, _) => self.forget_deployed(),
                _ => {}
            }
        }
        let finished = FinishedJob {
            id: job.id,
            kind: job.kind,
            reason: job.reason,
            requester: job.requester,
            created: job.created,
            finished: now,
            stage: job.stage,
            result,
            error,
            unit: job.step.map(|step| step.unit).unwrap_or_default(),
        };
        self.history.push(finished.clone());
        let surplus = self.history.len().saturating_sub(HISTORY);
        self.history.drain(..surplus);
        Some(finished)
    }

    /// What was installed is down; it stays as the way back when it was healthy once.
    pub fn forget_deployed(&mut self) {
        if let Some(deployed) = self.deployed.take()
            && deployed.healthy
        {
            self.previous = Some(deployed);
        }
    }
}

/// How a job failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobFailure {
    /// One `CamelCase` word.
    pub reason: String,
    /// A sentence.
    pub message: String,
    /// Last lines of what failed.
    pub tail: Vec<String>,
    /// Why, as far as it decides about another try.
    pub cause: Cause,
}

/// What can go wrong with the ledger's file.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// It cannot be read or written.
    #[error("{}: {what}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// The reason.
        source: std::io::Error,
    },
    /// Written by a newer agent. It is kept as it is.
    #[error("{} was written by a newer kaapana-agent (format {found}, this one reads up to {FORMAT}): install that version again", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// Neither the file nor the state before it can be read. Both are kept.
    #[error("{} and the state before it are damaged; they are kept: move them away to start without memory", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
}

/// The ledger's file.
#[derive(Debug, Clone)]
pub struct LedgerStore {
    directory: PathBuf,
}

impl LedgerStore {
    /// A ledger in this directory (mode 0700).
    #[must_use]
    pub fn new(directory: &Path) -> Self {
        Self { directory: directory.to_path_buf() }
    }

    fn path(&self) -> PathBuf {
        self.directory.join("ledger.json")
    }

    fn path_before(&self) -> PathBuf {
        self.directory.join("ledger.json.before")
    }

    /// Reads it. No file at all is a new ledger. Returns a sentence when the state
    /// before had to be read.
    ///
    /// # Errors
    ///
    /// When it cannot be read, is of a newer format, or both states are damaged.
    /// Nothing is deleted then.
    pub fn load(&self) -> Result<(Ledger, Option<String>), LedgerError> {
        let (path, before) = (self.path(), self.path_before());
        let newest = read_optional(&path)?;
        if let Some(bytes) = &newest
            && let Some(ledger) = parse(&path, bytes)?
        {
            return Ok((ledger, None));
        }
        match read_optional(&before)? {
            Some(bytes) => match parse(&before, &bytes)? {
                Some(ledger) => {
                    let note = format!("{} was damaged or missing, the state before it was read", path.display());
                    Ok((ledger, Some(note)))
                }
                None => Err(LedgerError::Damaged { path }),
            },
            None if newest.is_none() => Ok((Ledger::default(), None)),
            // The very first write was torn: nothing had been accepted before it.
            None => Ok((Ledger::default(), Some(format!("{} was damaged and there was no state before it", path.display())))),
        }
    }

    /// Writes it; when this returns, it is on disk.
    ///
    /// # Errors
    ///
    /// When the disk does not take it. The state before stays readable.
    pub fn save(&self, ledger: &Ledger) -> Result<(), LedgerError> {
        let path = self.path();
        let fail = |what: &'static str| {
            let path = path.clone();
            move |source: std::io::Error| LedgerError::Io { path, what, source }
        };
        let body = serde_json::to_vec(ledger).map_err(std::io::Error::other).map_err(fail("encoding"))?;
        let temporary = self.directory.join("ledger.json.new");
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&temporary)
            .map_err(fail("creating a new file"))?;
        file.write_all(&body)
            .and_then(|()| file.write_all(format!("\n{}\n", hex(&Sha256::digest(&body))).as_bytes()))
            .and_then(|()| file.sync_all())
            .map_err(fail("writing"))?;
        // The newest good state becomes the one before, without a moment with neither.
        if path.exists() {
            let link = self.directory.join("ledger.json.link");
            std::fs::remove_file(&link).ok();
            std::fs::hard_link(&path, &link)
                .and_then(|()| std::fs::rename(&link, self.path_before()))
                .map_err(fail("keeping the state before"))?;
        }
        std::fs::rename(&temporary, &path).map_err(fail("renaming"))?;
        std::fs::File::open(&self.directory).and_then(|directory| directory.sync_all()).map_err(fail("syncing the directory"))
    }
}

fn read_optional(path: &Path) -> Result<Option<Vec<u8>>, LedgerError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(LedgerError::Io { path: path.to_path_buf(), what: "reading", source }),
    }
}

/// `None`: damaged.
fn parse(path: &Path, bytes: &[u8]) -> Result<Option<Ledger>, LedgerError> {
    let Some(bytes) = bytes.strip_suffix(b"\n") else { return Ok(None) };
    let Some(at) = bytes.iter().rposition(|byte| *byte == b'\n') else { return Ok(None) };
    let (body, digest) = (&bytes[..at], &bytes[at + 1..]);
    if hex(&Sha256::digest(body)).as_bytes() != digest {
        return Ok(None);
    }
    #[derive(Deserialize)]
    struct Format {
        format: u32,
    }
    match serde_json::from_slice::<Format>(body) {
        Ok(Format { format }) if format > FORMAT => return Err(LedgerError::Newer { path: path.to_path_buf(), found: format }),
        Ok(_) => {}
        Err(_) => return Ok(None),
    }
    Ok(serde_json::from_slice(body).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    #[test]
    fn truncated_at_every_byte_it_is_read_as_the_state_before() {
        let dir = tempfile::tempdir().unwrap();
        let store = LedgerStore::new(dir.path());
        let before = Ledger { generation: 1, ..Ledger::default() };
        let newest = Ledger { generation: 2, ..Ledger::default() };
        store.save(&before).unwrap();
        store.save(&newest).unwrap();
        let whole = std::fs::read(store.path()).unwrap();
        for length in 0..whole.len() {
            std::fs::write(store.path(), &whole[..length]).unwrap();
            let (read, note) = store.load().unwrap();
            assert_eq!(read, before, "at {length}");
            assert!(note.is_some());
        }
        std::fs::write(store.path(), &whole).unwrap();
        assert_eq!(store.load().unwrap().0, newest);
    }

    #[test]
    fn a_newer_format_is_refused_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let store = LedgerStore::new(dir.path());
        store.save(&Ledger { format: FORMAT + 1, ..Ledger::default() }).unwrap();
        let kept = std::fs::read(store.path()).unwrap();
        let error = store.load().unwrap_err();
        assert!(error.to_string().contains("newer kaapana-agent (format 2"), "{error}");
        assert_eq!(std::fs::read(store.path()).unwrap(), kept);
    }

    #[test]
    fn its_file_is_private() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let store = LedgerStore::new(dir.path());
        store.save(&Ledger::default()).unwrap();
        assert_eq!(std::fs::metadata(store.path()).unwrap().permissions().mode() & 0o777, 0o600);
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
            let failure = JobFailure { reason: "R".into(), message: "m".into(), tail: vec![], cause: Cause::Platform };
            ledger.finish_job(JobResult::Failed, Some(failure), now());
            assert_eq!(ledger.failure.as_ref().unwrap().attempts, attempt);
        }
        assert_eq!(ledger.next_job, 4);
    }
}
