//! Health of one object. First match wins; an object being deleted is Progressing.

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ContainerStatus, PersistentVolumeClaim, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{Health, Level, image};

fn progressing(reason: &str, message: impl Into<String>) -> Health {
    Health::new(Level::Progressing, reason, message)
}

fn deleting(meta: &ObjectMeta) -> Option<Health> {
    meta.deletion_timestamp.as_ref().map(|_| progressing("Deleting", "is being deleted"))
}

/// Has the controller not yet seen the newest specification?
fn unobserved(meta: &ObjectMeta, observed: Option<i64>) -> Option<Health> {
    (meta.generation.unwrap_or(0) > observed.unwrap_or(0))
        .then(|| progressing("NotObserved", "its controller has not seen the latest change"))
}

fn counted(reason: &str, have: i32, want: i32, what: &str) -> Option<Health> {
    (have < want).then(|| progressing(reason, format!("{have} of {want} pods {what}")))
}

/// Health of a deployment.
#[must_use]
pub fn deployment(object: &Deployment) -> Health {
    if let Some(health) = deleting(&object.metadata) {
        return health;
    }
    let spec = object.spec.as_ref();
    let status = object.status.clone().unwrap_or_default();
    if spec.and_then(|spec| spec.paused).unwrap_or(false) {
        return Health::new(Level::Suspended, "Paused", "the deployment is paused");
    }
    if let Some(health) = unobserved(&object.metadata, status.observed_generation) {
        return health;
    }
    let conditions = status.conditions.unwrap_or_default();
    if let Some(condition) =
        conditions.iter().find(|c| c.type_ == "Progressing" && c.reason.as_deref() == Some("ProgressDeadlineExceeded"))
    {
        return Health::new(Level::Degraded, "ProgressDeadlineExceeded", condition.message.clone().unwrap_or_default());
    }
    let want = spec.and_then(|spec| spec.replicas).unwrap_or(1);
    let updated = status.updated_replicas.unwrap_or(0);
    let have = status.replicas.unwrap_or(0);
    if let Some(health) = counted("RollingOut", updated, want, "are of the latest revision") {
        return health;
    }
    if have > updated {
        return progressing("RollingOut", format!("{} old pods are still there", have - updated));
    }
    counted("NotAvailable", status.available_replicas.unwrap_or(0), updated, "are available").unwrap_or_else(Health::healthy)
}

/// Health of a stateful set.
#[must_use]
pub fn stateful_set(object: &StatefulSet) -> Health {
    if let Some(health) = deleting(&object.metadata) {
        return health;
    }
    let spec = object.spec.clone().unwrap_or_default();
    let status = object.status.clone().unwrap_or_default();
    let observed = status.observed_generation;
    if observed.unwrap_or(0) == 0 {
        return progressing("NotObserved", "its controller has not seen it");
    }
    if let Some(health) = unobserved(&object.metadata, observed) {
        return health;
    }
    let want = spec.replicas.unwrap_or(1);
    if let Some(health) = counted("NotReady", status.ready_replicas.unwrap_or(0), want, "are ready") {
        return health;
    }
    let strategy = spec.update_strategy.unwrap_or_default();
    if strategy.type_.as_deref() == Some("OnDelete") {
        return Health::healthy();
    }
    if let Some(partition) = strategy.rolling_update.and_then(|rolling| rolling.partition).filter(|partition| *partition > 0) {
        let updated = status.updated_replicas.unwrap_or(0);
        return counted("RollingOut", updated, want - partition, "are of the latest revision").unwrap_or_else(Health::healthy);
    }
    if status.update_revision != status.current_revision {
        return progressing("RollingOut", "pods of the latest revision are being started");
    }
    Health::healthy()
}

/// Health of a daemon set.
#[must_use]
pub fn daemon_set(object: &DaemonSet) -> Health {
    if let Some(health) = deleting(&object.metadata) {
        return health;
    }
    let status = object.status.clone().unwrap_or_default();
    if let Some(health) = unobserved(&object.metadata, status.observed_generation) {
        return health;
    }
    let on_delete = object
        .spec
        .as_ref()
        .and_then(|spec| spec.update_strategy.as_ref())
        .is_some_and(|strategy| strategy.type_.as_deref() == Some("OnDelete"));
    if on_delete {
        return Health::healthy();
    }
    let want = status.desired_number_scheduled;
    counted("RollingOut", status.updated_number_scheduled.unwrap_or(0), want, "are of the latest revision")
        .or_else(|| counted("NotAvailable", status.number_available.unwrap_or(0), want, "are available"))
        .unwrap_or_else(Health::healthy)
}

