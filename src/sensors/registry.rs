//! Would the registry give the configured chart? Asked now and then while no job works, so that a
//! login that has ended or a registry that is down is known before the next deployment needs it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::{Observation, Observations, SettingsInForce};
use crate::command::Redactor;
use crate::config::Settings;
use crate::error::chain;
use crate::registry::{Registry, RegistryError};
use crate::state::{Observed, RegistryState};

/// How often it is asked while it gives the chart.
const PERIOD: Duration = Duration::from_secs(600);

/// How often while it does not.
const PERIOD_FAILED: Duration = Duration::from_secs(30);

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Asks while there is something to ask for, until the receiver is gone. A login that was refused
/// is not tried again: accounts are locked after some tries.
pub async fn run(mut wanted: SettingsInForce, observations: Observations) {
    loop {
        let asked = wanted.borrow_and_update().clone();
        let (seen, again) = match &asked {
            None => (Observed::Unknown { reason: "no chart of a registry is wanted".into() }, None),
            Some(settings) => {
                let (state, again) = look(settings).await;
                (Observed::Fresh(state), again)
            }
        };
        if observations.send(Observation::Registry(seen)).await.is_err() {
            return;
        }
        if changed(&mut wanted, again).await.is_err() {
            return;
        }
    }
}

/// Waits until something else is wanted, or this time has passed.
async fn changed(wanted: &mut SettingsInForce, again: Option<Duration>) -> Result<(), watch::error::RecvError> {
    match again {
        Some(period) => tokio::time::timeout(period, wanted.changed()).await.unwrap_or(Ok(())),
        None => wanted.changed().await,
    }
}

/// One look, and when to look again.
async fn look(settings: &Arc<Settings>) -> (RegistryState, Option<Duration>) {
    let version = settings.text("platform.version").to_owned();
    let chart = format!("{}:{version}", settings.chart_reference());
    let of = Arc::clone(settings);
    let asking = async {
        // Reading the authority's file and the system's certificates may block.
        let registry = tokio::task::spawn_blocking(move || Registry::new(&of)).await;
        match registry {
            Ok(registry) => registry?.find(&version).await.map(|offer| offer.digest().to_owned()),
            Err(error) => Err(RegistryError::Disk(std::io::Error::other(error))),
        }
    };
    let problem = match tokio::time::timeout(PATIENCE, asking).await {
        Ok(Ok(_)) => return (RegistryState { chart, problem: None }, Some(PERIOD)),
        Ok(Err(error)) => {
            let again = (!matches!(error, RegistryError::LoginRefused { .. })).then_some(PERIOD_FAILED);
            (error.reason().to_owned(), Redactor::new(settings.secrets()).redact(&chain(&error)), again)
        }
        Err(_) => {
            let message = format!("the registry did not answer within {} s", PATIENCE.as_secs());
            ("RegistryNotReachable".to_owned(), message, Some(PERIOD_FAILED))
        }
    };
    let (reason, message, again) = problem;
    (RegistryState { chart, problem: Some((reason, message)) }, again)
}
