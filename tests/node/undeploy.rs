//! Every way to take a platform down: what goes is the platform's, what stays is data,
//! namespaces, claims, and everything of others.

use std::collections::BTreeSet;

use kaapana_agent::ledger::JobResult;
use kaapana_agent::state::Phase;

use super::careless::{Careless, GLOBALS};
use super::harness::{DEPLOYMENT, MOMENT, Node, config_of, nothing_hinders, on_a_terminal};
use super::kept::Kept;

const KUBECTL: &str = "/snap/bin/microk8s.kubectl";

/// What strangers put into the namespaces of the platform.
const OTHERS: &[(&str, &str)] = &[
    ("services", "deployment/foreign"),
    ("services", "configmap/foreign"),
    ("services", "pods -l app=foreign"),
    ("admin", "configmap/stranger"),
    // The deploy script erased all of these in the root release's own namespace.
    ("default", "deployment/foreign"),
    ("default", "job/foreign"),
    ("default", "pods -l app=foreign"),
    // Nearly of this platform: another instance's, another host's.
    ("admin", "configmap/sibling"),
    ("default", "configmap/cousin"),
];

/// Short limits, so that what hangs is seen to hang soon.
const LIMITS: &str = "helm_timeout = \"25s\"\nstuck_after = \"10s\"\n";

#[test]
fn a_platform_is_taken_down_in_every_way_and_nothing_else_is() {
    let mut node = Node::new();
    deploy(&node, "");
    node.ok("echo kept | tee /data/fast/patients /data/slow/images >/dev/null");
    strangers_move_in(&node);
    let kept = Kept::of(&node, OTHERS);
    with_hooks(&node, &kept);
    it_is_remembered_until_the_configuration_asks_for_it(&mut node);
    with_hooks_that_hang(&node, &kept);
    with_a_pod_that_does_not_go(&node, &kept);
    by_force(&node, &kept);
    with_stuck_releases(&node, &kept);
    with_a_claim_that_would_go(&node, &kept);
    deploy(&node, "");
    everything_else_is_there(&node, &kept);
}

fn deploy(node: &Node, more: &str) {
    let first = node.wait("the first look", MOMENT, |p| !p.conditions.is_empty()).generation == 0;
    node.configure(&config_of(LIMITS, more));
    node.ok("kaapanactl reload");
    // An edit deploys by itself, unless an undeploy is remembered.
    if !first {
        node.wait("nothing hinders it", MOMENT, nothing_hinders);
        let ended = node.run("kaapanactl deploy");
        assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    }
    node.wait("healthy", DEPLOYMENT, |p| p.phase == Phase::Healthy && p.job.is_none());
}

fn strangers_move_in(node: &Node) {
    chart(node, "stranger", "");
    node.ok("/snap/bin/microk8s.helm3 install stranger /tmp/stranger --namespace admin");
    chart(node, "sibling", "");
    let sibling = GLOBALS.replace("instance_uid=", "instance_uid=two");
    node.ok(&format!("/snap/bin/microk8s.helm3 install sibling /tmp/sibling --namespace admin {sibling}"));
    chart(node, "cousin", "");
    let cousin = GLOBALS.replace("10.77.0.2", "10.77.0.3");
    node.ok(&format!("/snap/bin/microk8s.helm3 install cousin /tmp/cousin --namespace default {cousin}"));
    let image =
        node.ok(&format!("{KUBECTL} get deployment -n services minio -o jsonpath='{{.spec.template.spec.containers[0].image}}'"));
    node.ok(&format!(
        "{KUBECTL} create deployment foreign -n services --image={} -- sleep 3600; {KUBECTL} create configmap foreign -n services; \
         {KUBECTL} create deployment foreign -n default --image={} -- sleep 3600; \
         {KUBECTL} create job foreign -n default --image={} -- sleep 3600; \
         for namespace in services default; do \
         {KUBECTL} wait deployment/foreign -n $namespace --for condition=Available --timeout 60s || exit 1; done",
        image.trim(),
        image.trim(),
        image.trim()
    ));
}

