//! Memory and processors, by sysinfo.

use std::time::Duration;

use super::{Observation, Observations};
use crate::state::{Observed, System};

/// How often it looks; nothing announces a change.
const PERIOD: Duration = Duration::from_secs(30);

/// Looks until the receiver is gone.
pub async fn run(observations: Observations) {
    let mut system = match sysinfo::System::new() {
        Ok(system) => system,
        Err(error) => {
            let unknown = Observed::Unknown { reason: error.to_string() };
            observations.send(Observation::System(unknown)).await.ok();
            return;
        }
    };
    let mut ticks = tokio::time::interval(PERIOD);
    loop {
        ticks.tick().await;
        if observations.send(Observation::System(Observed::Fresh(look(&mut system)))).await.is_err() {
            return;
        }
    }
}

/// One look. Values are rounded, so that a busy node is not news every time.
pub fn look(system: &mut sysinfo::System) -> System {
    const MIB: u64 = 1024 * 1024;
    system.refresh_memory();
    let load5 = sysinfo::System::load_average().map_or(0.0, |load| load.five);
    System {
        host_name: sysinfo::System::host_name().unwrap_or_default(),
        memory_mib: system.total_memory() / MIB,
        available_mib: system.available_memory() / MIB / 64 * 64,
        processors: std::thread::available_parallelism().map_or(1, usize::from),
        // A load is never negative and far below the limit of the type.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        load5_centi: (load5.max(0.0) * 10.0) as u64 * 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_has_memory_and_processors() {
        let system = look(&mut sysinfo::System::new().unwrap());
        assert!(system.memory_mib > 0 && system.available_mib <= system.memory_mib && system.processors > 0, "{system:?}");
    }
}
