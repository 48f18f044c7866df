//! The data directories are migrated: the platform's migration chart is installed as a
//! release of its own and its Job followed to its end, however long that takes. Pure.
//!
//! A migration that was begun is never ended by the agent: half a migration is worse than a
//! long one. From the moment before it is begun nothing is put back any more, and it is only
//! over when its Job was seen to complete and the data says the version it was brought to.

use jiff::{SignedDuration, Timestamp};

use super::install::disk_lost;
use super::take_down::{VIEW_PATIENCE, keep_data};
use super::{act, after, cluster, deadline, few, past, phase, wait};
use crate::config::Settings;
use crate::config::values::release_of;
use crate::health::platform::Ownership;
use crate::health::{Health, Level};
use crate::ledger::{Cause, Job, JobFailure, JobResult, Ledger, MIGRATION_RELEASE as RELEASE, Migration, MigrationEnd};
use crate::planner::step::count;
use crate::planner::{Inputs, Plan, Step, data, release};
use crate::state::{ClusterView, ManifestObject, ObjectId, Pod, Release};

/// The namespace in which Kaapana's migration works.
const NAMESPACE: &str = "migration";

/// How long the version that a migration wrote may take to be seen.
const VERSION_PATIENCE: SignedDuration = SignedDuration::from_secs(120);

/// The release of a migration, whoever installed it.
#[must_use]
pub fn release<'i>(inputs: &Inputs<'i>, settings: &Settings) -> Option<&'i Release> {
    let cluster = inputs.snapshot.cluster.fresh()?;
    cluster.releases.get(&(settings.helm_namespace(), RELEASE.to_owned())).map(AsRef::as_ref)
}

/// Does a migration work on the data, whoever began it? What does, in a sentence.
#[must_use]
pub fn at_work(inputs: &Inputs<'_>, settings: &Settings) -> Option<String> {
    let cluster = inputs.snapshot.cluster.fresh()?;
    let found = release(inputs, settings);
    if let Some(pod) = working_pods(cluster, found).first() {
        return Some(format!("Pod {}/{} of a migration has not ended", pod.namespace, pod.name));
    }
    let found = found?;
    let works = |object: &&ManifestObject| health(cluster, object).is_some_and(|health| health.level == Level::Progressing);
    if let Some(object) = jobs(found).find(works) {
        return Some(format!("{} of the release {}/{RELEASE} has not ended", object.id, found.namespace));
    }
    // What helm was killed at says nothing for ever.
    let until = found.changed.unwrap_or(Timestamp::MIN) + stuck_after(settings);
    let pending = found.status.starts_with("pending-") && inputs.now < until;
    pending.then(|| format!("the release {}/{RELEASE} is {}", found.namespace, found.status))
}

fn stuck_after(settings: &Settings) -> SignedDuration {
    SignedDuration::try_from(settings.duration("deployment.stuck_after")).unwrap_or(SignedDuration::ZERO)
}

/// Pods in the namespace of migrations, and those of its Jobs wherever they are.
fn working_pods<'c>(cluster: &'c ClusterView, found: Option<&Release>) -> Vec<&'c Pod> {
    let owned = |owner: &ObjectId| found.is_some_and(|found| jobs(found).any(|object| object.id == *owner));
    // As its Job is called, and those that some releases begin besides.
    let known = |owner: &ObjectId| owner.kind == "Job" && (owner.name == "migration" || owner.name.starts_with("migrate-"));
    let of = |pod: &&Pod| {
        let owner = pod.owner.as_ref();
        owner.is_some_and(owned) || (pod.namespace == NAMESPACE && owner.is_none_or(known))
    };
    cluster.pods.values().map(AsRef::as_ref).filter(|pod| pod.active).filter(of).collect()
}

