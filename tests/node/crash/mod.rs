//! Crash consistency: the agent is killed, or the whole node, at chosen points of a
//! deployment, a redeployment and an undeployment, and everything ends as it does
//! without that.
//!
//! The points are passed by an agent that is built with the feature `faults`
//! (src/fault.rs). `make test` takes some of them, which change with the commit;
//! `make test-all` takes all and prints the table (`KAAPANA_CRASHES=all`).
//!
//! * [`points`]: the tables;
//! * [`circumstances`]: what must be so that a point is passed at all.

mod circumstances;
mod points;

use std::collections::BTreeMap;
use std::time::Duration;

use kaapana_agent::agent::publish::Published;
use kaapana_agent::ledger::JobResult;
use kaapana_agent::state::Phase;

use super::ends;
use super::harness::{DEPLOYMENT, HelmRecord, MOMENT, Node, config_of};
use circumstances::Circumstance;
use points::{Act, KILLS, NODE_KILLS, Point, WAY_BACK_KILLS, chosen};

/// The site's program that runs before a take-down, and people who may work.
const PROGRAM: &str = "pre_takedown = \"/usr/local/sbin/before\"\nwait_for_workflows = \"10m\"\n";

fn print(table: &[String]) {
    println!("\n| act | point | ends | outcome |\n|---|---|---|---|");
    table.iter().for_each(|row| println!("{row}"));
}

#[test]
fn the_agent_is_killed_at_any_point_and_nothing_is_done_twice() {
    let mut table = Vec::new();
    for points in chosen(KILLS, 2) {
        let node = Node::new();
        prepare(&node);
        let hooks = points.iter().any(|point| Circumstance::of(Some(point)) == Circumstance::Hooks);
        for act in [Act::Deploy, Act::Redeploy, Act::Undeploy] {
            let point = points.iter().find(|point| point.0 == act);
            if points.iter().all(|point| point.0 < act) {
                break;
            }
            let name = format!("{point:?}");
            let around = Circumstance::of(point);
            around.arrange(&node);
            let before = node.helm_records();
            match point {
                Some(point) => kill_at(&node, act, point, around, hooks),
                None => begin(&node, act, hooks),
            }
            let published = ended(&node, act);
            assert_eq!(node.run("cat /run/kaapana-agent/point").out, "", "{name} was not passed");
            assert_eq!(published.history.last().unwrap().result, JobResult::Done, "{name}");
            assert_eq!(published.history.len(), jobs(act), "{name}: {:?}", published.history);
            if point.is_some() {
                let restarts = node.ok("systemctl show --property=NRestarts --value kaapana-agent");
                assert_eq!(restarts.trim(), "1", "{name}: it was killed, once");
            }
            let calls: Vec<HelmRecord> = node.helm_records().difference(&before).cloned().collect();
            assert!(around == Circumstance::Hooks || calls.iter().all(|call| call.succeeded), "{name}: {calls:?}");
            assert_eq!(succeeded(&calls), around.wanted(wanted(act)), "{name}: no operation is run twice");
            assert_eq!(node.ok("cat /var/lib/before 2>/dev/null || true"), programs(act), "{name}: the site's program");
            it_ended_as_ever(&node, act, &published, &name);
            around.has_ended_well(&node);
            if act == Act::Deploy {
                node.ok("echo kept >/data/fast/patients");
            }
            table.extend(point.map(|point| row(point, "agent", "done once")));
        }
        assert_eq!(node.ok("cat /data/fast/patients").trim(), "kept");
    }
    print(&table);
}

/// What a platform that fails had installed until then is not the same each time: of the rest
/// only the root release is counted.
#[test]
fn the_agent_is_killed_on_the_way_back() {
    let mut table = Vec::new();
    for points in chosen(WAY_BACK_KILLS, 0) {
        let node = Node::new();
        prepare(&node);
        begin(&node, Act::Deploy, false);
        ended(&node, Act::Deploy);
        node.ok("echo kept >/data/fast/patients");
        for point in &points {
            let name = format!("{point:?}");
            let before = node.helm_records();
            kill_at(&node, Act::Failing, point, Circumstance::None, false);
            let published = ended(&node, Act::Failing);
            assert_eq!(node.run("cat /run/kaapana-agent/point").out, "", "{name} was not passed");
            let job = published.history.last().unwrap();
            assert_eq!((job.result, job.put_back), (JobResult::Failed, Some(1)), "{name}: {}", job.error);
            assert!(job.error.contains("generation 1 is back and healthy"), "{name}: {}", job.error);
            let calls: Vec<HelmRecord> = node.helm_records().difference(&before).cloned().collect();
            let mut done = succeeded(&calls);
            done.retain(|call, _| call.ends_with("kaapana-admin-chart"));
            assert_eq!(done, wanted(Act::Failing), "{name}: {calls:?}");
            assert_eq!(node.ok("cat /var/lib/before"), programs(Act::Failing), "{name}: the site's program");
            it_ended_as_ever(&node, Act::Failing, &published, &name);
            table.push(row(point, "agent", "the last good one is back"));
        }
        assert_eq!(node.ok("cat /data/fast/patients").trim(), "kept");
    }
    print(&table);
}

