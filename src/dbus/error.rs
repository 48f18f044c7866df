//! The names of errors on D-Bus.

use zbus::message::Header;
use zbus::names::ErrorName;
use zbus::{DBusError, Message};

use crate::agent::requests::Refusal;

/// Prefix of the agent's own errors.
pub const PREFIX: &str = "ai.kaapana.Agent1.Error";

/// An error as a caller sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallError {
    name: String,
    message: String,
}

impl CallError {
    /// One of the agent's own.
    #[must_use]
    pub fn own(name: &str, message: impl Into<String>) -> Self {
        Self { name: format!("{PREFIX}.{name}"), message: message.into() }
    }

    /// The caller may not.
    #[must_use]
    pub fn denied(message: impl Into<String>) -> Self {
        Self { name: "org.freedesktop.DBus.Error.AccessDenied".into(), message: message.into() }
    }

    /// The caller may after having authenticated.
    #[must_use]
    pub fn interactive(message: impl Into<String>) -> Self {
        Self { name: "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired".into(), message: message.into() }
    }

    /// The agent is going away.
    #[must_use]
    pub fn stopping() -> Self {
        Self::own("Stopping", "the agent is stopping")
    }
}

impl From<Refusal> for CallError {
    fn from(refusal: Refusal) -> Self {
        let name = match &refusal {
            Refusal::NotConfigured => "NotConfigured",
            Refusal::NoSuchJob(_) => "NoSuchJob",
            Refusal::JobConflict(_) => "JobConflict",
            Refusal::NothingToDo(_) => "NothingToDo",
            Refusal::Blocked(_) => "Blocked",
            Refusal::InvalidArgument(_) => "InvalidArgument",
            Refusal::NotKept(_) => "NotKept",
        };
        Self::own(name, refusal.to_string())
    }
}

impl std::fmt::Display for CallError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.name, self.message)
    }
}

impl std::error::Error for CallError {}

impl DBusError for CallError {
    fn create_reply(&self, call: &Header<'_>) -> zbus::Result<Message> {
        Message::error(call, self.name()).build(&self.message)
    }

    fn name(&self) -> ErrorName<'_> {
        ErrorName::from_str_unchecked(&self.name)
    }

    fn description(&self) -> Option<&str> {
        Some(&self.message)
    }
}
