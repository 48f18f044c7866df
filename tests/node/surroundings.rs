//! What the cluster around the releases has after a deployment: the DNS of a domain, and
//! the ConfigMap that a chart brings and somebody else left.

use kaapana_agent::state::Phase;

use super::harness::{DEPLOYMENT, Node, config};

const COREFILE: &str = "/snap/bin/microk8s.kubectl get configmap coredns --namespace kube-system -o jsonpath='{.data.Corefile}'";
const PODS: &str =
    "/snap/bin/microk8s.kubectl get pods --namespace kube-system -l k8s-app=kube-dns -o jsonpath='{.items[*].metadata.uid}'";
const HOSTING: &str = "/snap/bin/microk8s.kubectl create configmap local-registry-hosting --namespace kube-public --from-literal=localRegistryHosting.v1=another";

fn named(domain: &str, more: &str) -> String {
    config(more).replace("domain = \"10.77.0.2\"", &format!("domain = \"{domain}\""))
}

#[test]
fn what_is_around_the_releases_is_arranged() {
    let node = Node::new();
    let first = node.ok(COREFILE);
    let pods = node.ok(PODS);
    // A release of somebody else's owns what the chart brings: told before anything is touched.
    node.ok(HOSTING);
    let hosting = "/snap/bin/microk8s.kubectl annotate configmap local-registry-hosting --namespace kube-public";
    node.ok(&format!("{hosting} meta.helm.sh/release-name=other meta.helm.sh/release-namespace=default"));
    node.configure(&named("kaapana.example.org", "[values]\n\"test.localRegistryHosting\" = true\n"));
    let published = node.wait_hold("FailedBefore");
    let error = &published.history.last().unwrap().error;
    assert!(error.starts_with("RegistryHostingOwned: ") && error.contains("default/other"), "{error}");
    assert_eq!(node.ok(COREFILE), first, "nothing was touched");
    // Nobody's: it makes way.
    node.ok(&format!("{hosting} meta.helm.sh/release-name- meta.helm.sh/release-namespace-"));
    node.ok("kaapanactl deploy");
    node.wait("healthy", DEPLOYMENT, |p| p.phase == Phase::Healthy && p.job.is_none());
    let said =
        node.ok("/snap/bin/microk8s.kubectl get configmap local-registry-hosting --namespace kube-public -o jsonpath='{.data}'");
    assert!(said.contains("localhost:32000"), "the chart's: {said}");
    let line = "rewrite name exact kaapana.example.org. oauth2-proxy-service.admin.svc.cluster.local.";
    let text = node.ok(COREFILE);
    assert_eq!(text, first.replace("    kubernetes", &format!("    {line}\n    kubernetes")), "the rest stays as it was");
    let restarted = node.ok(PODS);
    assert_ne!(restarted, pods, "CoreDNS was restarted");

    // The secret of the login service: 256 bits, made once.
    let secret =
        || node.ok("/snap/bin/microk8s.helm3 get values kaapana-admin-chart --output json | jq -r .global.oidc_client_secret");
    let made = secret().trim().to_owned();
    assert!(made.len() == 64 && made.chars().all(|c| c.is_ascii_hexdigit()), "{} characters", made.len());

    // Another deployment of the same name leaves both alone.
    node.configure(&named("kaapana.example.org", "[network]\nhttp_port = 8080\n"));
    node.wait_healthy(2);
    assert_eq!((node.ok(COREFILE), node.ok(PODS)), (text, restarted.clone()));
    assert_eq!(node.helm_calls("install"), 2);
    // Another name: the line is changed. What the chart does not bring stays and is told.
    node.ok(HOSTING);
    node.configure(&named("other.example.org", ""));
    node.wait_healthy(3);
    assert_eq!(
        node.ok(COREFILE),
        first.replace("    kubernetes", &format!("    {}\n    kubernetes", line.replace("kaapana.", "other.")))
    );
    let restarted_again = node.ok(PODS);
    assert_ne!(restarted_again, restarted);
    assert_eq!(
        node.ok(
            "/snap/bin/microk8s.kubectl get configmap local-registry-hosting --namespace kube-public -o jsonpath='{.data.*}'"
        ),
        "another"
    );
    node.ok("journalctl -u kaapana-agent --no-pager -o cat | grep 'kube-public/local-registry-hosting is there and stays'");
    // An address needs no name; the agent's restart no new secret.
    node.ok("systemctl restart kaapana-agent");
    let text = node.ok(COREFILE);
    node.ok("kaapanactl undeploy");
    node.configure(&config(""));
    node.ok("kaapanactl reload && kaapanactl deploy");
    node.wait_healthy(4);
    assert_eq!((node.ok(COREFILE), node.ok(PODS)), (text, restarted_again), "skipped for an address");
    assert_eq!(secret().trim(), made, "kept and reused, also over an undeploy");
}