/// Begins the migration, or follows it.
pub(super) fn next(inputs: &Inputs<'_>, job: &Job) -> Plan {
    let cluster = match cluster(inputs, job) {
        Ok(cluster) => cluster,
        Err(plan) => return *plan,
    };
    let found = release(inputs, &job.settings);
    if let Some(end) = &job.migration_end {
        return match found {
            Some(found) if !end.removed => remove(inputs, job, found),
            _ => conclude(inputs, job, end, cluster),
        };
    }
    let Some(found) = found else { return absent(inputs, job, cluster) };
    let migration = inputs.ledger.migration.as_ref().filter(|migration| is_ours(job, migration, found));
    let Some(migration) = migration else {
        return refused(inputs, job).unwrap_or_else(|| Plan::rest(phase(job), ""));
    };
    let visible = jobs(found).any(|object| cluster.workloads.contains_key(&object.id));
    match migration.seen {
        // What failed before is not what is followed now.
        _ if migration.failed => remove(inputs, job, found),
        Some(_) if job.migrating => follow(inputs, job, migration, found, cluster),
        _ if found.status == "deployed" || visible => act(job, "the migration is at work", Step::NoteMigration),
        Some(_) => follow(inputs, job, migration, found, cluster),
        // Helm was interrupted or refused before there was anything to follow.
        None if working_pods(cluster, Some(found)).is_empty() => remove(inputs, job, found),
        None => Plan::rest(phase(job), "waiting for the pods of a migration"),
    }
}

/// No release is there: not begun yet, not seen yet, or gone.
fn absent(inputs: &Inputs<'_>, job: &Job, cluster: &ClusterView) -> Plan {
    let migration = inputs.ledger.migration.as_ref();
    if job.migrating || migration.is_some_and(|migration| migration.seen.is_some() && !migration.failed) {
        return lost(job, format!("the release {}/{RELEASE} went away before its end was seen", job.settings.helm_namespace()));
    }
    // Helm has ended; what it wrote is not seen yet.
    let begun = job.steps.last().filter(|step| step.unit.contains("-migrate-")).and_then(|step| step.finished);
    if let Some(until) = begun.map(|ended| ended + VIEW_PATIENCE).filter(|until| inputs.now < *until) {
        return wait(job, "waiting to see what helm did", until);
    }
    refused(inputs, job)
        .or_else(|| disk_lost(inputs, job))
        .or_else(|| disturbed(inputs, job, cluster))
        .unwrap_or_else(|| act(job, "beginning the migration", Step::Migrate))
}

/// The last moment in which nothing was touched: what else works on the data, and whether it
/// still is what the migration was prepared for.
fn disturbed(inputs: &Inputs<'_>, job: &Job, cluster: &ClusterView) -> Option<Plan> {
    let root = Ownership::of(&job.settings);
    if let Some(found) = cluster.releases.get(&(root.namespace, root.root)) {
        let message = release::not_ours(found).message;
        return Some(act(job, message.clone(), Step::fail("ReleaseNotOurs", message, Cause::Platform)));
    }
    let works = at_work(inputs, &job.settings).or_else(|| {
        let running = inputs.workflows();
        (!running.is_empty()).then(|| format!("{}: {}", count(running.len(), "workflow pod"), few(&running)))
    });
    if let Some(works) = works {
        let limit = deadline(inputs, job);
        let message = format!("something else works on the data: {works}");
        return Some(past(inputs, job, limit, &message, Cause::Platform).unwrap_or_else(|| wait(job, message, limit)));
    }
    let key = |settings: &Settings, key: &str| settings.text(key).to_owned();
    let changed = inputs.ledger.settings.as_ref().is_some_and(|now| {
        let auto = job.requester.is_none() && key(now, "deployment.migration") != "auto";
        auto || key(now, "platform.version") != key(&job.settings, "platform.version")
    });
    if changed {
        let message = "the configuration was changed before the migration was begun";
        return Some(act(job, message, Step::fail("ConfigChanged", message, Cause::Configuration)));
    }
    let Some(disks) = inputs.disks(&job.settings) else {
        return Some(Plan::rest(phase(job), "waiting to see the data directories"));
    };
    let standing = data::standing(&job.settings, &disks.fast, inputs.ledger);
    let prepared = job.prepared.as_ref().and_then(|prepared| prepared.migration.as_ref());
    let same = prepared.is_some_and(|prepared| standing.wants_migration() && standing.migrates_from() == prepared.from);
    let message = "the data is of another version than the migration was prepared for";
    (!same).then(|| act(job, message, Step::fail("DataChanged", message, Cause::Platform)))
}

