//! What a failure means for the site: the last good chart and values go back. Pure.
//!
//! Only what a deployment took down itself is put back, and only when that cannot
//! harm the data: not when it is of another release (major.minor) by now.

use super::{act, wait};
use crate::config::values::release_of;
use crate::ledger::{Cause, Deployed, Job, JobFailure, JobKind, JobResult, Stage, WayBack};
use crate::planner::{Inputs, Plan, Step, release};

/// Turns the end of a job that failed into the way back, where there is one; and the
/// end of the way back into the job's end.
pub(super) fn conclude(inputs: &Inputs<'_>, job: &Job, plan: Plan) -> Plan {
    let Some(Step::FinishJob { result, reason, message, cause, tail }) = plan.steps.first() else { return plan };
    let failure = JobFailure::of(*result, reason.clone(), message.clone(), tail.clone(), cause.clone());
    match (&job.way_back, failure) {
        (Some(way), None) => {
            let message = format!("{}; generation {} is back and healthy", way.failure.message, way.generation);
            act(job, message.clone(), Step::failed(JobFailure { message, ..way.failure.clone() }))
        }
        (Some(way), Some(failure)) => again_or_stop(inputs, job, way, failure),
        (None, Some(failure)) => match way_back(inputs, job, &failure) {
            Some(good) => {
                let summary = format!("{}; generation {} is put back", failure.message, good.generation);
                act(job, summary, Step::TurnBack { failure })
            }
            None => plan,
        },
        (None, None) => plan,
    }
}

/// The way back failed: once more when something interrupted it, else a person decides.
fn again_or_stop(inputs: &Inputs<'_>, job: &Job, way: &WayBack, failure: JobFailure) -> Plan {
    let passing = matches!(failure.cause, Cause::Api | Cause::Interrupted);
    let most = job.settings.integer("agent.retries");
    if passing && i64::from(way.attempts) <= most {
        if release::api_is_back(inputs.snapshot) {
            let summary = format!("{}; generation {} is put back once more", failure.message, way.generation);
            return act(job, summary, Step::TurnBack { failure });
        }
        let limit = super::deadline(job);
        if inputs.now < limit {
            return wait(job, format!("{}; waiting for the API server to go on with the way back", failure.message), limit);
        }
    }
    let message = format!(
        "{}; generation {} could not be put back: {}: {}",
        way.failure.message, way.generation, failure.reason, failure.message
    );
    act(
        job,
        message.clone(),
        Step::failed(JobFailure { message, cause: Cause::Platform, tail: failure.tail, ..way.failure.clone() }),
    )
}

/// The deployment that is put back after this failure; `None`: nothing is.
fn way_back<'l>(inputs: &Inputs<'l>, job: &Job, failure: &JobFailure) -> Option<&'l Deployed> {
    let good = inputs.ledger.previous.as_ref().filter(|good| good.settings.is_some())?;
    // Before, nothing was taken down; meanwhile, it must come to its end first.
    if job.kind != JobKind::Deploy || job.stage < Stage::Install {
        return None;
    }
    // To try the same once more is no way back.
    if job.intent.as_ref().is_some_and(|intent| intent.matches(&good.intent)) {
        return None;
    }
    let attempts = inputs.ledger.failure.as_ref().filter(|known| known.intent == job.intent).map_or(0, |known| known.attempts);
    let most = job.settings.integer("agent.retries");
    let passing = matches!(failure.cause, Cause::Api | Cause::Interrupted) && failure.result != JobResult::Timeout;
    (!passing || i64::from(attempts) + 1 > most).then_some(good)
}

/// An older release on newer data corrupts it: then everything stays down.
pub(super) fn refused(inputs: &Inputs<'_>, job: &Job) -> Option<Plan> {
    let way = job.way_back.as_ref()?;
    let found = inputs.disks(&job.settings)?.fast.version.as_deref()?;
    let good = job.settings.text("platform.version");
    if release_of(found) == release_of(good) {
        return None;
    }
    let message =
        format!("the data is of version {found} by now and generation {} of {good}; the platform stays down", way.generation);
    Some(act(job, message.clone(), Step::fail("OtherRelease", message, Cause::Platform)))
}
