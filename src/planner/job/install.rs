//! The chart is installed, and what it brings is followed until it is healthy. Pure.

use jiff::SignedDuration;

use super::take_down::{Occupied, kept, occupied, present};
use super::{act, after, cluster, deadline, migrate, past, phase, surroundings, wait, way_back};
use crate::health::Level;
use crate::health::platform::{Ownership, PlatformHealth};
use crate::ledger::{Cause, Job, Stage};
use crate::planner::{Inputs, Plan, Step, data, interlock, release};
use crate::state::{Release, Severity, Status};

/// How long a platform whose parts are all healthy is waited for to show its page.
const PAGE_PATIENCE: SignedDuration = SignedDuration::from_secs(60);

/// Installs the chart, or upgrades to it.
pub(super) fn next(inputs: &Inputs<'_>, job: &Job) -> Plan {
    let cluster = match cluster(inputs, job) {
        Ok(cluster) => cluster,
        Err(plan) => return *plan,
    };
    let own = Ownership::of(&job.settings);
    let found = cluster.releases.get(&(own.namespace.clone(), own.root.clone()));
    let upgrades = found.is_some_and(|found| job.upgrade_from.as_ref() == Some(&found.description));
    if let Some(found) = found.filter(|_| !upgrades) {
        return found_release(job, &own, found);
    }
    if let Some(refused) = way_back::refused(inputs, job) {
        return refused;
    }
    if let Some(plan) = disk_lost(inputs, job) {
        return plan;
    }
    if let Some(plan) = data_changed(inputs, job) {
        return plan;
    }
    if let Some(plan) = surroundings::next(inputs, job) {
        return plan;
    }
    if upgrades {
        return act(job, "upgrading to the chart", Step::Upgrade);
    }
    act(job, "installing the chart", Step::Install)
}

/// No unit is known and the root release is there: whose is it?
fn found_release(job: &Job, own: &Ownership, found: &Release) -> Plan {
    let mine = found.description == job.description();
    match (mine, found.status.as_str()) {
        (true, "deployed") => act(job, "the chart is installed", Step::Advance { stage: Stage::Follow }),
        _ if job.installing => {
            let message = format!("the installation was interrupted and left {}/{} {}", own.namespace, own.root, found.status);
            act(job, "the installation was interrupted", Step::fail("Interrupted", message, Cause::Interrupted))
        }
        _ => {
            let message = format!("the release {}/{} appeared and is not this job's", own.namespace, own.root);
            act(job, "the release is not ours", Step::fail("ReleaseNotOurs", message, Cause::Platform))
        }
    }
}

/// The interlock once more, in the last moment before anything is written. What is
/// not known is waited for.
pub(super) fn disk_lost(inputs: &Inputs<'_>, job: &Job) -> Option<Plan> {
    let limit = deadline(inputs, job);
    let unknown = |what: &str| {
        past(inputs, job, limit, what, Cause::Interrupted).unwrap_or_else(|| wait(job, format!("waiting: {what}"), limit))
    };
    let Some(disks) = inputs.disks(&job.settings) else {
        return Some(unknown("the data directories cannot be seen"));
    };
    let cluster = inputs.snapshot.cluster.fresh().map(AsRef::as_ref);
    [&disks.fast, &disks.slow].into_iter().find_map(|directory| {
        let verdicts = [
            interlock::mounted(&job.settings, directory),
            interlock::identity(inputs.ledger, directory, cluster),
            interlock::writable(directory),
        ];
        let bad = verdicts.into_iter().find(|verdict| verdict.status != Status::True)?;
        Some(match bad.status {
            // On the way back there is nothing else to fall back on.
            Status::Unknown => unknown(&bad.message),
            _ if job.way_back.is_some() => Plan::rest(phase(job), format!("waiting for the disk: {}", bad.message)),
            _ => act(job, "the data disk went away", Step::fail(bad.reason, bad.message, Cause::Interrupted)),
        })
    })
}

