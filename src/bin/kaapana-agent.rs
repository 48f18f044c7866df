//! The daemon. Started by systemd without arguments; its sub-commands are what it
//! starts itself as transient units, and what the package's build calls.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use futures_util::StreamExt as _;
use kaapana_agent::agent::{Agent, Inbox, Outbox, ProcessSignal};
use kaapana_agent::config::watch::ConfigWatch;
use kaapana_agent::ledger::{LedgerError, LedgerStore};
use kaapana_agent::paths::Paths;
use kaapana_agent::{actuators, cli, dbus, documents, job_step, sensors, telemetry};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use tokio::sync::{mpsc, watch};

/// Exit status: wrong usage (EX_USAGE of sysexits.h).
const EX_USAGE: u8 = 64;

/// Exit status: state written by a newer version (EX_CONFIG of sysexits.h).
const EX_CONFIG: u8 = 78;

/// Node agent that deploys the Kaapana platform on a MicroK8s server and watches it. systemd
/// starts it; use kaapanactl to talk to it.
#[derive(Parser)]
#[command(
    version,
    after_help = "Exit status: 0 stopped, 1 it cannot work, 64 wrong usage, 78 the state was written by a newer version."
)]
struct Arguments {
    /// Log level: err, warning, info or debug
    #[arg(long, default_value = "info", value_parser = ["err", "warning", "info", "debug"])]
    log_level: String,
    /// Look for every file below this directory instead of / (for tests)
    #[arg(long, default_value = "/", hide = true)]
    root: PathBuf,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Run a step of a job; started by the agent as a transient unit
    #[command(hide = true)]
    JobStep {
        /// The step's folder
        folder: PathBuf,
    },
    /// Write to a data directory; started by the agent as a transient unit
    #[command(hide = true)]
    Probe {
        /// Leave a marker that says this; without it only try
        #[arg(long)]
        marker: Option<String>,
        /// The data directory
        directory: PathBuf,
    },
    /// Look beneath the mount point of a data directory; started by the agent as a transient unit
    #[command(hide = true)]
    Beneath {
        /// The mount point
        mount_point: PathBuf,
        /// The data directory
        directory: PathBuf,
        /// Where the answer goes
        answer: PathBuf,
    },
    /// Look at everything a deployment needs, without the agent; kaapanactl doctor calls it
    #[command(hide = true)]
    Doctor(cli::doctor::Options),
    /// Write the documents that are made from the program
    #[command(hide = true)]
    Generate {
        /// Which
        what: documents::Kind,
        /// Into which folder
        folder: PathBuf,
    },
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            error.print().ok();
            return ExitCode::from(if error.use_stderr() { EX_USAGE } else { 0 });
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("kaapana-agent: no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(async {
        match &arguments.command {
            None => serve(&arguments).await,
            Some(Command::JobStep { folder }) => step(folder).await,
            Some(Command::Beneath { mount_point, directory, answer }) => beneath(mount_point, directory, answer),
            Some(Command::Probe { marker, directory }) => probe(directory, marker.as_deref()),
            Some(Command::Doctor(options)) => Ok(ExitCode::from(cli::doctor::look(options).await)),
            Some(Command::Generate { what, folder }) => {
                let command = <Arguments as clap::CommandFactory>::command();
                documents::generate(*what, folder, command)
                    .with_context(|| folder.display().to_string())
                    .map(|()| ExitCode::SUCCESS)
            }
        }
    });
    // A thread that waits for mounts or for a hung disk must not hold up the end.
    runtime.shutdown_background();
    result.unwrap_or_else(|error| {
        tracing::error!("{error:#}");
        eprintln!("kaapana-agent: {error:#}");
        match error.downcast_ref::<LedgerError>() {
            Some(LedgerError::Newer { .. }) => ExitCode::from(EX_CONFIG),
            _ => ExitCode::FAILURE,
        }
    })
}

async fn step(folder: &Path) -> anyhow::Result<ExitCode> {
    let status = job_step::run_step(folder).await.with_context(|| format!("the step in {}", folder.display()))?;
    Ok(u8::try_from(status).map_or(ExitCode::FAILURE, ExitCode::from))
}

fn probe(directory: &Path, marker: Option<&str>) -> anyhow::Result<ExitCode> {
    let written = match marker {
        Some(marker) => actuators::disk::write_marker(directory, marker),
        None => actuators::disk::write_trial(directory),
    };
    written.with_context(|| format!("writing to {}", directory.display()))?;
    Ok(ExitCode::SUCCESS)
}

fn beneath(mount_point: &Path, directory: &Path, answer: &Path) -> anyhow::Result<ExitCode> {
    let found =
        actuators::disk::beneath(mount_point, directory).with_context(|| format!("looking beneath {}", mount_point.display()))?;
    let text = serde_json::to_vec(&found).context("the answer")?;
    std::fs::write(answer, text).with_context(|| answer.display().to_string())?;
    Ok(ExitCode::SUCCESS)
}

