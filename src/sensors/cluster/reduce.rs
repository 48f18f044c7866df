//! Objects of the cluster, reduced to what is decided upon.

use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::RESTART_DUE;
use super::store::{Key, Reduced};
use crate::health::workloads;
use crate::sensors::release;
use crate::state::{Dns, Node, ObjectId, Pod, RegistryHosting, Trouble, Volume, Workload};

fn key(meta: &ObjectMeta) -> Key {
    (meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default())
}

pub(super) fn workload(kind: &str, meta: &ObjectMeta, health: crate::health::Health) -> Option<Reduced> {
    let (namespace, name) = key(meta);
    Some(Reduced::Workload(Arc::new(Workload {
        id: ObjectId { kind: kind.into(), namespace, name },
        health,
        deleting: meta.deletion_timestamp.is_some(),
        finalizers: meta.finalizers.clone().unwrap_or_default(),
    })))
}

pub(super) fn release(secret: &core::Secret) -> Option<Reduced> {
    let key = key(&secret.metadata);
    match release::decode(secret) {
        Ok(release) => Some(Reduced::Release(key, Arc::new(release))),
        Err(error) => {
            // It is there: what cannot be read must not look like what is gone.
            tracing::warn!(secret = %format!("{}/{}", key.0, key.1), %error, "a release secret cannot be read");
            release::from_labels(secret).map(|release| Reduced::Release(key, Arc::new(release)))
        }
    }
}

pub(super) fn pod(pod: &core::Pod) -> Option<Reduced> {
    let (namespace, name) = key(&pod.metadata);
    let owners = pod.metadata.owner_references.as_deref().unwrap_or_default();
    let owner = owners.iter().find(|owner| owner.controller == Some(true)).map(|owner| {
        // A replica set is called <deployment>-<hash>, and its pods carry the hash.
        let hash = pod.metadata.labels.as_ref().and_then(|labels| labels.get("pod-template-hash"));
        match (owner.kind.as_str(), hash.and_then(|hash| owner.name.strip_suffix(&format!("-{hash}")))) {
            ("ReplicaSet", Some(deployment)) => ObjectId::new("Deployment", &namespace, deployment),
            _ => ObjectId::new(&owner.kind, &namespace, &owner.name),
        }
    });
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    Some(Reduced::Pod(Arc::new(Pod {
        namespace,
        name,
        owner,
        uid: pod.metadata.uid.clone().unwrap_or_default(),
        active: !matches!(phase, Some("Succeeded" | "Failed")),
        health: workloads::pod(pod),
        deleting: pod.metadata.deletion_timestamp.as_ref().map(|time| time.0),
        finalizers: pod.metadata.finalizers.clone().unwrap_or_default(),
        claims: claims(pod),
        created: pod.metadata.creation_timestamp.as_ref().map(|time| time.0),
    })))
}

/// The claims a pod mounts.
fn claims(pod: &core::Pod) -> Vec<String> {
    let volumes = pod.spec.as_ref().and_then(|spec| spec.volumes.as_deref()).unwrap_or_default();
    volumes.iter().filter_map(|volume| volume.persistent_volume_claim.as_ref()).map(|claim| claim.claim_name.clone()).collect()
}

/// Events that say why an object does not come about. Others tell what the objects themselves
/// tell better, or nothing that lasts.
const TELLING: &[&str] = &["FailedMount", "FailedAttachVolume", "FailedMapVolume", "FailedCreate", "FailedCreatePodSandBox"];

/// Is it an event that says why an object does not come about?
pub(super) fn is_telling(trouble: &Trouble) -> bool {
    TELLING.contains(&trouble.reason.as_str())
}

/// An event.
pub(super) fn event(event: &core::Event) -> Option<Arc<Trouble>> {
    let of = &event.involved_object;
    let about = ObjectId::new(of.kind.as_deref()?, of.namespace.as_deref().unwrap_or_default(), of.name.as_deref()?);
    let times = [event.last_timestamp.as_ref().map(|time| time.0), event.event_time.as_ref().map(|time| time.0)];
    let series = event.series.as_ref().and_then(|series| series.last_observed_time.as_ref()).map(|time| time.0);
    Some(Arc::new(Trouble {
        about,
        uid: of.uid.clone().unwrap_or_default(),
        reason: event.reason.clone()?,
        message: event.message.clone().unwrap_or_default(),
        at: times.into_iter().flatten().chain(series).max().unwrap_or_default(),
    }))
}

