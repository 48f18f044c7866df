//! Why the pods of a workload do not come about, in words. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Level;
use crate::state::{ClusterView, ObjectId, Pod, Trouble};

/// The most of an event's words that is shown, in characters.
const MOST: usize = 240;

/// Why the pods of a workload are not there, most frequent first: `2 of 3 pods: …`. Empty when
/// nobody says.
#[must_use]
pub fn why(cluster: &ClusterView, id: &ObjectId) -> String {
    let pods: Vec<&Pod> = cluster
        .pods
        .range((id.namespace.clone(), String::new())..)
        .take_while(|((namespace, _), _)| *namespace == id.namespace)
        .map(|(_, pod)| pod.as_ref())
        .filter(|pod| pod.owner.as_ref() == Some(id) && pod.active)
        .collect();
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    for reason in pods.iter().filter_map(|pod| waits(cluster, pod)) {
        *reasons.entry(reason).or_default() += 1;
    }
    let mut told: Vec<(String, usize)> = reasons.into_iter().collect();
    told.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let mut told: Vec<String> = told
        .into_iter()
        .take(2)
        .map(|(reason, count)| match pods.len() {
            1 => format!("its pod {reason}"),
            of if count == 1 => format!("1 of {of} pods {reason}"),
            of => format!("{count} of {of} pods {}", plural(&reason)),
        })
        .collect();
    let newest = pods.iter().filter_map(|pod| pod.created).max();
    told.extend(not_made(cluster, id, newest));
    told.join("; ")
}

/// `wait for` of `waits for`.
fn plural(reason: &str) -> String {
    match (reason.strip_prefix("waits "), reason.strip_prefix("does ")) {
        (Some(rest), _) => format!("wait {rest}"),
        (_, Some(rest)) => format!("do {rest}"),
        _ => reason.to_owned(),
    }
}

/// What keeps one pod.
fn waits(cluster: &ClusterView, pod: &Pod) -> Option<String> {
    if pod.health.level == Level::Healthy || pod.deleting.is_some() {
        return None;
    }
    if pod.health.level == Level::Degraded {
        return Some(format!("does not run: {}", pod.health.message));
    }
    // A claim that waits for its first consumer has no volume because the pod has no place.
    let unschedulable = pod.health.reason == "Unschedulable";
    if unschedulable && !pod.health.message.to_lowercase().contains("persistentvolumeclaim") {
        return Some(format!("waits for a place on the node: {}", short(&pod.health.message)));
    }
    let of = |claim: &String| ObjectId::new("PersistentVolumeClaim", &pod.namespace, claim);
    let unbound = pod.claims.iter().find_map(|claim| match cluster.workloads.get(&of(claim)) {
        Some(seen) if seen.deleting => Some((claim, "is being deleted")),
        Some(seen) if seen.health.level == Level::Healthy => None,
        Some(seen) if seen.health.level == Level::Degraded => Some((claim, "has lost its volume")),
        Some(_) => Some((claim, "has no volume yet")),
        None => Some((claim, "is not there")),
    });
    if let Some((claim, how)) = unbound {
        return Some(format!("waits for the claim {claim}, which {how}"));
    }
    let trouble = cluster.troubles.get(&ObjectId::new("Pod", &pod.namespace, &pod.name));
    // Of a pod whose containers run it is over.
    let trouble = trouble.filter(|_| pod.health.reason == "Pending");
    if let Some(trouble) = trouble.filter(|trouble| trouble.uid.is_empty() || trouble.uid == pod.uid) {
        let said = short(&trouble.message);
        return Some(match trouble.reason.as_str() {
            "FailedMount" | "FailedAttachVolume" | "FailedMapVolume" => format!("waits for a volume: {said}"),
            _ => format!("does not start: {said}"),
        });
    }
    unschedulable.then(|| format!("waits for a place on the node: {}", short(&pod.health.message)))
}

/// Its controller cannot make the pods: a quota, an admission, a policy.
/// `newest`: when the newest of its pods was made: what was said before is over.
fn not_made(cluster: &ClusterView, id: &ObjectId, newest: Option<Timestamp>) -> Option<String> {
    let of = |trouble: &&Trouble| {
        let about = &trouble.about;
        let replica_set = about.kind == "ReplicaSet"
            && id.kind == "Deployment"
            && about.name.rsplit_once('-').is_some_and(|(deployment, _)| deployment == id.name);
        let over = newest.is_some_and(|newest| newest > trouble.at);
        !over && trouble.reason == "FailedCreate" && about.namespace == id.namespace && (about == id || replica_set)
    };
    let trouble = cluster.troubles.values().map(AsRef::as_ref).filter(of).max_by_key(|trouble| trouble.at)?;
    Some(format!("its pods cannot be made: {}", short(&trouble.message)))
}

