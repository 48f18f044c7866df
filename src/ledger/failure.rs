//! How a job ended, and what is remembered of a failure.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Intent, JobKind, JobOptions};

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
    /// Something of the cluster around the releases stands in the way.
    Surroundings,
    /// The registry did not give the chart or an image.
    Registry,
    /// Images the container runtime does not have, and there is no registry to pull from.
    Images,
    /// Helm or the platform failed: a person looks.
    Platform,
    /// Objects of what was taken down do not go.
    Leftovers,
    /// A person ended it.
    Canceled,
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
    /// The generation that was tried.
    #[serde(default)]
    pub generation: u64,
    /// What the job was told; it holds for the next try.
    #[serde(default)]
    pub options: JobOptions,
    /// The last good deployment was put back, or that failed, too.
    #[serde(default)]
    pub turned_back: bool,
    /// When.
    pub at: Timestamp,
}

/// How a job failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobFailure {
    /// Failed, canceled or timeout.
    pub result: JobResult,
    /// One `CamelCase` word.
    pub reason: String,
    /// A sentence.
    pub message: String,
    /// Last lines of what failed.
    pub tail: Vec<String>,
    /// Why, as far as it decides about another try.
    pub cause: Cause,
}

impl JobFailure {
    /// The failure of a job that ended so; `None` when it ended well.
    #[must_use]
    pub fn of(result: JobResult, reason: String, message: String, tail: Vec<String>, cause: Cause) -> Option<Self> {
        (!matches!(result, JobResult::Done | JobResult::Skipped)).then_some(Self { result, reason, message, tail, cause })
    }
}
