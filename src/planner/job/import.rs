//! An archive of images is looked into and imported; nothing that runs is touched. Pure.

use super::{act, few};
use crate::ledger::{Cause, Job};
use crate::planner::{Plan, Step, step::count};

/// Looks into the archive, imports it, and says what is there then.
pub(super) fn next(job: &Job) -> Plan {
    let Some(archive) = &job.archive else {
        return act(job, "nothing to import", Step::fail("Internal", "no archive is named", Cause::Images));
    };
    let path = archive.path.display();
    if archive.images.is_empty() {
        return act(job, format!("looking into {path}"), Step::CheckArchive { archive: archive.path.clone() });
    }
    let images = count(archive.images.len(), "image");
    match &archive.missing {
        _ if !job.imported => {}
        None => return act(job, "looking for the images", Step::CheckImages { images: archive.images.clone() }),
        Some(missing) if missing.is_empty() => {
            return act(job, "the images are there", Step::done(format!("{images} of {path} are in the container runtime")));
        }
        // Such as those of an archive that names them without their registry.
        Some(missing) => {
            let message = format!(
                "{path} was imported, and the container runtime does not have {} of its {images} under their names: {}",
                missing.len(),
                few(missing)
            );
            return act(job, "images are missing", Step::fail("ImagesNotThere", message, Cause::Images));
        }
    }
    act(job, format!("importing {images} from {path}"), Step::ImportImages { archive: archive.path.clone() })
}