fn short(message: &str) -> String {
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut shown: String = line.chars().take(MOST).collect();
    if shown.len() < line.len() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::health::Health;
    use crate::state::Workload;

    fn pod(name: &str, health: Health, claims: &[&str]) -> Arc<Pod> {
        Arc::new(Pod {
            namespace: "services".into(),
            name: name.into(),
            owner: Some(ObjectId::new("Deployment", "services", "minio")),
            uid: name.into(),
            active: true,
            health,
            deleting: None,
            finalizers: Vec::new(),
            claims: claims.iter().map(|&claim| claim.to_owned()).collect(),
            created: None,
        })
    }

    fn trouble(kind: &str, name: &str, uid: &str, reason: &str, message: &str) -> Arc<Trouble> {
        let about = ObjectId::new(kind, "services", name);
        let at = jiff::Timestamp::UNIX_EPOCH;
        Arc::new(Trouble { about, uid: uid.into(), reason: reason.into(), message: message.into(), at })
    }

    fn cluster(pods: Vec<Arc<Pod>>, claims: &[(&str, Level)], troubles: Vec<Arc<Trouble>>) -> ClusterView {
        let claim = |(name, level): &(&str, Level)| {
            let id = ObjectId::new("PersistentVolumeClaim", "services", name);
            let health = Health::new(*level, "", "");
            (id.clone(), Arc::new(Workload { id, health, deleting: false, finalizers: Vec::new() }))
        };
        ClusterView {
            pods: pods.into_iter().map(|pod| ((pod.namespace.clone(), pod.name.clone()), pod)).collect(),
            workloads: claims.iter().map(claim).collect(),
            troubles: troubles.into_iter().map(|trouble| (trouble.about.clone(), trouble)).collect(),
            ..ClusterView::default()
        }
    }

    fn told(cluster: &ClusterView) -> String {
        why(cluster, &ObjectId::new("Deployment", "services", "minio"))
    }

    fn pending() -> Health {
        Health::new(Level::Progressing, "Pending", "its containers are being started")
    }

    #[test]
    fn what_pods_wait_for_is_counted_and_named() {
        let three = vec![pod("a", pending(), &["y"]), pod("b", pending(), &["y"]), pod("c", Health::healthy(), &["y"])];
        let of = |level| told(&cluster(three.clone(), &[("y", level)], Vec::new()));
        assert_eq!(of(Level::Suspended), "2 of 3 pods wait for the claim y, which has no volume yet");
        assert_eq!(of(Level::Degraded), "2 of 3 pods wait for the claim y, which has lost its volume");
        assert_eq!(told(&cluster(three.clone(), &[], Vec::new())), "2 of 3 pods wait for the claim y, which is not there");
        assert_eq!(of(Level::Healthy), "");

        let mount = "MountVolume.SetUp failed for volume \"pvc-1\" :\n stale NFS file handle";
        let one = vec![pod("a", pending(), &[])];
        let of = |uid| told(&cluster(one.clone(), &[], vec![trouble("Pod", "a", uid, "FailedMount", mount)]));
        assert_eq!(of("a"), "its pod waits for a volume: MountVolume.SetUp failed for volume \"pvc-1\" : stale NFS file handle");
        assert_eq!(of("another"), "", "of the pod of that name before");
        let full = Health::new(Level::Progressing, "Unschedulable", "0/1 nodes are available: 1 Insufficient memory.");
        let shown = told(&cluster(vec![pod("a", full.clone(), &["y"])], &[("y", Level::Suspended)], Vec::new()));
        assert_eq!(shown, "its pod waits for a place on the node: 0/1 nodes are available: 1 Insufficient memory.");
    }

    #[test]
    fn what_is_over_is_not_told() {
        let starting = Health::new(Level::Progressing, "NotReady", "its containers are not ready");
        let mount = || vec![trouble("Pod", "a", "a", "FailedMount", "secret not found")];
        assert_eq!(told(&cluster(vec![pod("a", starting.clone(), &[])], &[], mount())), "", "its containers run");
        let mut made = pod("a", starting, &[]);
        Arc::make_mut(&mut made).created = Some(Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_secs(1));
        let refused = || vec![trouble("ReplicaSet", "minio-5d", "", "FailedCreate", "no service account")];
        assert_eq!(told(&cluster(vec![made], &[], refused())), "", "it was made since");
    }

    #[test]
    fn pods_that_cannot_be_made_say_why() {
        let quota = "Error creating: pods \"minio-5d-x\" is forbidden: exceeded quota: site";
        let shown = told(&cluster(Vec::new(), &[], vec![trouble("ReplicaSet", "minio-5d", "", "FailedCreate", quota)]));
        assert_eq!(shown, format!("its pods cannot be made: {quota}"));
        let other = told(&cluster(Vec::new(), &[], vec![trouble("ReplicaSet", "minio-other-5d", "", "FailedCreate", quota)]));
        assert_eq!(other, "");
    }
}
