//! The next step of the job that runs. Pure.

use jiff::{SignedDuration, Timestamp};

use super::step::{Plan, Step};
use super::{Inputs, interlock, preflight, release};
use crate::config::settings::Auto;
use crate::health::platform::PlatformHealth;
use crate::health::{Level, platform::Ownership};
use crate::ledger::{Cause, Desired, Job, JobKind, JobResult, Prepared, RunningStep, Stage, StepKind, TakeDown};
use crate::state::{ClusterView, Condition, ObjectId, Phase, Release, Status, StepResult, StepState};

/// How often a job starts a unit again that was lost.
const MOST_LOST: u32 = 3;

/// What the job does next.
#[must_use]
pub fn next(inputs: &Inputs<'_>, job: &Job, conditions: &[Condition], health: Option<&PlatformHealth>) -> Plan {
    if let Some(step) = &job.step {
        return running(inputs, job, step);
    }
    match job.stage {
        Stage::Prepare => prepare(inputs, job, conditions),
        Stage::TakeDown => take_down(inputs, job),
        Stage::Install => install(inputs, job),
        Stage::Follow => follow(inputs, job, health),
    }
}

fn phase(job: &Job) -> Phase {
    match (job.kind, job.stage) {
        (JobKind::Undeploy, _) => Phase::Undeploying,
        (JobKind::Deploy, Stage::Follow) => Phase::Progressing,
        (JobKind::Deploy, _) => Phase::Deploying,
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

/// A unit of the job runs, ended or was lost.
fn running(inputs: &Inputs<'_>, job: &Job, step: &RunningStep) -> Plan {
    let what = describe(&step.what);
    // The unit ends itself at the time limit of its program; this is for a unit
    // that does not even do that.
    let limit = after(job, "deployment.helm_timeout", step.started) + SignedDuration::from_mins(2);
    let seen = inputs.snapshot.step.fresh().filter(|seen| seen.unit == step.unit);
    match seen.map(|seen| &seen.state) {
        None | Some(StepState::Running) if inputs.now >= limit => {
            let message = format!("{what} in {} has not ended, and did not end at its limit", step.unit);
            act(job, message.clone(), timeout("StepTimeout", message, Cause::Platform))
        }
        None | Some(StepState::Running) => wait(job, format!("{what} ({})", step.unit), limit),
        Some(StepState::Ended(result)) => act(job, format!("{what}: ended"), ended(inputs, step, result)),
        Some(StepState::Absent) if job.lost >= MOST_LOST => {
            let message = format!("{what}: its unit was lost {} times", job.lost + 1);
            act(job, message.clone(), Step::fail("UnitLost", message, Cause::Interrupted))
        }
        Some(StepState::Absent) => act(job, format!("{what}: lost"), Step::ForgetStep),
    }
}

fn timeout(reason: &str, message: impl Into<String>, cause: Cause) -> Step {
    Step::FinishJob { result: JobResult::Timeout, reason: reason.into(), message: message.into(), cause, tail: Vec::new() }
}

fn describe(what: &StepKind) -> String {
    match what {
        StepKind::Install => "helm installs the chart".into(),
        StepKind::Uninstall { namespace, release } => format!("helm uninstalls {namespace}/{release}"),
    }
}

fn ended(inputs: &Inputs<'_>, step: &RunningStep, result: &StepResult) -> Step {
    if result.success() {
        return Step::CloseStep { result: result.clone() };
    }
    let gone = |namespace: &str, release: &str| {
        inputs.snapshot.cluster.fresh().is_some_and(|c| !c.releases.contains_key(&(namespace.to_owned(), release.to_owned())))
    };
    match &step.what {
        // Someone else took it down first: it is gone, as wished.
        StepKind::Uninstall { namespace, release } if gone(namespace, release) => Step::CloseStep { result: result.clone() },
        what => {
            let how = match result {
                StepResult { timed_out: true, .. } => "ran past its time limit".to_owned(),
                StepResult { status: Some(status), .. } => format!("ended with status {status}"),
                _ => "was killed or could not be started".to_owned(),
            };
            // Helm's last words name the API server when that went away meanwhile.
            let api = !release::api_is_back(inputs.snapshot) || result.tail.iter().any(|line| speaks_of_the_api(line));
            let (reason, cause) = match (api, result.status) {
                (true, _) => ("ApiWentAway", Cause::Api),
                (false, None) if !result.timed_out => ("Interrupted", Cause::Interrupted),
                _ => ("HelmFailed", Cause::Platform),
            };
            let last = result.tail.last().map(|line| format!(": {line}")).unwrap_or_default();
            Step::FinishJob {
                result: if result.timed_out { JobResult::Timeout } else { JobResult::Failed },
                reason: reason.into(),
                message: format!("{} {how}{last}", describe(what)),
                cause,
                tail: result.tail.clone(),
            }
        }
    }
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

fn prepare(inputs: &Inputs<'_>, job: &Job, conditions: &[Condition]) -> Plan {
    let limit = after(job, "deployment.deadline", job.deadline_since());
    let Some(prepared) = &job.prepared else {
        // A deployment is made for this machine, so the machine must have been seen.
        if let Some(unseen) = unseen(inputs, job) {
            return past(inputs, job, limit, &format!("{unseen} could not be seen"), Cause::Interrupted)
                .unwrap_or_else(|| wait(job, format!("waiting to see {unseen}"), limit));
        }
        return act(job, "bringing the chart and its values in hand", Step::Prepare);
    };
    // The last moment in which nothing was touched: what came up meanwhile counts.
    if job.requester.is_none() {
        if let Some(pause) = inputs.ledger.paused(inputs.now) {
            let summary = format!("everything is in hand; paused: {}", pause.reason);
            return Plan::rest(phase(job), summary).wake(pause.until);
        }
        let desired = inputs.ledger.desired == Desired::Deployed;
        if !desired || inputs.ledger.generation != job.generation {
            let message = "the configuration was changed meanwhile";
            return act(job, message, skipped(message));
        }
        if release::outside_window(inputs, &job.settings).is_some() {
            let message = "the maintenance window closed before everything was in hand";
            return act(job, message, skipped(message));
        }
    }
    let holds = preflight::holds(JobKind::Deploy, conditions);
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
    images(job, prepared)
}

/// The images the chart names: there, or pulled before anything is taken down.
fn images(job: &Job, prepared: &Prepared) -> Plan {
    let missing = &prepared.missing_images;
    let Some(image) = missing.first() else {
        return act(job, "everything is in hand", Step::Advance { stage: Stage::TakeDown });
    };
    if job.settings.flag("deployment.offline") {
        let message = format!("{} of {} images are not on this machine: {}", missing.len(), prepared.images.len(), few(missing));
        return act(job, "images are missing", Step::fail("ImagesMissing", message, Cause::Images));
    }
    let number = prepared.images.len().saturating_sub(missing.len()) + 1;
    act(job, format!("pulling image {number} of {}: {image}", prepared.images.len()), Step::PullImage { image: image.clone() })
}

/// The first few of a list, and how many more.
fn few(items: &[String]) -> String {
    match items.split_at_checked(5) {
        Some((first, rest)) if !rest.is_empty() => format!("{} and {} more", first.join(", "), rest.len()),
        _ => items.join(", "),
    }
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
    (asked && snapshot.gpu == crate::state::Observed::Pending).then_some("the GPU")
}

fn skipped(message: &str) -> Step {
    Step::FinishJob {
        result: JobResult::Skipped,
        reason: String::new(),
        message: message.into(),
        cause: Cause::Interrupted,
        tail: Vec::new(),
    }
}

/// The interlock once more, in the last moment before anything is written. What is
/// not known is waited for.
fn disk_lost(inputs: &Inputs<'_>, job: &Job) -> Option<Plan> {
    let limit = after(job, "deployment.deadline", job.deadline_since());
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
            Status::Unknown => unknown(&bad.message),
            _ => act(job, "the data disk went away", Step::fail(bad.reason, bad.message, Cause::Interrupted)),
        })
    })
}

