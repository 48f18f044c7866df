//! A job as an object. Finished jobs stay as long as the history keeps them.

use std::collections::BTreeMap;

use super::{Loop, microseconds};
use crate::agent::publish::{JobView, Published};
use crate::ledger::{FinishedJob, StepRecord};

/// The object of one job.
pub struct Job {
    id: u32,
    of: Loop,
}

impl Job {
    /// The object of the job with this number.
    #[must_use]
    pub fn new(id: u32, of: Loop) -> Self {
        Self { id, of }
    }

    fn read<T: Default>(&self, running: impl FnOnce(&JobView) -> T, finished: impl FnOnce(&FinishedJob) -> T) -> T {
        let published: &Published = &self.of.now();
        match &published.job {
            Some(job) if job.id == self.id => running(job),
            _ => published.history.iter().find(|job| job.id == self.id).map(finished).unwrap_or_default(),
        }
    }
}

/// A piece of work.
#[zbus::interface(name = "ai.kaapana.Agent1.Job")]
impl Job {
    /// Its number.
    #[zbus(property(emits_changed_signal = "const"))]
    fn id(&self) -> u32 {
        self.id
    }

    /// "deploy", "undeploy", "migrate" or "import-images".
    #[zbus(property(emits_changed_signal = "const"), name = "Type")]
    fn kind(&self) -> String {
        self.read(|job| job.kind.to_owned(), |job| job.kind.as_str().to_owned())
    }

    /// "running" or "finished".
    #[zbus(property)]
    fn state(&self) -> String {
        self.read(|_| "running".to_owned(), |_| "finished".to_owned())
    }

    /// How far it is or came: "prepare", "take-down", "migrate", "install" or "follow".
    #[zbus(property)]
    fn stage(&self) -> String {
        self.read(|job| job.stage.to_owned(), |job| job.stage.as_str().to_owned())
    }

    /// What it does now, in a sentence; empty when it is finished.
    #[zbus(property)]
    fn step(&self) -> String {
        self.read(|job| job.step.clone(), |_| String::new())
    }

    /// How much is done, from 0 to 1.
    #[zbus(property)]
    fn progress(&self) -> f64 {
        self.read(|job| job.progress, |_| 1.0)
    }

    /// What is counted, done of how many: "releases", "jobs", "images", "pods", as far
    /// as they are known; empty when it is finished.
    #[zbus(property)]
    fn counts(&self) -> BTreeMap<String, (u32, u32)> {
        let counted = |job: &JobView| job.counts.iter().map(|(name, count)| (name.clone(), (count.done, count.total))).collect();
        self.read(counted, |_| BTreeMap::new())
    }

    /// What it means to cancel it now, a sentence; empty when it cannot be canceled.
    #[zbus(property)]
    fn cancel_means(&self) -> String {
        self.read(|job| job.cancel_means.clone(), |_| String::new())
    }

    /// Why the last good deployment is put back, or was; empty when it was not.
    #[zbus(property)]
    fn way_back(&self) -> String {
        let of = |job: &FinishedJob| if job.put_back.is_some() { job.error.clone() } else { String::new() };
        self.read(|job| job.way_back.clone(), of)
    }

    /// When the web page was seen to be gone, in microseconds since the epoch; 0: it was not.
    #[zbus(property)]
    fn page_gone(&self) -> u64 {
        self.read(|job| microseconds(job.page.gone), |job| microseconds(job.page.gone))
    }

    /// When it was seen to answer again, in microseconds since the epoch; 0: not yet.
    #[zbus(property)]
    fn page_back(&self) -> u64 {
        self.read(|job| microseconds(job.page.back), |job| microseconds(job.page.back))
    }

    /// Units that ran or run for it: unit, what it did, `INVOCATION_ID`.
    #[zbus(property)]
    fn steps(&self) -> Vec<(String, String, String)> {
        let rows = |steps: &[StepRecord]| {
            steps.iter().map(|step| (step.unit.clone(), step.what.clone(), step.invocation.clone())).collect()
        };
        self.read(|job| rows(&job.steps), |job| rows(&job.steps))
    }

    /// Why it was started.
    #[zbus(property(emits_changed_signal = "const"))]
    fn reason(&self) -> String {
        self.read(|job| job.reason.clone(), |job| job.reason.clone())
    }

    /// The user who asked, by number; -1: the agent itself. A job of the agent's becomes
    /// that of who asks for the same.
    #[zbus(property)]
    fn requester(&self) -> i64 {
        self.read(|job| job.requester.map_or(-1, i64::from), |job| job.requester.map_or(-1, i64::from))
    }

    /// The session of the login manager it was asked from; empty: none.
    #[zbus(property)]
    fn session(&self) -> String {
        self.read(|job| job.session.clone(), |job| job.session.clone())
    }

    /// "done", "failed", "canceled", "timeout" or "skipped"; empty while it runs.
    #[zbus(property)]
    fn result(&self) -> String {
        self.read(|_| String::new(), |job| job.result.as_str().to_owned())
    }

    /// Why it failed: a word and a sentence; empty when it did not.
    #[zbus(property)]
    fn error(&self) -> String {
        self.read(|_| String::new(), |job| job.error.clone())
    }

    /// The systemd unit that runs for it, or ran last; empty when none does.
    #[zbus(property)]
    fn unit(&self) -> String {
        self.read(|job| job.unit.clone(), |job| job.unit.clone())
    }

    /// systemd's id of that unit's run: journalctl _SYSTEMD_INVOCATION_ID=….
    #[zbus(property, name = "InvocationID")]
    fn invocation_id(&self) -> String {
        self.read(|job| job.invocation.clone(), |_| String::new())
    }

    /// When it was accepted, in microseconds since the epoch.
    #[zbus(property(emits_changed_signal = "const"))]
    fn created(&self) -> u64 {
        self.read(|job| microseconds(Some(job.created)), |job| microseconds(Some(job.created)))
    }

    /// When it ended, in microseconds since the epoch; 0 while it runs.
    #[zbus(property)]
    fn finished(&self) -> u64 {
        self.read(|_| 0, |job| microseconds(Some(job.finished)))
    }
}