/// Was the migration begun, by this job or by one that gave up following it: may it work?
pub(super) fn is_begun(job: &Job, ledger: &Ledger) -> bool {
    let own = |migration: &Migration| migration.job == job.id && migration.begun.is_some();
    job.migration_end.is_some() || job.migrating || ledger.migration.as_ref().is_some_and(own)
}

/// Somebody else's migration is there, maybe at work: nothing is taken down for another one.
pub(super) fn refused(inputs: &Inputs<'_>, job: &Job) -> Option<Plan> {
    let found = release(inputs, &job.settings)?;
    let ours = inputs.ledger.migration.as_ref().is_some_and(|migration| is_ours(job, migration, found));
    let message = release::not_ours(found).message;
    (!ours).then(|| act(job, message.clone(), Step::fail("MigrationNotOurs", message, Cause::Platform)))
}

/// What the agent installed says so; while it fails helm says its own, and its time tells.
fn is_ours(job: &Job, migration: &Migration, found: &Release) -> bool {
    if !found.readable {
        return false;
    }
    if !migration.description.is_empty() && found.description == migration.description {
        return true;
    }
    let Some((begun, made)) = migration.begun.zip(found.made) else { return false };
    let until = after(job, "deployment.helm_timeout", begun);
    found.status != "deployed" && release::slack(made) >= begun && made <= release::slack(until)
}

fn jobs(found: &Release) -> impl Iterator<Item = &ManifestObject> {
    found.objects.iter().filter(|object| object.id.kind == "Job")
}

fn health<'c>(cluster: &'c ClusterView, object: &ManifestObject) -> Option<&'c Health> {
    cluster.workloads.get(&object.id).map(|workload| &workload.health)
}

/// Removes its release; no data goes with it.
fn remove(inputs: &Inputs<'_>, job: &Job, found: &Release) -> Plan {
    keep_data(inputs, job, found).unwrap_or_else(|| {
        let (namespace, release) = (found.namespace.clone(), found.name.clone());
        let summary = format!("removing {namespace}/{release}");
        act(job, summary, Step::Uninstall { namespace, release, no_hooks: job.options.no_hooks })
    })
}

fn lost(job: &Job, message: String) -> Plan {
    act(
        job,
        message.clone(),
        Step::failed(JobFailure {
            result: JobResult::Failed,
            reason: "MigrationLost".into(),
            message,
            tail: Vec::new(),
            cause: Cause::Platform,
        }),
    )
}

/// Its Job works until it ends by itself.
fn follow(inputs: &Inputs<'_>, job: &Job, migration: &Migration, found: &Release, cluster: &ClusterView) -> Plan {
    let begun = migration.begun.unwrap_or(job.created);
    let keep = |succeeded: bool, message: String| Step::KeepMigrationLog { pods: pods(found, cluster), succeeded, message };
    let failed = jobs(found).find_map(|object| health(cluster, object).filter(|h| h.level == Level::Degraded).zip(Some(object)));
    if let Some((Health { message, .. }, object)) = failed {
        let message = format!("{} has failed: {message}", object.id);
        return act(job, message.clone(), keep(false, message));
    }
    // The watch of releases may be ahead of that of Jobs.
    let known = migration.seen.unwrap_or(begun) + VIEW_PATIENCE;
    if let Some(object) = jobs(found).find(|object| health(cluster, object).is_none()) {
        let message = format!("{} went away before its end was seen; nobody knows how it ended", object.id);
        let works = !working_pods(cluster, Some(found)).is_empty();
        return match inputs.now < known || works {
            true => wait(job, format!("waiting to see {}", object.id), known),
            false => act(job, message.clone(), keep(false, message)),
        };
    }
    let any = jobs(found).next().is_some();
    if any && jobs(found).all(|object| health(cluster, object).is_some_and(|health| health.level == Level::Healthy)) {
        return completed(inputs, job, migration, &keep);
    }
    let limit = after(job, "deployment.migration_deadline", begun.max(job.deadline_since()));
    let message = format!(
        "the migration has not ended within {}; it goes on in the cluster, and kaapanactl migrate follows it again",
        job.settings.text("deployment.migration_deadline")
    );
    let summary = format!(
        "migrating the data from {} to {} since {}{}",
        migration.from.as_deref().unwrap_or("an unknown version"),
        migration.to,
        begun.strftime("%F %H:%M:%SZ"),
        trouble(found, cluster)
    );
    past(inputs, job, limit, &message, Cause::Platform).unwrap_or_else(|| wait(job, summary, limit))
}

