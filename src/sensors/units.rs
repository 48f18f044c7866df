//! systemd units: those of MicroK8s, and the transient unit of the running step.
//!
//! systemd announces every change of a unit by `PropertiesChanged`; the state is
//! then read again, so that a lost signal is mended by the next one.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::StreamExt as _;
use jiff::Timestamp;
use tokio::sync::watch;
use zbus::{Connection, MatchRule, MessageStream, message};

use super::{Observation, Observations};
use crate::planner::preflight::UNITS;
use crate::state::{Observed, StepResult, StepState, StepUnit, UnitState};
use crate::systemd::{PROPERTIES, ServiceProxy, SystemdProxy, UNITS as UNIT_PATHS, UnitProxy, is_no_such_unit, unit_path};

/// The step that is watched: its unit and the folder with its result.
pub type WatchedStep = watch::Receiver<Option<(String, PathBuf)>>;

/// File in a step's folder that says how it ended.
pub const RESULT_FILE: &str = "result.json";

/// So many restarts of a unit are remembered.
const KEPT_RESTARTS: u32 = 5;

/// Wait before it is tried again after systemd did not answer.
const RETRY: Duration = Duration::from_secs(2);

/// Looks until the receiver is gone or the bus is lost.
pub async fn run(connection: Connection, mut step: WatchedStep, observations: Observations, clock: fn() -> Timestamp) {
    while !observations.is_closed() {
        match watch_units(&connection, &mut step, &observations, clock).await {
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

async fn watch_units(
    connection: &Connection,
    step: &mut WatchedStep,
    observations: &Observations,
    clock: fn() -> Timestamp,
) -> zbus::Result<()> {
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
    let mut restarts = Restarts { counts: BTreeMap::new(), clock };
    for name in UNITS {
        known.insert(name.to_owned(), unit_state(connection, &manager, name, &mut restarts).await?);
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
                        known.insert((*name).to_owned(), unit_state(connection, &manager, name, &mut restarts).await?);
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

/// How often each unit was started again, and when that was seen.
struct Restarts {
    counts: BTreeMap<String, (u32, Vec<Timestamp>)>,
    clock: fn() -> Timestamp,
}

impl Restarts {
    /// Takes note of systemd's count. What was counted before the first look is no news.
    fn note(&mut self, name: &str, count: u32, now: Timestamp) -> Vec<Timestamp> {
        let (known, times) = self.counts.entry(name.to_owned()).or_insert((count, Vec::new()));
        for _ in 0..count.saturating_sub(*known).min(KEPT_RESTARTS) {
            times.push(now);
        }
        *known = count;
        let over = times.len().saturating_sub(KEPT_RESTARTS as usize);
        times.drain(..over);
        times.clone()
    }
}

async fn unit_state(
    connection: &Connection,
    manager: &SystemdProxy<'_>,
    name: &str,
    restarts: &mut Restarts,
) -> zbus::Result<UnitState> {
    let path = manager.load_unit(name).await?;
    let no_cache = zbus::proxy::CacheProperties::No;
    let service = ServiceProxy::builder(connection).path(path.clone()).cache_properties(no_cache).build().await?;
    let unit = UnitProxy::builder(connection).path(path).cache_properties(no_cache).build().await?;
    let restarts = match service.n_restarts().await {
        Ok(count) => restarts.note(name, count, (restarts.clock)()),
        // Not known is not none.
        Err(_) => restarts.counts.get(name).map(|(_, times)| times.clone()).unwrap_or_default(),
    };
    let since = unit.active_enter_timestamp().await.ok().filter(|at| *at > 0);
    Ok(UnitState {
        load: unit.load_state().await?,
        active: unit.active_state().await?,
        sub: unit.sub_state().await?,
        restarts,
        since: since.and_then(|at| Timestamp::from_microsecond(i64::try_from(at).ok()?).ok()),
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restarts_count_from_the_first_look_on() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut restarts = Restarts { counts: BTreeMap::new(), clock: || Timestamp::UNIX_EPOCH };
        assert_eq!(restarts.note("a", 7, at(0)), []);
        assert_eq!(restarts.note("a", 7, at(1)), []);
        assert_eq!(restarts.note("a", 9, at(2)), [at(2), at(2)]);
        // A reset of the count, as by systemctl reset-failed, is no restart.
        assert_eq!(restarts.note("a", 0, at(3)), [at(2), at(2)]);
        assert_eq!(restarts.note("a", 100, at(4)), [at(4); 5]);
    }
}
