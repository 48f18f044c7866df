//! The site's own program, such as a backup, before anything is taken down.

use std::path::Path;

use crate::config::Settings;
use crate::job_step::Order;
use crate::ledger::Job;
use crate::paths::Paths;

/// The order to run it. It is told in its environment (`KAAPANA_*`) what is about to
/// happen, and where the data of what `runs` is; nothing secret.
#[must_use]
pub fn order(paths: &Paths, job: &Job, runs: &Settings, program: &Path) -> Order {
    let environment = [
        ("KAAPANA_JOB", job.id.to_string()),
        ("KAAPANA_JOB_TYPE", job.kind.as_str().to_owned()),
        ("KAAPANA_JOB_REASON", job.reason.clone()),
        ("KAAPANA_FAST_DIR", runs.fast_dir().display().to_string()),
        ("KAAPANA_SLOW_DIR", runs.slow_dir().display().to_string()),
        ("KUBECONFIG", paths.kubeconfig.display().to_string()),
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin".to_owned()),
    ];
    Order {
        program: program.to_path_buf(),
        arguments: Vec::new(),
        chart: None,
        input: None,
        stream: None,
        verify: false,
        environment: environment.map(|(name, value)| (name.to_owned(), value)).to_vec(),
        home: paths.helm_home(),
        limit_seconds: job.settings.duration("deployment.pre_takedown_timeout").as_secs(),
    }
}
