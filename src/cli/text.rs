//! How things look on a terminal and in a pipe.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::agent::publish::{JobView, Published};
use crate::config::show::Line;
use crate::ledger::{FinishedJob, PageTimes, StepRecord};
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
    let way = if job.way_back.is_empty() { "" } else { ", the way back" };
    format!("{} {} ({}{way}): {}, {:.0} %{}", job.id, job.kind, job.stage, job.step, job.progress * 100.0, counts(job))
}

/// A finished job in a line.
#[must_use]
pub fn finished_line(job: &FinishedJob) -> String {
    let span = job.finished.duration_since(job.created).as_secs();
    let said = [&job.error, &job.report].into_iter().find(|text| !text.is_empty());
    let said = said.map(|text| format!(": {text}")).unwrap_or_default();
    let page = page_of(job).map(|page| format!(" ({page})")).unwrap_or_default();
    format!("{} {} {} after {span} s{page}{said}", job.id, job.kind.as_str(), job.result.as_str())
}

/// How long the page was gone; `None`: it was not, or never answered.
fn page(page: &PageTimes) -> Option<String> {
    match (page.gone, page.down_time()) {
        (Some(_), Some(span)) => Some(format!("the page was gone for {} s", span.as_secs())),
        (Some(gone), None) => Some(format!("the page is gone since {}", time(gone))),
        (None, _) => None,
    }
}

/// The same of a job that ended; that an undeploy ends with no page is no news.
fn page_of(job: &FinishedJob) -> Option<String> {
    page(&job.page).filter(|_| job.kind.deploys())
}

fn by(requester: Option<u32>, session: &str) -> String {
    match (requester, session) {
        (None, _) => "the agent".to_owned(),
        (Some(uid), "") => format!("uid {uid}"),
        (Some(uid), session) => format!("uid {uid}, session {session}"),
    }
}

fn steps(out: &mut String, steps: &[StepRecord], running: bool) {
    for (number, step) in steps.iter().enumerate() {
        let running = running && number + 1 == steps.len();
        let end = match step.finished {
            Some(finished) => format!("{} s", finished.duration_since(step.started).as_secs()),
            None if running => "it runs".to_owned(),
            None => "no end was seen".to_owned(),
        };
        line(out, "ran", &format!("{}: {} ({end})", step.unit, step.what));
    }
}

/// A running job, with all that is known of it.
#[must_use]
pub fn running_job(job: &JobView) -> String {
    let mut out = String::new();
    line(&mut out, "job", &format!("{} {}, running", job.id, job.kind));
    line(&mut out, "why", &job.reason);
    line(&mut out, "asked by", &by(job.requester, &job.session));
    line(&mut out, "accepted", &time(job.created));
    line(&mut out, "now", &format!("{}: {}", job.stage, job.step));
    line(&mut out, "progress", &format!("{:.0} %{}", job.progress * 100.0, counts(job)));
    if !job.way_back.is_empty() {
        line(&mut out, "way back", &format!("the last good deployment is put back: {}", job.way_back));
    }
    if let Some(page) = page(&job.page) {
        line(&mut out, "page", &page);
    }
    steps(&mut out, &job.steps, true);
    let cancel = if job.cancel_means.is_empty() { "it cannot be canceled now" } else { &job.cancel_means };
    line(&mut out, "cancel", cancel);
    out
}

/// What is counted of a job, in words.
#[must_use]
pub fn counts(job: &JobView) -> String {
    job.counts.iter().map(|(name, count)| format!(", {name} {}/{}", count.done, count.total)).collect()
}

/// A finished job, with all that is known of it.
#[must_use]
pub fn finished_job(job: &FinishedJob) -> String {
    let mut out = String::new();
    let span = job.finished.duration_since(job.created).as_secs();
    line(&mut out, "job", &format!("{} {}, {}", job.id, job.kind.as_str(), job.result.as_str()));
    line(&mut out, "why", &job.reason);
    line(&mut out, "asked by", &by(job.requester, &job.session));
    line(&mut out, "accepted", &time(job.created));
    line(&mut out, "ended", &format!("{} after {span} s, at {}", time(job.finished), job.stage.as_str()));
    if !job.error.is_empty() {
        line(&mut out, "error", &job.error);
    }
    if !job.report.is_empty() {
        line(&mut out, "report", &job.report);
    }
    if let Some(generation) = job.put_back {
        line(&mut out, "way back", &format!("generation {generation} was put back"));
    }
    if let Some(page) = page_of(job) {
        line(&mut out, "page", &page);
    }
    steps(&mut out, &job.steps, false);
    line(&mut out, "log", &format!("kaapanactl logs {}", job.id));
    out
}

