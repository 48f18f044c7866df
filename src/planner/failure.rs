//! A job that failed: when it may be tried again, what is put back meanwhile, and what
//! helps. Pure.

use jiff::{SignedDuration, Timestamp};

use super::Inputs;
use super::preflight::DATA_VERSION;
use super::preflight::microk8s::NODE_PORTS;
use super::step::{Hold, Plan, Step};
use crate::config::Settings;
use crate::ledger::{Cause, Failure, Intent, JobKind};
use crate::state::{Phase, Snapshot};

/// When a failed job may be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Its cause is gone.
    Now,
    /// At this time.
    At(Timestamp),
    /// When its cause is gone.
    WhenCauseIsGone,
    /// When the chart or the configuration changes or a person asks.
    Never,
}

pub(super) fn failure_of<'l>(inputs: &Inputs<'l>, kind: JobKind, wanted: Option<&Intent>) -> Option<&'l Failure> {
    let failure = inputs.ledger.failure.as_ref()?;
    let same = match (&failure.intent, wanted) {
        (Some(a), Some(b)) => a.matches(b),
        // It failed before its intent was known, or has none: it counts for the same generation.
        (None, None) if failure.cause == Cause::Canceled => true,
        (None, _) => failure.generation == inputs.ledger.generation,
        (Some(_), None) => false,
    };
    (failure.kind == kind && same).then_some(failure)
}

pub(super) fn retry(inputs: &Inputs<'_>, failure: &Failure) -> Retry {
    let most = inputs.ledger.settings.as_ref().map_or(0, |settings| settings.integer("agent.retries"));
    // A person asked for it, and does so again.
    let asked = |settings: &Settings| settings.text("deployment.migration") != "auto";
    if failure.kind == JobKind::Migrate && inputs.ledger.settings.as_ref().is_none_or(asked) {
        return Retry::Never;
    }
    let gone = match &failure.cause {
        Cause::Configuration | Cause::Platform | Cause::Canceled => return Retry::Never,
        Cause::Registry | Cause::Images | Cause::Surroundings => {
            // Neither registry nor image store is watched, and what stands in the way is
            // looked at only with a chart: ask again, ever more rarely.
            let minutes = 1_i64 << failure.attempts.clamp(1, 6).saturating_sub(1);
            let at = failure.at + SignedDuration::from_mins(minutes);
            return if inputs.now >= at { Retry::Now } else { Retry::At(at) };
        }
        Cause::Kinds(missing) => {
            let served = inputs.snapshot.kinds.fresh();
            let gone = served.is_some_and(|served| missing.iter().all(|kind| served.contains(kind)));
            return if gone { Retry::Now } else { Retry::WhenCauseIsGone };
        }
        Cause::Leftovers => leftovers_are_gone(inputs),
        Cause::Api if !api_is_back(inputs.snapshot) => return Retry::WhenCauseIsGone,
        Cause::Api | Cause::Interrupted => {
            // Not at once: what interrupted it may go on for a moment.
            let at = failure.at + SignedDuration::from_secs(15 << failure.attempts.clamp(1, 6).saturating_sub(1));
            return match inputs.now {
                _ if i64::from(failure.attempts) > most => Retry::Never,
                now if now >= at => Retry::Now,
                _ => Retry::At(at),
            };
        }
    };
    if i64::from(failure.attempts) > most {
        return Retry::Never;
    }
    if gone { Retry::Now } else { Retry::WhenCauseIsGone }
}

/// Everything that was taken down is gone.
fn leftovers_are_gone(inputs: &Inputs<'_>) -> bool {
    let left = &inputs.ledger.leftovers;
    inputs.snapshot.cluster.fresh().is_some_and(|cluster| {
        let workloads = left.iter().filter(|id| id.kind != "PersistentVolumeClaim").any(|id| cluster.workloads.contains_key(id));
        let pods = cluster.pods.values().any(|pod| pod.owner.as_ref().is_some_and(|owner| left.contains(owner)));
        !workloads && !pods
    })
}

/// The API server answers and the node is ready.
#[must_use]
pub fn api_is_back(snapshot: &Snapshot) -> bool {
    let api = snapshot.api.fresh().is_some_and(|api| api.ready);
    let node = snapshot.cluster.fresh().is_some_and(|cluster| cluster.nodes.values().any(|node| node.ready));
    api && node
}

