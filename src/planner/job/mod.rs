//! The next step of the job that runs. Pure.
//!
//! * this module: a unit that runs, a fault, a cancellation; what the stages share;
//! * [`prepare`]: everything is brought in hand, people are waited for, nothing is touched;
//! * [`take_down`]: what runs goes away; [`install`]: the chart is installed and followed;
//! * [`migrate`]: the data is migrated; `import`: an archive of images is imported;
//! * `surroundings`: what the cluster around the releases must have; `storage`: the provider of
//!   volumes; [`gpu`]: NVIDIA's GPU operator;
//! * [`way_back`]: what a failure means for the site;
//! * [`page`]: when the web page was gone.

pub mod gpu;
mod import;
pub mod install;
pub mod migrate;
pub mod page;
pub mod prepare;
mod storage;
mod surroundings;
pub mod take_down;
pub mod way_back;

use jiff::{SignedDuration, Timestamp};

use super::step::{Plan, Step, count};
use super::{Inputs, failure, release};
use crate::health::platform::PlatformHealth;
use crate::job_step::BAD_ARCHIVE;
use crate::ledger::{Cause, Job, JobKind, JobResult, Ledger, RunningStep, Stage, StepKind};
use crate::state::{ClusterView, Condition, Phase, StepResult, StepState};

/// How often a job starts a unit again that was lost.
const MOST_LOST: u32 = 3;

/// What the job does next.
#[must_use]
pub fn next(inputs: &Inputs<'_>, job: &Job, conditions: &[Condition], health: Option<&PlatformHealth>) -> Plan {
    let waits = job.step.as_ref().is_none_or(ends_at_once) || (job.way_back.is_some() && job.fault.is_some());
    let decided = if let Some(plan) = canceled(inputs, job).filter(|_| waits) {
        plan
    } else if let Some(fault) = &job.fault {
        act(job, fault.message.clone(), Step::failed(fault.clone()))
    } else if let Some(step) = &job.step {
        running(inputs, job, step)
    } else {
        match job.stage {
            Stage::Prepare => prepare::next(inputs, job, conditions),
            Stage::TakeDown => take_down::next(inputs, job),
            Stage::Migrate => migrate::next(inputs, job),
            Stage::Install => install::next(inputs, job),
            Stage::Follow => install::follow(inputs, job, health),
        }
    };
    let mut plan = way_back::conclude(inputs, job, decided);
    if job.kind == JobKind::ImportImages {
        plan.phase = release::phase_beside(inputs, health);
        return plan;
    }
    if let Some(note) = page::note(inputs, job) {
        plan.steps.insert(0, note);
    }
    plan
}

/// May this step be ended in its middle? What the runtime has of an import it keeps or drops
/// by itself.
fn ends_at_once(step: &RunningStep) -> bool {
    matches!(step.what, StepKind::ImportImages { .. })
}

/// What it means to cancel the job now, in a sentence.
///
/// # Errors
///
/// A sentence: why it cannot be canceled.
pub fn cancel_means(job: &Job, ledger: &Ledger) -> Result<String, String> {
    // What is being taken down is what would be put back.
    let runs = ledger.deployed.as_ref().filter(|deployed| deployed.healthy && !job.installing && job.stage <= Stage::Install);
    let previous = runs.or(ledger.previous.as_ref()).filter(|good| good.is_in_hand());
    if job.way_back.is_some() && job.step.is_some() && job.fault.is_none() {
        return Err("the last good deployment is being put back, which is not canceled".into());
    }
    if job.stage == Stage::Migrate && migrate::is_begun(job, ledger) {
        return Err("the migration was begun, and half a migration is worse than a long one: it goes on to its end".into());
    }
    if job.canceled_by.is_some() {
        return Err("it is being canceled already".into());
    }
    let now = job
        .step
        .as_ref()
        .filter(|step| !ends_at_once(step))
        .map_or_else(String::new, |step| format!(" once {} has ended", step.what));
    if job.kind == JobKind::ImportImages {
        return Ok("the job ends; images that are there already stay".into());
    }
    if !job.has_touched() {
        return Ok(match ledger.way_back().filter(|_| job.kind.deploys()) {
            Some(good) => format!("the job ends{now}, and generation {} is put back", good.generation),
            None => format!("the job ends{now}; nothing was touched, the platform stays as it is"),
        });
    }
    if job.kind == JobKind::Undeploy {
        return Ok(format!("the take-down stops{now}; what is down already stays down until someone deploys or undeploys again"));
    }
    if job.way_back.is_some() {
        return Ok("the way back is given up; what is there stays as it is".into());
    }
    let back = match previous {
        Some(good) if job.stage == Stage::TakeDown => format!("generation {} is put back", good.generation),
        Some(good) => format!("generation {} is put back, which takes the platform down once more", good.generation),
        None if job.stage == Stage::TakeDown => "nothing is installed, since there is no last good deployment".into(),
        None => "nothing is put back, since there is no last good deployment: what is installed stays as it is".into(),
    };
    Ok(match job.stage {
        Stage::TakeDown => format!("the old platform is taken down to the end, then {back}"),
        _ => format!("the job stops{now}, then {back}"),
    })
}

