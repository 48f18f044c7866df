//! Writing to a data directory: a trial, and the marker by which its disk is recognised.
//!
//! Both run in units of their own: the agent's sandbox cannot write to data
//! directories, and a disk that hangs must not hold the agent.

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

/// Tries whether a data directory can be written to, in a unit of its own.
///
/// # Errors
///
/// When a file cannot be written and synced in time.
pub async fn try_writing(connection: &Connection, paths: &Paths, directory: &Path, id: &str) -> Result<(), UnitError> {
    let unit = format!("kaapana-probe-{id}.service");
    let arguments = ["probe".to_owned(), directory.to_string_lossy().into_owned()];
    systemd::run_briefly(connection, &unit, "Try writing to a data directory", &paths.program, &arguments, LIMIT).await
}

/// What the unit does: writes a file, syncs it, removes it.
///
/// # Errors
///
/// When the disk does not take it.
pub fn write_trial(directory: &Path) -> std::io::Result<()> {
    let path = directory.join(format!("{MARKER}.trial"));
    let mut file = create(&path, 0o600)?;
    let written = file.write_all(b"trial\n").and_then(|()| file.sync_all());
    std::fs::remove_file(&path)?;
    written
}

/// A new file in the place of what an earlier try left. Containers write to the directory,
/// too: a link they put there is replaced, never followed.
fn create(path: &Path, mode: u32) -> std::io::Result<std::fs::File> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path)
}

/// Looks, in a unit of its own, at what lies beneath the mount point of a data directory: the agent's
/// sandbox may clone no mounts. The first names, and how many there are.
///
/// # Errors
///
/// A sentence: nobody can tell.
pub async fn look_beneath(
    connection: &Connection,
    paths: &Paths,
    mount_point: &Path,
    directory: &Path,
    mount_id: u64,
) -> Result<(Vec<String>, u64), String> {
    // The one of an agent that was killed may still be there.
    let unit = format!("kaapana-probe-beneath-{mount_id}-{}.service", std::process::id());
    let answer = paths.state.join("beneath.json");
    tokio::fs::remove_file(&answer).await.ok();
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let arguments = ["beneath".to_owned(), text(mount_point), text(directory), text(&answer)];
    systemd::run_briefly(connection, &unit, "Look beneath a mount point", &paths.program, &arguments, LIMIT)
        .await
        .map_err(|error| crate::error::chain(&error))?;
    let read = tokio::fs::read(&answer).await.map_err(|error| format!("{}: {error}", answer.display()))?;
    tokio::fs::remove_file(&answer).await.ok();
    serde_json::from_slice(&read).map_err(|error| format!("{}: {error}", answer.display()))
}

/// The most names that are told.
const NAMES: usize = 5;

/// What the unit does: clones the mount that the mount point lies in, without what is mounted
/// there (`open_tree(2)`, Linux 5.2), and lists the directory in it. Follows no link, changes nothing.
///
/// # Errors
///
/// When it cannot be looked at.
pub fn beneath(mount_point: &Path, directory: &Path) -> std::io::Result<(Vec<String>, u64)> {
    use rustix::fs::{CWD, Dir, Mode, OFlags, ResolveFlags, openat2};
    use rustix::mount::{OpenTreeFlags, open_tree};
    let above = mount_point.parent().unwrap_or(Path::new("/"));
    let place = directory.strip_prefix(above).map_err(std::io::Error::other)?;
    let tree = open_tree(CWD, above, OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = match openat2(&tree, place, flags, Mode::empty(), ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS) {
        Err(rustix::io::Errno::NOENT) => return Ok((Vec::new(), 0)),
        opened => opened?,
    };
    // Mounted onto itself: nothing is hidden, and what lies there is the data.
    let (below, seen) = (rustix::fs::fstat(&opened)?, rustix::fs::stat(directory)?);
    if (below.st_dev, below.st_ino) == (seen.st_dev, seen.st_ino) {
        return Ok((Vec::new(), 0));
    }
    let mut names = Vec::new();
    for entry in Dir::read_from(&opened)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if ![".", "..", "lost+found"].contains(&name.as_str()) {
            names.push(name);
        }
    }
    names.sort();
    let count = names.len() as u64;
    names.truncate(NAMES);
    Ok((names, count))
}

/// Writes the marker, in a unit of its own.
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
    // A link is not a marker; the renaming replaces it.
    if path.symlink_metadata().is_ok_and(|found| found.is_file()) {
        return Ok(());
    }
    let temporary = directory.join(format!("{MARKER}.new"));
    let mut file = create(&temporary, 0o644)?;
    writeln!(file, "{id}")?;
    file.sync_all()?;
    std::fs::rename(&temporary, &path)?;
    std::fs::File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_that_a_container_put_there_are_not_followed() {
        let root = tempfile::tempdir().unwrap();
        let victim = root.path().join("victim");
        std::fs::write(&victim, "kept").unwrap();
        let data = root.path().join("data");
        std::fs::create_dir(&data).unwrap();
        for name in [format!("{MARKER}.trial"), format!("{MARKER}.new")] {
            std::os::unix::fs::symlink(&victim, data.join(name)).unwrap();
        }
        std::os::unix::fs::symlink(&victim, data.join(MARKER)).unwrap();
        write_trial(&data).unwrap();
        write_marker(&data, "id").unwrap();
        write_marker(&data, "another").unwrap();
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "kept");
        assert_eq!(std::fs::read_to_string(data.join(MARKER)).unwrap(), "id\n");
    }
}
