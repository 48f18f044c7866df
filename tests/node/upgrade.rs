//! A chart that can is upgraded in place, and goes back in place.

use kaapana_agent::ledger::JobResult;
use kaapana_agent::state::Phase;

use super::harness::{DEPLOYMENT, MOMENT, Node, config_of};

/// Where helm keeps the release here, and the objects that name no namespace lie.
const KUBECTL: &str = "/snap/bin/microk8s.kubectl --namespace site";

const DEPLOYMENT_YAML: &str = "apiVersion: apps/v1
kind: Deployment
metadata:
  name: keeper
spec:
  selector: {matchLabels: {app: keeper}}
  template:
    metadata: {labels: {app: keeper}}
    spec:
      containers:
        - {name: a, image: registry.example.org/kaapana/minio:0.6.0, imagePullPolicy: Never, command: [sleep, '3600']}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: ports
data:
  http: {{ .Values.global.http_port | quote }}
---
apiVersion: v1
kind: Service
metadata:
  name: door
spec:
  type: NodePort
  selector: {app: keeper}
  ports: [{port: 80, nodePort: {{ .Values.door | default 30080 }}}]
";

#[test]
fn a_chart_that_can_is_upgraded_in_place_and_back() {
    let node = Node::new();
    let metadata = "apiVersion: v2\nname: kaapana-admin-chart\nversion: 0.6.0\n";
    node.package_chart("upgradable", "kaapana-admin-chart", &[("Chart.yaml", metadata), ("templates/all.yaml", DEPLOYMENT_YAML)]);
    let configure = |more: &str| configure(&node, "", more);
    configure("");
    node.wait_healthy(1);
    for (namespace, releases) in [("site", "kaapana-admin-chart"), ("default", "")] {
        assert_eq!(node.ok(&format!("/snap/bin/microk8s.helm3 list --namespace {namespace} --short")).trim(), releases);
    }
    let uid = format!("{KUBECTL} get pods -l app=keeper -o jsonpath='{{.items[*].metadata.uid}}'");
    let pods = node.ok(&uid);

    // An edit: revision 2, nothing uninstalled, the pod is the same.
    configure("[network]\nhttp_port = 8080\n");
    let published = node.wait_healthy(2);
    assert_eq!(published.history.last().unwrap().result, JobResult::Done);
    assert_eq!(node.ok(&format!("{KUBECTL} get configmap ports -o jsonpath='{{.data.http}}'")), "8080");
    assert_eq!((node.helm_calls("upgrade"), node.helm_calls("uninstall")), (1, 0));
    assert_eq!(node.ok(&uid), pods);

    // One that the API server refuses, while the agent is killed: back in place.
    node.close_gate("upgrade");
    configure("[network]\nhttp_port = 8081\n[values]\n\"door\" = 99999\n");
    node.wait_at_gate("upgrade");
    node.ok("systemctl kill --signal=KILL --kill-whom=main kaapana-agent");
    node.wait("the agent again", MOMENT, |p| p.job.as_ref().is_some_and(|job| job.unit.contains("upgrade")));
    node.open_gate("upgrade");
    let published = node.wait("back", DEPLOYMENT, |p| p.phase == Phase::NeedsOperator && p.job.is_none());
    let job = published.history.last().unwrap();
    assert_eq!((job.result, job.put_back), (JobResult::Failed, Some(2)), "{}", job.error);
    assert!(job.error.contains("provided port is not in the valid range"), "{}", job.error);
    assert_eq!(node.ok(&format!("{KUBECTL} get configmap ports -o jsonpath='{{.data.http}}'")), "8080");
    assert_eq!((node.helm_calls("upgrade"), node.helm_calls("uninstall")), (3, 0));
    assert_eq!(node.ok(&uid), pods, "the pod has never gone");
    a_change_waits_for_its_window(&node);
}

fn configure(node: &Node, agent: &str, more: &str) {
    let more = format!("{more}[namespaces]\nhelm = \"site\"\n");
    let text = config_of("strategy = \"upgrade\"\n", &more).replace("[agent]\n", &format!("[agent]\n{agent}"));
    node.configure(&text.replace("/srv/kaapana-admin-chart", "/srv/upgradable/kaapana-admin-chart"));
}

fn a_change_waits_for_its_window(node: &Node) {
    let window = |from: &str, until: &str| {
        let clock = |shift: &str| node.ok(&format!("date -u -d '{shift}' +%H:%M"));
        let (from, until) = (clock(from), clock(until));
        format!("on_change = \"window\"\nwindows = [\"daily {}-{} UTC\"]\n", from.trim(), until.trim())
    };
    let upgrades = node.helm_calls("upgrade");
    configure(node, "on_change = \"plan\"\n", "[network]\nhttp_port = 8082\n");
    node.wait_hold("ChangePlanned");
    let plan = node.ok("kaapanactl plan");
    for words in [
        "would  upgrade to the chart",
        "network.http_port: 8080 -> 8082 forces an upgrade in place",
        "global.http_port: 8080 -> 8082",
        "agent.on_change: redeploy -> plan forces nothing, since it steers the agent",
    ] {
        assert!(plan.contains(words), "{words} is missing in\n{plan}");
    }
    configure(node, &window("2 hours", "3 hours"), "[network]\nhttp_port = 8082\n");
    let published = node.wait_hold("OutsideWindow");
    assert!(published.holds[0].message.contains("waits for the maintenance window that opens"), "{}", published.holds[0].message);
    assert!(node.exits(1, "kaapanactl deploy").contains("kaapanactl deploy --now does it at once"));
    assert_eq!(node.helm_calls("upgrade"), upgrades, "nothing was done");
    node.ok("kaapanactl deploy --now");
    assert_eq!(node.ok(&format!("{KUBECTL} get configmap ports -o jsonpath='{{.data.http}}'")), "8082");
    // A window that is open lets the next one through by itself.
    configure(node, &window("-2 hours", "3 hours"), "[network]\nhttp_port = 8083\n");
    node.ok("kaapanactl reload");
    node.wait("done in the window", DEPLOYMENT, |p| {
        p.phase == Phase::Healthy
            && p.job.is_none()
            && p.running.as_ref().is_some_and(|running| running.generation == p.generation)
    });
    assert_eq!(node.ok(&format!("{KUBECTL} get configmap ports -o jsonpath='{{.data.http}}'")), "8083");
}
