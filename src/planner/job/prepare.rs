//! Everything is brought in hand before anything is touched; then people, other helms
//! and the site's own program are waited for. Pure.

use super::take_down::{Occupied, occupied, present};
use super::{act, after, cluster, count, deadline, ends, few, gpu, import, migrate, past, phase, storage, surroundings, wait};
use crate::config::keys::{self, Effect};
use crate::config::settings::Auto;
use crate::ledger::{Cause, Desired, Job, JobKind, JobResult, Prepared, Stage};
use crate::planner::{Inputs, Plan, Step, preflight, release};
use crate::state::{Condition, Observed};

/// Keys that decide about the take-down itself.
const TAKE_DOWN: [&str; 7] = [
    "deployment.migration",
    "deployment.pre_takedown",
    "deployment.strategy",
    "deployment.no_hooks",
    "deployment.wait_for_workflows",
    "agent.on_change",
    "agent.windows",
];

/// Brings everything in hand; what comes up meanwhile counts.
pub(super) fn next(inputs: &Inputs<'_>, job: &Job, conditions: &[Condition]) -> Plan {
    if job.kind == JobKind::ImportImages {
        return import::next(job);
    }
    if job.kind == JobKind::Undeploy {
        return changed_mind(inputs, job)
            .or_else(|| people(inputs, job))
            .unwrap_or_else(|| act(job, "everything is ready for the take-down", Step::Advance { stage: Stage::TakeDown }));
    }
    let limit = deadline(inputs, job);
    let Some(prepared) = &job.prepared else {
        // A deployment is made for this machine, so the machine must have been seen.
        if let Some(unseen) = unseen(inputs, job) {
            return past(inputs, job, limit, &format!("{unseen} could not be seen"), Cause::Interrupted)
                .unwrap_or_else(|| wait(job, format!("waiting to see {unseen}"), limit));
        }
        return act(job, "bringing the chart and its values in hand", Step::Prepare);
    };
    if let Some(plan) = changed_mind(inputs, job) {
        return plan;
    }
    let holds = preflight::holds(job.kind, conditions);
    if let Some(hold) = holds.first() {
        return past(inputs, job, limit, &hold.message, Cause::Interrupted)
            .unwrap_or_else(|| wait(job, format!("waiting: {}", hold.message), limit));
    }
    let Some(served) = inputs.snapshot.kinds.fresh() else {
        return past(inputs, job, limit, "the API server did not say which kinds it serves", Cause::Api)
            .unwrap_or_else(|| wait(job, "waiting for the kinds the API server serves", limit));
    };
    let missing: Vec<String> = prepared.kinds.iter().filter(|kind| !served.contains(*kind)).cloned().collect();
    if !missing.is_empty() {
        let message = format!("the chart wants kinds the API server does not serve: {}", missing.join(", "));
        return act(job, "the chart cannot be installed", Step::fail("KindNotServed", message, Cause::Kinds(missing)));
    }
    let foreign = || migrate::refused(inputs, job).filter(|_| job.kind == JobKind::Migrate);
    surroundings::refused(inputs, job, prepared)
        .or_else(foreign)
        .or_else(|| storage::next(job, prepared))
        .or_else(|| images(job, prepared))
        .or_else(|| gpu::next(inputs, job, prepared))
        .or_else(|| people(inputs, job))
        .unwrap_or_else(|| act(job, "everything is in hand", Step::Advance { stage: Stage::TakeDown }))
}

/// The last moment in which nothing was touched: what came up meanwhile counts, unless
/// a person asked for this very job.
fn changed_mind(inputs: &Inputs<'_>, job: &Job) -> Option<Plan> {
    if job.requester.is_some() {
        return None;
    }
    if let Some(pause) = inputs.ledger.paused(inputs.now) {
        let summary = format!("everything is in hand; paused: {}", pause.reason);
        return Some(Plan::rest(phase(job), summary).wake(pause.until));
    }
    let wanted = if job.kind == JobKind::Undeploy { Desired::Undeployed } else { Desired::Deployed };
    let touches =
        |key: &String| keys::find(key).is_none_or(|known| known.effect != Effect::Agent || TAKE_DOWN.contains(&known.path));
    let changed = job.kind != JobKind::Undeploy
        && inputs.ledger.settings.as_ref().is_some_and(|new| job.settings.changed_keys(new).iter().any(touches));
    if inputs.ledger.desired != wanted || changed {
        let message = "the configuration was changed meanwhile";
        return Some(act(job, message, skipped(message)));
    }
    if job.kind != JobKind::Undeploy && release::outside_window(inputs, &job.settings).is_some() {
        let message = "the maintenance window closed before everything was in hand";
        return Some(act(job, message, skipped(message)));
    }
    None
}

