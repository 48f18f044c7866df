//! Live progress: a bar on a terminal, a line for each change in a pipe.

use std::io::{IsTerminal as _, Write as _};
use std::num::NonZeroUsize;

use futures_util::StreamExt as _;
use indicatif::{ProgressBar, ProgressStyle};
use zbus::{Connection, MatchRule, MessageStream, message};

use super::{exit, text};
use crate::agent::publish::Published;
use crate::dbus::NAME;
use crate::dbus::proxy::ManagerProxy;
use crate::ledger::{FinishedJob, JobResult};
use crate::state::Phase;

/// Signals of the agent, and the bus's word that it went away or came back.
pub struct Changes {
    signals: MessageStream,
    owners: MessageStream,
}

impl Changes {
    /// Listens from now on. The connection must be for this alone: while signals are
    /// not fetched, nothing else gets through once its queue is full.
    ///
    /// # Errors
    ///
    /// When the bus does not answer.
    pub async fn listen(connection: &Connection) -> zbus::Result<Self> {
        let room = NonZeroUsize::new(256);
        let from_agent = MatchRule::builder().msg_type(message::Type::Signal).sender(NAME).build()?;
        let owner = MatchRule::builder()
            .msg_type(message::Type::Signal)
            .sender("org.freedesktop.DBus")
            .member("NameOwnerChanged")
            .arg(0, NAME)
            .build()?;
        Ok(Self {
            signals: MessageStream::for_match_rule(from_agent, connection, room).await?,
            owners: MessageStream::for_match_rule(owner, connection, room).await?,
        })
    }

    /// Waits until something changed. False: the bus is gone.
    pub async fn next(&mut self) -> bool {
        tokio::select! {
            signal = self.signals.next() => signal.is_some(),
            owner = self.owners.next() => owner.is_some(),
        }
    }
}

/// What is published; `None` while the agent is being started again.
pub async fn describe(manager: &ManagerProxy<'_>) -> zbus::Result<Option<Published>> {
    match manager.describe().await {
        Ok(text) => serde_json::from_str(&text)
            .map(Some)
            .map_err(|error| zbus::Error::Failure(format!("another version of the agent runs: {error}"))),
        Err(error) if is_gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Does this error say that nobody owns the agent's name (any more)?
#[must_use]
pub fn is_gone(error: &zbus::Error) -> bool {
    const GONE: [&str; 5] = ["ServiceUnknown", "NameHasNoOwner", "NoReply", "Disconnected", "UnknownObject"];
    let name = match error {
        zbus::Error::MethodError(name, ..) => name.to_string(),
        zbus::Error::FDO(error) => zbus::DBusError::name(error.as_ref()).to_string(),
        _ => return false,
    };
    GONE.iter().any(|gone| name.ends_with(gone))
}

/// Follows a job to its end. The agent may be restarted meanwhile.
///
/// # Errors
///
/// When the bus is lost.
pub async fn job(changes: &mut Changes, manager: &ManagerProxy<'_>, id: u32) -> zbus::Result<FinishedJob> {
    let show = Show::new();
    loop {
        if let Some(published) = describe(manager).await? {
            if let Some(job) = published.history.iter().find(|job| job.id == id) {
                show.end();
                return Ok(job.clone());
            }
            if let Some(job) = published.job.as_ref().filter(|job| job.id == id) {
                let way = if job.way_back.is_empty() { "" } else { " (the way back)" };
                show.progress(job.progress, &format!("{}{way}: {}{}", job.stage, job.step, text::counts(job)));
            }
        }
        if !changes.next().await {
            return Err(zbus::Error::Failure("the system bus closed the connection".into()));
        }
    }
}

/// Shows the state again and again until the bus is gone; Ctrl-C ends the program.
///
/// # Errors
///
/// When the bus is lost.
pub async fn state(changes: &mut Changes, manager: &ManagerProxy<'_>, json: bool, all: bool) -> zbus::Result<()> {
    let terminal = std::io::stdout().is_terminal();
    let mut before = String::new();
    loop {
        let shown = match describe(manager).await? {
            None => "the agent is not running; waiting for it\n".to_owned(),
            Some(published) if json => serde_json::to_string(&published).unwrap_or_default() + "\n",
            Some(published) if terminal => text::status(&published, all),
            Some(published) => plain(&published),
        };
        if shown != before {
            let mut out = std::io::stdout().lock();
            if terminal && !json {
                // Home, and everything below is cleared (ECMA-48).
                write!(out, "\x1b[H\x1b[2J").ok();
            }
            // A closed pipe is the reader's way to say that it has seen enough.
            if write!(out, "{shown}").and_then(|()| out.flush()).is_err() {
                return Ok(());
            }
            before = shown;
        }
        if !changes.next().await {
            return Err(zbus::Error::Failure("the system bus closed the connection".into()));
        }
    }
}

/// Shows what changes until the platform is as wished, or a person is needed. Returns
/// the exit status.
///
/// # Errors
///
/// When the bus is lost.
pub async fn until_settled(changes: &mut Changes, manager: &ManagerProxy<'_>) -> zbus::Result<u8> {
    let mut before = String::new();
    loop {
        if let Some(published) = describe(manager).await? {
            let line = plain(&published);
            if line != before {
                eprint!("{line}");
                before = line;
            }
            let busy = published.job.is_some() || published.settling_until.is_some();
            match published.phase {
                Phase::Healthy | Phase::Undeployed if !busy => return Ok(exit::DONE),
                Phase::NeedsOperator if !busy => return Ok(exit::FAILED),
                _ => {}
            }
        }
        if !changes.next().await {
            return Err(zbus::Error::Failure("the system bus closed the connection".into()));
        }
    }
}

/// The state in a line, for pipes.
fn plain(published: &Published) -> String {
    let job = published.job.as_ref().map(|job| format!(" [job {}: {}, {:.0} %]", job.id, job.stage, job.progress * 100.0));
    format!("{}{}: {}\n", published.phase.as_str(), job.unwrap_or_default(), published.summary)
}

/// How a job's end is said.
#[must_use]
pub fn end(job: &FinishedJob) -> (String, bool) {
    (format!("job {}", text::finished_line(job)), job.result == JobResult::Done)
}

struct Show {
    bar: Option<ProgressBar>,
    last: std::cell::RefCell<String>,
}

impl Show {
    fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(100);
            if let Ok(style) = ProgressStyle::with_template("{bar:30} {percent:>3} % {elapsed:>5} {wide_msg}") {
                bar.set_style(style.progress_chars("=> "));
            }
            bar
        });
        Self { bar, last: std::cell::RefCell::default() }
    }

    fn progress(&self, share: f64, message: &str) {
        match &self.bar {
            // A share is between 0 and 1.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            Some(bar) => {
                bar.set_position((share * 100.0) as u64);
                bar.set_message(message.to_owned());
            }
            None if *self.last.borrow() != message => {
                eprintln!("{:>3.0} % {message}", share * 100.0);
                self.last.replace(message.to_owned());
            }
            None => {}
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
