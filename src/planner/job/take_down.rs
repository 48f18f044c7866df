//! What runs is taken down: only what is ours, in its order, until every object is
//! gone. Pure.

use jiff::{SignedDuration, Timestamp};

use std::collections::BTreeSet;

use super::{act, after, cluster, count, deadline, few, past, phase, wait};
use crate::config::settings::same_identity;
use crate::health::Level;
use crate::ledger::{Cause, Job, JobKind, Stage, TakeDown, Unfinished};
use crate::planner::{Inputs, Plan, Step, release};
use crate::state::{ClusterView, ObjectId, Observed, Pod, Release, Volume};

/// How long what helm wrote last may take to be seen.
pub(super) const VIEW_PATIENCE: SignedDuration = SignedDuration::from_secs(10);

/// May a release be worked on?
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Occupied {
    /// Nobody works on it.
    No,
    /// It is unfinished, long enough, and nobody works on it.
    Stuck,
    /// Somebody may work on it.
    Wait {
        /// A sentence.
        message: String,
        /// When it counts as stuck.
        until: Option<Timestamp>,
    },
    /// It is stuck at its first revision, which a person must give up.
    Consent {
        /// A sentence.
        message: String,
    },
}

/// The platform's releases that are there: only what the ledger says the agent
/// installed, and what that installed; in the order to take them down.
pub(super) fn present<'c>(inputs: &Inputs<'_>, cluster: &'c ClusterView) -> Vec<&'c Release> {
    inputs.ledger.deployed.as_ref().map(|deployed| deployed.ownership.releases(cluster)).unwrap_or_default()
}

/// A release whose status says that a helm works on it is left alone until it has been
/// so for longer than a helm may take, and no helm runs anywhere on the machine:
/// kube-helm runs its own. What a lost unit of the agent left is known to be nobody's.
pub(super) fn occupied(inputs: &Inputs<'_>, job: &Job, release: &Release) -> Occupied {
    let key = (release.namespace.clone(), release.name.clone());
    let own = |unfinished: &&Unfinished| {
        let since = release.changed.is_none_or(|at| release::slack(at) >= unfinished.from);
        unfinished.release == key
            && since
            && unfinished.until.is_none_or(|until| release.changed.is_none_or(|at| at <= release::slack(until)))
    };
    if !release.is_pending() || inputs.ledger.unfinished.iter().find(own).is_some() {
        return Occupied::No;
    }
    let what = format!("the release {}/{} is {}", release.namespace, release.name, release.status);
    let until = after(job, "deployment.stuck_after", release.changed.unwrap_or(job.created));
    if inputs.now < until {
        return Occupied::Wait {
            message: format!("{what}; it counts as stuck at {}", until.strftime("%H:%M:%SZ")),
            until: Some(until),
        };
    }
    match &inputs.snapshot.helms {
        Observed::Fresh(helms) if helms.is_empty() => {}
        Observed::Fresh(helms) => {
            let helms: Vec<String> = helms.iter().map(ToString::to_string).collect();
            return Occupied::Wait { message: format!("{what} and helm runs (process {})", few(&helms)), until: None };
        }
        other => return Occupied::Wait { message: format!("{what}; whether helm runs: {}", other.reason()), until: None },
    }
    // What never became healthy is the rest of a failed deployment, not a person's work.
    let remains = inputs.ledger.deployed.as_ref().is_some_and(|deployed| !deployed.healthy);
    if release.status == "pending-install" && release.revision <= 1 && !remains && !job.options.unlock {
        let verb = job.kind.as_str();
        return Occupied::Consent {
            message: format!("{what} at its first revision, and no helm works on it; kaapanactl {verb} --unlock gives it up"),
        };
    }
    Occupied::Stuck
}

/// Volumes whose data helm would erase with this release: those of claims that helm is
/// not told to keep, alone or with their namespace, when they go with their claim.
fn lost_with<'c>(cluster: &'c ClusterView, release: &Release) -> Vec<&'c Volume> {
    let goes = |id: &ObjectId| {
        release.namespaces.contains(&id.namespace) || release.objects.iter().any(|object| object.id == *id && !object.keep)
    };
    let lost = |volume: &&Volume| {
        let claim = volume.claim.as_ref().map(|(namespace, name)| ObjectId::new("PersistentVolumeClaim", namespace, name));
        volume.erased && claim.is_some_and(|id| cluster.workloads.contains_key(&id) && goes(&id))
    };
    cluster.volumes.values().map(AsRef::as_ref).filter(lost).collect()
}

