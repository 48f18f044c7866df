//! Checks of the data directories. Pure.

use super::{DATA_VERSION, List};
use crate::config::settings::Settings;
use crate::planner::interlock::{self, Verdict};
use crate::planner::step::count;
use crate::planner::{Inputs, beneath, data};
use crate::state::{Directory, Disks, Observed, Severity, Status};

/// Said of what is not known of a directory that hangs.
const UNANSWERED: &str = "the file system does not answer";

/// What was written while the disk was away. There while something is mounted.
fn shadowed(inputs: &Inputs<'_>, directory: &Directory, id: &str, list: &mut List) {
    let Some(seen) = beneath::known(&inputs.snapshot.beneath, directory) else { return };
    let (severity, point) = (Severity::Warning, directory.mount_point.display());
    match &seen.found {
        Err(error) => list.add(id, severity, Status::Unknown, "NotObserved", error.clone(), ""),
        Ok((_, 0)) => list.good(id, severity, format!("nothing lies beneath {point}")),
        Ok((names, of)) => {
            let path = directory.resolved.display();
            let more = of.saturating_sub(names.len() as u64);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let message = format!(
                "beneath {point} lies in {path}: {}{more}; it was written while the disk was away, nothing reads it, and it takes \
                 space of the file system below",
                names.join(", ")
            );
            let advice = format!(
                "mount --bind / /mnt; compare /mnt{path} with {path} before anything of it is moved or removed; umount /mnt"
            );
            list.add(id, severity, Status::False, "FilesBeneath", message, advice);
        }
    }
}

pub(super) fn disks(inputs: &Inputs<'_>, settings: &Settings, list: &mut List) {
    let observed = &inputs.snapshot.disks;
    for name in ["fast", "slow"] {
        let id = |what: &str| format!("disk.{name}.{what}");
        let Some(disks) = inputs.disks_told(settings) else {
            for what in ["mounted", "identity", "answers", "writable", "space", "inodes"] {
                match observed.fresh() {
                    // What was seen is of other settings.
                    Some(_) => list.unknown::<()>(&id(what), Severity::Critical, &Observed::Pending),
                    None => list.unknown(&id(what), Severity::Critical, observed),
                }
            }
            continue;
        };
        let directory: &Directory = if name == "fast" { &disks.fast } else { &disks.slow };
        match (interlock::apart(disks).filter(|_| name == "slow"), interlock::mounted(settings, directory)) {
            (Some(nested), Verdict { status: Status::True, .. }) => {
                // Where a platform lives with it, it would be the move that loses data.
                let lives = inputs.ledger.disks.contains_key(&disks.slow.path)
                    || inputs.snapshot.cluster.last().is_some_and(|cluster| {
                        cluster.releases.contains_key(&(settings.helm_namespace(), settings.release_name().to_owned()))
                    });
                let severity = if lives { Severity::Warning } else { Severity::Critical };
                list.verdict(&id("mounted"), severity, nested);
            }
            // Where a link led to that was never followed, nobody knows.
            (_, mounted) if directory.hung && directory.mount_point.as_os_str() == "/" && mounted.status == Status::True => {
                list.add(&id("mounted"), Severity::Critical, Status::Unknown, "NotObserved", UNANSWERED, "");
            }
            (_, mounted) => list.verdict(&id("mounted"), Severity::Critical, mounted),
        }
        if directory.hung {
            let text = directory.error.clone().unwrap_or_default();
            let advice = format!(
                "look at the kernel's log for {}; what hangs in the kernel ends only with the disk or server that it waits for",
                directory.source
            );
            list.add(&id("answers"), Severity::Critical, Status::False, "Hung", text, advice);
            for what in ["identity", "writable", "space", "inodes"] {
                list.add(&id(what), Severity::Critical, Status::Unknown, "NotObserved", UNANSWERED, "");
            }
            continue;
        }
        list.good(&id("answers"), Severity::Critical, format!("{} answers", directory.path.display()));
        let cluster = inputs.snapshot.cluster.fresh().map(AsRef::as_ref);
        list.verdict(&id("identity"), Severity::Critical, interlock::identity(inputs.ledger, directory, cluster));
        shadowed(inputs, directory, &id("shadowed"), list);
        list.verdict(&id("writable"), Severity::Critical, interlock::writable(directory));
        if name == "fast"
            && let Some((verdict, severity)) = data::verdict(settings, directory, inputs.ledger)
        {
            list.verdict(DATA_VERSION, severity, verdict);
        }
        let (verdict, critical) = interlock::space(settings, directory);
        let severity = if critical || verdict.status == Status::Unknown { Severity::Critical } else { Severity::Warning };
        list.verdict(&id("space"), severity, verdict);
        let (verdict, severity) = interlock::inodes(directory);
        list.verdict(&id("inodes"), severity, verdict);
        if let Some(verdict) = interlock::errors(directory) {
            list.verdict(&id("errors"), Severity::Warning, verdict);
        }
    }
    if let Some(disks) = inputs.disks_told(settings) {
        medium(disks, list);
        monitored(disks, settings, list);
    }
}

