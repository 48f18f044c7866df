//! The file systems under the data directories.
//!
//! The kernel announces a change of the mount table by `POLLPRI` on mountinfo
//! (`proc(5)`), which is read for PID 1: inside the agent's sandbox everything
//! looks read-only. Free space announces nothing and is looked at by period. What
//! can hang on a hung file system runs on a thread of its own, one at a time.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use tokio::sync::mpsc;

use super::{Observation, Observations, SettingsInForce, patience};
use crate::paths::Paths;
use crate::state::{Directory, DiskIdentity, Disks, Observed};
use crate::systemd::unescape_mount_name;

/// How often free space and contents are looked at.
const PERIOD: Duration = Duration::from_secs(15);

/// How long a file system may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The agent's marker in a data directory.
pub const MARKER: &str = ".kaapana-agent-disk";

/// Looks until the receiver is gone.
pub async fn run(paths: Arc<Paths>, mut settings: SettingsInForce, observations: Observations) {
    let mut changes = match std::fs::File::open(&paths.mountinfo) {
        Ok(table) => announce_changes(table),
        Err(error) => {
            tracing::warn!(path = %paths.mountinfo.display(), %error, "mounts are not announced, they are looked at by period");
            mpsc::channel(1).1
        }
    };
    let mut ticks = tokio::time::interval(PERIOD);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut looking = None;
    loop {
        let in_force = settings.borrow_and_update().clone();
        if let Some(in_force) = in_force {
            let wanted = (in_force.fast_dir(), in_force.slow_dir());
            let of = Arc::clone(&paths);
            // While a look hangs no second one is begun.
            let seen = match patience::ask(&mut looking, PATIENCE, move || look(&of, &wanted.0, &wanted.1)).await {
                Ok(Ok(disks)) => Observed::Fresh(disks),
                Ok(Err(error)) => Observed::Unknown { reason: format!("{}: {error}", paths.mountinfo.display()) },
                Err(reason) => Observed::Unknown { reason: format!("the file systems of the data directories: {reason}") },
            };
            if observations.send(Observation::Disks(seen)).await.is_err() {
                return;
            }
        }
        tokio::select! {
            _ = ticks.tick() => {}
            Some(()) = changes.recv() => {}
            changed = settings.changed() => if changed.is_err() { return },
        }
    }
}

/// Says whenever the mount table changes. Waiting is `poll(2)` on a thread of its
/// own: the event is an exceptional one, which the runtime does not wait for safely.
fn announce_changes(table: std::fs::File) -> mpsc::Receiver<()> {
    let (changed, changes) = mpsc::channel(1);
    let waiting = move || {
        loop {
            let mut polled = [PollFd::new(&table, PollFlags::PRI)];
            match poll(&mut polled, None) {
                // A full channel already holds a wake-up; the next look reads the whole table.
                Ok(_) => match changed.try_send(()) {
                    Err(mpsc::error::TrySendError::Closed(())) => return,
                    Ok(()) | Err(mpsc::error::TrySendError::Full(())) => {}
                },
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return,
            }
        }
    };
    if let Err(error) = std::thread::Builder::new().name("mountinfo".into()).spawn(waiting) {
        tracing::warn!(%error, "mounts are not announced, they are looked at by period");
    }
    changes
}

/// One look at both directories. May block on a hung file system.
///
/// # Errors
///
/// When the mount table cannot be read.
pub fn look(paths: &Paths, fast: &Path, slow: &Path) -> std::io::Result<Disks> {
    let mounts = parse_mountinfo(&std::fs::read_to_string(&paths.mountinfo)?);
    let declared = declared_mounts(paths);
    Ok(Disks { fast: directory(paths, &mounts, &declared, fast), slow: directory(paths, &mounts, &declared, slow) })
}

/// A line of the mount table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// `major:minor`.
    pub device: String,
    /// Where it is mounted.
    pub point: PathBuf,
    /// Options of the mount and of the file system.
    pub read_only: bool,
    /// File system type.
    pub fs_type: String,
    /// What is mounted.
    pub source: String,
}