#[test]
fn the_node_is_killed_at_any_point_and_the_platform_comes_to_its_end() {
    let mut table = Vec::new();
    let all = std::env::var_os("KAAPANA_CRASHES").is_some();
    for points in chosen(NODE_KILLS, 1) {
        let mut node = Node::new();
        prepare(&node);
        for act in [Act::Deploy, Act::Redeploy, Act::Undeploy] {
            // Each takes a minute: make test takes those of a deploy and a redeploy.
            let point = points.iter().find(|point| point.0 == act).filter(|_| all || act != Act::Undeploy);
            if points.iter().all(|point| point.0 < act) {
                break;
            }
            let name = format!("{point:?}");
            let before = node.helm_records();
            if let Some(point) = point {
                arm(&node, point, "wait");
                begin(&node, act, false);
                match point.2.strip_prefix("running ") {
                    Some(verb) => node.wait_at_gate(verb),
                    None => drop(node.ok("timeout 200 cat /run/kaapana-agent/reached")),
                }
                node.crash();
            } else {
                begin(&node, act, false);
            }
            let published = ended(&node, act);
            assert_eq!(published.history.last().unwrap().result, JobResult::Done, "{name}: {:?}", published.history);
            let calls: Vec<HelmRecord> = node.helm_records().difference(&before).cloned().collect();
            assert_eq!(node.ok("cat /var/lib/before 2>/dev/null || true"), programs(act), "{name}: the site's program");
            // What the crash interrupted is done again; what had ended is not.
            let (done, mut wanted) = (succeeded(&calls), wanted(act));
            // What an interrupted installation left is taken down before the next.
            wanted.insert("uninstall kaapana-admin-chart".into(), 1);
            assert!(done.values().all(|times| *times <= 1), "{name}: {calls:?}");
            assert!(done.keys().all(|call| wanted.contains_key(call)), "{name}: {calls:?}");
            it_ended_as_ever(&node, act, &published, &name);
            if act == Act::Deploy {
                node.ok("echo kept >/data/fast/patients");
            }
            table.extend(point.map(|point| row(point, "node", "as wished")));
        }
        assert_eq!(node.ok("cat /data/fast/patients").trim(), "kept");
    }
    print(&table);
}

/// A row of the table; a run takes an hour, so it is told at once, too.
fn row(point: &Point, killed: &str, outcome: &str) -> String {
    let row = format!("| {:?} | {} {} | {killed} | {outcome} |", point.0, point.1, point.2);
    println!("{row}");
    row
}

/// Nothing is left of the act, and the node is as after one that nobody disturbed.
fn it_ended_as_ever(node: &Node, act: Act, published: &Published, name: &str) {
    ends::nothing_is_left(node, name);
    ends::is_as_ever(node, &format!("{act:?}").to_lowercase(), published, name);
    the_dns_is_told_once(node, name);
}

/// Begins an act and has the agent killed at a point of it.
fn kill_at(node: &Node, act: Act, point: &Point, around: Circumstance, hooks: bool) {
    arm(node, point, "kill");
    begin(node, act, hooks);
    let kill = || drop(node.ok("systemctl kill --signal=KILL --kill-whom=main kaapana-agent"));
    if let Some(verb) = point.2.strip_prefix("running ") {
        node.wait_at_gate(verb);
        ends::something_is_there(node);
        kill();
        node.wait("the agent again", MOMENT, |p| p.job.is_some());
        node.open_gate(verb);
    } else if is_seen(point.2) {
        let waits = |p: &Published| {
            p.job
                .as_ref()
                .is_some_and(|job| if point.2 == "following" { job.stage == "follow" } else { job.step.contains(point.2) })
        };
        node.wait(point.2, DEPLOYMENT, waits);
        kill();
        node.wait("the agent again, which waits as before", MOMENT, waits);
    }
    around.let_go(node, point);
}

/// The job itself says when it stands there.
fn is_seen(point: &str) -> bool {
    point == "following" || point.starts_with("waiting ")
}

/// The agent with points, and a program of the site that leaves a line each time.
fn prepare(node: &Node) {
    let program = "#!/bin/sh\necho $KAAPANA_JOB_TYPE >>/var/lib/before\n\
        if [ -p /run/helm-gate-before ]; then echo waits >/run/helm-waits-before; read -r word </run/helm-gate-before; fi\n";
    std::fs::write(node.path("/usr/local/sbin/before"), program).unwrap();
    node.ok("chmod 0755 /usr/local/sbin/before");
    node.ok("/snap/bin/microk8s.kubectl create configmap local-registry-hosting --namespace kube-public");
    node.install_faults();
}

/// The rewrite stands in the Corefile, once, and CoreDNS was started again with it.
fn the_dns_is_told_once(node: &Node, name: &str) {
    let map = node.ok("/snap/bin/microk8s.kubectl get configmap coredns --namespace kube-system -o json");
    assert_eq!(map.matches("rewrite name exact kaapana.example.org.").count(), 1, "{name}: {map}");
    assert!(!map.contains("kaapana.ai/restart-due"), "{name}: {map}");
}