pub(super) fn volume(volume: &core::PersistentVolume) -> Option<Reduced> {
    let spec = volume.spec.as_ref()?;
    let path =
        spec.host_path.as_ref().map(|host| host.path.clone()).or_else(|| spec.local.as_ref().map(|local| local.path.clone()));
    Some(Reduced::Volume(Arc::new(Volume {
        name: key(&volume.metadata).1,
        path,
        claim: spec.claim_ref.as_ref().and_then(|claim| Some((claim.namespace.clone()?, claim.name.clone()?))),
        erased: spec.persistent_volume_reclaim_policy.as_deref() != Some("Retain"),
    })))
}

pub(super) fn dns(map: &core::ConfigMap) -> Option<Reduced> {
    let key = key(&map.metadata);
    let corefile = map.data.as_ref()?.get("Corefile")?.clone();
    let annotations = map.metadata.annotations.as_ref();
    let version = map.metadata.resource_version.clone().unwrap_or_default();
    let restart_due = annotations.is_some_and(|all| all.contains_key(RESTART_DUE));
    (key.0 == "kube-system").then(|| Reduced::Dns(key, Arc::new(Dns { corefile, version, restart_due })))
}

pub(super) fn registry_hosting(map: &core::ConfigMap) -> Option<Reduced> {
    let key = key(&map.metadata);
    let annotation = |name: &str| map.metadata.annotations.as_ref().and_then(|all| all.get(name).cloned());
    // What helm writes on each object of a release.
    let release = annotation("meta.helm.sh/release-name")
        .map(|name| (annotation("meta.helm.sh/release-namespace").unwrap_or_default(), name));
    let uid = map.metadata.uid.clone().unwrap_or_default();
    (key.0 == "kube-public").then(|| Reduced::RegistryHosting(key, Arc::new(RegistryHosting { uid, release })))
}

pub(super) fn node(node: &core::Node) -> Option<Reduced> {
    let status = node.status.clone().unwrap_or_default();
    let ready = status.conditions.as_deref().unwrap_or_default().iter().find(|condition| condition.type_ == "Ready").cloned();
    // Of others, such as those of a problem detector, nobody knows which is good.
    let known = ["MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable"];
    let bad = |condition: &&core::NodeCondition| known.contains(&condition.type_.as_str()) && condition.status == "True";
    let pressure = status.conditions.iter().flatten().filter(bad);
    let pressure = pressure.map(|one| format!("{}: {}", one.type_, one.message.as_deref().unwrap_or_default())).collect();
    let version = status.node_info.as_ref().map(|info| info.kubelet_version.clone()).unwrap_or_default();
    let gpus = status.allocatable.as_ref().and_then(|all| all.get("nvidia.com/gpu")).and_then(|count| count.0.parse().ok());
    let address = status
        .addresses
        .unwrap_or_default()
        .into_iter()
        .find(|address| address.type_ == "InternalIP")
        .map(|address| address.address);
    let message = match &ready {
        Some(condition) => {
            format!("{} {}", condition.reason.as_deref().unwrap_or_default(), condition.message.as_deref().unwrap_or_default())
        }
        None => "the node does not say whether it is ready".into(),
    };
    Some(Reduced::Node(Arc::new(Node {
        name: key(&node.metadata).1,
        ready: ready.is_some_and(|condition| condition.status == "True"),
        message,
        pressure,
        version,
        address,
        role: node.metadata.labels.as_ref().and_then(|labels| labels.get("kaapana.io/node").cloned()),
        gpus: gpus.unwrap_or(0),
    })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pod_belongs_to_its_deployment() {
        let pod: core::Pod = serde_json::from_value(json!({"metadata": {"name": "a-b-1-x", "namespace": "n",
            "labels": {"pod-template-hash": "1"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "a-b-1", "uid": "u", "controller": true}]}}))
        .unwrap();
        let Some(Reduced::Pod(pod)) = super::pod(&pod) else { panic!("no pod") };
        assert_eq!(pod.owner, Some(ObjectId::new("Deployment", "n", "a-b")));
    }
}
