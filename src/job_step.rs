//! What runs inside the transient unit of a step.
//!
//! The agent writes an [`Order`] into a folder and has systemd start
//! `kaapana-agent job-step FOLDER`. This reads the order, runs the program, passes
//! what it prints on to the journal without secrets, and writes how it ended. The
//! result is on disk before the unit ends, so that it outlives the agent, the
//! unit and systemd's memory of it.
//!
//! Chart and values are opened before the program starts and reach it as an open file
//! and as standard input, so that a purge of the package, which removes the files,
//! takes nothing away from it.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::actuators::archive;
use crate::command::{Inherited, Input, Invocation, Redactor, helm_environment, run};
use crate::error::chain;
use crate::sensors::units::RESULT_FILE;
use crate::state::{StepProgress, StepResult};

/// The order, in a step's folder.
pub const ORDER_FILE: &str = "order.json";

/// The secrets that must not be printed, in a step's folder.
pub const SECRETS_FILE: &str = "secrets.json";

/// Stands in an order's arguments for the chart's archive.
pub const CHART_ARGUMENT: &str = "{chart}";

/// File in a step's folder that says how far a streamed input is.
pub const PROGRESS_FILE: &str = "progress.json";

/// The status of a step whose archive is damaged (`EX_DATAERR` of sysexits(3)).
pub const BAD_ARCHIVE: i32 = 65;

/// How often that is written.
const PROGRESS_PERIOD: Duration = Duration::from_secs(1);

/// How long an import of images may take; an archive has a hundred gigabytes and more.
pub const IMPORT_LIMIT: Duration = Duration::from_secs(6 * 3600);

/// What a step runs. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The program.
    pub program: PathBuf,
    /// Its arguments. [`CHART_ARGUMENT`] among them becomes the path of the open chart.
    pub arguments: Vec<String>,
    /// The chart's archive.
    pub chart: Option<PathBuf>,
    /// The file that is its standard input.
    pub input: Option<PathBuf>,
    /// The file that is streamed to its standard input instead; how far it is goes into
    /// [`PROGRESS_FILE`].
    #[serde(default)]
    pub stream: Option<PathBuf>,
    /// The stream is an archive of images: it is compared with its digests before the program starts.
    #[serde(default)]
    pub verify: bool,
    /// Further variables of its environment. Never a secret.
    #[serde(default)]
    pub environment: Vec<(String, String)>,
    /// Where helm keeps its own files.
    pub home: PathBuf,
    /// When it is ended, in seconds.
    pub limit_seconds: u64,
}

/// Runs the step of a folder. Prints what the program prints. Returns the exit status.
///
/// # Errors
///
/// When the order cannot be read or the result cannot be written.
pub async fn run_step(folder: &Path) -> std::io::Result<i32> {
    let order: Order = serde_json::from_slice(&std::fs::read(folder.join(ORDER_FILE))?)?;
    let secrets: Vec<String> = serde_json::from_slice(&std::fs::read(folder.join(SECRETS_FILE))?)?;
    std::fs::remove_file(folder.join(RESULT_FILE)).or_else(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })?;
    let redactor = Redactor::new(secrets);
    let result = execute(order, &redactor, folder).await.unwrap_or_else(|line| {
        eprintln!("{line}");
        StepResult { status: None, timed_out: false, tail: vec![line] }
    });
    write_result(folder, &result)?;
    Ok(result.status.unwrap_or(1))
}

/// Runs the program of an order to its end; a sentence when it could not be started.
async fn execute(order: Order, redactor: &Redactor, folder: &Path) -> Result<StepResult, String> {
    let unreadable = |path: &Path, error: std::io::Error| format!("{} cannot be read: {error}", path.display());
    let open = |path: &PathBuf| Inherited::open(path).map_err(|error| unreadable(path, error));
    let read = |path: &PathBuf| std::fs::read(path).map_err(|error| unreadable(path, error));
    let chart = order.chart.as_ref().map(open).transpose()?;
    let argument = |text: String| match &chart {
        Some(chart) if text == CHART_ARGUMENT => chart.path().into(),
        _ => text.into(),
    };
    let mut environment = helm_environment(&order.home);
    environment.extend(order.environment.into_iter().map(|(name, value)| (name.into(), value.into())));
    let (taken, mut total) = (Arc::new(AtomicU64::new(0)), 0);
    let input = match &order.stream {
        Some(path) => {
            let file = std::fs::File::open(path).map_err(|error| unreadable(path, error))?;
            // What is compared is read twice.
            let times = if order.verify { 2 } else { 1 };
            total = times * file.metadata().map_err(|error| unreadable(path, error))?.len();
            Input::Stream(file, Arc::clone(&taken))
        }
        None => Input::Bytes(order.input.as_ref().map(read).transpose()?.unwrap_or_default()),
    };
    let streams = order.stream.is_some();
    let archive = order.stream.clone().filter(|_| order.verify);
    let verified = Arc::new(AtomicU64::new(0));
    let limit = Duration::from_secs(order.limit_seconds);
    let invocation = Invocation {
        program: order.program,
        arguments: order.arguments.into_iter().map(argument).collect(),
        environment,
        directory: "/".into(),
        input,
        limit,
        output_cap: 0,
    };
    let telling = async {
        let mut period = tokio::time::interval(PROGRESS_PERIOD);
        loop {
            period.tick().await;
            write_progress(
                folder,
                &StepProgress { bytes: verified.load(Ordering::Relaxed) + taken.load(Ordering::Relaxed), total },
            );
        }
    };
    let counted = Arc::clone(&verified);
    let working = async {
        if let Some(path) = archive {
            let checked =
                tokio::task::spawn_blocking(move || archive::verify(&path, &counted).map_err(|what| (path, what))).await;
            match checked.map_err(|error| chain(&error))? {
                Ok(()) => {}
                Err((path, what)) => {
                    let line = format!("{} {what}", path.display());
                    eprintln!("{line}");
                    return Ok(StepResult { status: Some(BAD_ARCHIVE), timed_out: false, tail: vec![line] });
                }
            }
        }
        let outcome = run(invocation, redactor, false, |line| eprintln!("{line}")).await.map_err(|error| chain(&error))?;
        Ok(StepResult { status: outcome.status, timed_out: outcome.timed_out, tail: outcome.tail })
    };
    tokio::select! {
        result = working => result,
        () = telling, if streams => Err(String::new()),
    }
}

