//! A platform that somebody else deployed: the same is taken over by itself, another one
//! when a person says so; nothing of it is touched by that.

use std::path::Path;

use kaapana_agent::agent::publish::Published;
use kaapana_agent::config::derived::Machine;
use kaapana_agent::config::{Fragments, validate, values};
use kaapana_agent::ledger::JobResult;
use kaapana_agent::state::{Phase, Status};

use super::harness::{DEPLOYMENT, MOMENT, Node, on_a_terminal};

/// The platform of a site whose script had a password that would be refused for a new one.
fn config(more: &str) -> String {
    super::harness::config(&format!("[credentials.grafana]\nusername = \"{NAME}\"\npassword = \"{NOT_SAFE}\"\n{more}"))
}

/// Both begin with a digit.
const NAME: &str = "1admin";
const NOT_SAFE: &str = "2026Planted1";

/// The values as the deploy script gives them, of another machine: 70 % of the memory are cut
/// before they are shared, and the server's address stands twice where it is the API server's.
fn values_of_the_script() -> String {
    let mut fragments = Fragments::default();
    fragments.merge_text(Path::new("/x.toml"), &super::harness::config("")).unwrap();
    let settings = validate(&fragments).unwrap().unwrap();
    let machine = Machine {
        memory_mib: 4_287,
        gpu: false,
        longhorn_nodes: 0,
        node_name: "kaapana-node".into(),
        server_ip: Some("10.77.0.2".into()),
        api_ip: None,
        timestamp: "2026-01-02-03-04".into(),
        oidc_client_secret: "0123456789".repeat(3),
    };
    let mut values = values::values(&settings, &machine).unwrap().nested();
    let global = values["global"].as_object_mut().unwrap();
    global.insert("credentials_grafana_username".into(), NAME.into());
    global.insert("credentials_grafana_password".into(), NOT_SAFE.into());
    // 3000 MiB by 30, 50 and 20.
    for (name, limit, request) in [("pacs", "900", "300"), ("airflow", "1500", "500"), ("opensearch", "600", "200")] {
        global.insert(format!("{name}_memory_limit"), limit.into());
        global.insert(format!("{name}_memory_request"), request.into());
    }
    let networks = ["10.152.183.0/24", "10.1.0.0/16", "10.77.0.2/32", "10.77.0.2/32", "10.77.0.2/32"];
    global.insert("internalCidrs".into(), networks.as_slice().into());
    values.to_string()
}

const UIDS: &str = "/snap/bin/microk8s.kubectl get pods --all-namespaces --no-headers -o custom-columns=u:.metadata.uid | sort";

#[test]
fn what_somebody_else_deployed_is_taken_over() {
    let node = Node::new();
    std::fs::write(node.path("/srv/values.json"), values_of_the_script()).unwrap();
    // As the deploy script does it.
    node.ok("/snap/bin/microk8s.kubectl label node kaapana-node kaapana.io/node=storage");
    node.ok("/snap/bin/microk8s.helm3 install kaapana-admin-chart /srv/kaapana-admin-chart-0.6.0.tgz --values /srv/values.json");
    another_platform_is_left_alone(&node);
    the_same_is_taken_over_by_itself(&node);
    another_one_when_a_person_says_so(&node);
    it_is_the_way_back(&node);
    assert_eq!(node.ok("journalctl --no-pager -o json | grep -c Planted1 || true").trim(), "0");
}

fn another_platform_is_left_alone(node: &Node) {
    node.configure(&config("").replace("version = \"0.6.0\"", "version = \"0.6.1\"").replace("0.6.0.tgz", "0.6.1.tgz"));
    let published = node.wait_hold("AdoptionRefused");
    let message = &published.holds[0].message;
    assert!(message.contains("its chart is kaapana-admin-chart 0.6.0, configured is kaapana-admin-chart 0.6.1"), "{message}");
    node.configure(&config("").replace("/data/fast", "/data/slow"));
    let hold = |p: &Published| p.holds.iter().any(|hold| hold.message.contains("global.fast_data_dir"));
    let published = node.wait("another directory", MOMENT, hold);
    let hold = published.holds.iter().find(|hold| hold.reason == "AdoptionRefused").unwrap();
    assert!(hold.message.contains("data.fast_dir makes it \"/data/slow\""), "{}", hold.message);
    assert!(hold.advice.contains("its data is there"), "{}", hold.advice);
    let refusal = node.exits(1, "kaapanactl adopt --yes");
    assert!(refusal.contains("AdoptionRefused: "), "{refusal}");
}

