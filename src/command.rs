//! The one place that starts processes.
//!
//! Each gets a clean environment, a time limit, a cap on what is kept of its
//! output, and a process group of its own, so that nothing of it is left when the
//! limit passes. What it prints is freed of secrets before anyone sees it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader};

/// Lines of output that are kept for messages.
pub const TAIL_LINES: usize = 20;

/// Characters of a line that are kept.
pub const LINE_CHARS: usize = 500;

/// How much of a streamed input is handed over at once, in bytes.
const STREAM_BUFFER: usize = 1024 * 1024;

/// How long a process may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(10);

/// A process to start.
#[derive(Debug)]
pub struct Invocation {
    /// The program, by its path.
    pub program: PathBuf,
    /// Its arguments. Never a secret: every user can read them.
    pub arguments: Vec<OsString>,
    /// Its whole environment. Never a secret.
    pub environment: Vec<(OsString, OsString)>,
    /// Where it runs.
    pub directory: PathBuf,
    /// What it reads on standard input.
    pub input: Input,
    /// When it is ended.
    pub limit: Duration,
    /// The most bytes kept of its standard output; more is an error.
    pub output_cap: usize,
}

/// A file that the processes started while it is open inherit, under the name
/// [`Inherited::path`]: it stays readable when its own name is removed.
pub struct Inherited(std::fs::File);

impl Inherited {
    /// Opens a file for reading. For a program that starts one process, not for the
    /// agent: whatever is started meanwhile inherits it.
    ///
    /// # Errors
    ///
    /// When it cannot be opened.
    pub fn open(path: &Path) -> std::io::Result<Self> {
        let file = std::fs::File::open(path)?;
        rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty())?;
        Ok(Self(file))
    }

    /// Its name for the process.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        PathBuf::from(format!("/dev/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&self.0)))
    }
}

/// The standard input of a process.
#[derive(Debug)]
pub enum Input {
    /// These bytes.
    Bytes(Vec<u8>),
    /// A file, streamed; the counter says how many bytes the process has taken.
    Stream(std::fs::File, Arc<AtomicU64>),
}

impl Input {
    async fn feed(self, mut stdin: tokio::process::ChildStdin) -> std::io::Result<()> {
        match self {
            Self::Bytes(bytes) => stdin.write_all(&bytes).await,
            Self::Stream(file, taken) => {
                let mut file = tokio::fs::File::from_std(file);
                let mut buffer = vec![0; STREAM_BUFFER];
                loop {
                    match file.read(&mut buffer).await? {
                        0 => return Ok(()),
                        read => {
                            stdin.write_all(&buffer[..read]).await?;
                            taken.fetch_add(read as u64, Ordering::Relaxed);
                        }
                    }
                }
            }
        }
    }
}

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Exit status; `None`: killed by a signal.
    pub status: Option<i32>,
    /// It was ended at its limit.
    pub timed_out: bool,
    /// Standard output, when it was asked for.
    pub output: Vec<u8>,
    /// The last lines of standard error (and of standard output when that is not
    /// kept), secrets removed.
    pub tail: Vec<String>,
}

impl Outcome {
    /// Ended with status 0 within its limit.
    #[must_use]
    pub fn success(&self) -> bool {
        self.status == Some(0) && !self.timed_out
    }
}

/// Why a process could not be run.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// It could not be started.
    #[error("{} cannot be started", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// Its output or end could not be read.
    #[error("{} was lost", program.display())]
    Lost {
        /// The program.
        program: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// It printed more than is kept.
    #[error("{} printed more than {cap} bytes", program.display())]
    TooMuchOutput {
        /// The program.
        program: PathBuf,
        /// The cap.
        cap: usize,
    },
}

/// Takes secrets out of text.
#[derive(Clone, Default)]
pub struct Redactor {
    secrets: Vec<String>,
}

impl Redactor {
    /// Of these secrets. Those under four characters, passwords that everybody knows (the
    /// defaults) and truth values would only make ordinary words unreadable: left out.
    #[must_use]
    pub fn new(secrets: Vec<String>) -> Self {
        // Programs print line by line, and quote in JSON.
        let quoted = |text: &str| serde_json::to_string(text).unwrap_or_default().trim_matches('"').to_owned();
        let lines = secrets.iter().flat_map(|secret| secret.lines()).filter(|line| line.len() >= 8).map(str::to_owned);
        let mut secrets: Vec<String> = secrets.iter().map(|secret| quoted(secret)).chain(lines).chain(secrets.clone()).collect();
        let ordinary = |secret: &str| ["true", "false"].contains(&secret) || crate::config::keys::is_public_password(secret);
        secrets.retain(|secret| secret.len() >= 4 && !ordinary(secret));
        // The longest first, so that one inside another leaves no remainder.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets.dedup();
        Self { secrets }
    }