/// What the data lies on: worth a word, and no hindrance.
fn medium(disks: &Disks, list: &mut List) {
    let id = "disk.fast.medium";
    let path = disks.fast.path.display();
    match disks.fast.rotational {
        None => {}
        Some(false) => list.good(id, Severity::Info, format!("the disk under {path} does not turn")),
        Some(true) => {
            let message = format!("the disk under {path} turns, or says so: databases on it are slow");
            list.add(id, Severity::Info, Status::False, "Rotational", message, "move data.fast_dir to a solid-state disk");
        }
    }
    let id = "disk.separate";
    let both = [&disks.fast, &disks.slow];
    // Of some file systems the kernel names no disk.
    if both.iter().any(|directory| directory.on_root_disk.is_none()) {
        return;
    }
    let on_root: Vec<String> = both
        .into_iter()
        .filter(|directory| directory.on_root_disk == Some(true))
        .map(|directory| directory.path.display().to_string())
        .collect();
    match on_root.is_empty() {
        true => list.good(id, Severity::Info, "the data lies on other disks than the system"),
        false => {
            let message = format!(
                "on the disk of the system: {}; when it is full, MicroK8s and its database fail, too",
                on_root.join(", ")
            );
            list.add(id, Severity::Info, Status::False, "OnRootDisk", message, "move the data to disks of its own");
        }
    }
}

/// The mount points that the site wants to be looked at besides.
fn monitored(disks: &Disks, settings: &Settings, list: &mut List) {
    if disks.monitored.is_empty() {
        return;
    }
    let id = "disk.monitored";
    let bad = disks.monitored.iter().filter_map(|directory| {
        let path = directory.path.display();
        if directory.hung {
            return Some((Status::False, "Hung", format!("{path} does not answer")));
        }
        if directory.mount_point != directory.path && directory.mount_point != directory.resolved {
            return Some((Status::False, "NotMounted", format!("nothing is mounted at {path}")));
        }
        let verdicts = [interlock::writable(directory), interlock::space(settings, directory).0, interlock::inodes(directory).0];
        let bad = verdicts.into_iter().find(|verdict| verdict.status != Status::True)?;
        Some((bad.status, bad.reason, bad.message))
    });
    let mut bad: Vec<(Status, &str, String)> = bad.collect();
    bad.sort_by_key(|(status, ..)| *status != Status::False);
    let Some((status, reason, _)) = bad.first() else {
        return list.good(id, Severity::Warning, format!("{} as it should be", count(disks.monitored.len(), "mount point")));
    };
    let message = bad.iter().map(|(.., message)| message.clone()).collect::<Vec<_>>().join("; ");
    list.add(id, Severity::Warning, *status, reason, message, "mount it, or mend what is said; see data.mount_points_to_monitor");
}
