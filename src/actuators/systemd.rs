//! Transient units, over systemd's D-Bus.
//!
//! A unit started this way is outside the agent's sandbox and cgroup: the agent
//! may be stopped, killed or upgraded while it runs. What is put into a unit's
//! properties is public, so a secret is never among them.

use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt as _;
use zbus::{Connection, Variant};

use crate::systemd::{SystemdProxy, is_no_such_unit};

/// Why a unit could not be started or forgotten.
#[derive(Debug, thiserror::Error)]
pub enum UnitError {
    /// systemd refused.
    #[error("systemd did not take the unit {unit}")]
    Refused {
        /// The unit.
        unit: String,
        /// The reason.
        source: zbus::Error,
    },
    /// It ended otherwise than well.
    #[error("the unit {unit} ended with the result {result}: journalctl -u {unit}")]
    Failed {
        /// The unit.
        unit: String,
        /// systemd's word.
        result: String,
    },
    /// It did not end in time.
    #[error("the unit {unit} did not end within {} s", limit.as_secs())]
    Late {
        /// The unit.
        unit: String,
        /// The limit.
        limit: Duration,
    },
}

/// When a unit that did not end is told so again.
const AGAIN: Duration = Duration::from_secs(10);

/// How long a unit may take to stop: systemd kills it before.
const STOP_LIMIT: Duration = Duration::from_secs(120);

type Properties<'a> = Vec<(&'a str, Variant<'a>)>;

fn properties<'a>(description: &'a str, kind: &'a str, program: &Path, arguments: &[String]) -> Properties<'a> {
    let program = program.to_string_lossy().into_owned();
    let argv: Vec<String> = std::iter::once(program.clone()).chain(arguments.iter().cloned()).collect();
    vec![
        ("Description", Variant::from(description)),
        ("Type", Variant::from(kind)),
        ("ExecStart", Variant::from(vec![(program, argv, false)])),
        ("UMask", Variant::from(0o077_u32)),
        // A core dump would hold passwords.
        ("LimitCORE", Variant::from(0_u64)),
        ("SyslogIdentifier", Variant::from("kaapana-job")),
    ]
}

/// Starts the unit of a step. A unit of that name that is there already is somebody
/// else's: the ledger never gives a name twice. `confined`: it and its programs get no
/// further privileges.
///
/// # Errors
///
/// When systemd does not take it.
pub async fn start_step(
    connection: &Connection,
    job: u32,
    unit: &str,
    description: &str,
    program: &Path,
    folder: &Path,
    confined: bool,
) -> Result<(), UnitError> {
    let refused = |source| UnitError::Refused { unit: unit.to_owned(), source };
    let manager = SystemdProxy::new(connection).await.map_err(refused)?;
    let arguments = ["job-step".to_owned(), folder.to_string_lossy().into_owned()];
    let mut properties = properties(description, "exec", program, &arguments);
    properties.push(("NoNewPrivileges", Variant::from(confined)));
    // The result stays until it is in the ledger.
    properties.push(("RemainAfterExit", Variant::from(true)));
    // What it prints is found beside what the agent says of the job: journalctl JOB=7.
    properties.push(("LogExtraFields", Variant::from(vec![format!("JOB={job}").into_bytes()])));
    match manager.start_transient_unit(unit, "fail", &properties, &[]).await {
        Ok(_) => Ok(()),
        Err(error) => Err(refused(error)),
    }
}

/// Lets systemd forget a unit, and waits until nothing of it runs any more.
///
/// # Errors
///
/// When systemd does not answer. A unit that is not there is forgotten.
pub async fn forget(connection: &Connection, unit: &str) -> Result<(), UnitError> {
    let refused = |source| UnitError::Refused { unit: unit.to_owned(), source };
    let ends = Ends::listen().await.map_err(refused)?;
    let manager = SystemdProxy::new(connection).await.map_err(refused)?;
    match manager.stop_unit(unit, "replace").await {
        Ok(job) => drop(ends.wait(&job, STOP_LIMIT, unit).await?),
        Err(error) if is_no_such_unit(&error) => {}
        Err(error) => return Err(refused(error)),
    }
    match manager.reset_failed_unit(unit).await {
        Err(error) if !is_no_such_unit(&error) => Err(refused(error)),
        _ => Ok(()),
    }
}

/// The ends of systemd's jobs; listened to before a job is ordered, so that its end
/// cannot be missed, on a connection of its own, which nothing else waits for.
struct Ends {
    signals: crate::systemd::JobRemovedStream,
    _manager: SystemdProxy<'static>,
}

impl Ends {
    async fn listen() -> zbus::Result<Self> {
        let manager = SystemdProxy::new(&Connection::system().await?).await?;
        let signals = manager.receive_job_removed().await?;
        manager.subscribe().await.ok();
        Ok(Self { signals, _manager: manager })
    }

    /// Waits for the end of a job, and returns systemd's word for it.
    async fn wait(mut self, job: &zbus::OwnedObjectPath, limit: Duration, unit: &str) -> Result<String, UnitError> {
        let waiting = async {
            while let Some(end) = self.signals.next().await {
                if let Ok(end) = end.args()
                    && end.job == *job
                {
                    return end.result.clone();
                }
            }
            "lost".to_owned()
        };
        tokio::time::timeout(limit, waiting).await.map_err(|_| UnitError::Late { unit: unit.to_owned(), limit })
    }
}

/// The same, as long as it takes: what may still run helm must be gone before anything
/// else is begun. What systemd gives up after its last SIGKILL, since it hangs in the
/// kernel, is given up here, too.
pub async fn forget_for_sure(connection: &Connection, unit: &str) {
    while let Err(fault) = forget(connection, unit).await {
        let error = crate::error::chain(&fault);
        tracing::warn!(unit_name = unit, error, "{unit} has not ended: {error}; nothing else is begun before it has");
        tokio::time::sleep(AGAIN).await;
    }
}

/// Runs a short program as a unit and waits for its end.
///
/// # Errors
///
/// When systemd does not take it, it fails or does not end within `limit`; then it
/// is left behind, since a process that hangs on a disk cannot be ended.
pub async fn run_briefly(
    connection: &Connection,
    unit: &str,
    description: &str,
    program: &Path,
    arguments: &[String],
    limit: Duration,
) -> Result<(), UnitError> {
    let refused = |source| UnitError::Refused { unit: unit.to_owned(), source };
    let manager = SystemdProxy::new(connection).await.map_err(refused)?;
    let ends = Ends::listen().await.map_err(refused)?;
    let mut properties = properties(description, "oneshot", program, arguments);
    properties.push(("NoNewPrivileges", Variant::from(true)));
    let job = manager.start_transient_unit(unit, "fail", &properties, &[]).await.map_err(refused)?;
    let result = ends.wait(&job, limit, unit).await?;
    if result == "done" {
        return Ok(());
    }
    manager.reset_failed_unit(unit).await.ok();
    Err(UnitError::Failed { unit: unit.to_owned(), result })
}
