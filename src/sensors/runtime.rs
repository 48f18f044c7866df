//! The container runtime: does it answer, and is it ready?
//!
//! Its unit may be active and the runtime hang all the same; Kubernetes says so after a minute.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::{Observation, Observations};
use crate::error::chain;
use crate::paths::Paths;
use crate::runtime::{Runtime, RuntimeError};
use crate::state::{Observed, RuntimeState};

/// How often it is asked while it is ready.
const PERIOD: Duration = Duration::from_secs(15);

/// How often while it is not.
const PERIOD_WAITING: Duration = Duration::from_secs(2);

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks until the receiver is gone.
pub async fn run(paths: Arc<Paths>, observations: Observations) {
    loop {
        let seen = tokio::time::timeout(PATIENCE, look(&paths.runtime)).await.unwrap_or_else(|_| {
            Observed::Fresh(RuntimeState::NotAnswering { message: format!("no answer within {} s", PATIENCE.as_secs()) })
        });
        let period = if seen.fresh() == Some(&RuntimeState::Ready) { PERIOD } else { PERIOD_WAITING };
        if observations.send(Observation::Runtime(seen)).await.is_err() {
            return;
        }
        tokio::time::sleep(period).await; // ok: a period, not a test
    }
}

/// One look.
pub async fn look(socket: &Path) -> Observed<RuntimeState> {
    let asked = async { Runtime::connect(socket).await?.unready(PATIENCE).await };
    match asked.await {
        Ok(unready) if unready.is_empty() => Observed::Fresh(RuntimeState::Ready),
        Ok(unready) => Observed::Fresh(RuntimeState::NotReady {
            message: unready
                .iter()
                .map(|[kind, reason, message]| format!("{kind}: {reason} {message}"))
                .collect::<Vec<_>>()
                .join("; "),
        }),
        Err(error @ RuntimeError::TooOld) => Observed::Fresh(RuntimeState::NotReady { message: error.to_string() }),
        Err(error) => {
            let message = chain(&error);
            // Whoever looks may not ask, which says nothing of the runtime.
            if message.contains("Permission denied") || message.contains("Operation not permitted") {
                return Observed::Unknown { reason: message };
            }
            Observed::Fresh(RuntimeState::NotAnswering { message })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_runtime_that_is_not_there_does_not_answer() {
        let folder = tempfile::tempdir().unwrap();
        let seen = look(&folder.path().join("none.sock")).await;
        let Observed::Fresh(RuntimeState::NotAnswering { message }) = seen else { panic!("{seen:?}") };
        assert!(message.contains("none.sock") && message.contains("No such file"), "{message}");
    }
}