/// A chart in `/tmp`, with a ConfigMap and further templates.
fn chart(node: &Node, name: &str, template: &str) {
    node.ok(&format!("mkdir -p /tmp/{name}/templates"));
    let write = |path: &str, text: &str| std::fs::write(node.path(&format!("/tmp/{name}/{path}")), text).unwrap();
    write("Chart.yaml", &format!("apiVersion: v2\nname: {name}\nversion: 1.0.0\n"));
    write("templates/a.yaml", &format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n"));
    write("templates/b.yaml", template);
}

fn everything_else_is_there(node: &Node, kept: &Kept) {
    assert_eq!(node.ok("sort -u /data/fast/patients /data/slow/images").trim(), "kept");
    assert!(node.ok("/snap/bin/microk8s.helm3 list --all --namespace admin --short").contains("stranger"));
    assert_eq!(node.ok(&format!("{KUBECTL} get deployment -n services foreign -o jsonpath='{{.status.readyReplicas}}'")), "1");
    kept.is_there(node, OTHERS);
}

fn is_down(node: &Node, kept: &Kept) {
    node.wait("undeployed", MOMENT, |p| p.phase == Phase::Undeployed && p.job.is_none());
    let releases = node.ok("/snap/bin/microk8s.helm3 list --all --all-namespaces --short");
    let releases: BTreeSet<&str> = releases.lines().collect();
    assert_eq!(releases, BTreeSet::from(["cousin", "sibling", "stranger"]));
    let pods = node.ok(&format!(
        "{KUBECTL} get pods --all-namespaces --no-headers --field-selector=status.phase!=Succeeded -o custom-columns=n:.metadata.namespace,p:.metadata.name | grep -v kube-system || true"
    ));
    assert!(pods.lines().all(|line| line.contains("foreign")), "{pods}");
    everything_else_is_there(node, kept);
}

fn with_hooks(node: &Node, kept: &Kept) {
    let ended = node.run("kaapanactl undeploy");
    assert_eq!(ended.code, 0, "{}", ended.err);
    for words in ["left alone: ", "release admin/stranger", "release admin/sibling", "Pod services/foreign-"] {
        assert!(ended.err.contains(words), "{words} is missing in {}", ended.err);
    }
    is_down(node, kept);
    // Extensions and projects, the platform, its collection, admin: each once, with its hooks.
    let records =
        node.ok("cd /run/helm-record && for record in $(ls -tr uninstall-*); do head -n 6 $record | tr '\\n' ' '; echo; done");
    let order: Vec<&str> = records.lines().filter_map(|line| line.split(' ').nth(1)).collect();
    let wanted = [
        "code-server-chart",
        "kaapana-workflows-core",
        "project-admin",
        "kaapana-platform-chart",
        "kaapana-extension-collection-060",
        "kaapana-admin-chart",
    ];
    assert_eq!(order, wanted, "{records}");
    assert!(!records.contains("--no-hooks"), "{records}");
    let hooks = node.ok(&format!(
        "{KUBECTL} get events -A --field-selector involvedObject.kind=Job,reason=Completed -o custom-columns=n:.involvedObject.name --no-headers"
    ));
    for hook in ["remove-secret-", "remove-kaapana-plugin", "remove-kube-helm-collections-"] {
        assert!(hooks.contains(hook), "{hook} has not completed: {hooks}");
    }
}

fn it_is_remembered_until_the_configuration_asks_for_it(node: &mut Node) {
    node.crash();
    node.wait("still undeployed after a reboot", MOMENT * 4, |p| p.phase == Phase::Undeployed && nothing_hinders(p));
    let installs = node.helm_calls("install");
    assert_eq!(installs, 4, "the platform's and those of the three strangers, of before");
    // What the file says has not changed; only a change of it is a request.
    let with_state = |state: &str| config_of(LIMITS, "").replace("[platform]\n", &format!("[platform]\nstate = \"{state}\"\n"));
    for state in ["deployed", "undeployed"] {
        node.configure(&with_state(state));
        node.ok("kaapanactl reload");
        node.wait("still undeployed", MOMENT, |p| p.phase == Phase::Undeployed && p.job.is_none() && p.settling_until.is_none());
    }
    assert_eq!(node.helm_calls("install"), installs);
    node.configure(&with_state("deployed"));
    node.wait("healthy", DEPLOYMENT, |p| p.phase == Phase::Healthy && p.job.is_none());
    // And down again the same way.
    node.configure(&with_state("undeployed"));
    node.wait("undeployed", DEPLOYMENT, |p| p.phase == Phase::Undeployed && p.job.is_none());
}

fn with_hooks_that_hang(node: &Node, kept: &Kept) {
    deploy(node, "[values]\n\"test.hookSeconds\" = 600\n");
    let ended = node.run("kaapanactl undeploy");
    assert_eq!(ended.code, 1, "{}", ended.err);
    let published = node.wait("a person decides", MOMENT, |p| p.phase == Phase::NeedsOperator);
    assert!(published.history.last().unwrap().error.starts_with("HelmFailed"), "{}", published.history.last().unwrap().error);
    let ended = node.run("kaapanactl undeploy --no-hooks");
    assert_eq!(ended.code, 0, "{}", ended.err);
    is_down(node, kept);
}

fn with_a_pod_that_does_not_go(node: &Node, kept: &Kept) {
    deploy(node, "[values]\n\"test.finalizer\" = true\n");
    let ended = node.run("kaapanactl undeploy");
    assert_eq!(ended.code, 1, "{}", ended.err);
    assert!(ended.err.contains("Pod services/") && ended.err.contains("waits for test.kaapana.example/hold"), "{}", ended.err);
    // Force does not take finalizers away, and says so again.
    let ended = node.run("kaapanactl undeploy --nuke-pods --yes");
    assert_eq!(ended.code, 1, "{}", ended.err);
    node.ok(&format!(
        "for pod in $({KUBECTL} get pods -A -o jsonpath='{{range .items[*]}}{{.metadata.namespace}}/{{.metadata.name}} {{end}}' | tr ' ' '\\n' | grep landing-page); do \
         {KUBECTL} patch pod -n ${{pod%/*}} ${{pod#*/}} --type merge -p '{{\"metadata\":{{\"finalizers\":null}}}}'; done"
    ));
    // The agent goes on by itself.
    is_down(node, kept);
    assert!(node.exits(2, "kaapanactl undeploy").contains("nothing is deployed"));
}

fn by_force(node: &Node, kept: &Kept) {
    deploy(node, "");
    // A runtime that is away ends no pod: they stay Terminating.
    node.ok("systemctl stop snap.microk8s.daemon-containerd");
    let forced = || -> usize {
        node.ok("journalctl -u kaapana-agent -o cat --no-pager | grep -c 'is deleted by force' || true").trim().parse().unwrap()
    };
    let before = forced();
    let pods = node.wait("the pods", MOMENT, |p| p.running.is_some()).running.unwrap().pods.len();
    assert!(pods > 10, "{pods}");
    let question = node.exits(1, "kaapanactl undeploy --nuke-pods </dev/null");
    for words in [
        &format!("Of the {pods} pods of this platform those that do not end by themselves in their time are deleted by force"),
        "left alone: release admin/sibling, release admin/stranger",
        "Pod services/foreign-",
        "--yes",
    ] {
        assert!(question.contains(words), "{words} is missing in {question}");
    }
    let ended = on_a_terminal(node, "kaapanactl undeploy --nuke-pods", "n");
    assert!(ended.code == 1 && ended.out.contains("Go on? [y/N]") && ended.out.contains("nothing was done"), "{}", ended.out);
    assert!(node.wait("nothing was done", MOMENT, |_| true).job.is_none());
    let ended = on_a_terminal(node, "kaapanactl undeploy --no-hooks --nuke-pods", "y");
    assert_eq!(ended.code, 0, "{}", ended.out);
    node.ok("systemctl start snap.microk8s.daemon-containerd");
    node.wait("the node is ready", MOMENT * 4, |p| {
        p.conditions.iter().any(|c| c.id == "microk8s.node" && c.status == kaapana_agent::state::Status::True)
    });
    assert!(forced() > before, "pods were deleted by force");
    is_down(node, kept);
}

/// A release of the platform whose helm was killed at a hook that hangs.
fn stuck(node: &Node, name: &str, hook: &str, verb: &str) {
    let job = format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: {name}-hook\n  annotations:\n    helm.sh/hook: {hook}\nspec:\n  template:\n    spec:\n      restartPolicy: Never\n      containers:\n        - name: a\n          image: registry.example.org/kaapana/absent:1\n          imagePullPolicy: Never\n"
    );
    chart(node, name, &job);
    let values = GLOBALS;
    let helm = "/snap/bin/microk8s.helm3";
    let command = match verb {
        "install" => format!("{helm} install {name} /tmp/{name} --namespace admin {values} --timeout 10m"),
        _ => {
            node.ok(&format!("{helm} install {name} /tmp/{name} --namespace admin {values}"));
            format!("{helm} uninstall {name} --namespace admin --timeout 10m")
        }
    };
    // As kube-helm's: in a PID namespace of its own.
    node.ok(&format!("systemd-run --quiet --unit=stuck-{name} unshare --pid --fork --kill-child {command}"));
    let status = if verb == "install" { "pending-install" } else { "uninstalling" };
    node.ok(&format!(
        "grep -q -m 1 . < <(timeout 60 {KUBECTL} get secret -n admin -l owner=helm,name={name},status={status} --watch -o name)"
    ));
}

