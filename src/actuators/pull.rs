//! A chart from the registry. What was pulled is kept by digest, so that the same
//! archive is not fetched twice.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::ActionError;
use crate::command::Redactor;
use crate::config::Settings;
use crate::error::chain;
use crate::ledger::Cause;
use crate::paths::Paths;
use crate::registry::{Offer, Registry, RegistryError};
use crate::sensors::tools::digest_of;

/// How long all of it may take.
const LIMIT: Duration = Duration::from_secs(300);

/// How many archives are kept.
const KEPT: usize = 5;

/// Puts the configured chart in `version` into `file`.
///
/// # Errors
///
/// When the registry does not give it, or the disk does not take it.
pub async fn chart(
    paths: &Paths,
    settings: &Settings,
    version: &str,
    file: &Path,
    redactor: &Redactor,
) -> Result<(), ActionError> {
    let failed = |error: &RegistryError| ActionError {
        reason: error.reason(),
        message: redactor.redact(&chain(error)),
        tail: Vec::new(),
        cause: match error {
            RegistryError::Disk(_) => Cause::Interrupted,
            _ if error.is_final() => Cause::Configuration,
            _ => Cause::Registry,
        },
    };
    let pulling = async {
        let of = settings.clone();
        let registry = tokio::task::spawn_blocking(move || Registry::new(&of))
            .await
            .map_err(|error| ActionError::node("RegistryFailed", &error))?
            .map_err(|error| failed(&error))?;
        let offer = registry.find(version).await.map_err(|error| failed(&error))?;
        let kept = match in_cache(paths, &offer).await {
            Some(kept) => kept,
            None => {
                let kept = cached(paths, &offer);
                let new = kept.with_extension("new");
                super::helm::make_folder(&paths.charts()).map_err(|error| ActionError::node("CacheNotWritable", &error))?;
                registry.fetch(&offer, &new).await.map_err(|error| failed(&error))?;
                tokio::fs::rename(&new, &kept).await.map_err(|error| ActionError::node("CacheNotWritable", &error))?;
                tracing::info!(digest = offer.digest(), "the chart {version} was pulled: sha256 {}", offer.digest());
                kept
            }
        };
        super::helm::copy_chart(&kept, file).await?;
        let folder = paths.charts();
        tokio::task::spawn_blocking(move || forget_old(&folder));
        Ok(())
    };
    tokio::time::timeout(LIMIT, pulling).await.unwrap_or_else(|_| {
        Err(ActionError {
            reason: "RegistryNotReachable",
            message: format!("the registry did not give the chart within {} s", LIMIT.as_secs()),
            tail: Vec::new(),
            cause: Cause::Registry,
        })
    })
}

fn cached(paths: &Paths, offer: &Offer) -> PathBuf {
    paths.charts().join(format!("{}.tgz", offer.digest()))
}

/// The archive, when it is there and is still what it was.
async fn in_cache(paths: &Paths, offer: &Offer) -> Option<PathBuf> {
    let kept = cached(paths, offer);
    let of = kept.clone();
    let digest = tokio::task::spawn_blocking(move || digest_of(&of)).await.ok()?.ok()?;
    (digest == offer.digest()).then(|| {
        // The time of its last use decides what is forgotten.
        std::fs::File::open(&kept).and_then(|file| file.set_modified(SystemTime::now())).ok();
        kept
    })
}

/// Removes all but the archives used last. One that cannot be removed only takes space.
fn forget_old(folder: &Path) {
    let Ok(listing) = std::fs::read_dir(folder) else { return };
    let mut files: Vec<(SystemTime, PathBuf)> =
        listing.flatten().filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path()))).collect();
    files.sort_by_key(|(used, _)| std::cmp::Reverse(*used));
    for (_, path) in files.into_iter().skip(KEPT) {
        std::fs::remove_file(path).ok();
    }
}
