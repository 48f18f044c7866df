//! The mount table, and the mounts that fstab and mount units promise.

use std::path::{Path, PathBuf};

use crate::paths::Paths;
use crate::systemd::unescape_mount_name;

/// A line of the mount table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// The kernel's number of this mount; a number is used again once its mount is gone.
    pub id: Option<u64>,
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
    let id = head.next()?.parse().ok();
    let device = head.nth(1)?.to_owned();
    let point = PathBuf::from(unescape(head.nth(1)?));
    let options = head.next()?;
    let mut tail = tail.split(' ');
    let fs_type = tail.next()?.to_owned();
    let source = unescape(tail.next()?);
    let super_options = tail.next().unwrap_or_default();
    let ro = |options: &str| options.split(',').any(|option| option == "ro");
    Some(Mount { id, device, point, read_only: ro(options) || ro(super_options), fs_type, source })
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
pub(super) fn mount_of<'m>(mounts: &'m [Mount], path: &Path) -> Option<&'m Mount> {
    mounts.iter().filter(|mount| path.starts_with(&mount.point)).max_by_key(|mount| mount.point.components().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = include_str!("../../../tests/fixtures/mountinfo");

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

    proptest::proptest! {
        #[test]
        fn no_mount_table_panics(text in "[\\PC\\n\\\\0-9 -]{0,300}") {
            drop(parse_mountinfo(&text));
            drop(fstab_mounts(&text));
        }
    }
}