fn past(inputs: &Inputs<'_>, job: &Job, limit: Timestamp, message: &str, cause: Cause) -> Option<Plan> {
    (inputs.now >= limit).then(|| act(job, message, timeout("DeadlineExceeded", message, cause)))
}

fn take_down(inputs: &Inputs<'_>, job: &Job) -> Plan {
    let Some(cluster) = inputs.snapshot.cluster.fresh() else {
        let limit = after(job, "deployment.deadline", job.deadline_since());
        return past(inputs, job, limit, "the cluster could not be seen", Cause::Api)
            .unwrap_or_else(|| wait(job, format!("waiting for the cluster: {}", inputs.snapshot.cluster.reason()), limit));
    };
    if let Some(hold) = inputs.ledger.deployed.as_ref().and_then(|deployed| release::foreign_root(inputs, deployed)) {
        return act(job, "the release is not ours", Step::fail(&hold.reason, hold.message, Cause::Platform));
    }
    // Only what the ledger says the agent installed, and what that installed.
    let ownership = inputs.ledger.deployed.as_ref().map(|deployed| &deployed.ownership);
    let present: Vec<&Release> = ownership.map(|own| own.releases(cluster)).unwrap_or_default();
    let Some(down) = &job.takedown else { return begin_take_down(job, &present) };
    let key = |release: &Release| (release.namespace.clone(), release.name.clone());
    let next = present.iter().find(|release| !down.uninstalled.contains(&key(release)));
    if let Some(release) = next {
        let step = Step::Uninstall { namespace: release.namespace.clone(), release: release.name.clone() };
        return act(job, format!("taking down {}/{}", release.namespace, release.name), step);
    }
    let left = leftovers(cluster, down, &present);
    if left.is_empty() {
        return match job.kind {
            JobKind::Undeploy => act(job, "the platform is down", Step::done()),
            JobKind::Deploy => act(job, "the old platform is down", Step::Advance { stage: Stage::Install }),
        };
    }
    let limit = after(job, "deployment.helm_timeout", down.since.unwrap_or(job.created));
    let shown = few(&left);
    let message = format!("{} objects are not gone: {shown}", left.len());
    past(inputs, job, limit, &message, Cause::Platform)
        .unwrap_or_else(|| wait(job, format!("waiting until they are gone: {shown}"), limit))
}