/// Its Job has completed. It is over when the data says so, too: a migration that found
/// nothing to do completes as well.
fn completed(inputs: &Inputs<'_>, job: &Job, migration: &Migration, keep: &dyn Fn(bool, String) -> Step) -> Plan {
    let Some(disks) = inputs.disks(&job.settings) else {
        return Plan::rest(phase(job), "the migration has completed; waiting to see the version of the data");
    };
    let version = data::written_version(&disks.fast);
    if version.is_some_and(|version| release_of(version) == release_of(&migration.to)) {
        return act(job, "the migration has ended well", keep(true, String::new()));
    }
    let Some(since) = job.healthy_since else {
        return act(job, "the migration has completed", Step::NoteHealthy(Some(inputs.now)));
    };
    let limit = since + VERSION_PATIENCE;
    if inputs.now < limit {
        return wait(job, "the migration has completed; waiting to see the version of the data", limit);
    }
    let message = format!(
        "its Job has completed, and {} says {}, expected a version of {}",
        disks.fast.path.join("version").display(),
        version.unwrap_or("nothing"),
        release_of(&migration.to)
    );
    act(job, message.clone(), keep(false, message))
}

/// Its pods.
fn pods(found: &Release, cluster: &ClusterView) -> Vec<(String, String)> {
    let owned = |owner: &ObjectId| jobs(found).any(|object| object.id == *owner);
    let pods = cluster.pods.values().filter(|pod| pod.owner.as_ref().is_some_and(owned));
    pods.map(|pod| (pod.namespace.clone(), pod.name.clone())).collect()
}

/// What keeps its pods from working, if anything does.
fn trouble(found: &Release, cluster: &ClusterView) -> String {
    let suspended = |object: &&ManifestObject| health(cluster, object).is_some_and(|health| health.level == Level::Suspended);
    if let Some(object) = jobs(found).find(suspended) {
        return format!("; {} is suspended", object.id);
    }
    let pods = pods(found, cluster);
    let bad = pods.iter().filter_map(|key| cluster.pods.get(key)).find(|pod| pod.active && pod.health.level != Level::Healthy);
    bad.map(|pod| format!("; Pod {}/{}: {}", pod.namespace, pod.name, pod.health.message)).unwrap_or_default()
}

/// Its log is kept and its release removed. What of it still goes holds the deployment.
fn conclude(inputs: &Inputs<'_>, job: &Job, end: &MigrationEnd, cluster: &ClusterView) -> Plan {
    let left: Vec<String> = working_pods(cluster, None).iter().map(|pod| format!("{}/{}", pod.namespace, pod.name)).collect();
    let limit = after(job, "deployment.helm_timeout", end.at);
    if !left.is_empty() && inputs.now < limit {
        return wait(job, format!("waiting until they are gone: {}", few(&left)), limit);
    }
    let log = end.log.display();
    if !end.succeeded {
        let message = format!("{}; its log: {log}", end.message);
        return act(job, message.clone(), Step::fail("MigrationFailed", message, Cause::Platform));
    }
    let prepared = job.prepared.as_ref().and_then(|prepared| prepared.migration.as_ref());
    let from = prepared.and_then(|prepared| prepared.from.as_deref()).unwrap_or("an unknown version");
    let to = job.settings.text("platform.version");
    let said = if end.fresh { " (as its Job says; the fresh deployment before it had written the version)" } else { "" };
    act(job, "the data is migrated", Step::done(format!("the data was migrated from {from} to {to}{said}; the log: {log}")))
}
