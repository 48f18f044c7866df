//! `kaapanactl doctor`: what every check says, worst first. The agent is asked; when it does not
//! run, its program is run once, which has the sensors.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use zbus::Connection;

use super::{exit, run};
use crate::agent::publish::Published;
use crate::command::become_program;
use crate::dbus::proxy::ManagerProxy;
use crate::doctor;
use crate::paths::Paths;
use crate::state::{Condition, Severity, Status};

/// A deployment would be held, or nobody can tell.
const HELD: u8 = 2;

/// How it is shown, and for tests what is looked at.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Print what every check says as JSON
    #[arg(long)]
    pub json: bool,
    /// Show every check, not only those that are not as they should be
    #[arg(long, short)]
    pub all: bool,
    /// Look for every file below this directory instead of /, without asking the agent (for tests)
    #[arg(long, hide = true)]
    pub root: Option<PathBuf>,
}

/// Asks the agent, or becomes `program`, the agent's, which looks itself.
pub async fn ask(options: &Options, program: &Path) -> u8 {
    let asked = if options.root.is_none() { ask_agent().await } else { None };
    if let Some(conditions) = asked {
        return show(options, "agent", conditions, None);
    }
    let mut arguments = vec!["doctor".to_owned()];
    arguments.extend(options.json.then(|| "--json".to_owned()));
    arguments.extend(options.all.then(|| "--all".to_owned()));
    arguments.extend(options.root.iter().flat_map(|root| ["--root".to_owned(), root.display().to_string()]));
    let error = become_program(&program.to_string_lossy(), &arguments);
    eprintln!("kaapanactl: the agent does not run, and {} cannot be run instead: {error}", program.display());
    exit::UNREACHABLE
}

/// Looks without the agent.
pub async fn look(options: &Options) -> u8 {
    let paths = Arc::new(Paths::below(options.root.as_deref().unwrap_or(Path::new("/"))));
    let examination = doctor::examine(paths, jiff::Timestamp::now).await;
    let status = show(options, "doctor", examination.conditions, examination.memory.as_deref());
    if options.json {
        return status;
    }
    eprintln!("The agent does not run, or has not looked yet; this is what can be seen without it.");
    if let Some(memory) = examination.memory {
        eprintln!("Recorded disks and what is deployed are not known: {memory}");
    }
    if !rustix::process::geteuid().is_root() {
        eprintln!("Run it as root to see everything.");
    }
    status
}

/// What the agent sees, which looks all the time; `None`: it does not run.
async fn ask_agent() -> Option<Vec<Condition>> {
    let connection = Connection::system().await.ok()?;
    let manager = ManagerProxy::builder(&connection).cache_properties(zbus::proxy::CacheProperties::No).build().await.ok()?;
    let published: Published = serde_json::from_str(&manager.describe().await.ok()?).ok()?;
    // While it starts it has not looked yet.
    (!published.conditions.is_empty()).then_some(published.conditions)
}

/// Prints it and chooses the exit status.
fn show(options: &Options, seen_by: &str, conditions: Vec<Condition>, memory: Option<&str>) -> u8 {
    let bad = conditions.iter().filter(|condition| condition.status != Status::True);
    let worst = bad.map(|condition| condition.severity).max();
    if options.json {
        let document = serde_json::json!({"seen_by": seen_by, "memory": memory, "worst": worst, "conditions": conditions});
        run::print(&format!("{document}\n"));
    } else {
        run::print(&told(conditions, options.all));
    }
    match worst {
        Some(Severity::Critical) => HELD,
        Some(Severity::Warning) => exit::FAILED,
        Some(Severity::Info) | None => exit::DONE,
    }
}

/// The findings, worst first, and a line of counts.
fn told(mut conditions: Vec<Condition>, all: bool) -> String {
    let rank = |condition: &Condition| match condition.status {
        Status::False => 0,
        Status::Unknown => 1,
        Status::True => 2,
    };
    conditions
        .sort_by_key(|condition| (condition.status == Status::True, std::cmp::Reverse(condition.severity), rank(condition)));
    let mut out = String::new();
    for condition in conditions.iter().filter(|condition| all || condition.status != Status::True) {
        let word = match (condition.status, condition.severity) {
            (Status::True, _) => "ok",
            (Status::Unknown, _) => "unknown",
            (Status::False, severity) => severity.as_str(),
        };
        out.push_str(&format!("{word:>8}  {}: {}\n", condition.id, condition.message));
        if !condition.advice.is_empty() {
            out.push_str(&format!("          -> {}\n", condition.advice));
        }
    }
    let of = |severity| conditions.iter().filter(|c| c.status == Status::False && c.severity == severity).count();
    let unknown = conditions.iter().filter(|c| c.status == Status::Unknown).count();
    let critical = |status| conditions.iter().any(|c| c.status == status && c.severity == Severity::Critical);
    let verdict = match (critical(Status::False), critical(Status::Unknown)) {
        (true, _) => "a deployment would be held",
        (false, true) => "whether a deployment would be held cannot be told",
        (false, false) => "a deployment would not be held",
    };
    out.push_str(&format!(
        "{} checks: {} critical, {} warnings, {} worth knowing, {unknown} unknown; {verdict}\n",
        conditions.len(),
        of(Severity::Critical),
        of(Severity::Warning),
        of(Severity::Info),
    ));
    out
}
