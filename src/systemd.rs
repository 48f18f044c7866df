//! systemd's D-Bus interface, as far as the agent uses it (`org.freedesktop.systemd1(5)`,
//! `org.freedesktop.login1(5)`).

use zbus::{OwnedFd, OwnedObjectPath, Variant};

/// `org.freedesktop.systemd1.Manager`.
#[zbus::proxy(
    interface = "org.freedesktop.systemd1.Manager",
    default_service = "org.freedesktop.systemd1",
    default_path = "/org/freedesktop/systemd1"
)]
pub trait Systemd {
    /// Asks for signals about units.
    fn subscribe(&self) -> zbus::Result<()>;
    /// The object of a unit that is loaded.
    fn get_unit(&self, name: &str) -> zbus::Result<OwnedObjectPath>;
    /// Loads a unit if necessary and returns its object.
    fn load_unit(&self, name: &str) -> zbus::Result<OwnedObjectPath>;
    /// Starts a transient unit. `properties` are public: every user can read them.
    #[allow(clippy::type_complexity)]
    fn start_transient_unit(
        &self,
        name: &str,
        mode: &str,
        properties: &[(&str, Variant<'_>)],
        aux: &[(&str, &[(&str, Variant<'_>)])],
    ) -> zbus::Result<OwnedObjectPath>;
    /// Stops a unit.
    fn stop_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;
    /// Forgets the failed state of a unit.
    fn reset_failed_unit(&self, name: &str) -> zbus::Result<()>;
    /// A job of systemd's ended.
    #[zbus(signal)]
    fn job_removed(&self, id: u32, job: OwnedObjectPath, unit: String, result: String) -> zbus::Result<()>;
}

/// `org.freedesktop.systemd1.Unit`.
#[zbus::proxy(interface = "org.freedesktop.systemd1.Unit", default_service = "org.freedesktop.systemd1", assume_defaults = false)]
pub trait Unit {
    /// Loaded, not found, masked …
    #[zbus(property(emits_changed_signal = "false"))]
    fn load_state(&self) -> zbus::Result<String>;
    /// Active, failed …
    #[zbus(property(emits_changed_signal = "false"))]
    fn active_state(&self) -> zbus::Result<String>;
    /// Running, exited …
    #[zbus(property(emits_changed_signal = "false"))]
    fn sub_state(&self) -> zbus::Result<String>;
    /// Since when it is active, in microseconds since the epoch; 0: it never was.
    #[zbus(property(emits_changed_signal = "false"))]
    fn active_enter_timestamp(&self) -> zbus::Result<u64>;
    /// A job of systemd's that is queued for it; 0: none.
    #[zbus(property(emits_changed_signal = "false"))]
    fn job(&self) -> zbus::Result<(u32, OwnedObjectPath)>;
    /// The id of this run.
    #[zbus(property(emits_changed_signal = "false"), name = "InvocationID")]
    fn invocation_id(&self) -> zbus::Result<Vec<u8>>;
}

/// `org.freedesktop.systemd1.Service`.
#[zbus::proxy(
    interface = "org.freedesktop.systemd1.Service",
    default_service = "org.freedesktop.systemd1",
    assume_defaults = false
)]
pub trait Service {
    /// How often systemd started it again by itself.
    #[zbus(property(emits_changed_signal = "false"), name = "NRestarts")]
    fn n_restarts(&self) -> zbus::Result<u32>;
}

/// `org.freedesktop.login1.Manager`.
#[zbus::proxy(
    interface = "org.freedesktop.login1.Manager",
    default_service = "org.freedesktop.login1",
    default_path = "/org/freedesktop/login1"
)]
pub trait Login {
    /// Takes a lock that lasts until the descriptor is closed.
    fn inhibit(&self, what: &str, who: &str, why: &str, mode: &str) -> zbus::Result<OwnedFd>;
    /// The session a process belongs to.
    #[zbus(name = "GetSessionByPID")]
    fn get_session_by_pid(&self, pid: u32) -> zbus::Result<OwnedObjectPath>;
}

/// `org.freedesktop.login1.Session`.
#[zbus::proxy(interface = "org.freedesktop.login1.Session", default_service = "org.freedesktop.login1", assume_defaults = false)]
pub trait Session {
    /// Its name, as `loginctl` shows it.
    #[zbus(property(emits_changed_signal = "const"))]
    fn id(&self) -> zbus::Result<String>;
}

/// The interface of properties, whose change signal tells of units.
pub const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// The objects of units lie below this path.
pub const UNITS: &str = "/org/freedesktop/systemd1/unit";

/// Does this error say that there is no such unit?
#[must_use]
pub fn is_no_such_unit(error: &zbus::Error) -> bool {
    matches!(error, zbus::Error::MethodError(name, ..) if name.as_str() == "org.freedesktop.systemd1.NoSuchUnit")
}

/// The object path of a unit, escaped as systemd does: everything but letters and
/// digits, and a leading digit, becomes `_xx`.
#[must_use]
pub fn unit_path(name: &str) -> String {
    format!("{UNITS}/{}", escape_label(name))
}

/// Escapes a label of an object path as systemd does (`bus_label_escape`).
#[must_use]
pub fn escape_label(label: &str) -> String {
    let mut escaped = String::with_capacity(label.len());
    for (at, byte) in label.bytes().enumerate() {
        if byte.is_ascii_alphabetic() || (byte.is_ascii_digit() && at > 0) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("_{byte:02x}"));
        }
    }
    if escaped.is_empty() { "_".into() } else { escaped }
}

/// The path a mount unit's name stands for (`systemd.unit(5)`, string escaping).
#[must_use]
pub fn unescape_mount_name(name: &str) -> Option<String> {
    let stem = name.strip_suffix(".mount")?;
    if stem == "-" {
        return Some("/".into());
    }
    let mut bytes = vec![b'/'];
    let mut rest = stem.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        match first {
            b'-' => bytes.push(b'/'),
            b'\\' if rest.first() == Some(&b'x') => {
                let hex = std::str::from_utf8(rest.get(1..3)?).ok()?;
                bytes.push(u8::from_str_radix(hex, 16).ok()?);
                rest = &rest[3..];
            }
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped_as_systemd_does() {
        assert_eq!(escape_label("disk.fast.mounted"), "disk_2efast_2emounted");
        assert_eq!(unit_path("snap.a-b.service"), "/org/freedesktop/systemd1/unit/snap_2ea_2db_2eservice");
        assert_eq!(escape_label("1a"), "_31a");
    }

    #[test]
    fn mount_names_become_paths() {
        assert_eq!(unescape_mount_name("data-fast.mount").as_deref(), Some("/data/fast"));
        assert_eq!(unescape_mount_name("srv-my\\x2ddata.mount").as_deref(), Some("/srv/my-data"));
        assert_eq!(unescape_mount_name("-.mount").as_deref(), Some("/"));
        assert_eq!(unescape_mount_name("srv-a\\x.mount"), None);
        assert_eq!(unescape_mount_name("x.service"), None);
    }
}
