//! What the watches told, and the view made of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::health::image;
use crate::state::{ClusterView, Dns, Node, Pod, RegistryHosting, Release, Trouble, Volume, Workload};

/// One change of a watch.
pub(super) enum Delta {
    /// A watch begins a new list.
    Begin(&'static str),
    /// An object is there.
    Put(&'static str, Reduced),
    /// An object is gone.
    Gone(&'static str, Key),
    /// A warning was given just now.
    Told(Arc<Trouble>),
    /// The list is complete.
    Listed(&'static str),
    /// The watch broke.
    Broken(String),
}

/// Namespace and name of an object.
pub(super) type Key = (String, String);

/// What is kept of an object.
#[derive(Clone)]
pub(super) enum Reduced {
    Release(Key, Arc<Release>),
    Workload(Arc<Workload>),
    Pod(Arc<Pod>),
    Volume(Arc<Volume>),
    Node(Arc<Node>),
    Dns(Key, Arc<Dns>),
    RegistryHosting(Key, Arc<RegistryHosting>),
    Event(Key, Arc<Trouble>),
}

impl Reduced {
    fn key(&self) -> Key {
        match self {
            Self::Release(key, _) | Self::Dns(key, _) | Self::RegistryHosting(key, _) | Self::Event(key, _) => key.clone(),
            Self::Workload(workload) => (workload.id.namespace.clone(), workload.id.name.clone()),
            Self::Pod(pod) => (pod.namespace.clone(), pod.name.clone()),
            Self::Volume(volume) => (String::new(), volume.name.clone()),
            Self::Node(node) => (String::new(), node.name.clone()),
        }
    }
}

/// Everything the watches told.
#[derive(Default)]
pub(super) struct Store {
    objects: BTreeMap<&'static str, BTreeMap<Key, Reduced>>,
    /// While a watch lists anew, what it listed so far.
    listing: BTreeMap<&'static str, BTreeMap<Key, Reduced>>,
    pub(super) listed: BTreeSet<&'static str>,
    published: Option<ClusterView>,
    /// Warnings that were given since they were taken last.
    pub(super) told: Vec<Arc<Trouble>>,
}

impl Store {
    /// Returns the reason when a watch broke.
    pub(super) fn apply(&mut self, delta: Delta) -> Option<String> {
        match delta {
            Delta::Begin(kind) => {
                self.listing.insert(kind, BTreeMap::new());
            }
            Delta::Put(kind, reduced) => {
                let key = reduced.key();
                // Also while it is listed anew.
                let known = self.objects.get(kind).and_then(|all| all.get(&key)).cloned();
                let objects = match self.listing.get_mut(kind) {
                    Some(listing) => listing,
                    None => self.objects.entry(kind).or_default(),
                };
                let reduced = match (known, reduced) {
                    (Some(Reduced::Pod(known)), Reduced::Pod(new)) => Reduced::Pod(remember(&known, new)),
                    (_, reduced) => reduced,
                };
                objects.insert(key, reduced);
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
            Delta::Told(trouble) => self.told.push(trouble),
            Delta::Broken(reason) => return Some(reason),
        }
        None
    }

    /// The view, when it differs from the one published last.
    pub(super) fn changed_view(&mut self) -> Option<ClusterView> {
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
                // The newest word on an object counts.
                Reduced::Event(_, trouble) => {
                    let place = view.troubles.entry(trouble.about.clone()).or_insert_with(|| Arc::clone(trouble));
                    if place.at < trouble.at {
                        *place = Arc::clone(trouble);
                    }
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

/// While the kubelet pauses between two pulls it does not say what the last one failed at: what
/// it said before still holds.
fn remember(known: &Pod, mut new: Arc<Pod>) -> Arc<Pod> {
    if known.uid == new.uid
        && let Some(message) = image::remembered(&known.health.message, &new.health.message)
    {
        Arc::make_mut(&mut new).health.message = message;
    }
    new
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn what_a_pull_failed_at_is_known_over_a_new_list() {
        let pod = |said: &str| {
            let object: k8s_openapi::api::core::v1::Pod = serde_json::from_value(serde_json::json!({
                "metadata": {"name": "a", "namespace": "n", "uid": "u"},
                "status": {"phase": "Pending", "containerStatuses": [{"name": "c", "image": "r/x:1", "imageID": "", "ready": false,
                    "restartCount": 0, "state": {"waiting": {"reason": "ImagePullBackOff", "message": said}}}]}
            }))
            .unwrap();
            super::super::reduce::pod(&object).unwrap()
        };
        let mut store = Store::default();
        for delta in [
            Delta::Put("p", pod("401 Unauthorized")),
            Delta::Begin("p"),
            Delta::Put("p", pod("Back-off pulling image \"r/x:1\"")),
            Delta::Listed("p"),
        ] {
            store.apply(delta);
        }
        let view = store.changed_view().unwrap();
        let message = &view.pods.values().next().unwrap().health.message;
        assert!(message.contains("401 from the registry"), "{message}");
    }
}