    /// The text without them.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret, crate::config::settings::MASK))
    }
}

/// Runs a process to its end. With `keep_output`, standard output is returned whole
/// and only standard error is read by lines; each line goes to `each_line` as well.
///
/// # Errors
///
/// When it cannot be started or its output cannot be read. A process that fails
/// is an [`Outcome`], not an error.
pub async fn run(
    invocation: Invocation,
    redactor: &Redactor,
    keep_output: bool,
    mut each_line: impl FnMut(&str),
) -> Result<Outcome, CommandError> {
    let program = invocation.program.clone();
    let lost = |source| CommandError::Lost { program: program.clone(), source };
    let mut child = tokio::process::Command::new(&invocation.program)
        .args(&invocation.arguments)
        .env_clear()
        .envs(invocation.environment.iter().cloned())
        .current_dir(&invocation.directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| CommandError::Start { program: program.clone(), source })?;
    let pid = child.id();
    // A process that does not read its input must not hold us up.
    let feeding = child.stdin.take().map(|stdin| tokio::spawn(invocation.input.feed(stdin)));
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(lost(std::io::Error::other("no pipes")));
    };
    let (lines, mut received) = tokio::sync::mpsc::channel::<String>(64);
    let reading = async {
        let errors = read_lines(stderr, lines.clone());
        if keep_output {
            let (output, ()) = tokio::join!(read_capped(stdout, invocation.output_cap), errors);
            drop(lines);
            output
        } else {
            tokio::join!(read_lines(stdout, lines.clone()), errors);
            drop(lines);
            Ok(Some(Vec::new()))
        }
    };
    let mut tail = std::collections::VecDeque::with_capacity(TAIL_LINES);
    let collecting = async {
        while let Some(line) = received.recv().await {
            // First redacted, then cut: a secret across the cut would stay.
            let line: String = redactor.redact(&line).chars().take(LINE_CHARS).collect();
            each_line(&line);
            if tail.len() == TAIL_LINES {
                tail.pop_front();
            }
            tail.push_back(line);
        }
    };
    let finished = tokio::time::timeout(invocation.limit, async { tokio::join!(reading, collecting, child.wait()) }).await;
    match finished {
        Ok((output, (), status)) => {
            let status = status.map_err(lost)?;
            let output = output
                .map_err(lost)?
                .ok_or(CommandError::TooMuchOutput { program: program.clone(), cap: invocation.output_cap })?;
            tail.extend(unread(feeding).await);
            Ok(Outcome { status: status.code(), timed_out: false, output, tail: tail.into() })
        }
        Err(_) => {
            end_group(&mut child, pid).await;
            Ok(Outcome { status: None, timed_out: true, output: Vec::new(), tail: tail.into() })
        }
    }
}

/// Why the input came to an early end: the process only says that it did. That it read no
/// further is its own affair.
async fn unread(feeding: Option<tokio::task::JoinHandle<std::io::Result<()>>>) -> Option<String> {
    // A file system that hangs is not waited for.
    let ended = tokio::time::timeout(GRACE, feeding?).await.ok()?.ok()?;
    let fault = ended.err().filter(|fault| fault.kind() != std::io::ErrorKind::BrokenPipe)?;
    Some(format!("its input could not be read to the end: {fault}"))
}

async fn end_group(child: &mut tokio::process::Child, pid: Option<u32>) {
    use rustix::process::{Pid, Signal, kill_process_group};
    let group = pid.and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
    if let Some(group) = group {
        kill_process_group(group, Signal::TERM).ok();
    }
    if tokio::time::timeout(GRACE, child.wait()).await.is_err() {
        if let Some(group) = group {
            kill_process_group(group, Signal::KILL).ok();
        }
        child.wait().await.ok();
    }
}