/// A job that a person ended stops where it can: not in the middle of a take-down
/// for a deployment, which has to come to its end first.
fn canceled(inputs: &Inputs<'_>, job: &Job) -> Option<Plan> {
    let by = job.canceled_by?;
    let message = match (job.has_touched(), job.kind, job.stage) {
        _ if job.way_back.is_some() => format!("uid {by} gave the way back up"),
        (_, JobKind::ImportImages, _) => format!("uid {by} canceled it"),
        (false, ..) => format!("uid {by} canceled it before anything was touched"),
        (true, JobKind::Deploy | JobKind::Migrate, Stage::TakeDown) => return None,
        (true, JobKind::Migrate, Stage::Migrate) if migrate::is_begun(job, inputs.ledger) => return None,
        (true, JobKind::Deploy | JobKind::Migrate, _) => format!("uid {by} canceled it"),
        (true, JobKind::Undeploy, _) => {
            let (done, all) = job.takedown.as_ref().map_or((0, 0), |down| (down.uninstalled.len(), down.releases.len()));
            format!("uid {by} canceled it after {done} of {all} releases were taken down")
        }
    };
    Some(act(job, message.clone(), ends(JobResult::Canceled, "Canceled", message, Cause::Canceled)))
}

fn phase(job: &Job) -> Phase {
    match (job.kind, job.stage) {
        (JobKind::Undeploy, _) => Phase::Undeploying,
        (_, Stage::Follow) => Phase::Progressing,
        _ => Phase::Deploying,
    }
}

fn act(job: &Job, summary: impl Into<String>, step: Step) -> Plan {
    Plan::rest(phase(job), summary).steps(vec![step])
}

fn wait(job: &Job, summary: impl Into<String>, until: Timestamp) -> Plan {
    Plan::rest(phase(job), summary).wake(Some(until))
}

fn after(job: &Job, key: &str, since: Timestamp) -> Timestamp {
    let span = SignedDuration::try_from(job.settings.duration(key)).unwrap_or(SignedDuration::MAX);
    since.saturating_add(span).unwrap_or(Timestamp::MAX)
}

/// When a deployment gives up, and an undeploy waiting. A cluster that was away for
/// long has a moment from when it is seen again.
fn deadline(inputs: &Inputs<'_>, job: &Job) -> Timestamp {
    let since = job.deadline_since();
    let since = job.waiting_since.map_or(since, |from| after(job, "deployment.wait_for_workflows", from).max(since));
    let limit = after(job, "deployment.deadline", since);
    match inputs.snapshot.cluster_since {
        Some(since) => limit.max(after(job, "deployment.stuck_after", since).min(after(job, "deployment.deadline", since))),
        None => limit,
    }
}

fn ends(result: JobResult, reason: &str, message: impl Into<String>, cause: Cause) -> Step {
    Step::FinishJob { result, reason: reason.into(), message: message.into(), cause, tail: Vec::new() }
}

