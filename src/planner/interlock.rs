//! The rules that keep a platform off the wrong disk, pure.
//!
//! An unmounted data disk looks like an empty directory, and an empty directory
//! like a fresh installation; a platform started there writes new, empty
//! databases beside the patients' data. So a data directory whose disk is not
//! shown to be the expected one holds every deployment.

use crate::config::settings::{Auto, Settings};
use crate::config::values::release_of;
use crate::ledger::{Ledger, Stage};
use crate::state::{ClusterView, Directory, DiskIdentity, Status};

/// What a rule says of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// True: as it should be.
    pub status: Status,
    /// One `CamelCase` word.
    pub reason: &'static str,
    /// A sentence.
    pub message: String,
    /// What to do.
    pub advice: String,
}

impl Verdict {
    fn good(message: impl Into<String>) -> Self {
        Self { status: Status::True, reason: "Good", message: message.into(), advice: String::new() }
    }

    fn bad(reason: &'static str, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { status: Status::False, reason, message: message.into(), advice: advice.into() }
    }

    fn unknown(reason: &'static str, message: impl Into<String>) -> Self {
        Self { status: Status::Unknown, reason, message: message.into(), advice: String::new() }
    }
}

/// Is the directory's disk mounted, when something says that it should be?
#[must_use]
pub fn mounted(settings: &Settings, directory: &Directory) -> Verdict {
    let path = directory.path.display();
    if let Some(missing) = directory.missing_mounts.first() {
        return Verdict::bad(
            "NotMounted",
            format!("{} should be mounted and is not, so {path} is a directory of another disk", missing.display()),
            format!("mount {}; nothing is deployed before", missing.display()),
        );
    }
    if settings.auto("data.require_mount") == Auto::Yes && directory.mount_point.as_os_str() == "/" {
        return Verdict::bad(
            "OnRootDisk",
            format!("{path} lies on the root file system and data.require_mount is true"),
            format!("mount a disk at {path}, or set data.require_mount to \"auto\""),
        );
    }
    if directory.mount_point.as_os_str() == "/" {
        return Verdict::good(format!("{path} lies on the root file system; no fstab entry or mount unit says otherwise"));
    }
    Verdict::good(format!("{path} lies on {} mounted at {}", directory.source, directory.mount_point.display()))
}

/// Is the disk the one that was recorded, and does it hold what the cluster's
/// volumes say it holds?
#[must_use]
pub fn identity(ledger: &Ledger, directory: &Directory, cluster: Option<&ClusterView>) -> Verdict {
    let path = directory.path.display();
    let seen = &directory.identity;
    if let Some(recorded) = ledger.disks.get(&directory.path)
        && let Some(difference) = difference(recorded, seen)
    {
        return Verdict::bad(
            "OtherDisk",
            format!("{path} is not the disk that was recorded: {difference}"),
            "bring the recorded disk back; only if another disk is meant: kaapanactl deploy --accept-disk-change",
        );
    }
    let Some(cluster) = cluster else {
        return match ledger.disks.get(&directory.path) {
            Some(_) => Verdict::good(format!("{path} is the recorded disk")),
            None => {
                Verdict::unknown("ClusterUnknown", format!("whether {path} should hold data is not known without the cluster"))
            }
        };
    };
    let held = volumes_below(cluster, directory);
    let empty = !directory.exists || directory.empty == Some(true);
    // Volumes of a first deployment are seen before what it writes into them; it is looked
    // at closely before helm and after the job.
    let filling =
        ledger.job.as_ref().is_some_and(|job| job.stage == Stage::Follow || (job.stage == Stage::Install && job.step.is_some()));
    if held > 0 && empty && filling && !ledger.disks.contains_key(&directory.path) {
        return Verdict::unknown("BeingFilled", format!("{path} is being filled by the deployment that runs"));
    }
    if held > 0 && empty {
        return Verdict::bad(
            "DataMissing",
            format!("{path} is empty and the cluster has {held} volumes in it"),
            "mount the disk that holds the data; nothing is deployed onto an empty directory",
        );
    }
    if held > 0 && directory.empty.is_none() {
        return Verdict::unknown("NotReadable", format!("whether {path} holds its data cannot be read"));
    }
    match ledger.disks.get(&directory.path) {
        Some(_) => Verdict::good(format!("{path} is the recorded disk")),
        None => Verdict::good(format!("{path} is recorded at the first good deployment")),
    }
}

