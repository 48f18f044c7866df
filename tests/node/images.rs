//! The images a chart names are in hand before anything is taken down: offline they
//! must be there, with a registry (a real one, with a password) they are pulled.

use kaapana_agent::ledger::JobResult;
use kaapana_agent::state::Phase;

use super::harness::{DEPLOYMENT, MOMENT, Node, config};

/// `Registry.Password1`, as htpasswd(1) writes it.
const HTPASSWD: &str = "reader:$2b$04$hoPoJSrTsru7TEVInKl2HemfwExLkjzlu3DaUcRlQYp5cn6QjO/OK";

/// All of the test platform's images under another registry's name, pushed there. Those
/// of the root chart are in that registry only; with a chart from a file Kaapana gives
/// its pods no credentials, so the others stay.
const PUSH: &str = "set -e; ctr=/snap/bin/microk8s.ctr
    curl -s -o /dev/null --retry 30 --retry-connrefused --retry-max-time 30 http://localhost:5000/v2/
    root=$(/snap/bin/microk8s.helm3 get manifest kaapana-admin-chart; /snap/bin/microk8s.helm3 get hooks kaapana-admin-chart)
    for image in $($ctr images ls -q | grep ^registry.example.org/kaapana/); do
        other=localhost:5000/${image#registry.example.org/}
        $ctr images tag $image $other
        $ctr images push --plain-http --user reader:Registry.Password1 $other
        case $root in (*${image%:*}:*) $ctr images rm $other ;; esac
    done >/dev/null 2>&1";

/// The images of that registry that are not on the node.
const ABSENT: &str = "for name in $(ls /run/registry/docker/registry/v2/repositories/kaapana); do
        /snap/bin/microk8s.ctr images ls -q | grep -qx localhost:5000/kaapana/$name:0.6.0 || echo $name
    done";

fn from_registry(password: &str) -> String {
    config("").replace("offline = true\n", "").replace(
        "registry.example.org/kaapana\"",
        &format!("localhost:5000/kaapana\"\nusername = \"reader\"\npassword = \"{password}\""),
    )
}

#[test]
fn images_are_in_hand_before_anything_is_taken_down() {
    let node = Node::new();
    node.configure(&config(""));
    node.wait_healthy(1);
    let pods = "/snap/bin/microk8s.kubectl get pods --all-namespaces --no-headers -o custom-columns=u:.metadata.uid | sort";
    let before = node.ok(pods);

    // Offline, an image of the chart is not there.
    node.configure(&config("[values]\n\"test.missingImage\" = \"traefik\"\n"));
    let published = node.wait("the image is missing", MOMENT, |p| {
        p.history.last().is_some_and(|job| job.error.starts_with("ImagesMissing: ")) && p.job.is_none()
    });
    let error = &published.history.last().unwrap().error;
    assert!(error.contains("1 of 11 images are not on this machine: registry.example.org/kaapana/traefik:absent"), "{error}");
    let advice = &published.holds.iter().find(|hold| hold.reason == "FailedBefore").expect("it is not tried at once").advice;
    assert!(advice.contains("microk8s images import"), "{advice}");
    // It is imported; a person asks, who need not wait for the next look.
    node.ok("/snap/bin/microk8s.ctr images tag registry.example.org/kaapana/traefik:0.6.0 registry.example.org/kaapana/traefik:absent");
    assert_eq!(node.ok(pods), before, "no pod was touched");
    let ended = node.run("kaapanactl deploy");
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    let before = node.ok(pods);
    let uninstalls = node.helm_calls("uninstall");

    // A registry that wants a password, and gets another one.
    std::fs::write(node.path("/run/htpasswd"), format!("{HTPASSWD}\n")).unwrap();
    std::fs::write(
        node.path("/run/registry.yml"),
        "version: 0.1\nstorage: {filesystem: {rootdirectory: /run/registry}}\nhttp: {addr: 'localhost:5000'}\n\
         auth: {htpasswd: {realm: test, path: /run/htpasswd}}\n",
    )
    .unwrap();
    node.ok("systemd-run --quiet --unit registry docker-registry serve /run/registry.yml");
    node.ok(PUSH);
    assert_eq!(node.ok(ABSENT).lines().count(), 11, "the images of the root chart are in the registry only");
    node.configure(&from_registry("Wrong.Password1"));
    let published = node.wait("the registry refuses", MOMENT, |p| {
        p.history.last().is_some_and(|job| job.error.starts_with("ImageNotPulled: localhost:5000/kaapana/")) && p.job.is_none()
    });
    assert_eq!(published.phase, Phase::Blocked);
    assert_eq!(node.ok(pods), before, "no pod was touched");
    assert_eq!(node.ok("journalctl --no-pager -o json | grep -cE '(Wrong|Registry).Password1' || true").trim(), "0");

    // The right one: everything is pulled while the old platform runs.
    node.close_gate("uninstall");
    node.configure(&from_registry("Registry.Password1"));
    node.wait_at_gate("uninstall");
    assert_eq!(node.ok(ABSENT), "", "they were pulled");
    assert_eq!(node.helm_calls("uninstall"), uninstalls + 1);
    node.open_gate("uninstall");
    let published = node.wait("deployed from the registry", DEPLOYMENT, |p| p.phase == Phase::Healthy && p.job.is_none());
    assert_eq!(published.history.last().unwrap().result, JobResult::Done);
}