fn timeout(reason: &str, message: impl Into<String>, cause: Cause) -> Step {
    ends(JobResult::Timeout, reason, message, cause)
}

fn past(inputs: &Inputs<'_>, job: &Job, limit: Timestamp, message: &str, cause: Cause) -> Option<Plan> {
    // What is not seen is no verdict.
    (inputs.now >= limit && inputs.snapshot.cluster_since.is_some())
        .then(|| act(job, message, timeout("DeadlineExceeded", message, cause)))
}

/// The cluster, or the plan that waits for it.
fn cluster<'i>(inputs: &Inputs<'i>, job: &Job) -> Result<&'i ClusterView, Box<Plan>> {
    let observed = &inputs.snapshot.cluster;
    // What is not seen is no verdict, however late it is.
    let unseen = || Box::new(Plan::rest(phase(job), format!("waiting for the cluster: {}", observed.reason())));
    observed.fresh().map(AsRef::as_ref).ok_or_else(unseen)
}

/// The first few of a list, and how many more.
fn few(items: &[String]) -> String {
    match items.split_at_checked(5) {
        Some((first, rest)) if !rest.is_empty() => format!("{} and {} more", first.join(", "), rest.len()),
        _ => items.join(", "),
    }
}

/// A unit of the job runs, ended or was lost.
fn running(inputs: &Inputs<'_>, job: &Job, step: &RunningStep) -> Plan {
    let what = &step.what;
    // The unit ends itself at the time limit of its program; this is for a unit
    // that does not even do that.
    let limit = match what {
        StepKind::PreTakedown { .. } => after(job, "deployment.pre_takedown_timeout", step.started),
        StepKind::ImportImages { .. } => step.started.saturating_add(2 * crate::job_step::IMPORT_LIMIT).unwrap_or(Timestamp::MAX),
        _ => after(job, "deployment.helm_timeout", step.started),
    };
    let limit = limit + SignedDuration::from_mins(2);
    let seen = inputs.snapshot.step.fresh().filter(|seen| seen.unit == step.unit);
    match seen.map(|seen| &seen.state) {
        Some(StepState::Running) if inputs.now >= limit => {
            let message = format!("{what} ({}) has not ended, nor did its unit end it at the limit", step.unit);
            act(job, message.clone(), timeout("StepTimeout", message, Cause::Platform))
        }
        // After a restart it is not seen yet: that is no verdict.
        None => Plan::rest(phase(job), format!("{what} ({})", step.unit)),
        Some(StepState::Running) => wait(job, format!("{what} ({})", step.unit), limit),
        Some(StepState::Ended(result)) => act(job, format!("{what}: ended"), ended(inputs, job, step, result)),
        Some(StepState::Absent) if job.lost >= MOST_LOST => {
            let message = format!("{what}: its unit was lost {} times", job.lost + 1);
            act(job, message.clone(), Step::fail("UnitLost", message, Cause::Interrupted))
        }
        Some(StepState::Absent) => act(job, format!("{what}: lost"), Step::ForgetStep),
    }
}