async fn read_lines(stream: impl AsyncRead + Unpin, lines: tokio::sync::mpsc::Sender<String>) {
    let mut reader = BufReader::new(stream);
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        // A line without an end is cut, so that memory stays bounded.
        let mut limited = (&mut reader).take(64 * 1024);
        match limited.read_until(b'\n', &mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {
                let text = String::from_utf8_lossy(&buffer);
                let line = text.trim_end().to_owned();
                if !line.is_empty() && lines.send(line).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// `None`: more than the cap.
async fn read_capped(stream: impl AsyncRead + Unpin, cap: usize) -> std::io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let mut limited = stream.take(cap as u64 + 1);
    limited.read_to_end(&mut bytes).await?;
    if bytes.len() <= cap {
        return Ok(Some(bytes));
    }
    // Read the rest away, so that the process can end.
    let mut rest = limited.into_inner();
    tokio::io::copy(&mut rest, &mut tokio::io::sink()).await?;
    Ok(None)
}

/// A program that asks for passwords on the terminal (`pkttyagent(1)`), as systemctl
/// starts one; ended when dropped.
pub struct TerminalAgent(std::process::Child);

impl Drop for TerminalAgent {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Starts it and waits until it is registered; `None` when there is none.
#[must_use]
pub fn start_terminal_agent() -> Option<TerminalAgent> {
    let (registered, notify) = rustix::pipe::pipe().ok()?;
    let number = std::os::fd::AsRawFd::as_raw_fd(&notify);
    let child = std::process::Command::new("/usr/bin/pkttyagent")
        .args(["--notify-fd", &number.to_string(), "--fallback", "--process", &std::process::id().to_string()])
        .spawn()
        .ok()?;
    drop(notify);
    // It closes its end when it is registered, and when it fails.
    std::io::copy(&mut std::fs::File::from(registered), &mut std::io::sink()).ok();
    Some(TerminalAgent(child))
}

/// Becomes another program; returns only when that fails.
#[must_use]
pub fn become_program(program: &str, arguments: &[String]) -> std::io::Error {
    std::os::unix::process::CommandExt::exec(std::process::Command::new(program).args(arguments))
}

/// The environment of helm: its folders below `directory`, nothing of ours.
#[must_use]
pub fn helm_environment(directory: &Path) -> Vec<(OsString, OsString)> {
    let below = |name: &str| directory.join(name).into_os_string();
    vec![
        ("PATH".into(), "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into()),
        ("HOME".into(), directory.as_os_str().into()),
        ("LANG".into(), "C.UTF-8".into()),
        ("HELM_CACHE_HOME".into(), below("cache")),
        ("HELM_CONFIG_HOME".into(), below("config")),
        ("HELM_DATA_HOME".into(), below("data")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> Invocation {
        Invocation {
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), script.into()],
            environment: vec![("A".into(), "1".into())],
            directory: "/".into(),
            input: Input::Bytes(b"in\n".to_vec()),
            limit,
            output_cap: 1000,
        }
    }

    #[tokio::test]
    async fn output_status_and_redacted_tail() {
        let redactor = Redactor::new(vec!["planted".into(), "planted-longer".into()]);
        let script = "read x; echo \"$x $A\"; echo 'a planted-longer word' >&2; exit 3";
        let outcome = run(shell(script, Duration::from_secs(10)), &redactor, true, |_| {}).await.unwrap();
        assert_eq!((outcome.status, outcome.output.as_slice()), (Some(3), b"in 1\n".as_slice()));
        assert_eq!(outcome.tail, ["a ******** word"]);
    }

    #[tokio::test]
    async fn an_input_that_cannot_be_read_to_its_end_is_told() {
        let folder = std::fs::File::open("/").unwrap();
        let input = Input::Stream(folder, Arc::new(AtomicU64::new(0)));
        let invocation = Invocation { input, ..shell("cat; echo 'unexpected end' >&2; exit 1", Duration::from_secs(10)) };
        let outcome = run(invocation, &Redactor::default(), true, |_| {}).await.unwrap();
        assert_eq!(outcome.tail[0], "unexpected end");
        assert!(outcome.tail[1].starts_with("its input could not be read to the end: Is a directory"), "{:?}", outcome.tail);
    }

    #[tokio::test]
    async fn the_environment_is_clean() {
        let outcome = run(shell("env", Duration::from_secs(10)), &Redactor::default(), true, |_| {}).await.unwrap();
        let text = String::from_utf8(outcome.output).unwrap();
        assert!(!text.contains("CARGO"), "{text}");
    }

    #[tokio::test]
    async fn a_process_past_its_limit_is_ended_with_its_children() {
        let outcome =
            run(shell("sleep 1000 & sleep 1000", Duration::from_millis(100)), &Redactor::default(), false, |_| {}).await.unwrap();
        assert!(outcome.timed_out);
    }

    #[tokio::test]
    async fn more_than_the_cap_is_an_error_and_not_a_hang() {
        let script = "head -c 1000000 /dev/zero";
        let error = run(shell(script, Duration::from_secs(10)), &Redactor::default(), true, |_| {}).await.unwrap_err();
        assert!(matches!(error, CommandError::TooMuchOutput { cap: 1000, .. }), "{error}");
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_named() {
        let mut invocation = shell("", Duration::from_secs(1));
        invocation.program = "/nonexistent/helm".into();
        let error = run(invocation, &Redactor::default(), true, |_| {}).await.unwrap_err();
        assert_eq!(error.to_string(), "/nonexistent/helm cannot be started");
    }
}
