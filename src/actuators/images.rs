//! The images a chart names: are they there, and pull them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::ActionError;
use super::archive::whole_name;
use crate::config::Settings;
use crate::error::chain;
use crate::job_step::{IMPORT_LIMIT, Order};
use crate::ledger::{Cause, ImageArchive, Job};
use crate::paths::Paths;
use crate::runtime::{Credentials, Runtime, RuntimeError};

/// How long one image may take. Kaapana's largest have some ten gigabytes.
pub const PULL_LIMIT: Duration = Duration::from_secs(3600);

/// Which of these images the runtime does not have.
///
/// # Errors
///
/// When the runtime does not say.
pub async fn missing(paths: &Paths, images: &[String]) -> Result<Vec<String>, ActionError> {
    if images.is_empty() {
        return Ok(Vec::new());
    }
    let looking = async {
        let runtime = Runtime::connect(&paths.runtime).await?;
        let mut missing = Vec::new();
        for image in images {
            if !runtime.has(image).await? {
                missing.push(image.clone());
            }
        }
        Ok::<_, RuntimeError>(missing)
    };
    looking.await.map_err(|fault| ActionError::node("RuntimeNotReachable", &fault))
}

/// The archive the missing images are to be imported from; `None`: none is configured, or it
/// was imported already.
///
/// # Errors
///
/// When the archive is not whole, is something else, or has none of them: told before anything
/// is imported.
pub async fn import_from(job: &Job, missing: &[String]) -> Result<Option<PathBuf>, ActionError> {
    let archive = PathBuf::from(job.settings.text("deployment.images_tar"));
    if missing.is_empty() || job.imported || archive.as_os_str().is_empty() {
        return Ok(None);
    }
    let fault = |reason, what: String| ActionError {
        reason,
        message: format!("{} {what}", archive.display()),
        tail: Vec::new(),
        cause: Cause::Images,
    };
    let of = archive.clone();
    let found = tokio::task::spawn_blocking(move || super::archive::images(&of))
        .await
        .unwrap_or_else(|error| Err(error.to_string()))
        .map_err(|what| fault("ImagesArchiveInvalid", what))?;
    let absent: Vec<&str> = missing.iter().filter(|image| !found.contains(&whole_name(image))).map(String::as_str).collect();
    let offline = job.settings.flag("deployment.offline");
    if absent.len() == missing.len() || (offline && !absent.is_empty()) {
        let few = absent.iter().take(5).copied().collect::<Vec<_>>().join(", ");
        let more = if absent.len() > 5 { format!(" and {} more", absent.len() - 5) } else { String::new() };
        let what = format!("has {} images, and not these, which are not on this machine either: {few}{more}", found.len());
        return Err(fault("ImagesMissing", what));
    }
    Ok(Some(archive))
}

/// Looks which images an archive has, before anything of it is imported.
///
/// # Errors
///
/// When it is not whole, is something else, or has no image with a name.
pub async fn look_into(archive: PathBuf) -> Result<ImageArchive, ActionError> {
    let of = archive.clone();
    let looking = move || {
        let images = super::archive::images(&of)?;
        let bytes = std::fs::metadata(&of).map_err(|error| format!("cannot be read: {error}"))?.len();
        Ok((images, bytes))
    };
    let found: Result<_, String> = tokio::task::spawn_blocking(looking).await.unwrap_or_else(|error| Err(error.to_string()));
    let invalid = |what: String| ActionError {
        cause: Cause::Images,
        ..ActionError::configuration("ImagesArchiveInvalid", format!("{} {what}", archive.display()))
    };
    let (images, bytes) = found.map_err(invalid)?;
    if images.is_empty() {
        return Err(invalid("has no image with a name".into()));
    }
    Ok(ImageArchive { path: archive, images: images.into_iter().collect(), bytes, missing: None })
}

/// The order to import an archive. It is opened before the program starts, and compared with its
/// digests.
#[must_use]
pub fn import_order(paths: &Paths, archive: &Path) -> Order {
    let program = paths.ctr.iter().find(|path| path.is_file()).or(paths.ctr.first()).cloned().unwrap_or_default();
    let socket = paths.runtime.display().to_string();
    let words = ["--address", &socket, "--namespace", "k8s.io", "images", "import", "-"];
    Order {
        program,
        arguments: words.map(str::to_owned).to_vec(),
        chart: None,
        input: None,
        stream: Some(archive.to_path_buf()),
        verify: true,
        environment: Vec::new(),
        home: paths.helm_home(),
        limit_seconds: IMPORT_LIMIT.as_secs(),
    }
}

/// Pulls an image with the registry's credentials.
///
/// # Errors
///
/// When it cannot be pulled.
pub async fn pull(paths: &Paths, settings: &Settings, image: &str) -> Result<(), ActionError> {
    let runtime = Runtime::connect(&paths.runtime).await.map_err(|fault| ActionError::node("RuntimeNotReachable", &fault))?;
    runtime.pull(image, credentials(settings, image), PULL_LIMIT).await.map_err(|fault| ActionError {
        reason: "ImageNotPulled",
        message: format!("{image} cannot be pulled: {}", chain(&fault)),
        tail: Vec::new(),
        cause: Cause::Registry,
    })
}

/// The registry's credentials, for images of that registry alone.
fn credentials(settings: &Settings, image: &str) -> Option<Credentials> {
    let (registry, username) = (settings.text("registry.url"), settings.text("registry.username"));
    let ours = image.strip_prefix(registry).is_some_and(|rest| rest.starts_with('/'));
    (ours && !username.is_empty())
        .then(|| Credentials { username: username.to_owned(), password: settings.text("registry.password").to_owned() })
}