fn ended(inputs: &Inputs<'_>, job: &Job, step: &RunningStep, result: &StepResult) -> Step {
    if result.success() {
        return Step::CloseStep { result: result.clone() };
    }
    let gone = |release: &(String, String)| {
        inputs.snapshot.cluster.fresh().is_some_and(|cluster| !cluster.releases.contains_key(release))
    };
    // Someone else took it down first: it is gone, as wished.
    if step.what.release().is_some_and(|release| gone(&release)) {
        return Step::CloseStep { result: result.clone() };
    }
    let how = match result {
        StepResult { timed_out: true, .. } => "ran past its time limit".to_owned(),
        StepResult { status: Some(status), .. } => format!("ended with status {status}"),
        _ => "was killed or could not be started".to_owned(),
    };
    // Helm's last words name the API server when that went away meanwhile.
    // The add-on speaks with others, too.
    let helm = !matches!(step.what, StepKind::EnableGpu { .. });
    let api = !failure::api_is_back(inputs.snapshot) || (helm && result.tail.iter().any(|line| speaks_of_the_api(line)));
    let (reason, cause) = match (&step.what, api, result.status) {
        (StepKind::PreTakedown { .. }, ..) => ("PreTakedownFailed", Cause::Platform),
        (StepKind::ImportImages { .. }, _, Some(BAD_ARCHIVE)) => ("ImagesArchiveInvalid", Cause::Images),
        (StepKind::ImportImages { .. }, ..) => ("ImagesNotImported", Cause::Images),
        (StepKind::EnableGpu { .. }, false, _) => ("GpuNotEnabled", Cause::Surroundings),
        (_, true, _) => ("ApiWentAway", Cause::Api),
        (_, false, None) if !result.timed_out => ("Interrupted", Cause::Interrupted),
        _ => ("HelmFailed", Cause::Platform),
    };
    // In the middle of a take-down for a deployment the way is forward.
    let hooks = matches!(step.what, StepKind::Uninstall { no_hooks: false, .. });
    if job.migration_end.is_some() && step.what.release().is_some() {
        return Step::CloseStep { result: result.clone() };
    }
    if hooks && job.kind.deploys() && cause == Cause::Platform {
        return Step::SkipHooks;
    }
    // What the site's program says is the site's, and nobody knows which of it is secret: the
    // bus is for everybody, the journal is not.
    let foreign = matches!(step.what, StepKind::PreTakedown { .. });
    let last = match last_word(&result.tail) {
        _ if foreign => format!("; what it said: kaapanactl logs {}", job.id),
        last => last.map(|line| format!(": {line}")).unwrap_or_default(),
    };
    Step::FinishJob {
        result: if result.timed_out { JobResult::Timeout } else { JobResult::Failed },
        reason: reason.into(),
        message: match (reason, result.tail.last()) {
            // It was not even begun.
            ("ImagesArchiveInvalid", Some(line)) => line.clone(),
            _ => format!("{} {how}{last}", step.what),
        },
        cause,
        tail: if foreign { Vec::new() } else { result.tail.clone() },
    }
}

/// What says why: the line that helm and ctr mark, with what belongs to it; what else they print may
/// come after it.
fn last_word(tail: &[String]) -> Option<String> {
    let marked = |line: &String| ["Error: ", "ctr: "].iter().any(|mark| line.starts_with(mark));
    let Some(at) = tail.iter().rposition(marked) else { return tail.last().cloned() };
    // Helm lists several errors below its line; `command` says why an input came to an early end.
    let belongs = |line: &&String| line.starts_with([' ', '\t']) || line.starts_with("its input could not");
    let more = tail[at + 1..].iter().filter(belongs);
    Some(std::iter::once(&tail[at]).chain(more).map(|line| line.trim()).collect::<Vec<_>>().join(" "))
}

/// Does this line of helm's say that the API server did not answer?
fn speaks_of_the_api(line: &str) -> bool {
    [
        "connection refused",
        "connection reset",
        "Kubernetes cluster unreachable",
        "TLS handshake timeout",
        "EOF",
        "etcdserver:",
        "http2: client connection lost",
    ]
    .iter()
    .any(|words| line.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_says_why_is_found() {
        let of = |lines: &[&str]| last_word(&lines.iter().map(|&line| line.to_owned()).collect::<Vec<_>>());
        assert_eq!(of(&["ctr: wrong diff id", "unpacking a..."]).unwrap(), "ctr: wrong diff id");
        let several = ["Error: INSTALLATION FAILED: 1 error occurred:", "\t* timed out", "", "other"];
        assert_eq!(of(&several).unwrap(), "Error: INSTALLATION FAILED: 1 error occurred: * timed out");
        let cut = ["ctr: unexpected EOF", "its input could not be read to the end: I/O error"];
        assert!(of(&cut).unwrap().ends_with("I/O error"));
        assert_eq!(of(&["a", "b"]).unwrap(), "b");
        assert_eq!(of(&[]), None);
    }
}
