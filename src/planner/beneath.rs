//! What a data directory hides: files that were written beneath its mount point while the disk
//! was away. Nothing reads them, and whoever wrote them believes that they are there. Pure.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};

use super::{Inputs, Step};
use crate::state::{Beneath, Directory, Disks};

/// After this it is looked at again while something lies there, or nobody could tell.
const AGAIN: SignedDuration = SignedDuration::from_mins(10);

/// The directories behind a mount point of their own, or of a parent.
fn mounted<'i>(inputs: &'i Inputs<'_>) -> impl Iterator<Item = (&'i Directory, u64)> {
    let disks = inputs.snapshot.disks.fresh();
    let all = disks.map(|disks| [&disks.fast, &disks.slow]).into_iter().flatten();
    let is_mounted = |directory: &&Directory| {
        !directory.hung && directory.exists && directory.mount_point != Path::new("/") && directory.mount_point.is_absolute()
    };
    all.filter(is_mounted).filter_map(|directory| Some((directory, directory.mount_id?)))
}

/// What is known of a directory as it is mounted now.
#[must_use]
pub fn known<'i>(all: &'i BTreeMap<std::path::PathBuf, Beneath>, directory: &Directory) -> Option<&'i Beneath> {
    all.get(&directory.path).filter(|known| Some(known.mount_id) == directory.mount_id)
}

/// What was known of mounts that are gone counts no more: the kernel uses their numbers again.
pub fn forget(all: &mut BTreeMap<std::path::PathBuf, Beneath>, disks: &Disks) {
    all.retain(|path, known| {
        [&disks.fast, &disks.slow].iter().all(|seen| seen.path != *path || seen.mount_id == Some(known.mount_id))
    });
}

fn due_at(known: &Beneath) -> Option<Timestamp> {
    // Where nothing lies, nothing can come while the disk is there.
    let again = known.found.as_ref().map_or(true, |(_, count)| *count > 0);
    again.then(|| known.at + AGAIN)
}

/// The next directory to look beneath: one that was mounted since, or beneath which something lay.
#[must_use]
pub fn next(inputs: &Inputs<'_>) -> Option<Step> {
    let is_due = |directory: &Directory| match known(&inputs.snapshot.beneath, directory) {
        None => true,
        Some(known) => due_at(known).is_some_and(|at| at <= inputs.now),
    };
    mounted(inputs).find(|(directory, _)| is_due(directory)).map(|(directory, mount_id)| Step::LookBeneath {
        path: directory.path.clone(),
        resolved: directory.resolved.clone(),
        mount_point: directory.mount_point.clone(),
        mount_id,
    })
}

/// When one is to be looked at again.
#[must_use]
pub fn again_at(inputs: &Inputs<'_>) -> Option<Timestamp> {
    mounted(inputs).filter_map(|(directory, _)| due_at(known(&inputs.snapshot.beneath, directory)?)).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_below_a_mount_that_is_gone_counts_no_more() {
        let directory = |path: &str, mount_id| Directory { mount_id, ..Directory::unseen(path.into()) };
        let seen = |mount_id| Beneath { mount_id, at: Timestamp::UNIX_EPOCH, found: Ok((Vec::new(), 0)) };
        let mut all = BTreeMap::from([("/fast".into(), seen(7)), ("/slow".into(), seen(8))]);
        let mut disks = Disks { fast: directory("/fast", Some(7)), slow: directory("/slow", Some(8)), monitored: Vec::new() };
        forget(&mut all, &disks);
        assert_eq!(all.len(), 2);
        disks.slow.mount_id = Some(1);
        forget(&mut all, &disks);
        assert_eq!(all.keys().collect::<Vec<_>>(), [Path::new("/fast")], "also when the number is used again later");
    }

    #[test]
    fn nothing_is_looked_at_again_only_while_nothing_lies_there() {
        let of = |found| due_at(&Beneath { mount_id: 7, at: Timestamp::UNIX_EPOCH, found });
        assert_eq!(of(Ok((Vec::new(), 0))), None);
        assert!(of(Ok((vec!["a".into()], 1))).is_some() && of(Err("late".into())).is_some());
    }
}