/// Why the agent does what it does: the decision, what led to it, each hold.
#[must_use]
pub fn why(published: &Published, plan: &serde_json::Value) -> String {
    let mut out = String::new();
    line(&mut out, "phase", &format!("{} - {}", published.phase.as_str(), published.summary));
    line(&mut out, "wished", &format!("{}, generation {}", published.desired_state, published.generation));
    if let Some(generation) = published.running.as_ref().map(|running| running.generation).filter(|number| *number > 0) {
        line(&mut out, "installed", &format!("generation {generation}"));
    }
    if !published.pause_reason.is_empty() {
        line(&mut out, "paused", &published.pause_reason);
    }
    if let Some(job) = &published.job {
        line(
            &mut out,
            "job",
            &format!("{} {} runs, asked by {}: {}", job.id, job.kind, by(job.requester, &job.session), job.reason),
        );
    } else if let Some(job) = published.history.last() {
        line(
            &mut out,
            "last job",
            &format!("{}, asked by {}: {}", finished_line(job), by(job.requester, &job.session), job.reason),
        );
    }
    let list = |key: &str| plan.get(key).and_then(serde_json::Value::as_array).cloned().unwrap_or_default();
    for change in list("because") {
        because(&mut out, &change);
    }
    let steps = list("steps");
    match steps.first().and_then(serde_json::Value::as_str) {
        Some(step) => line(&mut out, "so", step),
        None if published.job.is_some() => line(&mut out, "so", "the job's next event is waited for"),
        None if published.holds.is_empty() => line(&mut out, "so", "nothing is to be done"),
        None => line(&mut out, "so", "nothing is done, because of"),
    }
    for hold in &published.holds {
        line(&mut out, "held back", &format!("{}: {}", hold.reason, hold.message));
        if !hold.advice.is_empty() {
            line(&mut out, "", &format!("-> {}", hold.advice));
        }
    }
    for condition in published.conditions.iter().filter(|condition| condition.status != Status::True) {
        line(&mut out, "check", &format!("{} is {}: {}", condition.id, condition.status.as_str(), condition.message));
    }
    out
}

fn because(out: &mut String, change: &serde_json::Value) {
    let side = |key: &str| change.get(key).and_then(serde_json::Value::as_str).unwrap_or("(unset)").to_owned();
    line(out, "key", &format!("{}: {} -> {} forces {}", side("key"), side("old"), side("new"), side("forces")));
}

/// All jobs as a table.
#[must_use]
pub fn history(published: &Published) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_header(["JOB", "TYPE", "ACCEPTED", "BY", "RESULT", "TOOK", "WHY"]);
    for job in &published.history {
        let said: Vec<&str> =
            [&job.reason, &job.error, &job.report].into_iter().map(String::as_str).filter(|text| !text.is_empty()).collect();
        let mut why = said.join("; ");
        if let Some(page) = page_of(job) {
            why = format!("{why} ({page})");
        }
        table.add_row([
            job.id.to_string(),
            job.kind.as_str().into(),
            time(job.created),
            by(job.requester, &job.session),
            job.result.as_str().into(),
            format!("{} s", job.finished.duration_since(job.created).as_secs()),
            why,
        ]);
    }
    if let Some(job) = &published.job {
        table.add_row([
            job.id.to_string(),
            job.kind.clone(),
            time(job.created),
            by(job.requester, &job.session),
            format!("running ({})", job.stage),
            String::new(),
            job.reason.clone(),
        ]);
    }
    table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// Values for Helm, as they came over D-Bus: a line for each.
#[must_use]
pub fn values(document: &BTreeMap<String, serde_json::Value>) -> String {
    document.iter().map(|(path, value)| format!("{path} = {value}\n")).collect()
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
    for step in list("would") {
        line(&mut out, "would", step.as_str().unwrap_or_default());
    }
    for hold in list("holds") {
        line(&mut out, "held back", &format!("{}: {}", text(&hold, "reason"), text(&hold, "message")));
        if !text(&hold, "advice").is_empty() {
            line(&mut out, "", &format!("-> {}", text(&hold, "advice")));
        }
    }
    for change in list("because") {
        because(&mut out, &change);
    }
    out + &changes(document) + &told(document, "later", "later")
}

/// The values that would change, one a line; empty when none would.
#[must_use]
pub fn changes(document: &serde_json::Value) -> String {
    told(document, "changes", "value")
}

/// Differing values: what would change, or what the machine would yield at the next deployment.
fn told(document: &serde_json::Value, key: &str, label: &str) -> String {
    let mut out = String::new();
    for change in document.get(key).and_then(|value| value.as_array()).into_iter().flatten() {
        let side =
            |key: &str| change.get(key).and_then(|value| value.as_str()).map_or_else(|| "(unset)".to_owned(), str::to_owned);
        let path = change.get("path").and_then(|path| path.as_str()).unwrap_or_default();
        let when = if label == "later" { " (this machine, with the next deployment)" } else { "" };
        line(&mut out, label, &format!("{path}: {} -> {}{when}", side("old"), side("new")));
    }
    out
}

/// `config show`: TOML, a table after the other, where each value comes from as a comment.
#[must_use]
pub fn config(lines: &[Line], origin: bool) -> String {
    let mut text = String::new();
    for table in lines.chunk_by(|a, b| a.table == b.table) {
        if !text.is_empty() {
            text.push('\n');
        }
        text += &format!("[{}]\n", table[0].table);
        let assignment = |line: &Line| format!("{} = {}", line.name, line.value);
        // One long value does not move the comments of all.
        let width = table.iter().map(|line| assignment(line).chars().count()).filter(|width| *width <= 60).max().unwrap_or(0);
        for line in table {
            let assignment = assignment(line);
            text += &if origin { format!("{assignment:<width$}  # {}\n", line.source) } else { assignment + "\n" };
        }
    }
    text
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