/// No data goes with a release: volumes that would are told to outlive their claims, and
/// helm waits until the API server says that they do.
pub(super) fn keep_data(inputs: &Inputs<'_>, job: &Job, release: &Release) -> Option<Plan> {
    let lost = lost_with(inputs.snapshot.cluster.fresh()?, release);
    let names = |volumes: &[&Volume]| volumes.iter().map(|volume| volume.name.clone()).collect::<Vec<_>>();
    let new: Vec<&Volume> = lost.iter().filter(|volume| !job.retained.contains_key(&volume.name)).copied().collect();
    if !new.is_empty() {
        let summary = format!("keeping the data of {}: {}", count(new.len(), "volume"), few(&names(&new)));
        let volumes = new.iter().map(|volume| (volume.name.clone(), volume.path.clone().unwrap_or_default())).collect();
        return Some(act(job, summary, Step::RetainVolumes { volumes }));
    }
    if lost.is_empty() {
        return None;
    }
    let (limit, names) = (deadline(inputs, job), few(&names(&lost)));
    if inputs.now < limit {
        return Some(wait(job, format!("waiting to see that the volumes outlive their claims: {names}"), limit));
    }
    let message =
        format!("helm would erase {names} with {}/{}: the reclaim policy does not stay Retain", release.namespace, release.name);
    Some(act(job, message.clone(), Step::fail("DataNotKept", message, Cause::Platform)))
}

/// Takes down what runs.
pub(super) fn next(inputs: &Inputs<'_>, job: &Job) -> Plan {
    let cluster = match cluster(inputs, job) {
        Ok(cluster) => cluster,
        Err(plan) => return *plan,
    };
    if let Some(hold) = inputs.ledger.deployed.as_ref().and_then(|deployed| release::foreign_root(inputs, deployed)) {
        return act(job, "the release is not ours", Step::fail(&hold.reason, hold.message, Cause::Platform));
    }
    let present = present(inputs, cluster);
    let Some(down) = &job.takedown else {
        return upgrade(inputs, job, &present).unwrap_or_else(|| begin(inputs, job, &present));
    };
    let key = |release: &Release| (release.namespace.clone(), release.name.clone());
    // What appeared meanwhile is waited for like everything else.
    let unknown = |release: &&&Release| {
        let missing = release.objects.iter().any(|object| !object.keep && !down.objects.contains(&object.id));
        missing && !down.uninstalled.contains(&key(release))
    };
    if present.iter().any(|release| unknown(&release)) {
        return begin(inputs, job, &present);
    }
    if let Some(release) = present.iter().find(|release| !down.uninstalled.contains(&key(release))) {
        return uninstall(inputs, job, release);
    }
    let running: Vec<ObjectId> = hooks(cluster, down).filter(|id| !down.ended.contains(id)).cloned().collect();
    if !running.is_empty() {
        return act(job, "ending hooks that helm gave up", Step::DeleteHooks { jobs: running });
    }
    let left = leftovers(cluster, down, &present);
    if left.is_empty() {
        return match job.kind {
            JobKind::Undeploy | JobKind::ImportImages => act(job, "the platform is down", Step::done(report(inputs, cluster))),
            JobKind::Migrate if job.way_back.is_none() => {
                act(job, "the old platform is down", Step::Advance { stage: Stage::Migrate })
            }
            JobKind::Deploy | JobKind::Migrate => act(job, "the old platform is down", Step::Advance { stage: Stage::Install }),
        };
    }
    if let Some(step) = nuke(inputs, cluster, job, down) {
        return act(job, "deleting the platform's pods by force", step);
    }
    let shown = few(&left);
    // What is to be deleted by force has its own time to end first.
    let graces = pods(cluster, down).filter_map(|pod| pod.deleting).filter(|ends| *ends > inputs.now);
    if let Some(at) = graces.min().filter(|_| job.options.nuke_pods) {
        return wait(job, format!("waiting until they end by themselves: {shown}"), at);
    }
    // The way back waits as long as it takes: there is nothing else to fall back on.
    if job.way_back.is_some() {
        return Plan::rest(phase(job), format!("waiting until they are gone: {shown}"));
    }
    let limit = after(job, "deployment.helm_timeout", down.since.unwrap_or(job.created));
    let seen = inputs.snapshot.cluster_since.map(|since| after(job, "deployment.stuck_after", since));
    let limit = seen.map_or(limit, |seen| limit.max(seen));
    let message = format!("not gone: {} ({shown})", count(left.len(), "object"));
    past(inputs, job, limit, &message, Cause::Leftovers)
        .unwrap_or_else(|| wait(job, format!("waiting until they are gone: {shown}"), limit))
}

