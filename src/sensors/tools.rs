//! MicroK8s' files the agent needs, and the configured chart.
//!
//! These are files of others that appear and change rarely; they are looked at
//! every few seconds by `stat(2)` alone, and read only when that says so.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use sha2::{Digest as _, Sha256};

use super::{Observation, Observations, SettingsInForce};
use crate::config::Settings;
use crate::config::values::hex;
use crate::paths::Paths;
use crate::state::{Chart, Observed, Tools};

/// How often it looks.
const PERIOD: Duration = Duration::from_secs(3);

/// The largest chart archive that is read, in bytes.
pub const MAX_CHART_BYTES: u64 = 256 * 1024 * 1024;

/// Looks until the receiver is gone.
pub async fn run(paths: Arc<Paths>, mut settings: SettingsInForce, observations: Observations) {
    let mut ticks = tokio::time::interval(PERIOD);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut sent_tools = None;
    let mut sent_chart = None;
    let mut known = None;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            changed = settings.changed() => if changed.is_err() { return },
        }
        let tools = look(&paths);
        if sent_tools.as_ref() != Some(&tools) {
            sent_tools = Some(tools.clone());
            if observations.send(Observation::Tools(Observed::Fresh(tools))).await.is_err() {
                return;
            }
        }
        let in_force = settings.borrow_and_update().clone();
        let Some(in_force) = in_force else { continue };
        let chart = chart(&in_force, &mut known).await;
        if sent_chart.as_ref() != Some(&chart) {
            sent_chart = Some(chart.clone());
            if observations.send(Observation::Chart(Observed::Fresh(chart))).await.is_err() {
                return;
            }
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

/// The chart these settings name.
async fn chart(settings: &Settings, known: &mut Known) -> Chart {
    let configured = settings.text("deployment.chart_path");
    if configured.is_empty() {
        return Chart::Registry {
            reference: format!("oci://{}/{}", settings.text("registry.url"), settings.release_name()),
            version: settings.text("platform.version").to_owned(),
        };
    }
    let path = PathBuf::from(configured);
    let digest = match stamp(&path) {
        Err(message) => {
            *known = None;
            Err(message)
        }
        Ok(stamp) => match known {
            Some((of, digest)) if *of == stamp => digest.clone(),
            _ => {
                let file = path.clone();
                let digest = tokio::task::spawn_blocking(move || digest_of(&file))
                    .await
                    .unwrap_or_else(|error| Err(std::io::Error::other(error)))
                    .map_err(|error| format!("cannot be read: {error}"));
                *known = Some((stamp, digest.clone()));
                digest
            }
        },
    };
    Chart::File { path, digest }
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
