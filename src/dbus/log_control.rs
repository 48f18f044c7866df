//! `org.freedesktop.LogControl1(5)`: `systemctl service-log-level kaapana-agent debug`.
//! The bus policy lets only root set it.

use zbus::fdo;

use crate::telemetry::LevelHandle;

/// The object.
pub struct LogControl {
    level: LevelHandle,
}

impl LogControl {
    /// Controls the level behind the handle.
    #[must_use]
    pub fn new(level: LevelHandle) -> Self {
        Self { level }
    }
}

#[zbus::interface(name = "org.freedesktop.LogControl1")]
impl LogControl {
    /// The least important level that is logged: `err`, `warning`, `info` or `debug`.
    #[zbus(property(emits_changed_signal = "false"))]
    fn log_level(&self) -> String {
        self.level.get().into()
    }

    #[zbus(property)]
    fn set_log_level(&self, level: String) -> fdo::Result<()> {
        if self.level.set(&level) {
            return Ok(());
        }
        Err(fdo::Error::InvalidArgs(format!("there is no level {level:?}, expected err, warning, info or debug")))
    }

    /// Where logs go; it cannot be changed.
    #[zbus(property(emits_changed_signal = "const"))]
    fn log_target(&self) -> &str {
        "journal"
    }

    /// The name under which the journal knows the agent.
    #[zbus(property(emits_changed_signal = "const"))]
    fn syslog_identifier(&self) -> &str {
        "kaapana-agent"
    }
}