/// Health of a Job.
#[must_use]
pub fn job(object: &Job) -> Health {
    if let Some(health) = deleting(&object.metadata) {
        return health;
    }
    let conditions = object.status.as_ref().and_then(|status| status.conditions.clone()).unwrap_or_default();
    let holds = |kind: &str| conditions.iter().find(|c| c.type_ == kind && c.status == "True");
    if let Some(failed) = holds("Failed") {
        let message = failed.message.clone().or_else(|| failed.reason.clone()).unwrap_or_default();
        return Health::new(Level::Degraded, "JobFailed", message);
    }
    if holds("Suspended").is_some() {
        return Health::new(Level::Suspended, "Suspended", "the Job is suspended");
    }
    if holds("Complete").is_some() {
        return Health::healthy();
    }
    progressing("Running", "the Job has not completed")
}

/// Health of a claim.
#[must_use]
pub fn claim(object: &PersistentVolumeClaim) -> Health {
    if let Some(health) = deleting(&object.metadata) {
        return health;
    }
    match object.status.as_ref().and_then(|status| status.phase.as_deref()) {
        Some("Bound") => Health::healthy(),
        Some("Lost") => Health::new(Level::Degraded, "ClaimLost", "the volume of the claim is gone"),
        // With WaitForFirstConsumer a claim that no pod uses stays so, rightly; a pod
        // that waits for it is Pending itself.
        _ => Health::new(Level::Suspended, "ClaimPending", "the claim has no volume yet"),
    }
}

/// Is this reason of a waiting container an error?
fn is_error_reason(reason: &str) -> bool {
    reason.starts_with("Err") || reason.ends_with("Error") || reason.ends_with("BackOff") || reason == "InvalidImageName"
}

/// Health of a pod. Init containers that loop are found, too.
#[must_use]
pub fn pod(object: &Pod) -> Health {
    if let Some(health) = deleting(&object.metadata) {
        return health;
    }
    let status = object.status.clone().unwrap_or_default();
    let init = status.init_container_statuses.unwrap_or_default();
    let main = status.container_statuses.unwrap_or_default();
    if let Some(health) = init.iter().chain(&main).find_map(waiting_in_error) {
        return health;
    }
    let conditions = status.conditions.unwrap_or_default();
    match status.phase.as_deref() {
        Some("Succeeded") => Health::healthy(),
        Some("Failed") => {
            let message = status.message.or_else(|| terminated(&main)).unwrap_or_else(|| "the pod failed".into());
            Health::new(Level::Degraded, status.reason.as_deref().unwrap_or("PodFailed"), message)
        }
        Some("Running") => {
            if conditions.iter().any(|c| c.type_ == "Ready" && c.status == "True") {
                return Health::healthy();
            }
            // After a boot the kubelet says Running while it waits for their volumes.
            let runs = main.iter().any(|one| one.state.as_ref().is_some_and(|state| state.running.is_some()));
            match terminated(&main) {
                Some(message) => Health::new(Level::Degraded, "ContainerEnded", message),
                None if !runs => progressing("Pending", "its containers are being started"),
                None => progressing("NotReady", "its containers are not ready"),
            }
        }
        _ => {
            let unschedulable = conditions.iter().find(|c| c.type_ == "PodScheduled" && c.status == "False");
            match unschedulable {
                Some(condition) => progressing("Unschedulable", condition.message.clone().unwrap_or_default()),
                None => progressing("Pending", "its containers are being started"),
            }
        }
    }
}