/// Reads a mount table (`proc_pid_mountinfo(5)`). Lines that are none are left out.
#[must_use]
pub fn parse_mountinfo(text: &str) -> Vec<Mount> {
    text.lines().filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<Mount> {
    let (head, tail) = line.split_once(" - ")?;
    let mut head = head.split(' ');
    let device = head.nth(2)?.to_owned();
    let point = PathBuf::from(unescape(head.nth(1)?));
    let options = head.next()?;
    let mut tail = tail.split(' ');
    let fs_type = tail.next()?.to_owned();
    let source = unescape(tail.next()?);
    let super_options = tail.next().unwrap_or_default();
    let ro = |options: &str| options.split(',').any(|option| option == "ro");
    Some(Mount { device, point, read_only: ro(options) || ro(super_options), fs_type, source })
}

/// Blanks, tabs, newlines and backslashes are octal in mount tables and in fstab.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let octal = tail.get(..3).filter(|digits| first == b'\\' && digits.iter().all(|digit| (b'0'..=b'7').contains(digit)));
        match octal.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[3..];
            }
            None => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Mount points that fstab or a mount unit declares.
#[must_use]
pub fn declared_mounts(paths: &Paths) -> Vec<PathBuf> {
    let mut points = fstab_mounts(&std::fs::read_to_string(&paths.fstab).unwrap_or_default());
    for directory in &paths.units {
        let Ok(entries) = std::fs::read_dir(directory) else { continue };
        points.extend(entries.flatten().filter_map(|entry| {
            // A mask says that it is not wanted.
            let masked = std::fs::read_link(entry.path()).is_ok_and(|target| target == Path::new("/dev/null"));
            let name = entry.file_name();
            (!masked).then(|| unescape_mount_name(name.to_str()?)).flatten().map(PathBuf::from)
        }));
    }
    points.sort();
    points.dedup();
    points
}

/// Mount points of an fstab; `noauto` and swap are no promises.
#[must_use]
pub fn fstab_mounts(text: &str) -> Vec<PathBuf> {
    text.lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .filter_map(|line| {
            let mut fields = line.split_whitespace();
            let point = unescape(fields.nth(1)?);
            let options = fields.nth(1).unwrap_or_default();
            let promised = point.starts_with('/') && !options.split(',').any(|option| option == "noauto");
            promised.then(|| PathBuf::from(point))
        })
        .collect()
}

/// The mount a path lies on: the longest mount point above it, the last of equals.
fn mount_of<'m>(mounts: &'m [Mount], path: &Path) -> Option<&'m Mount> {
    mounts.iter().filter(|mount| path.starts_with(&mount.point)).max_by_key(|mount| mount.point.components().count())
}

/// The path with its links followed, as far as it exists: a data directory may be a
/// link to a disk, and only the disk's own path shows whether that is mounted.
fn resolve(path: &Path) -> PathBuf {
    if let Ok(target) = std::fs::read_link(path)
        && !path.exists()
    {
        // A link to a disk that is not there.
        return path.parent().map_or(target.clone(), |parent| resolve(parent).join(target));
    }
    match (std::fs::canonicalize(path), path.parent(), path.file_name()) {
        (Ok(real), ..) => real,
        (Err(_), Some(parent), Some(name)) => resolve(parent).join(name),
        _ => path.to_path_buf(),
    }
}

