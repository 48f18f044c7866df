//! The marker in a data directory, by which its disk is recognised.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use zbus::Connection;

use super::systemd::{self, UnitError};
use crate::paths::Paths;
use crate::sensors::disk::MARKER;

/// How long a disk may take to accept a few bytes.
const LIMIT: Duration = Duration::from_secs(20);

/// Writes the marker, in a unit of its own: the agent's sandbox cannot write to
/// data directories, and a disk that hangs must not hold the agent.
///
/// # Errors
///
/// When it cannot be written and synced in time.
pub async fn mark(connection: &Connection, paths: &Paths, directory: &Path, id: &str) -> Result<(), UnitError> {
    let unit = format!("kaapana-probe-{}.service", &id[..id.len().min(12)]);
    let arguments = ["probe".to_owned(), "--marker".to_owned(), id.to_owned(), directory.to_string_lossy().into_owned()];
    systemd::run_briefly(connection, &unit, "Mark a data directory", &paths.program, &arguments, LIMIT).await
}

/// What the unit does: writes the marker and syncs it. An existing marker stays.
///
/// # Errors
///
/// When the disk does not take it.
pub fn write_marker(directory: &Path, id: &str) -> std::io::Result<()> {
    let path = directory.join(MARKER);
    if path.exists() {
        return Ok(());
    }
    let temporary = directory.join(format!("{MARKER}.new"));
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(&temporary)?;
    writeln!(file, "{id}")?;
    file.sync_all()?;
    std::fs::rename(&temporary, &path)?;
    std::fs::File::open(directory)?.sync_all()
}