/// With what an earlier take-down left: two databases must never work on the same data.
fn begin(inputs: &Inputs<'_>, job: &Job, ours: &[&Release]) -> Plan {
    let objects = ours.iter().flat_map(|release| &release.objects).filter(|object| !object.keep).map(|object| object.id.clone());
    let objects = objects.chain(inputs.ledger.leftovers.iter().cloned()).collect::<BTreeSet<_>>().into_iter().collect();
    let releases = ours.iter().map(|release| (release.namespace.clone(), release.name.clone())).collect();
    let hooks = ours.iter().flat_map(|release| release.hooks.iter().cloned()).chain(inputs.ledger.hooks.iter().cloned());
    let hooks = hooks.collect::<BTreeSet<_>>().into_iter().collect();
    act(job, "taking down what runs", Step::BeginTakeDown { releases, objects, hooks })
}

/// Jobs of hooks that have not ended. No helm waits for them any more, and nobody else
/// would ever end them.
fn hooks<'d>(cluster: &'d ClusterView, down: &'d TakeDown) -> impl Iterator<Item = &'d ObjectId> {
    let runs = |id: &&ObjectId| cluster.workloads.get(id).is_some_and(|job| job.health.level == Level::Progressing);
    down.hooks.iter().filter(runs)
}

/// A chart that can is upgraded in place; nothing is taken down for it.
fn upgrade(inputs: &Inputs<'_>, job: &Job, present: &[&Release]) -> Option<Plan> {
    let deployed = inputs.ledger.deployed.as_ref()?;
    let wanted = job.kind == JobKind::Deploy && job.settings.text("deployment.strategy") == "upgrade";
    let same = deployed.ownership == crate::health::platform::Ownership::of(&job.settings)
        && same_identity(&deployed.identity, &job.settings.identity());
    let root = present.iter().find(|release| deployed.ownership.is_root(release))?;
    if super::way_back::refused(inputs, job).is_some() {
        return None;
    }
    // What was taken down in part, or failed to go back this way, is installed anew.
    let first = job.way_back.as_ref().is_none_or(|way| way.attempts == 1);
    if !(first && !deployed.partial && root.readable && wanted && same) {
        return None;
    }
    match root.status.as_str() {
        "deployed" | "failed" => Some(
            keep_data(inputs, job, root)
                .unwrap_or_else(|| act(job, "upgrading in place", Step::BeginUpgrade { from: root.description.clone() })),
        ),
        // Helm has ended; what it wrote last is not seen yet.
        _ => {
            let until = job.deadline_since() + VIEW_PATIENCE;
            (inputs.now < until).then(|| wait(job, "waiting to see what helm did", until))
        }
    }
}

fn uninstall(inputs: &Inputs<'_>, job: &Job, release: &Release) -> Plan {
    let (stuck, waits) = match occupied(inputs, job, release) {
        Occupied::No => (false, None),
        // Consent was asked for before anything was touched; here the way is forward.
        Occupied::Stuck | Occupied::Consent { .. } => (true, None),
        Occupied::Wait { message, until } => (false, Some((message, until))),
    };
    if let Some((message, until)) = waits {
        let limit = deadline(inputs, job);
        return past(inputs, job, limit, &message, Cause::Interrupted)
            .unwrap_or_else(|| wait(job, format!("waiting: {message}"), limit.min(until.unwrap_or(limit))));
    }
    if let Some(plan) = keep_data(inputs, job, release) {
        return plan;
    }
    // Its hooks are what it got stuck at.
    let hung =
        inputs.ledger.failure.as_ref().is_some_and(|failure| failure.reason == "HelmFailed" && failure.kind == JobKind::Undeploy);
    let no_hooks = job.options.no_hooks || ((stuck || hung) && release.status == "uninstalling");
    let step = Step::Uninstall { namespace: release.namespace.clone(), release: release.name.clone(), no_hooks };
    act(job, format!("taking down {}/{}", release.namespace, release.name), step)
}