/// Of which release the data is, once more; and nothing else works on it.
fn data_changed(inputs: &Inputs<'_>, job: &Job) -> Option<Plan> {
    let work = migrate::at_work(inputs, &job.settings);
    if let Some(work) = work {
        return Some(Plan::rest(phase(job), format!("waiting for a migration: {work}")));
    }
    let disks = inputs.disks(&job.settings)?;
    let (verdict, severity) = data::verdict(&job.settings, &disks.fast, inputs.ledger)?;
    // The way back has a rule of its own.
    let bad = severity == Severity::Critical && verdict.status == Status::False && job.way_back.is_none();
    bad.then(|| act(job, "the data changed", Step::fail(verdict.reason, verdict.message, Cause::Platform)))
}

/// Follows what was installed until everything is healthy.
pub(super) fn follow(inputs: &Inputs<'_>, job: &Job, health: Option<&PlatformHealth>) -> Plan {
    let limit = deadline(inputs, job);
    let (Some(health), Ok(cluster)) = (health, cluster(inputs, job)) else {
        return Plan::rest(phase(job), format!("the platform cannot be seen: {}", inputs.snapshot.cluster.reason()));
    };
    let summary = release::waiting_for(health);
    let own = Ownership::of(&job.settings);
    let root = cluster.releases.get(&(own.namespace, own.root));
    if root.is_some_and(|root| root.status == "deployed" && root.description != job.description()) {
        return past(inputs, job, limit, "the release is not the one that helm installed", Cause::Platform)
            .unwrap_or_else(|| wait(job, "waiting to see what helm did", limit));
    }
    // At the deadline what people installed meanwhile is no reason to take a platform down.
    let late = inputs.now >= limit && root.is_some_and(|root| root.status == "deployed");
    if health.level() <= Level::Suspended || (late && health.essential <= Level::Suspended) {
        let Some(since) = job.healthy_since.map(|since| since.max(inputs.snapshot.cluster_since.unwrap_or(since))) else {
            return act(job, summary, Step::NoteHealthy(Some(inputs.now)));
        };
        // What was seen to be gone is seen to be back.
        let page = if job.page.gone.is_some() && job.page.back.is_none() { PAGE_PATIENCE } else { SignedDuration::ZERO };
        let stable = after(job, "agent.stability", since).max(since + page);
        if inputs.now >= stable {
            return act(job, summary, Step::done(kept(job).unwrap_or_default()));
        }
        return wait(job, summary, stable);
    }
    if job.healthy_since.is_some() {
        return act(job, summary, Step::NoteHealthy(None));
    }
    match (health.failed_jobs.first(), job.failing_since) {
        (Some(_), None) => return act(job, summary, Step::NoteFailing(Some(inputs.now))),
        (None, Some(_)) => return act(job, summary, Step::NoteFailing(None)),
        (Some(failed), Some(since)) => {
            let grace = after(job, "agent.failure_grace", since);
            if inputs.now >= grace {
                let detail = health.findings.iter().find(|finding| finding.object == failed.to_string());
                let message = format!("{failed} has failed: {}", detail.map_or("", |finding| finding.message.as_str()));
                return act(job, summary, Step::fail("JobOfPlatformFailed", message, Cause::Platform));
            }
            return wait(job, summary, grace.min(limit));
        }
        (None, None) => {}
    }
    // What a killed helm left pending does not become healthy by waiting.
    let own =
        &inputs.ledger.deployed.as_ref().map_or_else(|| Ownership::of(&job.settings), |deployed| deployed.ownership.clone());
    let stuck = present(inputs, cluster)
        .into_iter()
        .filter(|release| own.is_essential(release))
        .find(|release| matches!(occupied(inputs, job, release), Occupied::Stuck | Occupied::Consent { .. }));
    if let Some(release) = stuck {
        let message = format!("the release {}/{} is {} and no helm works on it", release.namespace, release.name, release.status);
        return act(job, summary, Step::fail("ReleaseStuck", message, Cause::Platform));
    }
    let stuck_at = present(inputs, cluster).into_iter().find_map(|release| match occupied(inputs, job, release) {
        Occupied::Wait { until, .. } => until,
        _ => None,
    });
    let wake = stuck_at.map_or(limit, |at| at.min(limit));
    past(inputs, job, limit, &format!("not healthy before the deadline: {summary}"), Cause::Platform)
        .unwrap_or_else(|| wait(job, summary, wake))
}
