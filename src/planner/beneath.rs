//! What a data directory hides: files that were written beneath its mount point while the disk
//! was away. Nothing reads them, and whoever wrote them believes that they are there. Pure.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};

use super::{Inputs, Step};
use crate::state::{Beneath, Directory};

/// After this it is looked at again while something lies there.
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

fn due_at(known: &Beneath) -> Option<Timestamp> {
    let lies = known.found.as_ref().is_ok_and(|(_, count)| *count > 0);
    lies.then(|| known.at + AGAIN)
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
