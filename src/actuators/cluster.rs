//! Changes of the cluster that are not helm's.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Endpoints, Node, PersistentVolume, Pod};
use kube::api::{Api, DeleteParams, Patch, PatchParams, Preconditions};

use super::ActionError;
use crate::paths::Paths;
use crate::sensors::api::connect;
use crate::sensors::cluster::RESTART_DUE;
use crate::state::ObjectId;

/// Puts `kaapana.io/node=storage` on a node, which the charts select by.
///
/// # Errors
///
/// When the API server does not take it.
pub async fn label_node(paths: &Paths, node: &str) -> Result<(), ActionError> {
    let client = connect(&paths.kubeconfig).await.map_err(unreachable)?;
    let patch = serde_json::json!({"metadata": {"labels": {"kaapana.io/node": "storage"}}});
    Api::<Node>::all(client)
        .patch(node, &PatchParams::default(), &Patch::Merge(&patch))
        .await
        .map(drop)
        .map_err(|error| ActionError::node("NodeNotLabelled", &error))
}

/// Deletes pods by force (grace period 0), each only while it is the one of that uid.
/// One that is gone is no failure. Finalizers stay.
///
/// # Errors
///
/// When the API server does not take one of them.
pub async fn delete_pods(paths: &Paths, job: u32, pods: &[(String, String, String)]) -> Result<(), ActionError> {
    let client = connect(&paths.kubeconfig).await.map_err(unreachable)?;
    for (namespace, name, uid) in pods {
        let preconditions = Preconditions { uid: Some(uid.clone()), resource_version: None };
        let parameters = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default().grace_period(0) };
        match Api::<Pod>::namespaced(client.clone(), namespace).delete(name, &parameters).await {
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => {}
            Err(error) => return Err(ActionError::node("PodNotDeleted", &error)),
            Ok(_) => tracing::info!(job, namespace, pod = name, "pod {namespace}/{name} is deleted by force"),
        }
    }
    Ok(())
}

/// Sets the reclaim policy of volumes to `Retain`: their data outlives their claims. Never
/// the other way round.
///
/// # Errors
///
/// When the API server does not take one of them.
pub async fn retain_volumes(paths: &Paths, job: u32, volumes: &[(String, String)]) -> Result<(), ActionError> {
    let client = connect(&paths.kubeconfig).await.map_err(unreachable)?;
    let patch = serde_json::json!({"spec": {"persistentVolumeReclaimPolicy": "Retain"}});
    for (name, path) in volumes {
        match Api::<PersistentVolume>::all(client.clone()).patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await {
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => return Err(ActionError::node("VolumeNotRetained", &error)),
            Ok(_) => {
                tracing::info!(
                    job,
                    volume = name,
                    path,
                    "the volume {name} ({path}) outlives its claim, which its release does not keep"
                );
            }
        }
    }
    Ok(())
}

/// Writes the Corefile and restarts CoreDNS. That a restart is due stands on the
/// ConfigMap until it was made, so that being interrupted between the two leaves a trace.
/// Returns false when the ConfigMap is another one than that of `version` by now.
///
/// # Errors
///
/// When the API server does not take it.
pub async fn configure_dns(paths: &Paths, job: u32, corefile: &str, version: &str) -> Result<bool, ActionError> {
    let client = connect(&paths.kubeconfig).await.map_err(unreachable)?;
    let failed = |error: kube::Error| ActionError::node("DnsNotConfigured", &error);
    let maps = Api::<ConfigMap>::namespaced(client.clone(), "kube-system");
    let merge = PatchParams::default();
    let metadata = serde_json::json!({"resourceVersion": version, "annotations": {RESTART_DUE: "true"}});
    let patch = serde_json::json!({"metadata": metadata, "data": {"Corefile": corefile}});
    match maps.patch("coredns", &merge, &Patch::Merge(&patch)).await {
        Err(kube::Error::Api(status)) if status.code == 409 => return Ok(false),
        Err(error) => return Err(failed(error)),
        Ok(_) => {}
    }
    crate::fault::point("between", "configure-dns");
    match Api::<Deployment>::namespaced(client, "kube-system").restart("coredns").await {
        // Somebody runs it in another way: it reads its file again by itself.
        Err(kube::Error::Api(status)) if status.code == 404 => {}
        Err(error) => return Err(failed(error)),
        Ok(_) => {}
    }
    let patch = serde_json::json!({"metadata": {"annotations": {RESTART_DUE: null}}});
    maps.patch("coredns", &merge, &Patch::Merge(&patch)).await.map_err(failed)?;
    tracing::info!(job, "CoreDNS resolves the platform's name: kube-system/coredns was changed and restarted");
    Ok(true)
}

/// Deletes `kube-public/local-registry-hosting` while it is the one of that uid. It only
/// documents a registry; what it said goes into the journal. Returns false when another one
/// is there by now.
///
/// # Errors
///
/// When the API server does not take it.
pub async fn remove_registry_hosting(paths: &Paths, job: u32, uid: &str) -> Result<bool, ActionError> {
    let client = connect(&paths.kubeconfig).await.map_err(unreachable)?;
    let failed = |error: kube::Error| ActionError::node("RegistryHostingNotRemoved", &error);
    let maps = Api::<ConfigMap>::namespaced(client, "kube-public");
    let name = "local-registry-hosting";
    let Some(found) = maps.get_opt(name).await.map_err(failed)? else { return Ok(true) };
    let preconditions = Preconditions { uid: Some(uid.to_owned()), resource_version: None };
    match maps.delete(name, &DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() }).await {
        Err(kube::Error::Api(status)) if status.code == 404 => {}
        Err(kube::Error::Api(status)) if status.code == 409 => return Ok(false),
        Err(error) => return Err(failed(error)),
        Ok(_) => {
            let said = found.data.unwrap_or_default().into_values().collect::<Vec<_>>().join(" ");
            tracing::warn!(job, said, "kube-public/{name}, which no release owns, made way for the chart's; it said: {said}");
        }
    }
    Ok(true)
}

/// Deletes Jobs and, in the background, their pods. One that is gone is no failure.
///
/// # Errors
///
/// When the API server does not take one of them.
pub async fn delete_jobs(paths: &Paths, job: u32, jobs: &[ObjectId]) -> Result<(), ActionError> {
    let client = connect(&paths.kubeconfig).await.map_err(unreachable)?;
    for id in jobs {
        match Api::<Job>::namespaced(client.clone(), &id.namespace).delete(&id.name, &DeleteParams::background()).await {
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => return Err(ActionError::node("JobNotDeleted", &error)),
            Ok(_) => tracing::info!(job, namespace = id.namespace, name = id.name, "{id} of a hook is deleted"),
        }
    }
    Ok(())
}

/// The API server's address behind its service; `None` when it cannot be read.
pub async fn api_address(paths: &Paths) -> Option<String> {
    let client = connect(&paths.kubeconfig).await.ok()?;
    let endpoints = Api::<Endpoints>::namespaced(client, "default").get("kubernetes").await.ok()?;
    endpoints.subsets?.into_iter().flat_map(|subset| subset.addresses.unwrap_or_default()).map(|address| address.ip).next()
}

fn unreachable(message: String) -> ActionError {
    ActionError { reason: "ApiNotReachable", message, tail: Vec::new(), cause: crate::ledger::Cause::Api }
}
