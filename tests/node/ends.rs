//! How an act ends: what is on the node then, and what is not left behind.

use std::sync::mpsc;

use kaapana_agent::agent::publish::Published;

use super::harness::{MOMENT, Node};

/// Compares what is on the node with `ends/NAME.txt`, which an undisturbed run wrote
/// (`UPDATE_GOLDEN=1`).
pub fn is_as_ever(node: &Node, name: &str, published: &Published, point: &str) {
    let now = look(node, published);
    let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/node/ends/{name}.txt"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(golden.parent().unwrap()).unwrap();
        std::fs::write(&golden, &now).unwrap();
    }
    let ever = std::fs::read_to_string(&golden).unwrap_or_default();
    let missing: Vec<&str> = ever.lines().filter(|line| !now.lines().any(|other| other == *line)).collect();
    let other: Vec<&str> = now.lines().filter(|line| !ever.lines().any(|known| known == *line)).collect();
    assert!(missing.is_empty() && other.is_empty(), "{point}: after {name} is missing: {missing:#?}\nand is there: {other:#?}");
}

/// A line for each thing that an act leaves, without what is random or new each time.
fn look(node: &Node, published: &Published) -> String {
    let mut out = vec![
        format!("phase {:?}, wished {}, generation {}", published.phase, published.desired_state, published.generation),
        format!(
            "holds {:?}, running generation {:?}",
            published.holds,
            published.running.as_ref().map(|running| running.generation)
        ),
    ];
    let releases = node.ok("/snap/bin/microk8s.helm3 list --all --all-namespaces --output json");
    let releases: Vec<serde_json::Value> = serde_json::from_str(&releases).unwrap();
    let text = |release: &serde_json::Value, key: &str| release[key].as_str().unwrap_or_default().to_owned();
    for release in &releases {
        let [namespace, name, revision, status, chart] =
            ["namespace", "name", "revision", "status", "chart"].map(|key| text(release, key));
        out.push(format!("release {namespace}/{name} {chart} revision {revision} {status}"));
    }
    if releases.iter().any(|release| release["name"] == "kaapana-admin-chart") {
        let values = node.ok("/snap/bin/microk8s.helm3 get values kaapana-admin-chart --namespace default --output json");
        let values: serde_json::Value = serde_json::from_str(&values).unwrap();
        let global = values["global"].as_object().unwrap();
        out.push(format!("values http_port {} of {} keys", global["http_port"], global.len()));
    }
    // Jobs that end take themselves away in their time; Pods bear random names.
    let objects = node.ok(
        "/snap/bin/microk8s.kubectl get namespaces,deployments,daemonsets,statefulsets,services,configmaps,secrets,pvc --all-namespaces \
         -o custom-columns=k:.kind,s:.metadata.namespace,n:.metadata.name,t:.type --no-headers | tr -s ' '",
    );
    let kept = objects.lines().filter(|line| {
        !["kube-system", "kube-public", "service-account-token", "kube-root-ca.crt", "sh.helm.release"]
            .iter()
            .any(|other| line.contains(other))
    });
    // Kaapana names one of its Secrets at random.
    out.extend(kept.map(|line| match line.split_once(" session-") {
        Some((what, _)) => format!("{what} session-* Opaque"),
        None => line.trim().to_owned(),
    }));
    out.sort();
    out.join("\n") + "\n"
}

/// No unit, no folder of a step, no lock, no release in between.
pub fn nothing_is_left(node: &Node, point: &str) {
    // The folder of a step goes last, and a moment after the job's end.
    let folder = node.path("/var/lib/kaapana-agent/steps");
    let (sender, changes) = mpsc::channel();
    let mut watcher = notify::recommended_watcher(move |event| drop(sender.send(event))).unwrap();
    notify::Watcher::watch(&mut watcher, &folder, notify::RecursiveMode::NonRecursive).unwrap();
    while std::fs::read_dir(&folder).unwrap().next().is_some() {
        changes
            .recv_timeout(MOMENT)
            .unwrap_or_else(|_| panic!("{point}: {} stays", node.ok("ls /var/lib/kaapana-agent/steps")))
            .unwrap();
    }
    assert_eq!(node.ok("systemctl list-units --all --no-legend 'kaapana-job-*'"), "", "{point}");
    assert!(!node.ok("systemd-inhibit --list --no-pager --no-legend").contains("kaapana-agent"), "{point}: a lock stays");
    let pending = node
        .ok("/snap/bin/microk8s.kubectl get secrets -A -l owner=helm --no-headers -o custom-columns=s:.metadata.labels.status");
    assert!(pending.lines().all(|status| status == "deployed"), "{point}: {pending}");
}

/// While a step runs there is what [`nothing_is_left`] looks for.
pub fn something_is_there(node: &Node) {
    assert_ne!(node.ok("ls /var/lib/kaapana-agent/steps"), "");
    assert_ne!(node.ok("systemctl list-units --all --no-legend 'kaapana-job-*'"), "");
    assert!(node.ok("systemd-inhibit --list --no-pager --no-legend").contains("kaapana-agent"));
}
