//! Limits of the kernel that a platform runs into: read from `/proc/sys`, which announces
//! nothing.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::{Observation, Observations};
use crate::paths::Paths;
use crate::state::{Limits, Observed};

/// How often it looks.
pub const PERIOD: Duration = Duration::from_secs(30);

/// Looks until the receiver is gone.
pub async fn run(paths: Arc<Paths>, observations: Observations) {
    let mut ticks = tokio::time::interval(PERIOD);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if observations.send(Observation::Limits(Observed::Fresh(look(&paths.sysctl)))).await.is_err() {
            return;
        }
    }
}

/// One look. The files are the kernel's: reading them does not wait for a disk.
#[must_use]
pub fn look(sysctl: &Path) -> Limits {
    let number = |name: &str| std::fs::read_to_string(sysctl.join(name)).ok()?.trim().parse().ok();
    Limits { max_map_count: number("vm/max_map_count"), inotify_instances: number("fs/inotify/max_user_instances") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_not_known() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(look(root.path()), Limits::default());
        std::fs::create_dir_all(root.path().join("vm")).unwrap();
        std::fs::write(root.path().join("vm/max_map_count"), "65530\n").unwrap();
        assert_eq!(look(root.path()), Limits { max_map_count: Some(65530), inotify_instances: None });
        assert!(look(Path::new("/proc/sys")).max_map_count.is_some(), "every kernel has it");
    }
}
