//! The D-Bus interface `ai.kaapana.Agent1`.
//!
//! * [`manager`]: state as a whole, requests; [`job`], [`check`]: an object each;
//! * [`auth`]: polkit decides for the caller; [`error`]: the names of errors;
//! * [`publisher`]: turns what the loop publishes into properties and signals;
//! * [`log_control`]: `systemctl service-log-level`;
//! * [`proxy`]: the client's side.

pub mod auth;
pub mod check;
pub mod error;
pub mod job;
pub mod log_control;
pub mod manager;
pub mod proxy;
pub mod publisher;

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use zbus::Connection;

use crate::agent::publish::Published;
use crate::agent::requests::Request;
use crate::telemetry::LevelHandle;

/// The name on the system bus; the major version is part of it.
pub const NAME: &str = "ai.kaapana.Agent1";

/// The manager's object; jobs and checks lie below it.
pub const PATH: &str = "/ai/kaapana/Agent1";

/// The object path of a job.
#[must_use]
pub fn job_path(id: u32) -> String {
    format!("{PATH}/job/{id}")
}

/// The object path of a check.
#[must_use]
pub fn check_path(id: &str) -> String {
    format!("{PATH}/check/{}", crate::systemd::escape_label(id))
}

/// What the interfaces need of the loop.
#[derive(Clone)]
pub struct Loop {
    /// What is published.
    pub published: watch::Receiver<Arc<Published>>,
    /// Where requests go.
    pub requests: mpsc::Sender<Request>,
}

impl Loop {
    /// What is published now.
    #[must_use]
    pub fn now(&self) -> Arc<Published> {
        Arc::clone(&self.published.borrow())
    }
}

/// Exports the objects on a connection, which does not own the name yet.
///
/// # Errors
///
/// When the connection is gone.
pub async fn export(connection: &Connection, of: Loop, level: LevelHandle) -> zbus::Result<()> {
    let server = connection.object_server();
    server.at(PATH, zbus::fdo::ObjectManager).await?;
    server.at(PATH, manager::Manager::new(of)).await?;
    server.at("/org/freedesktop/LogControl1", log_control::LogControl::new(level)).await?;
    Ok(())
}

/// A time as D-Bus carries it: microseconds since the epoch; 0: none.
#[must_use]
pub fn microseconds(time: Option<jiff::Timestamp>) -> u64 {
    time.and_then(|time| u64::try_from(time.as_microsecond()).ok()).unwrap_or(0)
}
