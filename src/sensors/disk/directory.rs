//! One look at a data directory and the file system under it. May block on a file system
//! that hangs, but for what the mount table says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::device;
use super::mounts::{Mount, declared_mounts, mount_of, parse_mountinfo};
use crate::paths::Paths;
use crate::state::{Directory, DiskIdentity};

/// The agent's marker in a data directory.
pub const MARKER: &str = ".kaapana-agent-disk";

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

/// One look. May block on a hung file system. `with_contents`: at what lies in it, too.
///
/// # Errors
///
/// When the mount table cannot be read.
pub fn look(paths: &Paths, configured: &Path, with_contents: bool) -> std::io::Result<Directory> {
    let path = resolve(configured);
    let (mut seen, mount) = unseen(paths, configured, &path)?;
    // Of one that does not exist the nearest parent is looked at.
    let existing = path.ancestors().find(|candidate| candidate.is_dir()).unwrap_or(Path::new("/"));
    seen.exists = existing == path;
    match rustix::fs::statvfs(existing) {
        Ok(space) => {
            seen.total = space.f_blocks * space.f_frsize;
            seen.free = space.f_bavail * space.f_frsize;
            // Some file systems make them as they are needed, and count none.
            seen.inodes = (space.f_files > 0).then_some((space.f_files, space.f_favail));
        }
        Err(error) => seen.error = Some(format!("{}: {error}", existing.display())),
    }
    if !seen.exists {
        seen.error = match std::fs::metadata(&path) {
            Ok(_) => Some(format!("{} is no directory", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => seen.error,
            Err(error) => Some(format!("{}: {error}", path.display())),
        };
    }
    seen.identity = identity(paths, mount.as_ref(), existing);
    if seen.exists && with_contents {
        match contents(&path) {
            Ok((empty, folder, marker)) => {
                (seen.empty, seen.folder) = (Some(empty), folder);
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
    Ok(seen)
}

/// What the mount table alone says of a directory that does not answer. Never blocks on it.
/// `resolved`: where it led to when it answered last.
///
/// # Errors
///
/// When the mount table cannot be read.
pub fn hung(paths: &Paths, configured: &Path, resolved: &Path, reason: &str) -> std::io::Result<Directory> {
    let (seen, _) = unseen(paths, configured, resolved)?;
    Ok(Directory { hung: true, error: Some(format!("{}: {reason}", configured.display())), ..seen })
}

/// What is known of a directory without a look at it.
fn unseen(paths: &Paths, configured: &Path, path: &Path) -> std::io::Result<(Directory, Option<Mount>)> {
    let mounts = parse_mountinfo(&std::fs::read_to_string(&paths.mountinfo)?);
    let missing_mounts: Vec<PathBuf> = declared_mounts(paths)
        .into_iter()
        .filter(|point| path.starts_with(point) && point.as_path() != Path::new("/"))
        .filter(|point| !mounts.iter().any(|mount| mount.point == *point))
        .collect();
    let mount = mount_of(&mounts, path);
    let device = mount.map(|mount| device::look(paths, &mount.device));
    let root = mount_of(&mounts, Path::new("/")).map(|mount| device::look(paths, &mount.device).disks).unwrap_or_default();
    let device = device.unwrap_or_default();
    let seen = Directory {
        resolved: path.to_path_buf(),
        missing_mounts,
        mount_point: mount.map(|mount| mount.point.clone()).unwrap_or_default(),
        mount_id: mount.and_then(|mount| mount.id),
        source: mount.map(|mount| mount.source.clone()).unwrap_or_default(),
        fs_type: mount.map(|mount| mount.fs_type.clone()).unwrap_or_default(),
        read_only: mount.is_some_and(|mount| mount.read_only),
        rotational: device.rotational,
        fs_errors: device.fs_errors,
        on_root_disk: (!device.disks.is_empty() && !root.is_empty()).then(|| !device.disks.is_disjoint(&root)),
        ..Directory::unseen(configured.to_path_buf())
    };
    Ok((seen, mount.cloned()))
}

/// Is it empty, which folder is in it, and what does the marker say? `lost+found` and the marker do not
/// make a directory used.
fn contents(path: &Path) -> std::io::Result<(bool, Option<String>, Option<String>)> {
    let (mut empty, mut folder) = (true, None);
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == "lost+found" || name == MARKER {
            continue;
        }
        empty = false;
        let name = name.to_string_lossy();
        if !name.starts_with('.') && name != "snap" && entry.file_type()?.is_dir() {
            folder = Some(name.into_owned());
            break;
        }
    }
    let marker = match small_file(&path.join(MARKER)) {
        Ok(text) => Some(text.trim().chars().take(100).collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    Ok((empty, folder, marker))
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

    const TABLE: &str = include_str!("../../../tests/fixtures/mountinfo");

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
        assert_eq!(contents(root.path()).unwrap().2.unwrap().len(), 100);
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
        let look = || look(&paths, &fast, true).unwrap();
        let seen = look();
        assert_eq!(seen.missing_mounts, std::slice::from_ref(&fast));
        assert_eq!((seen.exists, seen.empty), (true, Some(true)));
        std::fs::write(fast.join(MARKER), "id-1\n").unwrap();
        std::fs::create_dir(fast.join("lost+found")).unwrap();
        let seen = look();
        assert_eq!((seen.empty, seen.identity.marker.as_deref()), (Some(true), Some("id-1")));
        std::fs::write(fast.join("version"), "0.6.0").unwrap();
        let seen = look();
        assert_eq!((seen.empty, seen.folder), (Some(false), None));
        for (name, folder) in [(".ssh", None), ("snap", None), ("postgres", Some("postgres"))] {
            std::fs::create_dir(fast.join(name)).unwrap();
            assert_eq!(look().folder.as_deref(), folder);
        }
    }
}
