//! The chart comes from a real registry: TLS by a private authority, a login, and each
//! thing that can be wrong with its own reason. Nothing is fetched twice.

use kaapana_agent::agent::publish::Published;
use kaapana_agent::ledger::JobResult;
use kaapana_agent::state::{Phase, Status};

use super::harness::{DEPLOYMENT, MOMENT, Node, config};

/// `Registry.Password1`, as htpasswd(1) writes it.
const HTPASSWD: &str = "reader:$2b$04$hoPoJSrTsru7TEVInKl2HemfwExLkjzlu3DaUcRlQYp5cn6QjO/OK";

/// An authority, a certificate of it for the registry, and the chart pushed by helm.
const SET_UP: &str = "set -e; cd /srv; echo '10.77.0.2 registry.example.org' >>/etc/hosts
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=authority \
        -keyout ca.key -out ca.pem 2>/dev/null
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=registry.example.org -keyout tls.key -out tls.csr 2>/dev/null
    printf 'subjectAltName=DNS:registry.example.org' >san
    openssl x509 -req -in tls.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile san -out tls.pem 2>/dev/null
    systemd-run --quiet --unit registry docker-registry serve /srv/registry.yml
    systemd-run --quiet --unit plain docker-registry serve /srv/plain.yml
    curl -s -o /dev/null --cacert ca.pem --retry 30 --retry-connrefused --retry-max-time 30 https://registry.example.org:5443/v2/
    export HOME=/srv
    printf Registry.Password1 | /snap/bin/microk8s.helm3 registry login registry.example.org:5443 --username reader \
        --password-stdin --ca-file ca.pem
    /snap/bin/microk8s.helm3 push kaapana-admin-chart-0.6.0.tgz oci://registry.example.org:5443/kaapana --ca-file ca.pem
    for image in $(/snap/bin/microk8s.ctr images ls -q | grep ^registry.example.org/kaapana/); do
        for port in 5443 5001; do
            /snap/bin/microk8s.ctr images tag $image registry.example.org:$port/${image#registry.example.org/}
        done
    done >/dev/null";

/// How often an archive was asked for.
fn fetched(node: &Node, registry: &str) -> u32 {
    let asked = "grep -c 'GET /v2/kaapana/kaapana-admin-chart/blobs/' || true";
    node.ok(&format!("journalctl --no-pager -o cat --unit {registry} | {asked}")).trim().parse().unwrap()
}

fn registry(storage: &str, address: &str, more: &str) -> String {
    format!("version: 0.1\nstorage: {{filesystem: {{rootdirectory: /srv/{storage}}}}}\nhttp: {{addr: '{address}'{more}}}\n")
}

/// The configuration with these lines in `[registry]`, after the address.
fn from_registry(url: &str, more: &str) -> String {
    let text = config("").replace("offline = true\nchart_path = \"/srv/kaapana-admin-chart-0.6.0.tgz\"\n", "");
    text.replace("registry.example.org/kaapana\"\n", &format!("{url}\"\n{more}"))
}

const SECURE: &str = "registry.example.org:5443/kaapana";
const LOGIN: &str = "username = \"reader\"\npassword = \"Registry.Password1\"\n";
const TRUSTED: &str = "ca_file = \"/srv/ca.pem\"\n";

/// A job fails with this reason, and says these words.
fn refused(node: &Node, configuration: &str, reason: &str, words: &str, advice: &str) -> Published {
    let jobs = node.wait("its jobs", MOMENT, |_| true).history.len();
    node.configure(configuration);
    let published = node.wait(reason, MOMENT, |p| {
        p.job.is_none()
            && p.history.len() > jobs
            && p.history.last().is_some_and(|job| job.error.starts_with(&format!("{reason}: ")))
    });
    let error = &published.history.last().unwrap().error;
    assert!(error.contains(words), "{error}");
    let held = node.wait_hold("FailedBefore");
    let hold = held.holds.iter().find(|hold| hold.reason == "FailedBefore").unwrap();
    assert!(hold.message.contains(words) && hold.advice.contains(advice), "{hold:?}");
    published
}

#[test]
fn the_chart_comes_from_a_registry() {
    let node = Node::new();
    std::fs::write(node.path("/srv/htpasswd"), format!("{HTPASSWD}\n")).unwrap();
    let tls = ", tls: {certificate: /srv/tls.pem, key: /srv/tls.key}";
    let login = "auth: {htpasswd: {realm: test, path: /srv/htpasswd}}\n";
    std::fs::write(node.path("/srv/registry.yml"), registry("charts", "10.77.0.2:5443", tls) + login).unwrap();
    std::fs::write(node.path("/srv/plain.yml"), registry("none", "10.77.0.2:5001", "")).unwrap();
    node.ok(SET_UP);
    what_is_wrong_is_told(&node);
    a_registry_that_is_down_is_asked_again(&node);
    it_is_looked_at_while_no_job_works(&node);
    the_same_archive_is_fetched_once(&node);
    assert_eq!(node.ok("journalctl --no-pager -o json | grep -cE '(Wrong|Registry)[.]Password1' || true").trim(), "0");
}

fn what_is_wrong_is_told(node: &Node) {
    refused(node, &from_registry(SECURE, LOGIN), "RegistryNotTrusted", "nobody who is trusted has signed it", "registry.ca_file");
    let of_nobody = format!("{LOGIN}ca_file = \"/srv/none.pem\"\n");
    refused(node, &from_registry(SECURE, &of_nobody), "RegistryCaFile", "/srv/none.pem: cannot be read", "PEM");
    let another_name = from_registry("10.77.0.2:5443/kaapana", &format!("{LOGIN}{TRUSTED}"));
    refused(node, &another_name, "RegistryNotTrusted", "it is of another host", "registry.ca_file");
    refused(
        node,
        &from_registry("registry.example.org:5001/kaapana", ""),
        "RegistryNotTls",
        "does not answer in TLS",
        "plain_http",
    );
    let plain = from_registry("registry.example.org:5001/kaapana", "plain_http = true\n");
    refused(node, &plain, "ChartNotFound", "has no chart kaapana/kaapana-admin-chart", "push the chart");
    let not_plain = from_registry(SECURE, &format!("{LOGIN}plain_http = true\n"));
    refused(node, &not_plain, "RegistryNotPlain", "wants TLS", "plain_http = false");
    let anonymous = from_registry(SECURE, TRUSTED);
    refused(node, &anonymous, "RegistryLoginRefused", "access without a login", "registry.username");
    let wrong = from_registry(SECURE, &format!("{TRUSTED}username = \"reader\"\npassword = \"Wrong.Password1\"\n"));
    let published = refused(node, &wrong, "RegistryLoginRefused", "the login of reader", "no account is locked");
    assert_eq!(published.phase, Phase::NeedsOperator, "it is not asked again with the same password");
    let right = from_registry(SECURE, &format!("{LOGIN}{TRUSTED}"));
    let version = right.replace("version = \"0.6.0\"", "version = \"0.6.7\"");
    refused(
        node,
        &version,
        "ChartVersionNotFound",
        "has no version 0.6.7 at the registry registry.example.org:5443, it has 0.6.0",
        "push that version",
    );
    let name = right.replace("[platform]\n", "[platform]\nname = \"kaapana-other-chart\"\n");
    refused(node, &name, "ChartNotFound", "has no chart kaapana/kaapana-other-chart", "platform.name");
}

fn a_registry_that_is_down_is_asked_again(node: &Node) {
    node.ok("systemctl stop registry");
    let right = from_registry(SECURE, &format!("{LOGIN}{TRUSTED}"));
    let published = refused(
        node,
        &right,
        "RegistryNotReachable",
        "registry.example.org:5443 cannot be reached",
        "it is tried again by itself at",
    );
    assert_eq!(published.phase, Phase::Blocked);
    node.ok("systemd-run --quiet --unit registry docker-registry serve /srv/registry.yml");
    // The hold clears by itself.
    let published = node.wait("deployed from the registry", DEPLOYMENT, |p| p.phase == Phase::Healthy && p.job.is_none());
    assert_eq!(published.history.last().unwrap().result, JobResult::Done);
    assert!(published.holds.is_empty());
}

fn it_is_looked_at_while_no_job_works(node: &Node) {
    node.wait_check("registry.chart", Status::True);
    node.ok("systemctl stop registry; systemctl restart kaapana-agent");
    let published = node.wait_check("registry.chart", Status::False);
    let check = published.conditions.iter().find(|condition| condition.id == "registry.chart").unwrap();
    assert_eq!(check.reason, "RegistryNotReachable", "{}", check.message);
    node.wait("nothing is held by it", MOMENT, |p| {
        let known = p.conditions.iter().any(|condition| condition.id == "registry.chart" && condition.status == Status::False);
        known && p.phase == Phase::Healthy && p.holds.is_empty()
    });
    node.ok("systemd-run --quiet --unit registry docker-registry serve /srv/registry.yml");
    node.wait_check("registry.chart", Status::True);
}

fn the_same_archive_is_fetched_once(node: &Node) {
    assert_eq!(fetched(node, "registry"), 1);
    assert_eq!(node.helm_calls("pull") + node.helm_calls("registry"), 1, "the test's own login, by no process of the agent's");
    node.close_gate("uninstall");
    let other = from_registry(SECURE, &format!("{LOGIN}{TRUSTED}")) + "[network]\nhttp_port = 8080\n";
    node.configure(&other);
    node.wait_at_gate("uninstall");
    assert_eq!(fetched(node, "registry"), 1, "it was in hand");
    let kept = node.ok("sha256sum /var/cache/kaapana-agent/charts/*.tgz");
    let (digest, file) = kept.trim().split_once("  ").unwrap();
    assert!(file.ends_with(&format!("/{digest}.tgz")), "{kept}");
    // The password was used, and is nowhere.
    for (place, text) in node.public() {
        assert!(!text.contains("Registry.Password"), "the password is in {place}");
    }
    assert_eq!(node.readable_with("Registry.Password").trim(), "", "files that others can read");
    node.open_gate("uninstall");
    node.wait("healthy", DEPLOYMENT, |p| p.phase == Phase::Healthy && p.job.is_none());
    // An archive that was changed in the meantime is not used. Now from a registry without TLS.
    node.ok(&format!("echo changed >>{file}"));
    node.ok("cp -a /srv/charts/. /srv/none/");
    let generation = node.wait("the generation", MOMENT, |_| true).generation;
    node.configure(&from_registry("registry.example.org:5001/kaapana", "plain_http = true\n"));
    node.wait_healthy(generation + 1);
    assert_eq!((fetched(node, "registry"), fetched(node, "plain")), (1, 1), "fetched anew");
    assert_eq!(node.ok(&format!("sha256sum {file}")), kept);
}
