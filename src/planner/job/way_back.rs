//! What a failure means for the site: the last good chart and values go back. Pure.
//!
//! Only what a deployment took down itself is put back, and only when that cannot
//! harm the data: not when it is of another release (major.minor) by now.

use jiff::SignedDuration;

use super::{act, wait};
use crate::ledger::{Cause, Deployed, Desired, Job, JobFailure, JobKind, JobResult, Stage, WayBack};
use crate::planner::{Inputs, Plan, Step, data, failure};

/// Turns the end of a job that failed into the way back, where there is one; and the
/// end of the way back into the job's end.
pub(super) fn conclude(inputs: &Inputs<'_>, job: &Job, plan: Plan) -> Plan {
    let Some(Step::FinishJob { result, reason, message, cause, tail }) = plan.steps.first() else { return plan };
    let failure = JobFailure::of(*result, reason.clone(), message.clone(), tail.clone(), cause.clone());
    match (&job.way_back, failure) {
        (Some(way), None) => {
            let message = format!("{}; generation {} is back and healthy", way.failure.message, way.generation);
            // Not tried again by itself, whatever it was.
            let cause = if way.failure.cause == Cause::Canceled { Cause::Canceled } else { Cause::Platform };
            act(job, message.clone(), Step::failed(JobFailure { message, cause, ..way.failure.clone() }))
        }
        (Some(way), Some(failure)) => again_or_stop(inputs, job, way, failure),
        (None, Some(failure)) => {
            let failure = as_canceled(job, failure);
            match way_back(inputs, job, &failure) {
                Some(good) => {
                    let summary = format!("{}; generation {} is put back", failure.message, good.generation);
                    act(job, summary, Step::TurnBack { failure })
                }
                None => Plan { steps: vec![Step::failed(failure)], ..plan },
            }
        }
        (None, None) => plan,
    }
}

/// A person ended the job before it failed: it is not to be tried again by itself.
fn as_canceled(job: &Job, failure: JobFailure) -> JobFailure {
    let Some(by) = job.canceled_by.filter(|_| failure.cause != Cause::Canceled) else { return failure };
    JobFailure {
        result: JobResult::Canceled,
        reason: "Canceled".into(),
        message: format!("uid {by} canceled it; {}", failure.message),
        cause: Cause::Canceled,
        ..failure
    }
}

/// The way back failed: once more when something interrupted it, else a person decides.
fn again_or_stop(inputs: &Inputs<'_>, job: &Job, way: &WayBack, failure: JobFailure) -> Plan {
    // What could not be upgraded back is taken down and installed.
    let upgraded = job.upgrade_from.is_some() && way.attempts == 1 && failure.cause != Cause::Canceled;
    let passing = matches!(failure.cause, Cause::Api | Cause::Interrupted) || upgraded;
    let most = job.settings.integer("agent.retries");
    if passing && (upgraded || i64::from(way.attempts) <= most) {
        // The cause is what it was when it was seen first.
        if job.fault.as_ref() != Some(&failure) {
            return act(job, failure.message.clone(), Step::NoteFault(failure));
        }
        // What interrupted it may go on for a moment, longer each time.
        let pause = SignedDuration::from_secs(15 << way.attempts.clamp(1, 6).saturating_sub(1));
        let at = job.in_hand.unwrap_or(job.created) + pause;
        let summary = format!("{}; generation {} is put back once more", failure.message, way.generation);
        if !failure::api_is_back(inputs.snapshot) {
            return Plan::rest(super::phase(job), format!("{summary} when the API server is back"));
        }
        return match inputs.now >= at {
            true => act(job, summary, Step::TurnBack { failure }),
            false => wait(job, summary, at),
        };
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
fn way_back<'l>(inputs: &'l Inputs<'_>, job: &Job, failure: &JobFailure) -> Option<&'l Deployed> {
    // What nobody wants any more is not brought back only to be taken down.
    if inputs.ledger.desired == Desired::Undeployed {
        return None;
    }
    // Before, nothing was taken down by this job; but one before it may have.
    let good = match (job.has_touched(), job.stage >= Stage::Migrate) {
        (true, true) => inputs.ledger.previous.as_ref().filter(|good| good.is_in_hand()),
        (true, false) => None,
        (false, _) => inputs.ledger.way_back(),
    }?;
    // What failed on data of another release is taken down, and then everything stays down.
    let of_another = !job.has_touched() && inputs.data_of_another_release(good);
    if !job.kind.deploys() || of_another {
        return None;
    }
    let attempts = inputs.ledger.failure.as_ref().filter(|known| known.intent == job.intent).map_or(0, |known| known.attempts);
    let most = job.settings.integer("agent.retries");
    let passing = matches!(failure.cause, Cause::Api | Cause::Interrupted) && failure.result != JobResult::Timeout;
    // A migration is not tried again by itself.
    (!passing || job.kind == JobKind::Migrate || i64::from(attempts) + 1 > most).then_some(good)
}

/// The data became another release's on the way back: then everything stays down.
pub(super) fn refused(inputs: &Inputs<'_>, job: &Job) -> Option<Plan> {
    let way = job.way_back.as_ref()?;
    let good = job.settings.text("platform.version");
    let found = data::other_release(inputs.ledger, &inputs.disks(&job.settings)?.fast, good)?;
    let message =
        format!("the data is of version {found} by now and generation {} of {good}; the platform stays down", way.generation);
    Some(act(job, message.clone(), Step::fail("OtherRelease", message, Cause::Platform)))
}