/// The images the chart names: there, or pulled before anything is taken down.
fn images(job: &Job, prepared: &Prepared) -> Option<Plan> {
    let missing = &prepared.missing_images;
    let image = missing.first()?;
    if let Some(archive) = &prepared.import {
        let summary = format!("importing {} of {} images from {}", missing.len(), prepared.images.len(), archive.display());
        return Some(act(job, summary, Step::ImportImages { archive: archive.clone() }));
    }
    if job.settings.flag("deployment.offline") {
        let message = format!("{} of {} images are not on this machine: {}", missing.len(), prepared.images.len(), few(missing));
        return Some(act(job, "images are missing", Step::fail("ImagesMissing", message, Cause::Images)));
    }
    let number = prepared.images.len().saturating_sub(missing.len()) + 1;
    let summary = format!("pulling image {number} of {}: {image}", prepared.images.len());
    Some(act(job, summary, Step::PullImage { image: image.clone() }))
}

/// What a deployment takes from the machine and was not seen yet.
fn unseen(inputs: &Inputs<'_>, job: &Job) -> Option<&'static str> {
    let snapshot = inputs.snapshot;
    if snapshot.system.fresh().is_none() {
        return Some("the memory");
    }
    if inputs.node().is_none() {
        return Some("this machine's node in the cluster");
    }
    if inputs.chart(&job.settings).is_none() {
        return Some("the chart");
    }
    if inputs.disks(&job.settings).is_none() {
        return Some("the data directories");
    }
    let asked = job.settings.auto("deployment.gpu_support") == Auto::Auto;
    // NVML that hangs is no GPU that can be used.
    (asked && snapshot.gpu == Observed::Pending).then_some("the GPU")
}

fn skipped(message: &str) -> Step {
    ends(JobResult::Skipped, "", message, Cause::Interrupted)
}

/// What is waited for before what runs is taken down; `None`: nothing (any more).
fn people(inputs: &Inputs<'_>, job: &Job) -> Option<Plan> {
    let cluster = match cluster(inputs, job) {
        Ok(cluster) => cluster,
        Err(plan) => return Some(*plan),
    };
    let present = present(inputs, cluster);
    if present.is_empty() {
        // Also of what is down already a backup is made before it is migrated.
        return program(inputs, job).filter(|_| job.kind == JobKind::Migrate);
    }
    for release in &present {
        match occupied(inputs, job, release) {
            Occupied::No | Occupied::Stuck => {}
            Occupied::Wait { message, until } => {
                let limit = deadline(inputs, job);
                return Some(
                    past(inputs, job, limit, &message, Cause::Interrupted)
                        .unwrap_or_else(|| wait(job, format!("waiting: {message}"), limit.min(until.unwrap_or(limit)))),
                );
            }
            Occupied::Consent { message } => {
                return Some(act(job, message.clone(), Step::fail("ReleaseStuck", message, Cause::Platform)));
            }
        }
    }
    workflows(inputs, job).or_else(|| program(inputs, job))
}

/// The site's program as it is wished now: it may have been mended meanwhile.
fn program(inputs: &Inputs<'_>, job: &Job) -> Option<Plan> {
    let settings = inputs.ledger.settings.as_ref().unwrap_or(&job.settings);
    let program = match settings.text("deployment.pre_takedown") {
        // No migration goes without the backup it was begun with.
        "" if job.kind == JobKind::Migrate => job.settings.text("deployment.pre_takedown"),
        program => program,
    };
    let wanted = !program.is_empty() && job.pre_takedown_done.as_deref() != Some(std::path::Path::new(program));
    wanted.then(|| act(job, "running the site's program", Step::RunSiteProgram { program: program.into() }))
}

/// People whose workflows run are waited for, as long as the site says.
fn workflows(inputs: &Inputs<'_>, job: &Job) -> Option<Plan> {
    let running = inputs.workflows();
    if running.is_empty() || job.options.stop_workflows {
        // From here on the job's own time counts.
        return job.waiting_since.map(|_| act(job, "no workflow is waited for", Step::NoteWaiting(None)));
    }
    let until = after(job, "deployment.wait_for_workflows", job.waiting_since.unwrap_or(inputs.now));
    if inputs.now >= until && job.kind == JobKind::Migrate {
        let message =
            format!("{} would work on the data while it is migrated: {}", count(running.len(), "workflow pod"), few(&running));
        return Some(act(job, message.clone(), Step::fail("WorkflowsRunning", message, Cause::Platform)));
    }
    if inputs.now >= until {
        return None;
    }
    let summary = format!(
        "waiting for {} until {}: {}",
        count(running.len(), "workflow pod"),
        until.strftime("%F %H:%M:%SZ"),
        few(&running)
    );
    Some(match job.waiting_since {
        None => act(job, summary, Step::NoteWaiting(Some(inputs.now))),
        Some(_) => wait(job, summary, until),
    })
}
