//! How far an import of images is: how much of the archive was read, and which images the
//! container runtime has. Looked at while an import runs.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::{Observation, Observations};
use crate::job_step::PROGRESS_FILE;
use crate::paths::Paths;
use crate::runtime::Runtime;
use crate::state::{ImportProgress, Observed, StepProgress};

/// How often it is looked at.
const PERIOD: Duration = Duration::from_secs(2);

/// Which import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportQuestion {
    /// The folder of its step.
    pub folder: PathBuf,
    /// The images that are to be there.
    pub images: Vec<String>,
}

/// Looks while there is a question, until the receiver is gone.
pub async fn run(paths: Arc<Paths>, mut question: watch::Receiver<Option<ImportQuestion>>, observations: Observations) {
    let mut known: Option<ImportQuestion> = None;
    let mut missing = Vec::new();
    loop {
        let asked = question.borrow_and_update().clone();
        if known != asked {
            missing = asked.as_ref().map(|question| question.images.clone()).unwrap_or_default();
            known.clone_from(&asked);
        }
        let seen = match &asked {
            Some(question) => {
                missing = still_missing(&paths, missing).await;
                Observed::Fresh(look(question, &missing).await)
            }
            None => Observed::Unknown { reason: "nothing is imported".into() },
        };
        if observations.send(Observation::Import(seen)).await.is_err() {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(PERIOD), if asked.is_some() => {} // ok: a period, not a test
            changed = question.changed() => if changed.is_err() { return },
        }
    }
}

async fn look(question: &ImportQuestion, missing: &[String]) -> ImportProgress {
    let read = tokio::fs::read(question.folder.join(PROGRESS_FILE)).await.unwrap_or_default();
    let StepProgress { bytes, total } = serde_json::from_slice(&read).unwrap_or_default();
    let of = question.images.len();
    ImportProgress { bytes, total, images: of.saturating_sub(missing.len()), of }
}

/// Those of them that the runtime does not have; all, while it does not say.
async fn still_missing(paths: &Paths, images: Vec<String>) -> Vec<String> {
    let Ok(runtime) = Runtime::connect(&paths.runtime).await else { return images };
    let mut missing = Vec::new();
    for image in images {
        if !runtime.has(&image).await.unwrap_or(false) {
            missing.push(image);
        }
    }
    missing
}
