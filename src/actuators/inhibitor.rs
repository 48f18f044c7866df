//! A lock of the login manager (`systemd-inhibit(1)`) against a shutdown while a job
//! runs. A person can override it (`systemctl reboot -i`).

use zbus::{Connection, OwnedFd};

use crate::systemd::LoginProxy;

/// Takes the lock; it lasts until it is dropped.
///
/// # Errors
///
/// When there is no login manager, or it refuses.
pub async fn take(connection: &Connection, why: &str) -> zbus::Result<OwnedFd> {
    LoginProxy::new(connection).await?.inhibit("shutdown", "kaapana-agent", why, "block").await
}