/// What differs between two identities, by what both know.
fn difference(recorded: &DiskIdentity, seen: &DiskIdentity) -> Option<String> {
    let differs = |a: &Option<String>, b: &Option<String>| matches!((a, b), (Some(a), Some(b)) if a != b);
    if differs(&recorded.uuid, &seen.uuid) {
        return Some(format!(
            "its file system is {}, expected {}",
            seen.uuid.as_deref().unwrap_or("unknown"),
            recorded.uuid.as_deref().unwrap_or("unknown")
        ));
    }
    if differs(&recorded.fsid, &seen.fsid) {
        return Some(format!(
            "its file system id is {}, expected {}",
            seen.fsid.as_deref().unwrap_or("unknown"),
            recorded.fsid.as_deref().unwrap_or("unknown")
        ));
    }
    match (&recorded.marker, &seen.marker) {
        (Some(expected), None) => Some(format!("the marker {expected} is missing")),
        (Some(expected), Some(found)) if expected != found => Some(format!("its marker is {found}, expected {expected}")),
        _ => None,
    }
}

/// Volumes with a path in the directory.
fn volumes_below(cluster: &ClusterView, directory: &Directory) -> usize {
    cluster
        .volumes
        .values()
        .filter(|volume| volume.path.as_ref().is_some_and(|path| std::path::Path::new(path).starts_with(&directory.path)))
        .count()
}

/// The version of the data that lies there, when it is of another release (major.minor)
/// than this version.
#[must_use]
pub fn other_release<'d>(directory: &'d Directory, version: &str) -> Option<&'d str> {
    directory.version.as_deref().filter(|found| release_of(found) != release_of(version))
}

/// Is the data that lies there of the same release (major.minor) as what is to be
/// deployed? Another release's data wants a migration, which a person decides; an
/// older release would corrupt it. `deployed`: the version that was deployed last. `None`:
/// nothing says what the data is of.
#[must_use]
pub fn version(settings: &Settings, directory: &Directory, deployed: Option<&str>) -> Option<Verdict> {
    // Before 0.5.3 Kaapana wrote no version: what was deployed onto it says it as well.
    let used = directory.empty != Some(true);
    let found = directory.version.as_deref().or(deployed.filter(|_| used))?;
    let (wanted, path) = (settings.text("platform.version"), directory.path.display());
    if release_of(found) == release_of(wanted) {
        return Some(Verdict::good(format!("the data under {path} is of version {found}")));
    }
    Some(Verdict::bad(
        "OtherRelease",
        format!("the data under {path} is of version {found}, and {wanted} is configured"),
        "data of another release wants a migration, which this agent does not do yet; set platform.version to a version of the data's release",
    ))
}

/// Can the platform write to it?
#[must_use]
pub fn writable(directory: &Directory) -> Verdict {
    let path = directory.path.display();
    if directory.read_only {
        return Verdict::bad(
            "ReadOnly",
            format!("{path} lies on {} which is mounted read-only", directory.source),
            "look at the kernel's log for errors of the disk, mend them, remount it read-write",
        );
    }
    Verdict::good(format!("{path} can be written"))
}

/// Is enough space free?
#[must_use]
pub fn space(settings: &Settings, directory: &Directory) -> (Verdict, bool) {
    let path = directory.path.display();
    if let Some(error) = &directory.error {
        return (Verdict::unknown("NotReadable", error.clone()), false);
    }
    if directory.total == 0 {
        return (Verdict::unknown("NotReadable", format!("the size of {path} is not known")), false);
    }
    let percent = directory.free * 100 / directory.total;
    let text = format!("{} of {} are free under {path} ({percent} %)", bytes(directory.free), bytes(directory.total));
    let below = |key: &str| percent < settings.integer(key).unsigned_abs();
    if below("data.critical_free_percent") {
        return (Verdict::bad("Critical", text, "free space before anything else is written there"), true);
    }
    if below("data.warn_free_percent") {
        return (Verdict::bad("Low", text, "free space soon"), false);
    }
    (Verdict::good(text), false)
}

fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    let mut rest = number;
    while rest >= 10 * 1024 && unit + 1 < UNITS.len() {
        rest /= 1024;
        unit += 1;
    }
    format!("{rest} {}", UNITS[unit])
}
