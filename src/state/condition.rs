//! Conditions (the checks) and the phase.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a condition says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// It is as it should be.
    True,
    /// It is not.
    False,
    /// Nobody can tell.
    Unknown,
}

impl Status {
    /// The word on D-Bus and in the journal.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// How much a failed check matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Wants attention; does not stop a deployment.
    Warning,
    /// Nothing is deployed while it fails.
    Critical,
}

impl Severity {
    /// The word on D-Bus and in the journal.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// What one check says. `since` changes only when `status` does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// Stable id, such as `disk.fast.mounted`.
    pub id: String,
    /// True is good.
    pub status: Status,
    /// How much a failure matters.
    pub severity: Severity,
    /// One `CamelCase` word.
    pub reason: String,
    /// One sentence for a person. Never holds a secret.
    pub message: String,
    /// What to do; empty when nothing is to be done.
    pub advice: String,
    /// When the status last changed.
    pub since: Timestamp,
}

/// What the platform is in, as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// There is no configuration.
    Unconfigured,
    /// Something must be mended before the agent can do what is wanted.
    Blocked,
    /// Nothing is deployed, as wished.
    Undeployed,
    /// A deployment is being prepared or installed.
    Deploying,
    /// Installed; waiting for everything to become healthy.
    Progressing,
    /// Everything is as it should be.
    Healthy,
    /// Deployed, but something is not as it should be.
    Degraded,
    /// A repair is under way.
    Repairing,
    /// The platform is being taken down.
    Undeploying,
    /// The agent has done what it may; a person must decide.
    NeedsOperator,
    /// The agent was told to leave the platform alone.
    Paused,
}

impl Phase {
    /// The word on D-Bus, in the journal and on the terminal.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unconfigured => "Unconfigured",
            Self::Blocked => "Blocked",
            Self::Undeployed => "Undeployed",
            Self::Deploying => "Deploying",
            Self::Progressing => "Progressing",
            Self::Healthy => "Healthy",
            Self::Degraded => "Degraded",
            Self::Repairing => "Repairing",
            Self::Undeploying => "Undeploying",
            Self::NeedsOperator => "NeedsOperator",
            Self::Paused => "Paused",
        }
    }
}
