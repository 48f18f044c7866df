//! Would the registry give the configured chart? Asked now and then while no job works, so that a
//! login that has ended or a registry that is down is known before the next deployment needs it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Observation, Observations, SettingsInForce, patience};
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

/// How often while the login is refused: accounts are locked after some tries in a row.
const PERIOD_REFUSED: Duration = Duration::from_secs(6 * 3600);

/// A client, and the settings it was made of.
type Made = (Result<Registry, RegistryError>, Arc<Settings>);

/// Asks while there is something to ask for, until the receiver is gone.
pub async fn run(mut wanted: SettingsInForce, observations: Observations) {
    let mut outstanding: Option<JoinHandle<Made>> = None;
    loop {
        let asked = wanted.borrow_and_update().clone();
        let (seen, again) = match &asked {
            None => (Observed::Unknown { reason: "no chart of a registry is wanted".into() }, None),
            Some(settings) => {
                // Reading the authority's file and the system's certificates may hang.
                let of = Arc::clone(settings);
                let made = patience::ask(&mut outstanding, PATIENCE, move || (Registry::new(&of), of)).await;
                let problem = match made {
                    // A late answer may be that for the settings of before.
                    Ok((_, of)) if of != *settings => continue,
                    Ok((Ok(registry), _)) => look(&registry, settings).await,
                    Ok((Err(error), _)) => Some((error.reason().to_owned(), redacted(settings, &error), PERIOD_FAILED)),
                    Err(reason) => {
                        let message = format!("the file of registry.ca_file or the system's certificates: {reason}");
                        Some(("RegistryCaFile".to_owned(), message, PERIOD_FAILED))
                    }
                };
                let chart = format!("{}:{}", settings.chart_reference(), settings.text("platform.version"));
                let again = problem.as_ref().map_or(PERIOD, |(.., again)| *again);
                let problem = problem.map(|(reason, message, _)| (reason, message));
                (Observed::Fresh(RegistryState { chart, problem }), Some(again))
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

/// One look: why the chart would not be given, and when to ask again.
async fn look(registry: &Registry, settings: &Settings) -> Option<(String, String, Duration)> {
    match tokio::time::timeout(PATIENCE, registry.find(settings.text("platform.version"))).await {
        Ok(Ok(_)) => None,
        Ok(Err(error)) => {
            let refused = matches!(error, RegistryError::LoginRefused { .. });
            let again = if refused { PERIOD_REFUSED } else { PERIOD_FAILED };
            Some((error.reason().to_owned(), redacted(settings, &error), again))
        }
        Err(_) => {
            let message = format!("the registry did not answer within {} s", PATIENCE.as_secs());
            Some(("RegistryNotReachable".to_owned(), message, PERIOD_FAILED))
        }
    }
}

fn redacted(settings: &Settings, error: &RegistryError) -> String {
    Redactor::new(settings.secrets()).redact(&chain(error))
}
