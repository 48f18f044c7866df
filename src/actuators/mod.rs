//! What changes the node. Nothing here decides.
//!
//! * [`helm`]: brings a chart in hand, orders an installation or an uninstallation;
//! * [`systemd`]: starts and forgets transient units;
//! * [`cluster`]: the node's label, pods that are deleted by force;
//! * [`pull`]: a chart from the registry, or from what was pulled before; [`chart`]: is it the one meant?
//! * [`images`]: asks the container runtime for images, and has it pull or import them; [`archive`]: is an
//!   archive of images whole, and what is in it?
//! * [`migration`]: the migration's chart, its release, its log;
//! * [`disk`]: the marker in a data directory;
//! * [`gpu`]: the GPU operator; [`longhorn`]: Longhorn's disks and settings;
//! * [`site_program`]: orders the site's own program before a take-down;
//! * [`inhibitor`]: keeps the machine from being shut down while a job runs.

use crate::error::chain;

pub mod archive;
pub mod chart;
pub mod cluster;
pub mod disk;
pub mod gpu;
pub mod helm;
pub mod images;
pub mod inhibitor;
pub mod longhorn;
pub mod migration;
pub mod pull;
pub mod site_program;
pub mod systemd;

/// Why an action failed: one word and a sentence with its causes.
#[derive(Debug, thiserror::Error)]
#[error("{reason}: {message}")]
pub struct ActionError {
    /// One `CamelCase` word.
    pub reason: &'static str,
    /// A sentence, its causes included, secrets removed.
    pub message: String,
    /// The last lines of what failed.
    pub tail: Vec<String>,
    /// Why, as far as it decides about another try.
    pub cause: crate::ledger::Cause,
}

impl ActionError {
    /// Something of the node failed; it may work later.
    #[must_use]
    pub fn node(reason: &'static str, error: &dyn std::error::Error) -> Self {
        Self { reason, message: chain(error), tail: Vec::new(), cause: crate::ledger::Cause::Interrupted }
    }

    /// Chart or configuration are at fault; only other ones help.
    #[must_use]
    pub fn configuration(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), tail: Vec::new(), cause: crate::ledger::Cause::Configuration }
    }
}
