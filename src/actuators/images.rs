//! The images a chart names: are they there, and pull them.

use std::time::Duration;

use super::ActionError;
use crate::config::Settings;
use crate::error::chain;
use crate::ledger::Cause;
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
