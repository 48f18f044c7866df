//! Logs are events with fields; in the journal each important one has a MESSAGE_ID.
//!
//! Under systemd they go to journald's socket with their fields, elsewhere to
//! standard error as text. The level can be changed while the agent runs
//! (`systemctl service-log-level kaapana-agent debug`).

use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Registry, reload};

/// MESSAGE_IDs; each has an entry in `packaging/catalog/`.
pub mod id {
    /// The agent is ready.
    pub const READY: &str = "a2cdfb5d69144191a87d97547a20aad8";
    /// The agent goes away.
    pub const STOPPING: &str = "3fe394a387394404917fa58d12946473";
    /// The phase changed.
    pub const PHASE: &str = "860eb23478ef4c0a859515b78a6f3a1b";
    /// A condition changed.
    pub const CONDITION: &str = "aa3205ac79964395be7a7e37141ecb03";
    /// A condition changes again and again.
    pub const FLAPS: &str = "b7c5f0a2e4d84f6c9a1d3e5f70829364";
    /// A configuration came into force.
    pub const CONFIG_ACCEPTED: &str = "6a9d623e53b445f1af2bc5f392c90de0";
    /// A configuration was refused.
    pub const CONFIG_REFUSED: &str = "fdfd63be6c0f458f960cddf72fe354e0";
    /// A job was accepted.
    pub const JOB_ACCEPTED: &str = "059c4cf631fd4af2b842e5f7c3a14360";
    /// What somebody else deployed was taken over.
    pub const ADOPTED: &str = "c3fa6a0d9a4b4a0d8e3b5f0e6a7c1d92";
    /// The cluster gave a warning about something of the platform.
    pub const CLUSTER_WARNING: &str = "9f3c1a64b8d24e0f8a7d5b2e61c0d943";
    /// A migration that was begun is forgotten, because the data was restored.
    pub const MIGRATION_FORGOTTEN: &str = "5d1e0d7e6a0f4c0c9a52f1c1f0b7d3e8";
    /// A step of a job was started.
    pub const JOB_STEP: &str = "836d4c24e9ab4476a929d384f179f84e";
    /// A job is done.
    pub const JOB_DONE: &str = "10b0b5b24a8a421db025ea7618c9374b";
    /// A job failed.
    pub const JOB_FAILED: &str = "cebd1eb8c845483487dabe2de2d9171b";
    /// A deployment failed, and the last good one is put back.
    pub const WAY_BACK: &str = "c1d4a1f0b7a24c2c8b6b4a9b6e6d0f53";
    /// A job is to be canceled.
    pub const JOB_CANCELED: &str = "5e0c6f1b3f8c4d0f9a3c2b7d1e4f6a85";
    /// Something is not done, and why.
    pub const HELD: &str = "7e7b59eff2a4470a88a46a05608c53f0";
    /// The agent was told to leave the platform alone.
    pub const PAUSED: &str = "2a185faa75764e029bc862fa77a1ed01";
    /// It goes on.
    pub const RESUMED: &str = "e7b9cd671c6b46959e43fb271a2d49ba";
    /// A person must decide.
    pub const OPERATOR: &str = "ffda0b1e9e0a423996eba40817c759ae";
}

/// Changes the level of the agent's own events.
#[derive(Clone)]
pub struct LevelHandle {
    handle: reload::Handle<Targets, Registry>,
}

/// The levels of `org.freedesktop.LogControl1`, as systemd names them, weakest last.
const LEVELS: [(&str, LevelFilter); 8] = [
    ("emerg", LevelFilter::ERROR),
    ("alert", LevelFilter::ERROR),
    ("crit", LevelFilter::ERROR),
    ("err", LevelFilter::ERROR),
    ("warning", LevelFilter::WARN),
    ("notice", LevelFilter::INFO),
    ("info", LevelFilter::INFO),
    ("debug", LevelFilter::DEBUG),
];

impl LevelHandle {
    /// Sets the level by systemd's name. Returns whether there is such a level.
    #[must_use]
    pub fn set(&self, name: &str) -> bool {
        let Some((_, level)) = LEVELS.iter().find(|(known, _)| *known == name) else { return false };
        self.handle.reload(targets(*level)).is_ok()
    }

    /// The level by systemd's name.
    #[must_use]
    pub fn get(&self) -> &'static str {
        let level =
            self.handle.with_current(|targets| targets.iter().find(|(target, _)| *target == TARGET).map(|(_, level)| level));
        match level.ok().flatten() {
            Some(LevelFilter::ERROR) => "err",
            Some(LevelFilter::WARN) => "warning",
            Some(LevelFilter::DEBUG | LevelFilter::TRACE) => "debug",
            _ => "info",
        }
    }
}

const TARGET: &str = "kaapana_agent";

/// Libraries speak only of what is wrong: they would repeat what the agent tells.
fn targets(level: LevelFilter) -> Targets {
    Targets::new().with_default(LevelFilter::ERROR).with_target(TARGET, level)
}

/// Starts logging: to the journal when standard error is connected to it, else to
/// standard error.
///
/// # Errors
///
/// When the journal's socket cannot be used.
pub fn start(level: &str) -> std::io::Result<LevelHandle> {
    let (filter, handle) = reload::Layer::new(targets(LevelFilter::INFO));
    let registry = tracing_subscriber::registry();
    if connected_to_journal() {
        let journal = tracing_journald::layer()?.with_field_prefix(None).with_syslog_identifier("kaapana-agent".into());
        registry.with(journal.with_filter(filter)).try_init().ok();
    } else {
        let text = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false).with_ansi(false);
        registry.with(text.with_filter(filter)).try_init().ok();
    }
    let handle = LevelHandle { handle };
    let _known = handle.set(level);
    Ok(handle)
}

/// `$JOURNAL_STREAM` names device and inode of the journal's stream (`systemd.exec(5)`);
/// a child whose standard error was sent elsewhere has inherited the variable only.
fn connected_to_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    let Ok(stat) = rustix::fs::fstat(std::io::stderr()) else { return false };
    stream == format!("{}:{}", stat.st_dev, stat.st_ino)
}