fn waiting_in_error(container: &ContainerStatus) -> Option<Health> {
    let waiting = container.state.as_ref()?.waiting.as_ref()?;
    let reason = waiting.reason.as_deref().unwrap_or_default();
    if !is_error_reason(reason) {
        return None;
    }
    let last = container.last_state.as_ref().and_then(|state| state.terminated.as_ref());
    let detail = match (waiting.message.as_deref(), last) {
        (_, Some(ended)) if reason == "CrashLoopBackOff" => {
            format!("ended with status {} {} times", ended.exit_code, container.restart_count)
        }
        (Some(message), _) => message.to_owned(),
        (None, _) => String::new(),
    };
    let message = if reason.contains("Image") {
        image::not_pulled(&container.image, &detail)
    } else {
        format!("container {}: {detail}", container.name)
    };
    Some(Health::new(Level::Degraded, reason, message))
}

/// The last failure of a container that is not running now.
fn terminated(containers: &[ContainerStatus]) -> Option<String> {
    containers.iter().find_map(|container| {
        let ended = container.state.as_ref()?.terminated.as_ref()?;
        (ended.exit_code != 0).then(|| format!("container {} ended with status {}", container.name, ended.exit_code))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn from<T: serde::de::DeserializeOwned>(value: serde_json::Value) -> T {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn deployments() {
        let with = |generation: i64, status: serde_json::Value| {
            deployment(&from(json!({
                "metadata": {"name": "d", "generation": generation},
                "spec": {"replicas": 2, "selector": {}, "template": {}},
                "status": status
            })))
        };
        let full = json!({"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2});
        assert_eq!(with(1, full.clone()).level, Level::Healthy);
        assert_eq!(with(2, full).reason, "NotObserved");
        assert_eq!(
            with(1, json!({"observedGeneration": 1, "replicas": 2, "updatedReplicas": 1})).message,
            "1 of 2 pods are of the latest revision"
        );
        assert_eq!(
            with(1, json!({"observedGeneration": 1, "replicas": 3, "updatedReplicas": 2, "availableReplicas": 2})).reason,
            "RollingOut"
        );
        assert_eq!(
            with(1, json!({"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 0})).message,
            "0 of 2 pods are available"
        );
        let late = json!({"observedGeneration": 1, "conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]});
        assert_eq!(with(1, late).level, Level::Degraded);
    }

    #[test]
    fn jobs() {
        let with =
            |conditions: serde_json::Value| job(&from(json!({"metadata": {}, "status": {"conditions": conditions}}))).level;
        assert_eq!(with(json!([])), Level::Progressing);
        assert_eq!(with(json!([{"type": "Complete", "status": "True"}])), Level::Healthy);
        assert_eq!(with(json!([{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}])), Level::Degraded);
        assert_eq!(with(json!([{"type": "Suspended", "status": "True"}])), Level::Suspended);
    }

    #[test]
    fn pods_whose_containers_cannot_start_are_degraded() {
        let waiting = |place: &str, reason: &str| {
            pod(&from(json!({"metadata": {}, "status": {"phase": "Pending", place: [
                {"name": "c", "image": "r/x:1", "imageID": "", "ready": false, "restartCount": 3,
                 "state": {"waiting": {"reason": reason, "message": "no"}}}
            ]}})))
        };
        assert_eq!(waiting("containerStatuses", "ErrImagePull").message, "image r/x:1 cannot be pulled: no");
        assert_eq!(waiting("initContainerStatuses", "CrashLoopBackOff").level, Level::Degraded);
        assert_eq!(waiting("containerStatuses", "ContainerCreating").level, Level::Progressing);
    }

    #[test]
    fn a_daemon_set_without_nodes_is_healthy_and_a_stateful_set_waits() {
        let set = daemon_set(&from(json!({"metadata": {"generation": 1}, "status": {"observedGeneration": 1,
            "currentNumberScheduled": 0, "desiredNumberScheduled": 0, "numberMisscheduled": 0, "numberReady": 0}})));
        assert_eq!(set.level, Level::Healthy);
        let set = stateful_set(&from(
            json!({"metadata": {"generation": 1}, "spec": {"replicas": 2, "serviceName": "", "selector": {}, "template": {}},
            "status": {"observedGeneration": 1, "replicas": 2, "readyReplicas": 1}}),
        ));
        assert_eq!(set.message, "1 of 2 pods are ready");
    }

    #[test]
    fn what_is_being_deleted_is_progressing() {
        let gone = json!({"metadata": {"deletionTimestamp": "2026-11-23T00:00:00Z"}, "status": {"phase": "Running"}});
        assert_eq!(pod(&from(gone)).reason, "Deleting");
    }
}
