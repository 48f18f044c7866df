//! What the agent tells systemd: ready, status, watchdog, stopping (`sd_notify(3)`).

use std::time::Duration;

use sd_notify::NotifyState;

/// The name is owned and the objects are exported.
pub fn ready(status: &str) {
    notify(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// The line `systemctl status` shows.
pub fn status(status: &str) {
    notify(&[NotifyState::Status(status)]);
}

/// The loop is alive.
pub fn alive() {
    notify(&[NotifyState::Watchdog]);
}

/// The agent goes away.
pub fn stopping() {
    notify(&[NotifyState::Stopping]);
}

/// How often systemd wants to hear that the loop is alive; half its limit.
#[must_use]
pub fn watchdog_period() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|limit| limit / 2)
}

fn notify(states: &[NotifyState<'_>]) {
    // Without systemd there is nobody to tell.
    sd_notify::notify(states).ok();
}
