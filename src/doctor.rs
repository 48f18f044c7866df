//! A look at a node on which no agent runs: the agent's own sensors and rules, for a moment.
//!
//! It is the agent's program that looks (`kaapana-agent doctor`), so that the sensors are in one
//! program only. Nothing is changed and no process is started. What cannot be seen, because MicroK8s is not
//! installed or the caller is not root, is said as such: as an Unknown.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::config::{self, Settings};
use crate::error::chain;
use crate::ledger::{Ledger, LedgerStore};
use crate::paths::Paths;
use crate::planner::{Inputs, preflight};
use crate::sensors::{self, Observation, page};
use crate::state::{Condition, ConfigRefusal, Observed, Snapshot};

/// How long is looked at most: longer than a disk is given to answer. What has not answered by
/// then is not known; a machine on which all is well has answered in a moment.
pub const PATIENCE: Duration = Duration::from_secs(21);

/// What a look came to.
#[derive(Debug, Clone)]
pub struct Examination {
    /// What every check says.
    pub conditions: Vec<Condition>,
    /// Why the agent's memory does not count, when it does not: recorded disks and what is
    /// deployed are not known then.
    pub memory: Option<String>,
}

/// Looks at the node, for [`PATIENCE`] at most.
pub async fn examine(paths: Arc<Paths>, clock: fn() -> jiff::Timestamp) -> Examination {
    let mut snapshot = Snapshot::default();
    snapshot.config.read = true;
    let (mut ledger, memory) = remembered(&paths.state);
    snapshot.ledger_unread.clone_from(&memory);
    match config::load_leniently(&paths.config) {
        Ok(Some(settings)) => {
            snapshot.config.warnings = settings.warnings.iter().chain(settings.tolerated.values()).cloned().collect();
            if ledger.settings.as_ref() != Some(&settings) {
                ledger.accept(settings);
            }
        }
        Ok(None) => {}
        Err(error) => {
            let refusal = ConfigRefusal::invalid(&error);
            // Whoever may not read it cannot say that it is wrong.
            let denied = refusal.problems.iter().any(|problem| problem.contains("Permission denied"));
            let reason = if denied { "NotReadable".to_owned() } else { refusal.reason.clone() };
            snapshot.config.error = Some(ConfigRefusal { reason, ..refusal });
        }
    }
    // Sensors look where the checks do: at what a job works with, if one was left.
    let settings = ledger.job.as_ref().map(|job| job.settings.clone()).or_else(|| ledger.settings.clone());
    look(&paths, settings, clock, &mut snapshot).await;
    let inputs = Inputs { snapshot: &snapshot, ledger: &ledger, now: clock() };
    let runs = ledger.deployed.as_ref().and_then(|deployed| deployed.settings.as_ref());
    if let Some(question) = runs.and_then(|settings| page::Question::of(inputs.node()?, settings, page::PERIOD)) {
        snapshot.page = match page::ask_once(&question).await {
            Ok(page) => Observed::Fresh(page),
            Err(reason) => Observed::Unknown { reason },
        };
    }
    let inputs = Inputs { snapshot: &snapshot, ledger: &ledger, now: clock() };
    let conditions = preflight::conditions(&inputs, inputs.health().as_ref());
    Examination { conditions, memory }
}

/// What the agent of this node remembers, as far as the caller may read it.
fn remembered(state: &Path) -> (Ledger, Option<String>) {
    match LedgerStore::new(state).load() {
        Ok((ledger, _)) => (ledger, None),
        Err(error) => (Ledger::default(), Some(chain(&error))),
    }
}

