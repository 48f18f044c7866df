//! What must be the very same after everything: data, claims, volumes, namespaces, and
//! what others put there.

use std::collections::BTreeSet;

use super::harness::Node;

const KUBECTL: &str = "/snap/bin/microk8s.kubectl";

/// What was there at a moment, a line for each thing with what makes it that one: the
/// UID the API server gave it, or the content the platform wrote when it made its data.
pub struct Kept(BTreeSet<String>);

impl Kept {
    /// `others`: the objects of others, as `kubectl get` takes them, namespace first.
    pub fn of(node: &Node, others: &[(&str, &str)]) -> Self {
        let kept = Self(look(node, others));
        // A list without these would show nothing.
        for what in ["PersistentVolumeClaim ", "PersistentVolume ", "Namespace ", "/made "] {
            assert!(kept.0.iter().any(|line| line.contains(what)), "no {what} to keep: {:#?}", kept.0);
        }
        kept
    }

    /// All of it is there, and the same.
    pub fn is_there(&self, node: &Node, others: &[(&str, &str)]) {
        let now = look(node, others);
        let lost: Vec<&String> = self.0.difference(&now).collect();
        assert!(lost.is_empty(), "lost or made anew: {lost:#?}\nthere is: {now:#?}");
    }
}

fn look(node: &Node, others: &[(&str, &str)]) -> BTreeSet<String> {
    let columns = "-o custom-columns=k:.kind,s:.metadata.namespace,n:.metadata.name,u:.metadata.uid --no-headers | tr -s ' '";
    let mut script =
        format!("set -o pipefail; {KUBECTL} get namespaces,pv {columns}; {KUBECTL} get pvc --all-namespaces {columns}");
    for (namespace, what) in others {
        script += &format!("; {KUBECTL} get {what} -n {namespace} {columns}");
    }
    script += "; for file in /data/fast/*/made /data/slow/*/made; do [ ! -e $file ] || echo $file $(cat $file); done";
    node.ok(&script).lines().map(str::to_owned).collect()
}
