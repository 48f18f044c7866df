//! The cluster's objects, by watches, reduced to what is needed.
//!
//! When one watch breaks, all are started again: what was seen before is stale
//! until a complete new list is there. Changes are gathered for a moment before
//! they are published, so that a storm of events is one piece of news.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource};
use tokio::sync::mpsc;

use super::release;
use super::{Observation, Observations, api};
use crate::error::chain;
use crate::health::workloads;
use crate::paths::Paths;
use crate::state::{ClusterView, Dns, Node, ObjectId, Observed, Pod, RegistryHosting, Release, Volume, Workload};

/// How long changes are gathered.
const GATHER: Duration = Duration::from_millis(50);

/// Wait before the watches are started again.
const RETRY: Duration = Duration::from_secs(2);

/// The watches, so that it is known when all have listed.
const WATCHES: usize = 11;

/// On the ConfigMap of CoreDNS: it was changed, and the restart that follows was not made yet.
pub const RESTART_DUE: &str = "kaapana.ai/restart-due";

/// One change of a watch.
enum Delta {
    /// A watch begins a new list.
    Begin(&'static str),
    /// An object is there.
    Put(&'static str, Reduced),
    /// An object is gone.
    Gone(&'static str, Key),
    /// The list is complete.
    Listed(&'static str),
    /// The watch broke.
    Broken(String),
}

/// Namespace and name of an object.
type Key = (String, String);

/// What is kept of an object.
#[derive(Clone)]
enum Reduced {
    Release(Key, Arc<Release>),
    Workload(Arc<Workload>),
    Pod(Arc<Pod>),
    Volume(Arc<Volume>),
    Node(Arc<Node>),
    Dns(Key, Arc<Dns>),
    RegistryHosting(Key, Arc<RegistryHosting>),
}

impl Reduced {
    fn key(&self) -> Key {
        match self {
            Self::Release(key, _) | Self::Dns(key, _) | Self::RegistryHosting(key, _) => key.clone(),
            Self::Workload(workload) => (workload.id.namespace.clone(), workload.id.name.clone()),
            Self::Pod(pod) => (pod.namespace.clone(), pod.name.clone()),
            Self::Volume(volume) => (String::new(), volume.name.clone()),
            Self::Node(node) => (String::new(), node.name.clone()),
        }
    }
}

/// Watches until the receiver is gone.
pub async fn run(paths: Arc<Paths>, observations: Observations) {
    loop {
        let reason = match api::connect(&paths.kubeconfig).await {
            Ok(client) => match watch_all(client, &observations).await {
                Some(reason) => reason,
                None => return,
            },
            Err(reason) => reason,
        };
        if observations.send(Observation::Cluster(Observed::Unknown { reason })).await.is_err() {
            return;
        }
        tokio::time::sleep(RETRY).await; // ok: a pause between tries, not a test
    }
}

/// Watches until one watch breaks (then its reason) or the receiver is gone.
async fn watch_all(client: Client, observations: &Observations) -> Option<String> {
    let (deltas, mut received) = mpsc::channel(256);
    let mut tasks = tokio::task::JoinSet::new();
    let all = watcher::Config::default;
    tasks.spawn(watch::<core::Secret>(
        client.clone(),
        watcher::Config::default().fields("type=helm.sh/release.v1").page_size(20),
        deltas.clone(),
        reduce_release,
    ));
    tasks.spawn(watch::<Deployment>(client.clone(), all(), deltas.clone(), |object| {
        workload("Deployment", &object.metadata, workloads::deployment(object))
    }));
    tasks.spawn(watch::<StatefulSet>(client.clone(), all(), deltas.clone(), |object| {
        workload("StatefulSet", &object.metadata, workloads::stateful_set(object))
    }));
    tasks.spawn(watch::<DaemonSet>(client.clone(), all(), deltas.clone(), |object| {
        workload("DaemonSet", &object.metadata, workloads::daemon_set(object))
    }));
    tasks.spawn(watch::<Job>(client.clone(), all(), deltas.clone(), |object| {
        workload("Job", &object.metadata, workloads::job(object))
    }));
    tasks.spawn(watch::<core::PersistentVolumeClaim>(client.clone(), all(), deltas.clone(), |object| {
        workload("PersistentVolumeClaim", &object.metadata, workloads::claim(object))
    }));
    tasks.spawn(watch::<core::Pod>(client.clone(), all(), deltas.clone(), reduce_pod));
    tasks.spawn(watch::<core::PersistentVolume>(client.clone(), all(), deltas.clone(), reduce_volume));
    let named = |name: &str| watcher::Config::default().fields(&format!("metadata.name={name}"));
    tasks.spawn(watch_as("dns", client.clone(), named("coredns"), deltas.clone(), reduce_dns));
    let hosting = named("local-registry-hosting");
    tasks.spawn(watch_as("registry hosting", client.clone(), hosting, deltas.clone(), reduce_registry_hosting));
    tasks.spawn(watch::<core::Node>(client, all(), deltas, reduce_node));
    let mut store = Store::default();
    loop {
        let delta = received.recv().await?;
        if let Some(reason) = store.apply(delta) {
            return Some(reason);
        }
        let deadline = tokio::time::Instant::now() + GATHER;
        while let Ok(Some(delta)) = tokio::time::timeout_at(deadline, received.recv()).await {
            if let Some(reason) = store.apply(delta) {
                return Some(reason);
            }
        }
        if store.listed.len() == WATCHES
            && let Some(view) = store.changed_view()
            && observations.send(Observation::Cluster(Observed::Fresh(Arc::new(view)))).await.is_err()
        {
            return None;
        }
    }
}

async fn watch<K>(client: Client, config: watcher::Config, deltas: mpsc::Sender<Delta>, reduce: fn(&K) -> Option<Reduced>)
where
    K: Resource<DynamicType = ()> + Clone + serde::de::DeserializeOwned + Debug + Send + 'static,
{
    watch_as(std::any::type_name::<K>(), client, config, deltas, reduce).await;
}

/// A watch under a name of its own: there may be several of a kind.
async fn watch_as<K>(
    kind: &'static str,
    client: Client,
    config: watcher::Config,
    deltas: mpsc::Sender<Delta>,
    reduce: fn(&K) -> Option<Reduced>,
) where
    K: Resource<DynamicType = ()> + Clone + serde::de::DeserializeOwned + Debug + Send + 'static,
{
    let name = |object: &K| (object.meta().namespace.clone().unwrap_or_default(), object.meta().name.clone().unwrap_or_default());
    let mut events = std::pin::pin!(watcher(Api::<K>::all(client), config));
    while let Some(event) = events.next().await {
        let delta = match event {
            Ok(Event::Init) => Delta::Begin(kind),
            Ok(Event::InitDone) => Delta::Listed(kind),
            Ok(Event::Apply(object) | Event::InitApply(object)) => match reduce(&object) {
                Some(reduced) => Delta::Put(kind, reduced),
                None => continue,
            },
            Ok(Event::Delete(object)) => Delta::Gone(kind, name(&object)),
            // The version that was watched from is too old: the watcher lists again.
            Err(watcher::Error::WatchError(status)) if status.code == 410 => continue,
            Err(error) => Delta::Broken(format!("the cluster cannot be watched: {}", chain(&error))),
        };
        let broken = matches!(delta, Delta::Broken(_));
        if deltas.send(delta).await.is_err() || broken {
            return;
        }
    }
}

/// Everything the watches told.
#[derive(Default)]
struct Store {
    objects: BTreeMap<&'static str, BTreeMap<Key, Reduced>>,
    /// While a watch lists anew, what it listed so far.
    listing: BTreeMap<&'static str, BTreeMap<Key, Reduced>>,
    listed: std::collections::BTreeSet<&'static str>,
    published: Option<ClusterView>,
}

impl Store {
    /// Returns the reason when a watch broke.
    fn apply(&mut self, delta: Delta) -> Option<String> {
        match delta {
            Delta::Begin(kind) => {
                self.listing.insert(kind, BTreeMap::new());
            }
            Delta::Put(kind, reduced) => {
                let objects = match self.listing.get_mut(kind) {
                    Some(listing) => listing,
                    None => self.objects.entry(kind).or_default(),
                };
                objects.insert(reduced.key(), reduced);
            }
            Delta::Gone(kind, key) => {
                if let Some(objects) = self.objects.get_mut(kind) {
                    objects.remove(&key);
                }
            }
            Delta::Listed(kind) => {
                self.objects.insert(kind, self.listing.remove(kind).unwrap_or_default());
                self.listed.insert(kind);
            }
            Delta::Broken(reason) => return Some(reason),
        }
        None
    }

    /// The view, when it differs from the one published last.
    fn changed_view(&mut self) -> Option<ClusterView> {
        let view = self.view();
        if self.published.as_ref() == Some(&view) {
            return None;
        }
        self.published = Some(view.clone());
        Some(view)
    }

    fn view(&self) -> ClusterView {
        let mut view = ClusterView::default();
        for reduced in self.objects.values().flat_map(BTreeMap::values) {
            match reduced {
                // Each revision is a secret of its own; the newest counts.
                Reduced::Release(_, release) => {
                    let place = view
                        .releases
                        .entry((release.namespace.clone(), release.name.clone()))
                        .or_insert_with(|| Arc::clone(release));
                    if place.revision < release.revision {
                        *place = Arc::clone(release);
                    }
                }
                Reduced::Workload(workload) => {
                    view.workloads.insert(workload.id.clone(), Arc::clone(workload));
                }
                Reduced::Pod(pod) => {
                    view.pods.insert((pod.namespace.clone(), pod.name.clone()), Arc::clone(pod));
                }
                Reduced::Volume(volume) => {
                    view.volumes.insert(volume.name.clone(), Arc::clone(volume));
                }
                Reduced::Dns(_, dns) => view.dns = Some(Arc::clone(dns)),
                Reduced::RegistryHosting(_, found) => view.registry_hosting = Some(Arc::clone(found)),
                Reduced::Node(node) => {
                    view.nodes.insert(node.name.clone(), Arc::clone(node));
                }
            }
        }
        view
    }
}

fn key(meta: &ObjectMeta) -> Key {
    (meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default())
}

fn workload(kind: &str, meta: &ObjectMeta, health: crate::health::Health) -> Option<Reduced> {
    let (namespace, name) = key(meta);
    Some(Reduced::Workload(Arc::new(Workload {
        id: ObjectId { kind: kind.into(), namespace, name },
        health,
        deleting: meta.deletion_timestamp.is_some(),
        finalizers: meta.finalizers.clone().unwrap_or_default(),
    })))
}

fn reduce_release(secret: &core::Secret) -> Option<Reduced> {
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

fn reduce_pod(pod: &core::Pod) -> Option<Reduced> {
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
    })))
}

fn reduce_volume(volume: &core::PersistentVolume) -> Option<Reduced> {
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

fn reduce_dns(map: &core::ConfigMap) -> Option<Reduced> {
    let key = key(&map.metadata);
    let corefile = map.data.as_ref()?.get("Corefile")?.clone();
    let annotations = map.metadata.annotations.as_ref();
    let version = map.metadata.resource_version.clone().unwrap_or_default();
    let restart_due = annotations.is_some_and(|all| all.contains_key(RESTART_DUE));
    (key.0 == "kube-system").then(|| Reduced::Dns(key, Arc::new(Dns { corefile, version, restart_due })))
}

fn reduce_registry_hosting(map: &core::ConfigMap) -> Option<Reduced> {
    let key = key(&map.metadata);
    let annotation = |name: &str| map.metadata.annotations.as_ref().and_then(|all| all.get(name).cloned());
    // What helm writes on each object of a release.
    let release = annotation("meta.helm.sh/release-name")
        .map(|name| (annotation("meta.helm.sh/release-namespace").unwrap_or_default(), name));
    let uid = map.metadata.uid.clone().unwrap_or_default();
    (key.0 == "kube-public").then(|| Reduced::RegistryHosting(key, Arc::new(RegistryHosting { uid, release })))
}

fn reduce_node(node: &core::Node) -> Option<Reduced> {
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
        let Some(Reduced::Pod(pod)) = reduce_pod(&pod) else { panic!("no pod") };
        assert_eq!(pod.owner, Some(ObjectId::new("Deployment", "n", "a-b")));
    }

    #[test]
    fn a_new_list_replaces_what_was_seen() {
        let volume = |name: &str| Reduced::Volume(Arc::new(Volume { name: name.into(), path: None, claim: None, erased: true }));
        let mut store = Store::default();
        for delta in [Delta::Begin("v"), Delta::Put("v", volume("a")), Delta::Listed("v"), Delta::Put("v", volume("b"))] {
            store.apply(delta);
        }
        assert_eq!(store.changed_view().unwrap().volumes.len(), 2);
        assert!(store.changed_view().is_none(), "nothing changed");
        for delta in
            [Delta::Begin("v"), Delta::Put("v", volume("b")), Delta::Listed("v"), Delta::Gone("v", (String::new(), "x".into()))]
        {
            store.apply(delta);
        }
        assert_eq!(store.changed_view().unwrap().volumes.keys().collect::<Vec<_>>(), ["b"]);
    }
}