/// How often each operation of helm succeeded.
fn succeeded(calls: &[HelmRecord]) -> BTreeMap<String, usize> {
    let mut count = BTreeMap::new();
    for call in calls.iter().filter(|call| call.succeeded) {
        let verb = call.file.split('-').next().unwrap_or_default();
        // It changes nothing and may be asked again.
        if ["install", "uninstall"].contains(&verb) {
            *count.entry(format!("{verb} {}", call.release)).or_default() += 1;
        }
    }
    count
}

/// What helm is to do in an act, each once.
fn wanted(act: Act) -> BTreeMap<String, usize> {
    let inner = ["code-server-chart", "kaapana-workflows-core", "project-admin", "kaapana-platform-chart"];
    let releases = inner.into_iter().chain(["kaapana-extension-collection-060", "kaapana-admin-chart"]);
    let uninstalls = releases.map(|release| (format!("uninstall {release}"), 1));
    let install = ("install kaapana-admin-chart".to_owned(), 1);
    match act {
        Act::Deploy => BTreeMap::from([install]),
        Act::Redeploy => uninstalls.chain([install]).collect(),
        Act::Undeploy => uninstalls.collect(),
        Act::Failing => BTreeMap::from([("install kaapana-admin-chart".into(), 2), ("uninstall kaapana-admin-chart".into(), 2)]),
    }
}

/// What the site's program wrote until then.
fn programs(act: Act) -> &'static str {
    match act {
        Act::Deploy => "",
        Act::Redeploy | Act::Failing => "deploy\n",
        Act::Undeploy => "deploy\nundeploy\n",
    }
}

/// How many jobs there have been after an act without a crash of the node.
fn jobs(act: Act) -> usize {
    match act {
        Act::Deploy => 1,
        Act::Redeploy | Act::Failing => 2,
        Act::Undeploy => 3,
    }
}

/// Makes the agent stop at a point. Passings count from its start.
fn arm(node: &Node, (_, count, point): &Point, how: &str) {
    node.ok("systemctl restart kaapana-agent");
    node.wait("it is there", MOMENT, |p| p.conditions.iter().all(|condition| condition.reason != "Pending"));
    if let Some(verb) = point.strip_prefix("running ") {
        return node.close_gate(verb);
    }
    if is_seen(point) {
        return;
    }
    node.ok("rm -f /run/kaapana-agent/reached; mkfifo /run/kaapana-agent/reached");
    let text = format!("{count} {how} {point}\n");
    std::fs::write(node.path("/run/kaapana-agent/point"), text).unwrap();
}

/// One with a name, which the cluster's DNS is told, and with a ConfigMap that somebody left.
fn platform(deployment: &str, more: &str) -> String {
    let more = format!("[values]\n\"test.localRegistryHosting\" = true\n{more}");
    config_of(&format!("{PROGRAM}{deployment}"), &more).replace("domain = \"10.77.0.2\"", "domain = \"kaapana.example.org\"")
}

/// `hooks`: those of the platform that is deployed first hang when it is taken down.
fn begin(node: &Node, act: Act, hooks: bool) {
    let limits = if hooks { circumstances::LIMITS } else { "" };
    match act {
        Act::Deploy if hooks => node.configure(&platform(limits, "\"test.hookSeconds\" = 600\n")),
        Act::Deploy => node.configure(&platform("", "")),
        Act::Redeploy => node.configure(&platform(limits, "[network]\nhttp_port = 8080\n")),
        Act::Failing => node.configure(&platform("", "\"test.failJob\" = true\n")),
        // The one who asks may not get an answer; what was accepted is done all the same.
        Act::Undeploy => drop(node.run("timeout 20 kaapanactl undeploy --no-wait")),
    }
}

fn ended(node: &Node, act: Act) -> Published {
    let limit = DEPLOYMENT + Duration::from_secs(120);
    node.wait(&format!("{act:?} has ended"), limit, |p| {
        // After a restart the history is there before the cluster is seen.
        p.job.is_none()
            && p.running.is_some()
            && p.history.iter().any(|job| job.result == JobResult::Done)
            && match act {
                // Killed at its very end, the agent has looked at everything again.
                Act::Failing => {
                    p.phase == Phase::NeedsOperator
                        && p.history.len() == jobs(act)
                        && p.generation == 2
                        && p.conditions.iter().all(|condition| condition.reason != "Pending")
                }
                Act::Deploy => p.phase == Phase::Healthy && p.generation == 1 && is_marked(p),
                Act::Redeploy => {
                    p.phase == Phase::Healthy && p.generation == 2 && p.running.as_ref().is_some_and(|r| r.generation == 2)
                }
                Act::Undeploy => p.phase == Phase::Undeployed && p.desired_state == "undeployed",
            }
    })
}

/// The disks are recorded: the deployment is over with all that follows.
fn is_marked(published: &Published) -> bool {
    ["disk.fast.identity", "disk.slow.identity"].into_iter().all(|id| {
        published.conditions.iter().any(|condition| condition.id == id && condition.message.contains("is the recorded disk"))
    })
}
