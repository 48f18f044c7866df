//! MicroK8s' files the agent needs, and the configured chart.
//!
//! These are files of others that appear and change rarely; they are looked at
//! every few seconds by `stat(2)` alone, and read only when that says so.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use sha2::{Digest as _, Sha256};

use super::{Observation, Observations, SettingsInForce, patience};
use crate::config::Settings;
use crate::config::values::hex;
use crate::paths::Paths;
use crate::state::{Chart, Observed, Tools};

/// How often it looks.
const PERIOD: Duration = Duration::from_secs(3);

/// The largest chart archive that is read, in bytes.
pub const MAX_CHART_BYTES: u64 = 256 * 1024 * 1024;

/// How long a file system may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A file that was changed less long ago may still be written.
const QUIET: Duration = Duration::from_secs(3);

/// Looks until the receiver is gone.
pub async fn run(paths: Arc<Paths>, mut settings: SettingsInForce, observations: Observations) {
    let mut ticks = tokio::time::interval(PERIOD);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut sent = None;
    let mut known: Known = None;
    let mut outstanding = None;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            // What was sent was of other settings.
            changed = settings.changed() => if changed.is_err() { return } else { sent = None },
        }
        let (of, in_force, before) = (Arc::clone(&paths), settings.borrow_and_update().clone(), known.clone());
        let looked = patience::ask(&mut outstanding, PATIENCE, move || {
            let tools = look(&of);
            (tools, in_force.map(|settings| chart(&settings, before)))
        });
        let (tools, chart) = match looked.await {
            Ok((tools, chart)) => {
                let chart = chart.and_then(|(chart, now_known)| {
                    known = now_known;
                    chart
                });
                (Observed::Fresh(tools), chart.map(Observed::Fresh))
            }
            Err(reason) => (Observed::Unknown { reason: reason.clone() }, Some(Observed::Unknown { reason })),
        };
        if sent.as_ref() == Some(&(tools.clone(), chart.clone())) {
            continue;
        }
        sent = Some((tools.clone(), chart.clone()));
        let told = async {
            observations.send(Observation::Tools(tools)).await.ok()?;
            match chart {
                Some(chart) => observations.send(Observation::Chart(chart)).await.ok(),
                None => Some(()),
            }
        };
        if told.await.is_none() {
            return;
        }
    }
}

/// One look at MicroK8s' files.
#[must_use]
pub fn look(paths: &Paths) -> Tools {
    use std::os::unix::fs::PermissionsExt as _;
    let executable =
        |path: &&PathBuf| std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0);
    let kubeconfig_error = match std::fs::File::open(&paths.kubeconfig).and_then(|file| file.metadata()) {
        Ok(file) if file.is_file() => None,
        Ok(_) => Some("is not a regular file".to_owned()),
        Err(error) => Some(format!("cannot be read: {error}")),
    };
    Tools {
        helm: paths.helm.iter().find(executable).cloned(),
        helm_candidates: paths.helm.clone(),
        kubeconfig: paths.kubeconfig.clone(),
        kubeconfig_error,
    }
}

/// What a digest was computed of.
#[derive(PartialEq, Eq, Clone)]
struct Stamp {
    path: PathBuf,
    length: u64,
    modified: Option<SystemTime>,
    inode: u64,
}

type Known = Option<(Stamp, Result<String, String>)>;

/// The chart these settings name; `None` while its archive is being written.
fn chart(settings: &Settings, known: Known) -> (Option<Chart>, Known) {
    let configured = settings.text("deployment.chart_path");
    if configured.is_empty() {
        return (
            Some(Chart::Registry {
                reference: settings.chart_reference(),
                version: settings.text("platform.version").to_owned(),
            }),
            None,
        );
    }
    let path = PathBuf::from(configured);
    match (stamp(&path), known) {
        (Err(message), _) => (Some(Chart::File { path, digest: Err(message) }), None),
        (Ok(stamp), Some((of, digest))) if of == stamp => {
            (Some(Chart::File { path, digest: digest.clone() }), Some((of, digest)))
        }
        (Ok(stamp), known) => {
            let age = stamp.modified.and_then(|at| SystemTime::now().duration_since(at).ok());
            if age.is_some_and(|age| age < QUIET) {
                return (None, known);
            }
            let digest = digest_of(&path).map_err(|error| format!("cannot be read: {error}"));
            (Some(Chart::File { path, digest: digest.clone() }), Some((stamp, digest)))
        }
    }
}

fn stamp(path: &Path) -> Result<Stamp, String> {
    use std::os::unix::fs::MetadataExt as _;
    let file = std::fs::metadata(path).map_err(|error| {
        let hidden = ["/tmp", "/var/tmp"].iter().any(|private| path.starts_with(private));
        let hint = if hidden { "; the agent does not see the /tmp of others, use another directory" } else { "" };
        format!("cannot be read: {error}{hint}")
    })?;
    if !file.is_file() {
        return Err("is not a regular file".into());
    }
    if file.len() > MAX_CHART_BYTES {
        return Err(format!("is {} bytes, expected at most {MAX_CHART_BYTES}", file.len()));
    }
    Ok(Stamp { path: path.to_path_buf(), length: file.len(), modified: file.modified().ok(), inode: file.ino() })
}

/// SHA-256 of a file, hexadecimal.
///
/// # Errors
///
/// When it cannot be read.
pub fn digest_of(path: &Path) -> std::io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0_u8; 64 * 1024];
    loop {
        match std::io::Read::read(&mut file, &mut buffer)? {
            0 => return Ok(hex(&hasher.finalize())),
            count => hasher.update(&buffer[..count]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_files_are_said_by_name() {
        let root = tempfile::tempdir().unwrap();
        let tools = look(&Paths::below(root.path()));
        assert_eq!(tools.helm, None);
        assert!(tools.kubeconfig_error.is_some());
    }

    #[test]
    fn helm_must_be_executable() {
        use std::os::unix::fs::PermissionsExt as _;
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::below(root.path());
        std::fs::create_dir_all(paths.helm[0].parent().unwrap()).unwrap();
        std::fs::write(&paths.helm[0], "").unwrap();
        assert_eq!(look(&paths).helm, None);
        std::fs::set_permissions(&paths.helm[0], std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(look(&paths).helm.as_ref(), Some(&paths.helm[0]));
    }
}
