//! How things look on a terminal and in a pipe.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::agent::publish::{JobView, Published};
use crate::ledger::FinishedJob;
use crate::state::{Condition, Phase, Status};

/// Reads a time span such as `90m`.
///
/// # Errors
///
/// A sentence that says what was expected.
pub fn parse_span(text: &str) -> Result<Duration, String> {
    crate::config::settings::parse_duration(text)
        .filter(|span| !span.is_zero())
        .ok_or_else(|| "expected a time span such as 90m or 2h".into())
}

/// A time in the time zone of the reader.
#[must_use]
pub fn time(at: Timestamp) -> String {
    at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// The exit status of `status`.
#[must_use]
pub fn status_code(published: &Published) -> u8 {
    use super::exit;
    match published.phase {
        Phase::Healthy | Phase::Undeployed => exit::DONE,
        Phase::Deploying | Phase::Progressing | Phase::Undeploying | Phase::Repairing | Phase::Paused => exit::IN_PROGRESS,
        _ => exit::FAILED,
    }
}

/// The whole state. With `all`, checks that do not fail are shown, too.
#[must_use]
pub fn status(published: &Published, all: bool) -> String {
    let mut out = String::new();
    let name = published
        .platform
        .as_ref()
        .map_or_else(|| "no platform".to_owned(), |platform| format!("{} {}", platform.name, platform.version));
    line(&mut out, "platform", &name);
    line(&mut out, "phase", &format!("{} - {}", published.phase.as_str(), published.summary));
    if let Some(platform) = &published.platform {
        line(&mut out, "address", &platform.address);
        line(&mut out, "wished", &format!("{}, generation {}", published.desired_state, published.generation));
    }
    if let Some(health) = published.health.as_ref().filter(|health| health.releases.total > 0) {
        let (r, w, p) = (health.releases, health.workloads, health.pods);
        line(
            &mut out,
            "healthy",
            &format!("{}/{} releases, {}/{} workloads, {}/{} pods", r.done, r.total, w.done, w.total, p.done, p.total),
        );
    }
    if !published.pause_reason.is_empty() {
        let until =
            published.paused_until.map_or_else(|| "until someone resumes".to_owned(), |until| format!("until {}", time(until)));
        line(&mut out, "paused", &format!("{until}: {}", published.pause_reason));
    }
    if let Some(job) = &published.job {
        line(&mut out, "job", &job_line(job));
    } else if let Some(job) = published.history.last() {
        line(&mut out, "last job", &finished_line(job));
    }
    if let Some(until) = published.settling_until {
        line(&mut out, "changed", &format!("the configuration is read at {}", time(until)));
    }
    checks(&mut out, &published.conditions, all);
    for hold in &published.holds {
        write!(out, "\n held back  {}: {}\n", hold.reason, hold.message).ok();
        if !hold.advice.is_empty() {
            writeln!(out, "            -> {}", hold.advice).ok();
        }
    }
    out
}

fn line(out: &mut String, name: &str, text: &str) {
    writeln!(out, "{name:>10}  {text}").ok();
}

fn checks(out: &mut String, conditions: &[Condition], all: bool) {
    let good = conditions.iter().filter(|condition| condition.status == Status::True).count();
    line(out, "checks", &format!("{good} of {} as they should be", conditions.len()));
    for condition in conditions.iter().filter(|condition| all || condition.status != Status::True) {
        let word = match condition.status {
            Status::True => "ok",
            Status::False => "FAILED",
            Status::Unknown => "unknown",
        };
        writeln!(out, "{word:>10}  {}  {}", condition.id, condition.message).ok();
        if !condition.advice.is_empty() {
            writeln!(out, "            -> {}", condition.advice).ok();
        }
    }
}

/// A running job in a line.
#[must_use]
pub fn job_line(job: &JobView) -> String {
    format!("{} {} ({}): {}, {:.0} %", job.id, job.kind, job.stage, job.step, job.progress * 100.0)
}

/// A finished job in a line.
#[must_use]
pub fn finished_line(job: &FinishedJob) -> String {
    let span = job.finished.duration_since(job.created).as_secs();
    let error = if job.error.is_empty() { String::new() } else { format!(": {}", job.error) };
    format!("{} {} {} after {span} s{error}", job.id, job.kind.as_str(), job.result.as_str())
}

/// All jobs as a table.
#[must_use]
pub fn jobs(published: &Published) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_header(["JOB", "TYPE", "ACCEPTED", "BY", "RESULT", "WHY"]);
    let by = |requester: Option<u32>| requester.map_or_else(|| "the agent".to_owned(), |uid| format!("uid {uid}"));
    for job in &published.history {
        let why = if job.error.is_empty() { job.reason.clone() } else { format!("{}; {}", job.reason, job.error) };
        table.add_row([
            job.id.to_string(),
            job.kind.as_str().into(),
            time(job.created),
            by(job.requester),
            job.result.as_str().into(),
            why,
        ]);
    }
    if let Some(job) = &published.job {
        table.add_row([
            job.id.to_string(),
            job.kind.clone(),
            time(job.created),
            by(job.requester),
            format!("running ({})", job.stage),
            job.reason.clone(),
        ]);
    }
    table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// A plan, as it came over D-Bus.
#[must_use]
pub fn plan(document: &serde_json::Value) -> String {
    let mut out = String::new();
    let text =
        |value: &serde_json::Value, key: &str| value.get(key).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
    let list = |key: &str| document.get(key).and_then(|value| value.as_array()).cloned().unwrap_or_default();
    line(&mut out, "phase", &format!("{} - {}", text(document, "phase"), text(document, "summary")));
    for (number, step) in list("steps").iter().enumerate() {
        line(&mut out, if number == 0 { "next" } else { "then" }, step.as_str().unwrap_or_default());
    }
    if list("steps").is_empty() {
        line(&mut out, "next", "nothing");
    }
    for hold in list("holds") {
        line(&mut out, "held back", &format!("{}: {}", text(&hold, "reason"), text(&hold, "message")));
        if !text(&hold, "advice").is_empty() {
            line(&mut out, "", &format!("-> {}", text(&hold, "advice")));
        }
    }
    for change in list("changes") {
        let side =
            |key: &str| change.get(key).and_then(|value| value.as_str()).map_or_else(|| "(unset)".to_owned(), str::to_owned);
        line(&mut out, "value", &format!("{}: {} -> {}", text(&change, "path"), side("old"), side("new")));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unconfigured_agent_is_shown_and_wants_attention() {
        let published = crate::agent::Agent::nothing_yet();
        assert_eq!(status_code(&published), super::super::exit::FAILED);
        let text = status(&published, false);
        assert!(text.contains("no platform") && text.contains("Unconfigured - starting"), "{text}");
    }

    #[test]
    fn a_plan_shows_masked_changes_and_holds() {
        let document = serde_json::json!({"phase": "Blocked", "summary": "s", "steps": [], "holds": [{"reason": "R", "message": "m", "advice": "a"}],
            "changes": [{"path": "global.http_port", "old": "80", "new": "81"}, {"path": "global.x", "old": null, "new": "1"}]});
        assert_eq!(
            plan(&document),
            "     phase  Blocked - s\n      next  nothing\n held back  R: m\n            -> a\n     value  global.http_port: 80 -> 81\n     value  global.x: (unset) -> 1\n"
        );
    }
}