pub(super) fn failure_hold(inputs: &Inputs<'_>, failure: &Failure) -> Hold {
    Hold::new("FailedBefore", failure_told(failure), failure_advice(inputs, failure))
}

/// A failure in a sentence.
#[must_use]
pub fn failure_told(failure: &Failure) -> String {
    let Failure { job, reason, message, .. } = failure;
    match failure.cause {
        Cause::Canceled => format!("{} job {job} was canceled: {message}", failure.kind.as_str()),
        _ => format!("{} job {job} failed: {reason}: {message}", failure.kind.as_str()),
    }
}

/// What helps after a failure, and when it is tried again without anybody's help.
#[must_use]
pub fn failure_advice(inputs: &Inputs<'_>, failure: &Failure) -> String {
    let advice = what_helps(inputs, failure);
    match retry(inputs, failure) {
        Retry::At(at) => format!("it is tried again by itself at {at:.0}; {advice}"),
        _ => advice,
    }
}

fn what_helps(inputs: &Inputs<'_>, failure: &Failure) -> String {
    let by_hand = format!("kaapanactl logs {}; kaapanactl {} tries it again", failure.job, failure.kind.as_str());
    let over = retry(inputs, failure) == Retry::Never;
    if let Some(advice) = advice_of(&failure.reason).or_else(|| advice_of_words(&failure.message)) {
        return format!("{advice}; {by_hand}");
    }
    match &failure.cause {
        Cause::Api | Cause::Interrupted | Cause::Leftovers if over => by_hand,
        Cause::Configuration => "mend the chart or the configuration; the agent goes on by itself".into(),
        Cause::Kinds(missing) => format!("install what serves {}; the agent goes on by itself", missing.join(", ")),
        Cause::Api => format!("bring the API server back; the agent goes on by itself, or {by_hand}"),
        Cause::Images => format!(
            "import them with kaapanactl images import FILE.tar, or set deployment.offline = false; the agent looks again, or {by_hand}"
        ),
        Cause::Surroundings => format!("mend what stands in the way; the agent looks again, or {by_hand}"),
        Cause::Registry => format!("bring the registry back or mend its credentials; the agent asks again, or {by_hand}"),
        Cause::Leftovers => format!("the agent goes on when they are gone; or {by_hand}"),
        Cause::Platform if failure.kind == JobKind::Undeploy && failure.reason == "HelmFailed" => {
            format!("{by_hand}; kaapanactl undeploy --no-hooks takes it down without the charts' hooks")
        }
        Cause::Platform if failure.turned_back => format!("mend the configuration or take the change back; or {by_hand}"),
        Cause::Platform if failure.message.contains("--unlock") => {
            format!("kaapanactl {} --unlock gives it up; kaapanactl logs {}", failure.kind.as_str(), failure.job)
        }
        Cause::Interrupted | Cause::Platform => by_hand,
        Cause::Canceled => format!("kaapanactl {} does it after all", failure.kind.as_str()),
    }
}

/// What helps, where the reason alone tells it.
pub(super) fn advice_of(reason: &str) -> Option<&'static str> {
    Some(match reason {
        "RegistryNotReachable" => {
            "look at the registry, the network and the proxy of the agent's environment; the agent asks again"
        }
        "RegistryNotTrusted" => "name the authority's certificates in registry.ca_file; the agent asks again",
        "RegistryCaFile" => "put the authority's certificates there in PEM; the agent looks again",
        "RegistryNotTls" => "mend registry.url, or set registry.plain_http = true when nobody can listen on the way",
        "RegistryNotPlain" => "set registry.plain_http = false",
        "RegistryLoginRefused" => {
            "mend registry.username and its password, or the rights at the registry; the agent does not ask again by itself, so that no account is locked"
        }
        "ChartNotFound" => "mend registry.url or platform.name, or push the chart; the agent asks again",
        "ChartVersionNotFound" => "mend platform.version or push that version; the agent asks again",
        "RegistryFailed" => "look at the registry's own log; the agent asks again",
        "StorageProviderMissing" => "bring the provider of volumes; the agent looks again",
        "LonghornNodeMissing" => "look at microk8s kubectl -n longhorn-system get nodes.longhorn.io; the agent looks again",
        "GpuNotEnabled" => "see what it said, mend that, or set deployment.gpu_support = false; the agent tries it again",
        "GpuOperatorMissing" => "put the archive there, or set deployment.gpu_support = false; the agent looks again",
        "ImagesNotThere" => "import an archive that names its images with their registry, as docker save writes it",
        "ImagesArchiveInvalid" => "copy the archive again, and compare its sum with that of the source; the agent looks again",
        "WorkflowsRunning" => "wait until they have ended, or end them; nothing was touched",
        "MigrationFailed" => {
            "read the log of the migration; nothing is deployed onto the data before a migration ended well or a backup was restored (kaapanactl migrate --restored)"
        }
        "MigrationNotOurs" => {
            "look whether its Job still works (microk8s kubectl -n migration get jobs); when it has ended: microk8s helm uninstall kaapana-migration"
        }
        "MigrationValuesMissing" => {
            "look into the chart what they mean, and give them in [values], such as \"global.NAME\" = \"...\""
        }
        "MigrationMissing" => "set platform.version to a version that brings a migration (0.5.3 and later)",
        "MigrationLost" => {
            "find out who removed the migration's release (microk8s kubectl get events -A), and look at the data before anything else"
        }
        "RegistryHostingOwned" => "uninstall that release or take the ConfigMap away from it",
        "CorefileNotUnderstood" => {
            "look at kubectl -n kube-system get configmap coredns; microk8s disable dns and enable dns make a new one"
        }
        _ => return None,
    })
}

