//! systemd units: those of MicroK8s, and the transient unit of the running step.
//!
//! systemd announces every change of a unit by `PropertiesChanged`; the state is
//! then read again, so that a lost signal is mended by the next one.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::watch;
use zbus::{Connection, MatchRule, MessageStream, message};

use super::{Observation, Observations};
use crate::planner::preflight::UNITS;
use crate::state::{Observed, StepResult, StepState, StepUnit, UnitState};
use crate::systemd::{PROPERTIES, SystemdProxy, UNITS as UNIT_PATHS, UnitProxy, is_no_such_unit, unit_path};

/// The step that is watched: its unit and the folder with its result.
pub type WatchedStep = watch::Receiver<Option<(String, PathBuf)>>;

/// File in a step's folder that says how it ended.
pub const RESULT_FILE: &str = "result.json";

/// Wait before it is tried again after systemd did not answer.
const RETRY: Duration = Duration::from_secs(2);

/// Looks until the receiver is gone or the bus is lost.
pub async fn run(connection: Connection, mut step: WatchedStep, observations: Observations) {
    while !observations.is_closed() {
        match watch_units(&connection, &mut step, &observations).await {
            Ok(()) => return,
            Err(zbus::Error::InputOutput(error)) => {
                return send(&observations, Observation::BusLost(format!("the system bus is lost: {error}"))).await;
            }
            // systemd is being replaced or started again.
            Err(error) => {
                let reason = format!("systemd: {error}");
                send(&observations, Observation::Services(Observed::Unknown { reason })).await;
                tokio::time::sleep(RETRY).await; // ok: a pause between tries, not a test
            }
        }
    }
}

async fn watch_units(connection: &Connection, step: &mut WatchedStep, observations: &Observations) -> zbus::Result<()> {
    let manager = SystemdProxy::new(connection).await?;
    // A connection of its own for signals: one whose signals are not fetched, while
    // an answer is awaited, receives nothing at all once its queue is full.
    let of_signals = Connection::system().await?;
    let rule = MatchRule::builder()
        .msg_type(message::Type::Signal)
        .sender("org.freedesktop.systemd1")
        .interface(PROPERTIES)
        .member("PropertiesChanged")
        .path_namespace(UNIT_PATHS)
        .build()?;
    let mut signals = MessageStream::for_match_rule(rule, &of_signals, NonZeroUsize::new(256)).await?;
    match SystemdProxy::new(&of_signals).await?.subscribe().await {
        Err(zbus::Error::MethodError(name, ..)) if name.ends_with("AlreadySubscribed") => {}
        other => other?,
    }
    let mut known: BTreeMap<String, UnitState> = BTreeMap::new();
    for name in UNITS {
        known.insert(name.to_owned(), unit_state(connection, &manager, name).await?);
    }
    let of_path: BTreeMap<String, &str> = UNITS.iter().map(|name| (unit_path(name), *name)).collect();
    send(observations, Observation::Services(Observed::Fresh(known.clone()))).await;
    loop {
        let watched = step.borrow_and_update().clone();
        if let Some((unit, folder)) = &watched {
            let seen = step_unit(connection, &manager, unit, folder).await?;
            send(observations, Observation::Step(Observed::Fresh(seen))).await;
        }
        // Until something happens that concerns one of them.
        loop {
            tokio::select! {
                changed = step.changed() => {
                    if changed.is_err() { return Ok(()) }
                    break;
                }
                signal = signals.next() => {
                    let Some(signal) = signal else {
                        send(observations, Observation::BusLost("the system bus closed the connection".into())).await;
                        return Ok(());
                    };
                    let signal = signal?;
                    let header = signal.header();
                    let path = header.path().map(|path| path.as_str().to_owned()).unwrap_or_default();
                    if let Some(name) = of_path.get(&path) {
                        known.insert((*name).to_owned(), unit_state(connection, &manager, name).await?);
                        send(observations, Observation::Services(Observed::Fresh(known.clone()))).await;
                    } else if watched.as_ref().is_some_and(|(unit, _)| unit_path(unit) == path) {
                        break;
                    }
                }
            }
        }
    }
}

async fn send(observations: &Observations, observation: Observation) {
    observations.send(observation).await.ok();
}

async fn unit_state(connection: &Connection, manager: &SystemdProxy<'_>, name: &str) -> zbus::Result<UnitState> {
    let path = manager.load_unit(name).await?;
    let unit = UnitProxy::builder(connection).path(path).cache_properties(zbus::proxy::CacheProperties::No).build().await?;
    Ok(UnitState { load: unit.load_state().await?, active: unit.active_state().await?, sub: unit.sub_state().await? })
}

/// The state of a step. What it wrote to disk counts before what systemd says,
/// because it stays when systemd forgets.
async fn step_unit(connection: &Connection, manager: &SystemdProxy<'_>, name: &str, folder: &Path) -> zbus::Result<StepUnit> {
    let mut seen = StepUnit { unit: name.to_owned(), state: StepState::Absent, invocation: String::new() };
    match manager.get_unit(name).await {
        Ok(path) => {
            let unit =
                UnitProxy::builder(connection).path(path).cache_properties(zbus::proxy::CacheProperties::No).build().await?;
            seen.invocation = crate::config::values::hex(&unit.invocation_id().await.unwrap_or_default());
            let (active, sub) = (unit.active_state().await?, unit.sub_state().await?);
            let killed = StepResult { status: None, timed_out: false, tail: Vec::new() };
            seen.state = match (active.as_str(), sub.as_str()) {
                ("active", "exited") | ("failed", _) => StepState::Ended(killed),
                // Queued: systemd has answered and not started it yet.
                ("inactive", _) if unit.job().await?.0 == 0 => StepState::Absent,
                _ => StepState::Running,
            };
        }
        Err(error) if is_no_such_unit(&error) => {}
        Err(error) => return Err(error),
    }
    if let Some(result) = read_result(folder) {
        seen.state = StepState::Ended(result);
    }
    Ok(seen)
}

/// What the step wrote; `None` while it has not.
#[must_use]
pub fn read_result(folder: &Path) -> Option<StepResult> {
    serde_json::from_slice(&std::fs::read(folder.join(RESULT_FILE)).ok()?).ok()
}