/// Lets the sensors look until each has said something.
async fn look(paths: &Arc<Paths>, settings: Option<Settings>, clock: fn() -> jiff::Timestamp, snapshot: &mut Snapshot) {
    let (send, mut seen) = mpsc::channel::<Observation>(64);
    let configured = settings.is_some();
    let registry = settings.clone().filter(Settings::uses_registry).map(Arc::new);
    let name = settings.as_ref().and_then(Settings::name_in_dns).map(str::to_owned);
    let asked = (registry.is_some(), name.is_some());
    let (_registry, of_registry) = watch::channel(registry);
    let (_name, of_name) = watch::channel(name);
    let (_settings, in_force) = watch::channel(settings.map(Arc::new));
    let (_step, step) = watch::channel(None);
    let (_kinds, kinds) = watch::channel(false);
    let (_touched, touched) = watch::channel(0);
    let mut tasks = JoinSet::new();
    match zbus::Connection::system().await {
        Ok(connection) => drop(tasks.spawn(sensors::units::run(connection, step, send.clone(), clock))),
        Err(error) => snapshot.services = Observed::Unknown { reason: format!("the system bus cannot be reached: {error}") },
    }
    tasks.spawn(sensors::api::run(Arc::clone(paths), kinds, send.clone()));
    tasks.spawn(sensors::cluster::run(Arc::clone(paths), send.clone()));
    tasks.spawn(sensors::disk::run(Arc::clone(paths), in_force.clone(), touched, send.clone()));
    tasks.spawn(sensors::tools::run(Arc::clone(paths), in_force, send.clone()));
    tasks.spawn(sensors::kernel::run(Arc::clone(paths), send.clone()));
    tasks.spawn(sensors::registry::run(of_registry, send.clone()));
    tasks.spawn(sensors::name::run(of_name, send.clone()));
    tasks.spawn(sensors::runtime::run(Arc::clone(paths), send.clone()));
    tasks.spawn(sensors::arguments::run(Arc::clone(paths), send.clone()));
    tasks.spawn(sensors::certificates::run(Arc::clone(paths), send.clone()));
    tasks.spawn(sensors::gpu::run(Arc::clone(paths), send.clone()));
    tasks.spawn(sensors::snap::run(Arc::clone(paths), send.clone()));
    tasks.spawn(sensors::system::run(send));
    let all = async {
        while is_pending(snapshot, configured, asked)
            && let Some(observation) = seen.recv().await
        {
            observation.apply(snapshot);
        }
    };
    // What has not answered stays what it is: not looked at.
    tokio::time::timeout(PATIENCE, all).await.ok();
}

fn is_pending(snapshot: &Snapshot, configured: bool, (registry, name): (bool, bool)) -> bool {
    fn of<T>(observed: &Observed<T>) -> bool {
        matches!(observed, Observed::Pending)
    }
    // While the API server does not answer the cluster says so by itself, only later.
    let cluster = of(&snapshot.cluster) && snapshot.api.fresh().is_none_or(|api| api.ready);
    cluster
        || of(&snapshot.services)
        || of(&snapshot.api)
        || of(&snapshot.tools)
        || of(&snapshot.limits)
        || of(&snapshot.runtime)
        || (registry && of(&snapshot.registry))
        || (name && of(&snapshot.name))
        || of(&snapshot.arguments)
        || of(&snapshot.certificates)
        || of(&snapshot.gpu)
        || of(&snapshot.snap)
        || of(&snapshot.system)
        || (configured && (of(&snapshot.disks) || of(&snapshot.chart)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Status;

    #[tokio::test]
    async fn an_empty_machine_is_told_what_it_lacks() {
        let root = tempfile::tempdir().unwrap();
        let paths = Arc::new(Paths::below(root.path()));
        let examination = examine(Arc::clone(&paths), jiff::Timestamp::now).await;
        let of = |id: &str| examination.conditions.iter().find(|condition| condition.id == id).unwrap().clone();
        assert_eq!((of("helm.binary").status, of("helm.binary").reason.as_str()), (Status::False, "NotFound"));
        assert_eq!(of("microk8s.certificates").status, Status::Unknown);
        assert!(of("microk8s.certificates").message.contains("No such file"), "{:?}", of("microk8s.certificates"));
        assert_eq!(of("config.valid").reason, "Unconfigured");
        assert_eq!(examination.memory, None);
        assert!(std::fs::read_dir(root.path()).unwrap().next().is_none(), "nothing was made");
    }
}
