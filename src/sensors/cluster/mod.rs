//! The cluster's objects, by watches, reduced to what is needed.
//!
//! When one watch breaks, all are started again: what was seen before is stale
//! until a complete new list is there. Changes are gathered for a moment before
//! they are published, so that a storm of events is one piece of news.

mod reduce;
mod store;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1 as core;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource};
use tokio::sync::mpsc;

use super::{Observation, Observations, api};
use crate::error::chain;
use crate::health::workloads;
use crate::paths::Paths;
use crate::state::Observed;
use store::{Delta, Reduced, Store};

/// How long changes are gathered.
const GATHER: Duration = Duration::from_millis(50);

/// Wait before the watches are started again.
const RETRY: Duration = Duration::from_secs(2);

/// The watches, so that it is known when all have listed.
const WATCHES: usize = 12;

/// On the ConfigMap of CoreDNS: it was changed, and the restart that follows was not made yet.
pub const RESTART_DUE: &str = "kaapana.ai/restart-due";

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
        reduce::release,
    ));
    tasks.spawn(watch::<Deployment>(client.clone(), all(), deltas.clone(), |object| {
        reduce::workload("Deployment", &object.metadata, workloads::deployment(object))
    }));
    tasks.spawn(watch::<StatefulSet>(client.clone(), all(), deltas.clone(), |object| {
        reduce::workload("StatefulSet", &object.metadata, workloads::stateful_set(object))
    }));
    tasks.spawn(watch::<DaemonSet>(client.clone(), all(), deltas.clone(), |object| {
        reduce::workload("DaemonSet", &object.metadata, workloads::daemon_set(object))
    }));
    tasks.spawn(watch::<Job>(client.clone(), all(), deltas.clone(), |object| {
        reduce::workload("Job", &object.metadata, workloads::job(object))
    }));
    tasks.spawn(watch::<core::PersistentVolumeClaim>(client.clone(), all(), deltas.clone(), |object| {
        reduce::workload("PersistentVolumeClaim", &object.metadata, workloads::claim(object))
    }));
    tasks.spawn(watch::<core::Pod>(client.clone(), all(), deltas.clone(), reduce::pod));
    tasks.spawn(watch::<core::PersistentVolume>(client.clone(), all(), deltas.clone(), reduce::volume));
    let named = |name: &str| watcher::Config::default().fields(&format!("metadata.name={name}"));
    tasks.spawn(watch_as("dns", client.clone(), named("coredns"), deltas.clone(), reduce::dns));
    let hosting = named("local-registry-hosting");
    tasks.spawn(watch_as("registry hosting", client.clone(), hosting, deltas.clone(), reduce::registry_hosting));
    // What goes well is told by the thousand.
    let warnings = watcher::Config::default().fields("type=Warning").page_size(100);
    tasks.spawn(watch_events(client.clone(), warnings, deltas.clone()));
    tasks.spawn(watch::<core::Node>(client, all(), deltas, reduce::node));
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
        let told = std::mem::take(&mut store.told);
        if !told.is_empty() && observations.send(Observation::Warnings(told)).await.is_err() {
            return None;
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

/// The cluster's warnings. Those that are given while it is watched are told besides.
async fn watch_events(client: Client, config: watcher::Config, deltas: mpsc::Sender<Delta>) {
    const KIND: &str = "events";
    let mut events = std::pin::pin!(watcher(Api::<core::Event>::all(client), config));
    while let Some(event) = events.next().await {
        let put = |object: &core::Event| {
            let trouble = reduce::event(object)?;
            let key = (object.metadata.namespace.clone().unwrap_or_default(), object.metadata.name.clone().unwrap_or_default());
            let kept = reduce::is_telling(&trouble).then(|| Delta::Put(KIND, Reduced::Event(key, Arc::clone(&trouble))));
            Some((kept, trouble))
        };
        let all = match event {
            Ok(Event::Init) => vec![Delta::Begin(KIND)],
            Ok(Event::InitDone) => vec![Delta::Listed(KIND)],
            Ok(Event::InitApply(object)) => put(&object).and_then(|(kept, _)| kept).into_iter().collect(),
            Ok(Event::Apply(object)) => {
                put(&object).map(|(kept, trouble)| kept.into_iter().chain([Delta::Told(trouble)]).collect()).unwrap_or_default()
            }
            Ok(Event::Delete(object)) => {
                let name = object.metadata.name.unwrap_or_default();
                vec![Delta::Gone(KIND, (object.metadata.namespace.unwrap_or_default(), name))]
            }
            Err(watcher::Error::WatchError(status)) if status.code == 410 => Vec::new(),
            Err(error) => vec![Delta::Broken(format!("the cluster cannot be watched: {}", chain(&error)))],
        };
        for delta in all {
            let broken = matches!(delta, Delta::Broken(_));
            if deltas.send(delta).await.is_err() || broken {
                return;
            }
        }
    }
}