/// That it cannot be written changes nothing.
fn write_progress(folder: &Path, progress: &StepProgress) {
    let temporary = folder.join("progress.new");
    let bytes = serde_json::to_vec(progress).unwrap_or_default();
    std::fs::write(&temporary, bytes).and_then(|()| std::fs::rename(&temporary, folder.join(PROGRESS_FILE))).ok();
}

/// The folder may have been removed by a purge of the package: then nobody waits
/// for the result, and that is no failure of the program.
fn write_result(folder: &Path, result: &StepResult) -> std::io::Result<()> {
    let temporary = folder.join("result.new");
    let written = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)
        .and_then(|mut file| file.write_all(&serde_json::to_vec(result)?).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&temporary, folder.join(RESULT_FILE)))
        .and_then(|()| std::fs::File::open(folder)?.sync_all());
    match written {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !folder.exists() => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sensors::units::read_result;

    fn folder(script: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let order = Order {
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), script.into(), "sh".into(), CHART_ARGUMENT.into()],
            chart: Some(dir.path().join("chart")),
            input: Some(dir.path().join("values")),
            stream: None,
            verify: false,
            environment: vec![],
            home: dir.path().into(),
            limit_seconds: 30,
        };
        std::fs::write(dir.path().join(ORDER_FILE), serde_json::to_vec(&order).unwrap()).unwrap();
        std::fs::write(dir.path().join(SECRETS_FILE), "[\"planted\"]").unwrap();
        std::fs::write(dir.path().join("chart"), "the chart\n").unwrap();
        std::fs::write(dir.path().join("values"), "the values\n").unwrap();
        dir
    }

    #[tokio::test]
    async fn the_result_is_on_disk_without_secrets() {
        let dir = folder("echo failed with planted >&2; exit 4");
        assert_eq!(run_step(dir.path()).await.unwrap(), 4);
        let result = read_result(dir.path()).unwrap();
        assert_eq!((result.status, result.tail), (Some(4), vec!["failed with ********".to_owned()]));
    }

    #[tokio::test]
    async fn a_folder_that_vanished_is_no_failure() {
        let dir = folder("rm -r \"$HOME\"");
        assert_eq!(run_step(dir.path()).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_chart_that_is_gone_is_told_in_the_result() {
        let dir = folder("exit 0");
        std::fs::remove_file(dir.path().join("chart")).unwrap();
        assert_eq!(run_step(dir.path()).await.unwrap(), 1);
        let result = read_result(dir.path()).unwrap();
        assert!(result.status.is_none() && result.tail[0].contains("chart cannot be read: No such file"), "{:?}", result.tail);
    }

    #[tokio::test]
    async fn a_streamed_input_is_counted() {
        let dir = folder("");
        let text = std::fs::read_to_string(dir.path().join(ORDER_FILE)).unwrap();
        let mut order: Order = serde_json::from_str(&text).unwrap();
        std::fs::write(dir.path().join("big"), vec![b'x'; 3_000_000]).unwrap();
        (order.stream, order.input) = (Some(dir.path().join("big")), None);
        // It goes on when the first count is there.
        order.arguments[1] = "head -c 1000000 >/dev/null; until [ -s \"$HOME/progress.json\" ]; do :; done; wc -c >&2".into();
        std::fs::write(dir.path().join(ORDER_FILE), serde_json::to_vec(&order).unwrap()).unwrap();
        assert_eq!(run_step(dir.path()).await.unwrap(), 0);
        assert_eq!(read_result(dir.path()).unwrap().tail, ["2000000"]);
        let progress: StepProgress = serde_json::from_slice(&std::fs::read(dir.path().join(PROGRESS_FILE)).unwrap()).unwrap();
        assert_eq!(progress.total, 3_000_000);
    }

    #[tokio::test]
    async fn an_archive_that_is_damaged_reaches_no_program() {
        let dir = folder("touch \"$HOME/ran\"");
        let text = std::fs::read_to_string(dir.path().join(ORDER_FILE)).unwrap();
        let mut order: Order = serde_json::from_str(&text).unwrap();
        std::fs::write(dir.path().join("images.tar"), "no archive").unwrap();
        (order.stream, order.input, order.verify) = (Some(dir.path().join("images.tar")), None, true);
        std::fs::write(dir.path().join(ORDER_FILE), serde_json::to_vec(&order).unwrap()).unwrap();
        assert_eq!(run_step(dir.path()).await.unwrap(), BAD_ARCHIVE);
        let result = read_result(dir.path()).unwrap();
        assert!(result.tail[0].contains("images.tar is not a"), "{:?}", result.tail);
        assert!(!dir.path().join("ran").exists());
    }

    #[tokio::test]
    async fn what_the_program_reads_cannot_be_taken_from_it() {
        let dir = folder("rm \"$HOME/chart\" \"$HOME/values\"; cat \"$1\"; cat; exit 5");
        assert_eq!(run_step(dir.path()).await.unwrap(), 5);
        assert_eq!(read_result(dir.path()).unwrap().tail, ["the chart", "the values"]);
    }
}
