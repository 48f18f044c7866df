//! The rules that keep a platform off the wrong disk, pure.
//!
//! An unmounted data disk looks like an empty directory, and an empty directory
//! like a fresh installation; a platform started there writes new, empty
//! databases beside the patients' data. So a data directory whose disk is not
//! shown to be the expected one holds every deployment.

use crate::config::settings::{Auto, Settings};
use crate::ledger::{Ledger, Stage};
use crate::state::{ClusterView, Directory, DiskIdentity, Disks, Severity, Status};

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
    pub(super) fn good(message: impl Into<String>) -> Self {
        Self { status: Status::True, reason: "Good", message: message.into(), advice: String::new() }
    }

    pub(super) fn bad(reason: &'static str, message: impl Into<String>, advice: impl Into<String>) -> Self {
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

/// Do the two data directories lie apart, or are they the same, with links followed?
#[must_use]
pub fn apart(disks: &Disks) -> Option<Verdict> {
    let (fast, slow) = (&disks.fast, &disks.slow);
    let nested = fast.resolved.starts_with(&slow.resolved) || slow.resolved.starts_with(&fast.resolved);
    (nested && fast.resolved != slow.resolved).then(|| {
        let of = |directory: &Directory| format!("{} is {}", directory.path.display(), directory.resolved.display());
        Verdict::bad(
            "Nested",
            format!("one data directory lies in the other: {}, {}", of(fast), of(slow)),
            "for a new platform use the same directory for both, or directories that lie apart",
        )
    })
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

/// Can the platform write to it?
#[must_use]
pub fn writable(directory: &Directory) -> Verdict {
    let path = directory.path.display();
    if let Some(error) = directory.error.as_ref().filter(|_| !directory.exists) {
        return Verdict::unknown("NotReadable", error.clone());
    }
    if !directory.exists {
        return Verdict::bad(
            "Missing",
            format!("the directory {path} does not exist"),
            format!("mkdir -p {path}, or correct the key of [data]; it is not made, since a wrong name would be a new disk"),
        );
    }
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
    // A rate of 0 is none.
    let hours = directory.free.checked_div(directory.filling);
    if let Some(hours) = hours.filter(|hours| *hours < FULL_SOON) {
        let text = format!("{text}; at the rate of the last hour it is full in {hours} h");
        return (Verdict::bad("FillsUp", text, "find what writes that much: du -x --time"), false);
    }
    (Verdict::good(text), false)
}

/// A file system that is full in so many hours is worth a warning now.
const FULL_SOON: u64 = 24;

/// Less than this share of the inodes, in percent, is few.
const INODES_PERCENT: u128 = 5;

/// Fewer are as good as none: a deployment alone makes more files.
const NO_INODES: u64 = 1_000;

/// Can enough further files be made? With the severity of what is said.
#[must_use]
pub fn inodes(directory: &Directory) -> (Verdict, Severity) {
    let path = directory.path.display();
    if let Some(error) = &directory.error {
        return (Verdict::unknown("NotReadable", error.clone()), Severity::Critical);
    }
    let Some((total, free)) = directory.inodes else {
        return (Verdict::good(format!("{path} knows no limit of files")), Severity::Critical);
    };
    let text = format!("{free} of {total} inodes are free under {path}");
    let advice = "find what makes so many files: du --inodes -x; delete what nobody needs";
    // Some file systems of the network say that nearly all numbers are free.
    match (free, u128::from(free) * 100 / u128::from(total.max(1))) {
        (..NO_INODES, _) => (Verdict::bad("None", text, advice), Severity::Critical),
        (_, percent) if percent < INODES_PERCENT => (Verdict::bad("Few", text, advice), Severity::Warning),
        _ => (Verdict::good(text), Severity::Critical),
    }
}

/// Has the file system met errors? `None`: it does not count them.
#[must_use]
pub fn errors(directory: &Directory) -> Option<Verdict> {
    let path = directory.path.display();
    Some(match directory.fs_errors? {
        0 => Verdict::good(format!("{path} has met no errors")),
        errors => Verdict::bad(
            "Errors",
            format!("the file system of {path} on {} has met {errors} errors", directory.source),
            "make a backup; look at the kernel's log and at the disk (smartctl -a); check it while it is not mounted (fsck)",
        ),
    })
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