async fn serve(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let level = telemetry::start(&arguments.log_level).context("the journal cannot be used")?;
    let mut paths = Paths::below(&arguments.root);
    paths.config.credentials.systemd = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let paths = Arc::new(paths);
    std::fs::create_dir_all(&paths.state).with_context(|| paths.state.display().to_string())?;
    let store = LedgerStore::new(&paths.state);
    // Held until the end: two agents with one memory would undo each other's work.
    let _lock = store.lock()?;
    let (ledger, note) = store.load()?;
    if let Some(note) = note {
        tracing::warn!("{note}");
    }

    let (observations, observed) = mpsc::channel(64);
    let (requests, requested) = mpsc::channel(16);
    let (changed, config_changed) = mpsc::channel(1);
    let (signals, signaled) = mpsc::channel(4);
    let (published, publications) = watch::channel(Arc::new(Agent::nothing_yet()));
    let (settings, settings_in_force) = watch::channel(None);
    let (step, watched_step) = watch::channel(None);
    let (kinds_wanted, wanted_kinds) = watch::channel(false);
    let (helms_wanted, wanted_helms) = watch::channel(false);
    let (page_wanted, wanted_page) = watch::channel(None);
    let (import_wanted, wanted_import) = watch::channel(None);
    let (drift_wanted, wanted_drift) = watch::channel(None);
    let (registry_wanted, wanted_registry) = watch::channel(None);
    let (name_wanted, wanted_name) = watch::channel(None);
    let (disks_touched, touched_disks) = watch::channel(0);

    // Objects first, then the name: whoever sees the name sees the objects.
    let of = dbus::Loop { published: publications, requests };
    let connection = zbus::connection::Builder::system().build().await.context("the system bus cannot be reached")?;
    dbus::export(&connection, of.clone(), level).await.context("the D-Bus objects cannot be exported")?;
    let outbox = Outbox {
        published,
        settings,
        step,
        kinds_wanted,
        helms_wanted,
        page_wanted,
        import_wanted,
        drift_wanted,
        registry_wanted,
        name_wanted,
        disks_touched,
    };
    let agent = Agent::new(Arc::clone(&paths), store, ledger, connection.clone(), outbox, jiff::Timestamp::now);
    connection
        .request_name_with_flags(dbus::NAME, zbus::fdo::RequestNameFlags::DO_NOT_QUEUE)
        .await
        .with_context(|| format!("the name {} cannot be owned; is another kaapana-agent running?", dbus::NAME))?;

    let config_watch = ConfigWatch::start(paths.config.clone(), changed)
        .context("the configuration cannot be watched (fs.inotify.max_user_instances)")?;
    forward_signals(signals)?;
    tokio::spawn(dbus::publisher::run(connection.clone(), of));
    tokio::spawn(sensors::units::run(connection, watched_step, observations.clone(), jiff::Timestamp::now));
    tokio::spawn(sensors::api::run(Arc::clone(&paths), wanted_kinds, observations.clone()));
    tokio::spawn(sensors::cluster::run(Arc::clone(&paths), observations.clone()));
    tokio::spawn(sensors::disk::run(Arc::clone(&paths), settings_in_force.clone(), touched_disks, observations.clone()));
    tokio::spawn(sensors::import::run(Arc::clone(&paths), wanted_import, observations.clone()));
    tokio::spawn(sensors::kernel::run(Arc::clone(&paths), observations.clone()));
    tokio::spawn(sensors::drift::run(Arc::clone(&paths), wanted_drift, observations.clone()));
    tokio::spawn(sensors::registry::run(wanted_registry, observations.clone()));
    tokio::spawn(sensors::name::run(wanted_name, observations.clone()));
    tokio::spawn(sensors::runtime::run(Arc::clone(&paths), observations.clone()));
    tokio::spawn(sensors::arguments::run(Arc::clone(&paths), observations.clone()));
    tokio::spawn(sensors::certificates::run(Arc::clone(&paths), observations.clone()));
    tokio::spawn(sensors::tools::run(Arc::clone(&paths), settings_in_force, observations.clone()));
    tokio::spawn(sensors::page::run(wanted_page, observations.clone()));
    tokio::spawn(sensors::workers::run(wanted_helms, observations.clone()));
    tokio::spawn(sensors::gpu::run(Arc::clone(&paths), observations.clone()));
    tokio::spawn(sensors::snap::run(paths, observations.clone()));
    tokio::spawn(sensors::system::run(observations));

    let inbox = Inbox { observations: observed, requests: requested, config_changed, signals: signaled };
    agent.run(inbox, config_watch).await.map_err(anyhow::Error::msg)?;
    Ok(ExitCode::SUCCESS)
}

fn forward_signals(to: mpsc::Sender<ProcessSignal>) -> anyhow::Result<()> {
    let mut signals = signal_hook_tokio::Signals::new([SIGTERM, SIGINT, SIGHUP]).context("signals cannot be handled")?;
    tokio::spawn(async move {
        while let Some(signal) = signals.next().await {
            let meaning = if signal == SIGHUP { ProcessSignal::Reload } else { ProcessSignal::Stop };
            if to.send(meaning).await.is_err() {
                return;
            }
        }
    });
    Ok(())
}
