//! A check as an object.

use super::{Loop, microseconds};
use crate::state::Condition;

/// The object of one check.
pub struct Check {
    id: String,
    of: Loop,
}

impl Check {
    /// The object of the check with this id.
    #[must_use]
    pub fn new(id: String, of: Loop) -> Self {
        Self { id, of }
    }

    fn read<T: Default>(&self, value: impl FnOnce(&Condition) -> T) -> T {
        self.of.now().conditions.iter().find(|condition| condition.id == self.id).map(value).unwrap_or_default()
    }
}

/// One thing that is observed, and what it says.
#[zbus::interface(name = "ai.kaapana.Agent1.Check")]
impl Check {
    /// Stable id, such as "disk.fast.mounted". In the object path it is escaped.
    #[zbus(property(emits_changed_signal = "const"))]
    fn id(&self) -> &str {
        &self.id
    }

    /// Where its page of the documentation is.
    #[zbus(property(emits_changed_signal = "const"))]
    fn documentation(&self) -> String {
        crate::planner::preflight::documentation_of(&self.id)
    }

    /// "True" (as it should be), "False" or "Unknown". Unknown never leads to a change.
    #[zbus(property)]
    fn status(&self) -> String {
        self.read(|condition| condition.status.as_str().to_owned())
    }

    /// How much a failure matters: "info", "warning" or "critical"; while a critical
    /// check is not True nothing is deployed.
    #[zbus(property)]
    fn severity(&self) -> String {
        self.read(|condition| condition.severity.as_str().to_owned())
    }

    /// Why, in one word.
    #[zbus(property)]
    fn reason(&self) -> String {
        self.read(|condition| condition.reason.clone())
    }

    /// Why, in a sentence.
    #[zbus(property)]
    fn message(&self) -> String {
        self.read(|condition| condition.message.clone())
    }

    /// What to do; empty when nothing is to be done.
    #[zbus(property)]
    fn advice(&self) -> String {
        self.read(|condition| condition.advice.clone())
    }

    /// When the status last changed, in microseconds since the epoch.
    #[zbus(property)]
    fn since(&self) -> u64 {
        self.read(|condition| microseconds(Some(condition.since)))
    }
}