fn the_same_is_taken_over_by_itself(node: &Node) {
    node.configure(&config(""));
    let published = node.wait("healthy", DEPLOYMENT, |p| p.phase == Phase::Healthy);
    assert!(published.history.is_empty() && published.holds.is_empty(), "no job: {:?}", published.holds);
    // A password that is deployed already is only warned of; one that is not is refused.
    let valid = published.conditions.iter().find(|c| c.id == "config.valid").unwrap();
    assert_eq!((valid.status, valid.reason.as_str()), (Status::True, "Warnings"), "{}", valid.message);
    for key in ["username", "password"] {
        assert!(valid.message.contains(&format!("credentials.grafana.{key}: does not start with a letter")), "{}", valid.message);
    }
    let generation = published.generation;
    node.configure(&config("").replace(NOT_SAFE, "1999Planted1"));
    let published = node.wait("refused", MOMENT, |p| !p.config_error.is_empty());
    assert!(published.config_error.contains("credentials.grafana.password: does not start"), "{}", published.config_error);
    assert_eq!(published.generation, generation, "the last good generation stays in force");
    node.configure(&config(""));
    node.wait("good again", MOMENT, |p| p.config_error.is_empty());
    node.wait("the disks are recorded", MOMENT, |p| {
        p.conditions.iter().any(|c| c.id == "disk.fast.identity" && !c.message.contains("is recorded at"))
    });
    assert_eq!(
        node.exits(2, "kaapanactl deploy").lines().last().unwrap_or_default(),
        "nothing to do: generation 3 is deployed; nothing differs (--again deploys it again)"
    );
    // What this machine would make otherwise is told, and redeploys nothing.
    let plan = node.ok("kaapanactl plan");
    let later = plan.lines().find(|line| line.contains("global.airflow_memory_limit: 1500 -> "));
    assert!(later.is_some_and(|line| line.ends_with("(this machine, with the next deployment)")), "{plan}");
    assert_eq!(node.exits(2, "kaapanactl adopt"), "nothing to do: what is deployed is the agent's already\n");
    assert_eq!((node.helm_calls("install"), node.helm_calls("uninstall")), (1, 0));
}

fn another_one_when_a_person_says_so(node: &Node) {
    let before = node.ok(UIDS);
    // As on a machine that gets the agent only now.
    node.ok("systemctl stop kaapana-agent && rm -rf /var/lib/kaapana-agent/*");
    node.configure(&config("[smtp]\nhost = \"mail.example.org\"\n[credentials.minio]\npassword = \"Planted1\"\n"));
    node.ok("systemctl start kaapana-agent");
    let published = node.wait_hold("AdoptionNeeded");
    assert_eq!(published.phase, Phase::NeedsOperator);
    let plan = node.ok("kaapanactl plan");
    assert!(plan.contains("value  global.credentials_minio_password: ******** -> ********"), "{plan}");
    assert!(plan.contains("value  global.smtp_host:  -> mail.example.org"), "{plan}");
    assert_eq!(plan.matches("     value  ").count(), 2, "{plan}");
    let refusal = node.exits(1, "kaapanactl deploy");
    assert!(refusal.contains("AdoptionNeeded: "), "{refusal}");
    let refusal = node.exits(1, "kaapanactl adopt");
    assert!(refusal.contains("There is no terminal to ask on; --yes goes on without asking."), "{refusal}");
    let said = on_a_terminal(node, "kaapanactl adopt", "n");
    assert!(said.code == 1 && said.out.contains("global.smtp_host") && said.out.contains("nothing was done"), "{}", said.out);
    node.wait_hold("AdoptionNeeded");
    let said = on_a_terminal(node, "kaapanactl adopt", "y");
    assert_eq!(said.code, 0, "{}", said.out);
    assert!(said.out.contains("the release default/kaapana-admin-chart is taken over; "), "{}", said.out);
    let recorded = |id: &str| {
        let is = |p: &Published| {
            p.conditions.iter().any(|c| c.id == id && c.status == Status::True && c.message.contains("is the recorded disk"))
        };
        node.wait(id, MOMENT, is);
    };
    recorded("disk.fast.identity");
    recorded("disk.slow.identity");
    let published = node.wait("healthy", DEPLOYMENT, |p| p.phase == Phase::Healthy && p.job.is_none());
    assert!(published.holds.iter().any(|hold| hold.reason == "AdoptedAsItIs"), "{:?}", published.holds);
    assert_eq!(node.ok(UIDS), before, "no pod was touched");
    // An edit that changes no value changes nothing.
    node.ok("systemctl restart kaapana-agent");
    node.wait("looked again", MOMENT, |p| p.phase == Phase::Healthy && p.health.is_some());
    // A configuration that says what is deployed changes nothing either.
    node.configure(&config(""));
    let published =
        node.wait("nothing differs", MOMENT, |p| p.generation == 2 && p.holds.is_empty() && p.phase == Phase::Healthy);
    assert!(published.history.is_empty() && published.job.is_none());
    assert_eq!((node.helm_calls("install"), node.helm_calls("uninstall")), (1, 0));
    assert_eq!(node.ok(UIDS), before, "no pod was touched");
}

fn it_is_the_way_back(node: &Node) {
    let values = "/snap/bin/microk8s.helm3 get values kaapana-admin-chart --output json | jq -cS .";
    let before = node.ok(values);
    node.occupy_port(31000);
    node.configure(&config("[network]\nhttps_port = 31000\n"));
    let published = node.wait("what was there is back", DEPLOYMENT, |p| p.history.len() == 1 && p.job.is_none());
    let job = published.history.last().unwrap();
    assert_eq!(job.result, JobResult::Failed, "{}", job.error);
    assert!(job.put_back.is_some(), "{}", job.error);
    assert_eq!(node.ok(values), before, "the values of before, the login service's secret among them");
}