fn begin_take_down(job: &Job, ours: &[&Release]) -> Plan {
    let objects =
        ours.iter().flat_map(|release| &release.objects).filter(|object| !object.keep).map(|object| object.id.clone()).collect();
    let releases = ours.iter().map(|release| (release.namespace.clone(), release.name.clone())).collect();
    act(job, "taking down what runs", Step::BeginTakeDown { releases, objects })
}

/// What is not gone yet: releases, their workloads, and pods of those.
fn leftovers(cluster: &ClusterView, down: &TakeDown, present: &[&Release]) -> Vec<String> {
    let is_kept = |id: &ObjectId| id.kind == "PersistentVolumeClaim";
    let mut left: Vec<String> = present.iter().map(|release| format!("release {}/{}", release.namespace, release.name)).collect();
    left.extend(down.objects.iter().filter(|id| !is_kept(id) && cluster.workloads.contains_key(id)).map(ToString::to_string));
    left.extend(
        cluster
            .pods
            .values()
            .filter(|pod| pod.owner.as_ref().is_some_and(|owner| down.objects.contains(owner)))
            .map(|pod| format!("Pod {}/{}", pod.namespace, pod.name)),
    );
    left
}

fn install(inputs: &Inputs<'_>, job: &Job) -> Plan {
    let Some(cluster) = inputs.snapshot.cluster.fresh() else {
        let limit = after(job, "deployment.deadline", job.deadline_since());
        return past(inputs, job, limit, "the cluster could not be seen", Cause::Api)
            .unwrap_or_else(|| wait(job, format!("waiting for the cluster: {}", inputs.snapshot.cluster.reason()), limit));
    };
    let own = Ownership::of(&job.settings);
    if let Some(found) = cluster.releases.get(&(own.namespace.clone(), own.root.clone())) {
        return found_release(job, &own, found);
    }
    if let Some(plan) = disk_lost(inputs, job) {
        return plan;
    }
    if let Some(node) = inputs.node().filter(|node| node.role.is_none() && !job.labelled) {
        return act(job, "labelling the node", Step::LabelNode { node: node.name.clone() });
    }
    act(job, "installing the chart", Step::Install)
}

/// No unit is known and the root release is there: whose is it?
fn found_release(job: &Job, own: &Ownership, found: &Release) -> Plan {
    let mine = found.description == job.description();
    match (mine, found.status.as_str()) {
        (true, "deployed") => act(job, "the chart is installed", Step::Advance { stage: Stage::Follow }),
        _ if job.units > 0 => {
            let message = format!("the installation was interrupted and left {}/{} {}", own.namespace, own.root, found.status);
            act(job, "the installation was interrupted", Step::fail("Interrupted", message, Cause::Interrupted))
        }
        _ => {
            let message = format!("the release {}/{} appeared and is not this job's", own.namespace, own.root);
            act(job, "the release is not ours", Step::fail("ReleaseNotOurs", message, Cause::Platform))
        }
    }
}

fn follow(inputs: &Inputs<'_>, job: &Job, health: Option<&PlatformHealth>) -> Plan {
    let limit = after(job, "deployment.deadline", job.deadline_since());
    let Some(health) = health else {
        return past(inputs, job, limit, "the cluster could not be seen", Cause::Api)
            .unwrap_or_else(|| wait(job, format!("the platform cannot be seen: {}", inputs.snapshot.cluster.reason()), limit));
    };
    let summary = release::waiting_for(health);
    if health.level() <= Level::Suspended {
        let Some(since) = job.healthy_since else {
            return act(job, summary, Step::NoteHealthy(Some(inputs.now)));
        };
        let stable = after(job, "agent.stability", since);
        if inputs.now >= stable {
            return act(job, summary, Step::done());
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
    past(inputs, job, limit, &format!("not healthy before the deadline: {summary}"), Cause::Platform)
        .unwrap_or_else(|| wait(job, summary, limit))
}