/// What helps, where the words tell it: failures that were seen at sites.
fn advice_of_words(message: &str) -> Option<&'static str> {
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if says(&["ImagePullBackOff", "ErrImagePull"]) {
        return Some(
            "mend registry.username and its password, or bring the image to the container runtime (kaapanactl images import)",
        );
    }
    if says(&["cert-init"]) {
        return Some("the Job resolves platform.domain: see that the name leads to this server in the cluster's DNS");
    }
    says(&["provided port is not in the valid range"]).then_some(
        "set --service-node-port-range=80-32000 in /var/snap/microk8s/current/args/kube-apiserver and start MicroK8s again, or choose other ports",
    )
}

/// A failure left the site with nothing, and the try that should follow is held: the
/// last good deployment is put back meanwhile, unless the ground it needs is missing.
pub(super) fn go_back(inputs: &Inputs<'_>, kind: JobKind, holds: &[Hold]) -> Option<Plan> {
    let failure = inputs.ledger.failure.as_ref()?;
    let migrates = failure.kind == JobKind::Migrate;
    let same = kind != JobKind::Undeploy && (failure.kind == kind || migrates);
    let good = inputs.ledger.way_back().filter(|_| same && !failure.turned_back)?;
    if inputs.data_of_another_release(good) {
        return None;
    }
    let passing = match retry(inputs, failure) {
        Retry::Now | Retry::Never => false,
        Retry::At(_) => !matches!(failure.cause, Cause::Registry | Cause::Images | Cause::Surroundings),
        Retry::WhenCauseIsGone => matches!(failure.cause, Cause::Api | Cause::Leftovers),
    };
    let only_the_new = holds.iter().all(|hold| match hold.reason.as_str() {
        "chart.available" | "FailedBefore" | NODE_PORTS => true,
        // Its migration failed before it was begun.
        DATA_VERSION => migrates,
        _ => false,
    });
    if passing || !only_the_new || inputs.ledger.paused(inputs.now).is_some() {
        return None;
    }
    let reason = format!("the last good deployment goes back: {}", holds.first()?.message);
    let summary = format!("generation {} is put back", good.generation);
    Some(Plan::rest(Phase::Deploying, summary).steps(vec![Step::StartWayBack { reason }]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{JobOptions, Ledger};

    #[test]
    fn a_registry_is_asked_ever_more_rarely() {
        let at: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
        let (snapshot, ledger) = (Snapshot::default(), Ledger::default());
        let minutes = |attempts| {
            let failure = Failure {
                job: 1,
                kind: JobKind::Deploy,
                intent: None,
                reason: "RegistryNotReachable".into(),
                message: String::new(),
                tail: Vec::new(),
                cause: Cause::Registry,
                attempts,
                generation: 1,
                options: JobOptions::default(),
                turned_back: false,
                at,
            };
            let inputs = Inputs { snapshot: &snapshot, ledger: &ledger, now: at };
            match retry(&inputs, &failure) {
                Retry::At(next) => next.duration_since(at).as_mins(),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!([1, 2, 3, 4, 5, 6, 7, 99].map(minutes), [1, 2, 4, 8, 16, 32, 32, 32]);
    }
}