fn directory(paths: &Paths, mounts: &[Mount], declared: &[PathBuf], configured: &Path) -> Directory {
    let path = &resolve(configured);
    let missing_mounts: Vec<PathBuf> = declared
        .iter()
        .filter(|point| path.starts_with(point) && point.as_path() != Path::new("/"))
        .filter(|point| !mounts.iter().any(|mount| mount.point == **point))
        .cloned()
        .collect();
    let mount = mount_of(mounts, path);
    let mut seen = Directory {
        path: configured.to_path_buf(),
        exists: false,
        empty: None,
        version: None,
        missing_mounts,
        mount_point: mount.map(|mount| mount.point.clone()).unwrap_or_default(),
        source: mount.map(|mount| mount.source.clone()).unwrap_or_default(),
        fs_type: mount.map(|mount| mount.fs_type.clone()).unwrap_or_default(),
        read_only: mount.is_some_and(|mount| mount.read_only),
        identity: DiskIdentity::default(),
        total: 0,
        free: 0,
        error: None,
    };
    // A directory that does not exist yet is made on its nearest parent.
    let existing = path.ancestors().find(|candidate| candidate.is_dir()).unwrap_or(Path::new("/"));
    seen.exists = existing == path;
    match rustix::fs::statvfs(existing) {
        Ok(space) => {
            seen.total = space.f_blocks * space.f_frsize;
            seen.free = space.f_bavail * space.f_frsize;
        }
        Err(error) => seen.error = Some(format!("{}: {error}", existing.display())),
    }
    seen.identity = identity(paths, mount, existing);
    if seen.exists {
        match contents(path) {
            Ok((empty, marker)) => {
                seen.empty = Some(empty);
                seen.identity.marker = marker;
                match first_line(&path.join("version")) {
                    Ok(version) => seen.version = version,
                    // What the data is of decides what may be put on it: not known is an error.
                    Err(error) => seen.error = Some(format!("{}: {error}", path.join("version").display())),
                }
            }
            Err(error) => seen.error = Some(format!("{}: {error}", path.display())),
        }
    }
    seen
}

/// Is it empty, and what does the marker say? `lost+found` and the marker do not
/// make a directory used.
fn contents(path: &Path) -> std::io::Result<(bool, Option<String>)> {
    let mut empty = true;
    for entry in std::fs::read_dir(path)? {
        let name = entry?.file_name();
        if name != "lost+found" && name != MARKER {
            empty = false;
            break;
        }
    }
    let marker = match small_file(&path.join(MARKER)) {
        Ok(text) => Some(text.trim().chars().take(100).collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    Ok((empty, marker))
}

/// The beginning of a regular file. Containers write to data directories, too: no link is
/// followed, no pipe waited for, and nothing is read without end.
fn small_file(path: &Path) -> std::io::Result<String> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = std::fs::File::from(rustix::fs::open(path, flags, Mode::empty())?);
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::other(format!("{} is no regular file", path.display())));
    }
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut std::io::Read::take(file, 4096), &mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The first line of a small file; `None` when there is no file, or it says nothing.
fn first_line(path: &Path) -> std::io::Result<Option<String>> {
    let text = match small_file(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    Ok(text.lines().next().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()))
}

/// What identifies the file system, without opening its device.
fn identity(paths: &Paths, mount: Option<&Mount>, path: &Path) -> DiskIdentity {
    let uuid = mount.and_then(|mount| udev_uuid(paths, &mount.device).or_else(|| by_uuid(paths, &mount.source)));
    let fsid = mount
        // Only these derive it from the UUID; others from the device number, which changes.
        .filter(|mount| ["ext2", "ext3", "ext4", "btrfs"].contains(&mount.fs_type.as_str()))
        .and_then(|_| rustix::fs::statvfs(path).ok())
        .map(|space| format!("{:016x}", space.f_fsid));
    DiskIdentity { uuid, fsid, marker: None }
}

/// udev's database: `b<major>:<minor>` with `E:ID_FS_UUID=`.
fn udev_uuid(paths: &Paths, device: &str) -> Option<String> {
    let text = std::fs::read_to_string(paths.udev.join(format!("b{device}"))).ok()?;
    text.lines().find_map(|line| line.strip_prefix("E:ID_FS_UUID=")).map(str::to_owned)
}