/// The pods of what was taken down.
fn pods<'c>(cluster: &'c ClusterView, down: &TakeDown) -> impl Iterator<Item = &'c Pod> {
    let owned = |pod: &&Pod| {
        pod.owner.as_ref().is_some_and(|owner| down.objects.contains(owner) || (pod.active && down.hooks.contains(owner)))
    };
    cluster.pods.values().map(AsRef::as_ref).filter(owned).collect::<Vec<_>>().into_iter()
}

/// Pods that are deleted by force, because a person said so: those whose own time to end
/// is over; each once.
fn nuke(inputs: &Inputs<'_>, cluster: &ClusterView, job: &Job, down: &TakeDown) -> Option<Step> {
    let pods: Vec<_> = pods(cluster, down)
        .filter(|pod| job.options.nuke_pods && !job.nuked.contains(&pod.uid))
        .filter(|pod| pod.deleting.is_some_and(|ends| inputs.now >= ends))
        .map(|pod| (pod.namespace.clone(), pod.name.clone(), pod.uid.clone()))
        .collect();
    (!pods.is_empty()).then_some(Step::DeletePods { pods })
}

/// What is not gone yet, and why: releases, their workloads, and pods of those.
fn leftovers(cluster: &ClusterView, down: &TakeDown, present: &[&Release]) -> Vec<String> {
    let why = |deleting: bool, finalizers: &[String]| match (deleting, finalizers) {
        (false, _) => " (not being deleted)".to_owned(),
        (true, []) => " (being deleted)".to_owned(),
        (true, finalizers) => format!(" (being deleted; waits for {})", finalizers.join(", ")),
    };
    let is_kept = |id: &ObjectId| id.kind == "PersistentVolumeClaim";
    let mut left: Vec<String> =
        present.iter().map(|release| format!("release {}/{} ({})", release.namespace, release.name, release.status)).collect();
    left.extend(
        down.objects
            .iter()
            .filter(|id| !is_kept(id))
            .filter_map(|id| cluster.workloads.get(id))
            .map(|workload| format!("{}{}", workload.id, why(workload.deleting, &workload.finalizers))),
    );
    left.extend(
        pods(cluster, down)
            .map(|pod| format!("Pod {}/{}{}", pod.namespace, pod.name, why(pod.deleting.is_some(), &pod.finalizers))),
    );
    left
}

/// What is left of claims that went with their releases; nobody uses it any more.
pub(super) fn kept(job: &Job) -> Option<String> {
    let volumes: Vec<String> = job.retained.iter().map(|(name, path)| format!("{name} ({path})")).collect();
    (!volumes.is_empty()).then(|| format!("claims went with their releases, their data stays in {}", few(&volumes)))
}

/// What an undeploy leaves as it is.
fn report(inputs: &Inputs<'_>, cluster: &ClusterView) -> String {
    let Some(deployed) = &inputs.ledger.deployed else { return String::new() };
    let namespaces = deployed.settings.as_ref().map(|settings| settings.namespaces()).unwrap_or_default();
    let claims = cluster.workloads.keys().filter(|id| id.kind == "PersistentVolumeClaim" && namespaces.contains(&id.namespace));
    let strangers = deployed.ownership.strangers(cluster, &namespaces, &inputs.ledger.leftovers);
    let mut report = format!("data and namespaces stay, and {}", count(claims.count(), "claim"));
    if let Some(kept) = inputs.ledger.job.as_ref().and_then(kept) {
        report = format!("{report}; {kept}");
    }
    if !strangers.is_empty() {
        report = format!("{report}; not this platform's and left alone: {}", few(&strangers));
    }
    report
}
