//! Helm processes on this machine, wherever they run: kube-helm's are in a container.

use std::ffi::OsStr;
use std::time::Duration;

use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System};
use tokio::sync::watch;

use super::{Observation, Observations};
use crate::state::Observed;

/// How often they are looked for while somebody wants to know.
const PERIOD: Duration = Duration::from_secs(2);

/// Names of the program.
const NAMES: [&str; 3] = ["helm", "helm3", "helm4"];

/// Looks while it is wanted, until the receiver is gone.
pub async fn run(mut wanted: watch::Receiver<bool>, observations: Observations) {
    loop {
        let seen = if *wanted.borrow_and_update() {
            match tokio::task::spawn_blocking(processes).await {
                Ok(Ok(found)) => Observed::Fresh(found),
                Ok(Err(reason)) => Observed::Unknown { reason },
                Err(error) => Observed::Unknown { reason: error.to_string() },
            }
        } else {
            Observed::Unknown { reason: "nobody asked".into() }
        };
        let looking = matches!(seen, Observed::Fresh(_));
        if observations.send(Observation::Helms(seen)).await.is_err() {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(PERIOD), if looking => {} // ok: a period, not a test
            changed = wanted.changed() => if changed.is_err() { return },
        }
    }
}

fn processes() -> Result<Vec<u32>, String> {
    let mut system = System::new().map_err(|error| error.to_string())?;
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, ProcessRefreshKind::nothing());
    let of =
        |name: &str| system.processes_by_exact_name(OsStr::new(name)).map(|process| process.pid().as_u32()).collect::<Vec<_>>();
    let mut found: Vec<u32> = NAMES.into_iter().flat_map(of).collect();
    found.sort_unstable();
    Ok(found)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_process_called_helm_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("helm");
        std::fs::copy("/usr/bin/tail", &program).unwrap();
        let mut child = std::process::Command::new(&program).args(["-f", "/dev/null"]).spawn().unwrap();
        let found = super::processes().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(found.contains(&child.id()), "{found:?}");
        assert!(!super::processes().unwrap().contains(&child.id()));
    }
}