/// The links udev makes from UUIDs to devices.
fn by_uuid(paths: &Paths, source: &str) -> Option<String> {
    let links: BTreeMap<PathBuf, String> = std::fs::read_dir(&paths.by_uuid)
        .ok()?
        .flatten()
        .filter_map(|entry| Some((std::fs::canonicalize(entry.path()).ok()?, entry.file_name().into_string().ok()?)))
        .collect();
    links.get(&std::fs::canonicalize(source).ok()?).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
22 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw
40 22 8:17 / /data/fast rw,relatime shared:2 - ext4 /dev/sdb1 rw
41 22 8:33 / /data/slow\\040disk ro,relatime - xfs /dev/sdc1 ro,attr2
no mount at all
";

    #[test]
    fn mounts_are_read_and_the_nearest_wins() {
        let mounts = parse_mountinfo(TABLE);
        assert_eq!(mounts.len(), 3);
        assert_eq!(mount_of(&mounts, Path::new("/data/fast/x")).unwrap().source, "/dev/sdb1");
        assert_eq!(mount_of(&mounts, Path::new("/data/faster")).unwrap().source, "/dev/sda2");
        assert!(mounts[2].read_only && mounts[2].point == Path::new("/data/slow disk"));
    }

    #[test]
    fn fstab_promises() {
        let text = "# c\nUUID=1 /data/fast ext4 defaults 0 2\n/dev/sdc1 /data/slow xfs noauto,ro 0 0\n/swap none swap sw 0 0\n";
        assert_eq!(fstab_mounts(text), [PathBuf::from("/data/fast")]);
    }

    #[test]
    fn links_pipes_and_endless_files_in_a_data_directory_say_nothing() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        std::fs::write(path("secret"), "root:hash\n").unwrap();
        std::os::unix::fs::symlink(path("secret"), path("version")).unwrap();
        assert!(first_line(&path("version")).is_err(), "what a link points to is not shown");
        std::fs::remove_file(path("version")).unwrap();
        std::process::Command::new("mkfifo").arg(path("version")).status().unwrap();
        assert!(first_line(&path("version")).is_err(), "nobody waits for a pipe");
        std::fs::write(path(MARKER), vec![b'x'; 1 << 20]).unwrap();
        assert_eq!(contents(root.path()).unwrap().1.unwrap().len(), 100);
        std::fs::remove_file(path("version")).unwrap();
        std::fs::write(path("version"), "0.6.0\n").unwrap();
        assert_eq!(first_line(&path("version")).unwrap().as_deref(), Some("0.6.0"));
        assert_eq!(first_line(&path("absent")).unwrap(), None);
    }

    #[test]
    fn a_declared_mount_that_is_not_there_is_missing() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::below(root.path());
        let fast = root.path().join("data/fast");
        std::fs::create_dir_all(&fast).unwrap();
        std::fs::create_dir_all(paths.mountinfo.parent().unwrap()).unwrap();
        std::fs::create_dir_all(paths.fstab.parent().unwrap()).unwrap();
        std::fs::write(&paths.mountinfo, TABLE).unwrap();
        std::fs::write(&paths.fstab, format!("/dev/sdb1 {} ext4 defaults 0 2\n", fast.display())).unwrap();
        let disks = look(&paths, &fast, &fast).unwrap();
        assert_eq!(disks.fast.missing_mounts, std::slice::from_ref(&fast));
        assert_eq!((disks.fast.exists, disks.fast.empty), (true, Some(true)));
        std::fs::write(fast.join(MARKER), "id-1\n").unwrap();
        std::fs::create_dir(fast.join("lost+found")).unwrap();
        let disks = look(&paths, &fast, &fast).unwrap();
        assert_eq!((disks.fast.empty, disks.fast.identity.marker.as_deref()), (Some(true), Some("id-1")));
        std::fs::write(fast.join("version"), "0.6.0").unwrap();
        assert_eq!(look(&paths, &fast, &fast).unwrap().fast.empty, Some(false));
    }

    proptest::proptest! {
        #[test]
        fn no_mount_table_panics(text in "[\\PC\\n\\\\0-9 -]{0,300}") {
            drop(parse_mountinfo(&text));
            drop(fstab_mounts(&text));
        }
    }
}
