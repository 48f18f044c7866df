//! The package: upgraded, removed, purged and installed again during a deployment.

use kaapana_agent::ledger::JobResult;
use kaapana_agent::state::Phase;

use super::harness::{DEPLOYMENT, MOMENT, Node, config};

#[test]
fn no_act_of_the_package_touches_the_platform_or_its_job() {
    let node = Node::new();
    node.close_gate("install");
    node.configure(&config(""));
    node.wait_at_gate("install");
    let unit = "kaapana-job-1-install-1.service";
    let pid = node.ok(&format!("systemctl show -P MainPID {unit}"));
    let runs = || assert_eq!(node.ok(&format!("systemctl show -P MainPID {unit}")), pid, "the job's process is the same");

    node.ok("apt-get install -y --reinstall /root/kaapana-agent.deb");
    node.wait("the upgraded agent follows the job", MOMENT, |p| p.job.as_ref().is_some_and(|job| job.unit == unit));
    runs();
    node.ok("apt-get remove -y kaapana-agent");
    assert_eq!(node.run("systemctl is-active kaapana-agent").out.trim(), "inactive");
    runs();
    node.install();
    node.wait("the agent that was installed again follows the job", MOMENT, |p| {
        p.job.as_ref().is_some_and(|job| job.unit == unit)
    });
    runs();
    node.open_gate("install");
    let published = node.wait_healthy(1);
    assert_eq!((published.history.len(), published.history[0].result), (1, JobResult::Done));
    assert_eq!(node.helm_calls("install"), 1);

    // Removed and purged, the platform runs on; the site's configuration stays.
    let pods = "/snap/bin/microk8s.kubectl get pods --all-namespaces --no-headers -o custom-columns=u:.metadata.uid | sort";
    let before = node.ok(pods);
    node.ok("apt-get purge -y kaapana-agent");
    node.ok("test ! -e /var/lib/kaapana-agent && test -s /etc/kaapana/config/10-platform.toml && test -s /data/fast/version");
    assert_eq!(node.ok(pods), before, "no pod was touched");
    // Installed again without its memory it recognises what it is configured for.
    node.install();
    let published = node.wait("taken over", DEPLOYMENT, |p| p.phase == Phase::Healthy);
    assert!(published.history.is_empty() && published.holds.is_empty(), "{:?}", published.holds);
    assert_eq!(node.ok(pods), before, "no pod was touched");
    assert_eq!(node.helm_calls("install"), 1);
}

#[test]
fn a_purge_takes_nothing_from_a_helm_that_runs() {
    let node = Node::new();
    node.close_gate("install");
    node.configure(&config("[credentials.grafana]\npassword = \"OfThisDeployment1\"\n"));
    node.wait_at_gate("install");
    node.ok("apt-get purge -y kaapana-agent && test ! -e /var/lib/kaapana-agent");
    node.open_gate("install");
    // Nobody is left to follow it, but the chart is installed, with its values.
    node.ok("timeout 200 journalctl -f -n all -o cat -u kaapana-job-1-install-1.service | grep -q -m 1 '^STATUS: deployed'");
    node.ok(
        "/snap/bin/microk8s.helm3 get values kaapana-admin-chart --namespace default --output json | grep -q OfThisDeployment1",
    );
    node.ok("/snap/bin/microk8s.kubectl wait deployment --all --all-namespaces --for condition=Available --timeout 200s");
}
