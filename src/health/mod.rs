//! Health by the rules of each kind (those of Argo CD, with gaps closed), pure.
//!
//! * [`image`]: why an image cannot be pulled; [`waits`]: why a pod does not come about;
//! * [`workloads`]: one object → [`Health`];
//! * [`platform`]: everything that is ours → done of how many, and what is wrong.

pub mod image;
pub mod platform;
pub mod waits;
pub mod workloads;

use serde::{Deserialize, Serialize};

/// From best to worst; a whole is as healthy as its worst part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub enum Level {
    /// As it should be.
    #[default]
    Healthy,
    /// Told to stand still.
    Suspended,
    /// On its way.
    Progressing,
    /// Should be there and is not.
    Missing,
    /// Not as it should be.
    Degraded,
    /// Nobody can tell.
    Unknown,
}

/// The health of one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// How it is.
    pub level: Level,
    /// One `CamelCase` word; empty when healthy.
    pub reason: String,
    /// A sentence for a person; empty when healthy.
    pub message: String,
}

impl Health {
    /// Healthy.
    #[must_use]
    pub fn healthy() -> Self {
        Self { level: Level::Healthy, reason: String::new(), message: String::new() }
    }

    /// Anything else.
    #[must_use]
    pub fn new(level: Level, reason: &str, message: impl Into<String>) -> Self {
        Self { level, reason: reason.into(), message: message.into() }
    }
}