fn with_stuck_releases(node: &Node, kept: &Kept) {
    deploy(node, "");
    // While a helm works on it, it is left alone however long that takes.
    stuck(node, "leaving", "pre-delete", "uninstall");
    node.ok("kaapanactl undeploy --no-wait");
    node.wait("helm runs", MOMENT, |p| {
        p.job.as_ref().is_some_and(|job| job.step.contains("admin/leaving is uninstalling and helm runs"))
    });
    // Longer than stuck_after; its pod is the only one of the job and never gets ready.
    node.exits(1, &format!("{KUBECTL} wait pod -n admin -l job-name=leaving-hook --for condition=Ready --timeout 12s"));
    assert_eq!(node.wait("nothing was touched", MOMENT, |_| true).job.unwrap().stage, "prepare");
    node.ok("systemctl kill --signal=KILL stuck-leaving");
    // Nobody works on it any more: it goes without the hooks it hung at.
    is_down(node, kept);
    let uninstalls = node.ok("cat /run/helm-record/uninstall-* | grep -A4 -x leaving");
    assert!(uninstalls.contains("--no-hooks"), "{uninstalls}");

    // A first revision that is pending may be a person's: it wants consent.
    deploy(node, "");
    stuck(node, "arriving", "pre-install", "install");
    node.ok("systemctl kill --signal=KILL stuck-arriving");
    let ended = node.run("kaapanactl undeploy");
    assert_eq!(ended.code, 1, "{}", ended.err);
    assert!(ended.err.contains("ReleaseStuck") && ended.err.contains("kaapanactl undeploy --unlock"), "{}", ended.err);
    let published = node.wait("untouched", MOMENT, |p| p.job.is_none());
    assert_eq!(
        (published.history.last().unwrap().result, published.history.last().unwrap().stage.as_str()),
        (JobResult::Failed, "prepare")
    );
    let ended = node.run("kaapanactl undeploy --unlock");
    assert_eq!(ended.code, 0, "{}", ended.err);
    is_down(node, kept);
}

fn with_a_claim_that_would_go(node: &Node, kept: &Kept) {
    deploy(node, "");
    let Careless { volume, path } = Careless::install(node);
    let ended = node.run("kaapanactl undeploy");
    assert_eq!(ended.code, 0, "{}", ended.err);
    is_down(node, kept);
    assert!(ended.err.contains(&format!("their data stays in {volume} ({path})")), "{}", ended.err);
    Careless::is_kept(node);
}
