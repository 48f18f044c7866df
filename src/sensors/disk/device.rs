//! What the kernel tells in sysfs of the device under a file system, without opening it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::paths::Paths;

/// A block device.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Device {
    /// The whole disks it is on, such as `sda` of the partition `sda2`; those below a logical
    /// volume or a RAID. Empty: the kernel names none.
    pub disks: BTreeSet<String>,
    /// One of them turns: seeking takes milliseconds.
    pub rotational: Option<bool>,
    /// Errors that the file system on it has counted; only ext4 does.
    pub fs_errors: Option<u64>,
}

/// Looks at a device by its number, `major:minor`.
#[must_use]
pub fn look(paths: &Paths, number: &str) -> Device {
    let Ok(device) = std::fs::canonicalize(paths.sysfs.join("dev/block").join(number)) else { return Device::default() };
    let number = |path: PathBuf| std::fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let errors = name(&device).map(|name| paths.sysfs.join("fs/ext4").join(name).join("errors_count"));
    let disks = disks(&device, 0);
    let turns: Vec<bool> =
        disks.iter().filter_map(|disk| number(disk.join("queue/rotational"))).map(|turns| turns != 0).collect();
    Device {
        rotational: (!turns.is_empty()).then(|| turns.contains(&true)),
        fs_errors: errors.and_then(number),
        disks: disks.iter().filter_map(|disk| name(disk)).collect(),
    }
}

fn name(path: &Path) -> Option<String> {
    path.file_name().map(|name| name.to_string_lossy().into_owned())
}

/// The whole disks below a device. Devices are stacked a few deep at most.
fn disks(device: &Path, depth: u32) -> BTreeSet<PathBuf> {
    let below = std::fs::read_dir(device.join("slaves")).into_iter().flatten().flatten();
    let below: Vec<PathBuf> = below.filter_map(|entry| std::fs::canonicalize(entry.path()).ok()).collect();
    if !below.is_empty() && depth < 8 {
        return below.iter().flat_map(|one| disks(one, depth + 1)).collect();
    }
    // A partition is a folder in that of its disk.
    let disk = if device.join("partition").exists() { device.parent().unwrap_or(device) } else { device };
    BTreeSet::from([disk.to_path_buf()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_of_its_disk() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::below(root.path());
        let disk = paths.sysfs.join("devices/sda");
        for folder in [disk.join("sda2"), disk.join("queue"), paths.sysfs.join("dev/block"), paths.sysfs.join("fs/ext4/sda2")] {
            std::fs::create_dir_all(folder).unwrap();
        }
        std::fs::write(disk.join("sda2/partition"), "2\n").unwrap();
        std::fs::write(disk.join("queue/rotational"), "1\n").unwrap();
        std::fs::write(paths.sysfs.join("fs/ext4/sda2/errors_count"), "3\n").unwrap();
        for (number, target) in [("8:0", "sda"), ("8:2", "sda/sda2")] {
            std::os::unix::fs::symlink(paths.sysfs.join("devices").join(target), paths.sysfs.join("dev/block").join(number))
                .unwrap();
        }
        let of = |errors| Device { disks: ["sda".to_owned()].into(), rotational: Some(true), fs_errors: errors };
        assert_eq!((look(&paths, "8:2"), look(&paths, "8:0")), (of(Some(3)), of(None)));
        assert_eq!(look(&paths, "0:42"), Device::default());
        // A logical volume is on the disks below it.
        let volume = paths.sysfs.join("devices/dm-0");
        std::fs::create_dir_all(volume.join("slaves")).unwrap();
        std::os::unix::fs::symlink(disk.join("sda2"), volume.join("slaves/sda2")).unwrap();
        std::os::unix::fs::symlink(&volume, paths.sysfs.join("dev/block/253:0")).unwrap();
        assert_eq!(look(&paths, "253:0"), of(None));
    }
}
