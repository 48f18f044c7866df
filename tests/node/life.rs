//! The main job: deployed, changed, killed, paused, taken down.

use std::cell::RefCell;
use std::collections::BTreeSet;

use kaapana_agent::agent::publish::Published;
use kaapana_agent::ledger::JobResult;
use kaapana_agent::state::{Phase, Status};

use super::durability::{is_synced_before_it_is_answered, is_synced_before_it_is_answered_to};
use super::harness::{DEPLOYMENT, MOMENT, Node, config, nothing_hinders};

#[test]
fn a_platform_is_deployed_changed_killed_paused_and_taken_down() {
    let node = Node::new();
    unconfigured_is_ready_and_says_so(&node);
    node.configure(&config(""));
    let published = what_is_counted(&node);
    everything_is_there(&node, &published);
    it_is_shown_by_the_systems_own_tools(&node);
    a_restart_starts_no_helm(&node);
    a_broken_edit_changes_nothing(&node);
    another_identity_is_held(&node);
    a_killed_agent_finds_its_job_again(&node);
    the_off_switch(&node);
    others_may_read_and_not_act(&node);
    an_undeploy_is_remembered_and_leaves_data_and_strangers(&node);
    without_the_agent(&node);
}

fn unconfigured_is_ready_and_says_so(node: &Node) {
    node.wait("the first look", MOMENT, |p| p.phase == Phase::Unconfigured && !p.conditions.is_empty());
    let text = node.exits(1, "kaapanactl status");
    assert!(text.contains("Unconfigured - no platform is configured; write /etc/kaapana/config/*.toml"), "{text}");
    assert!(node.exits(1, "kaapanactl deploy").contains("no platform is configured"), "a refusal says why");
    assert!(node.ok("systemctl is-active kaapana-agent").contains("active"));
}

/// How far a job is, is shown by what there is to count, too.
fn what_is_counted(node: &Node) -> Published {
    let seen = RefCell::new(BTreeSet::new());
    let published = node.wait("generation 1 healthy", DEPLOYMENT, |p| {
        let counted = p.job.iter().flat_map(|job| &job.counts).filter(|(_, count)| count.total > 0);
        seen.borrow_mut().extend(counted.map(|(name, _)| name.clone()));
        p.phase == Phase::Healthy && p.generation == 1 && p.job.is_none()
    });
    assert_eq!(seen.into_inner().into_iter().collect::<Vec<_>>(), ["images", "jobs", "pods", "releases"]);
    published
}

fn everything_is_there(node: &Node, published: &Published) {
    assert_eq!((published.history.len(), published.history[0].result), (1, JobResult::Done));
    let releases = node.ok("/snap/bin/microk8s.helm3 list --all --all-namespaces --short");
    for name in ["kaapana-admin-chart", "kaapana-platform-chart", "project-admin"] {
        assert!(releases.contains(name), "{name} is missing in {releases}");
    }
    assert_eq!((node.helm_calls("install"), node.helm_calls("template")), (1, 1));
    let page = "https://10.77.0.2/auth/realms/kaapana/.well-known/openid-configuration";
    assert_eq!(node.ok(&format!("curl -sk -o /dev/null -w '%{{http_code}}' {page}")), "200");
    let status = node.ok("kaapanactl status --all");
    for words in ["kaapana-admin-chart 0.6.0", "Healthy", "microk8s.node", "disk.fast.mounted", "gpu.device", "system.memory"] {
        assert!(status.contains(words), "{words} is missing in\n{status}");
    }
    let json: serde_json::Value = serde_json::from_str(&node.ok("kaapanactl status --json")).unwrap();
    assert_eq!((json["phase"].as_str(), json["generation"].as_u64()), (Some("Healthy"), Some(1)));
    // Its units are gone, its disks recorded, nothing differs.
    assert_eq!(node.ok("systemctl list-units --all --no-legend 'kaapana-job-*'"), "");
    node.wait_check("disk.fast.identity", Status::True);
    node.ok("test -s /data/fast/.kaapana-agent-disk && test -s /data/slow/.kaapana-agent-disk");
    assert!(node.exits(2, "kaapanactl deploy").contains("nothing differs"));
    assert!(node.ok("kaapanactl plan").contains("next  nothing"));
}

fn it_is_shown_by_the_systems_own_tools(node: &Node) {
    let tree = node.ok("busctl introspect --xml-interface ai.kaapana.Agent1 /ai/kaapana/Agent1");
    let committed = std::fs::read_to_string(format!(
        "{}/packaging/dbus-1/interfaces/ai.kaapana.Agent1.Manager.xml",
        env!("CARGO_MANIFEST_DIR")
    ));
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ");
    let committed = words(&committed.unwrap());
    let interface = &committed[committed.find("<interface").unwrap()..committed.find("</node>").unwrap()];
    assert!(words(&tree).contains(interface.trim()), "what runs is not what is committed:\n{tree}");
    assert!(node.ok("busctl tree --list ai.kaapana.Agent1").contains("/ai/kaapana/Agent1/check/disk_2efast_2emounted"));
    assert!(
        node.ok("systemctl status kaapana-agent --no-pager")
            .contains("Status: \"Healthy: generation 1 is deployed and healthy\"")
    );
    let journal = node.ok("journalctl -u kaapana-agent -o json --no-pager");
    for field in [
        "\"MESSAGE_ID\":\"a2cdfb5d69144191a87d97547a20aad8\"",
        "\"PREVIOUS_PHASE\"",
        "\"JOB\":\"1\"",
        "\"UNIT_NAME\":\"kaapana-job-1-install-1.service\"",
    ] {
        assert!(journal.contains(field), "{field} is missing in the journal");
    }
    assert!(node.ok("kaapanactl logs 1").contains("NAME: kaapana-admin-chart"), "a job's log is found by its number");
    // And by the invocation of each of its units, which no other job ever has.
    let history = node.wait("the history", MOMENT, |p| !p.history.is_empty()).history;
    let invocations: Vec<&String> = history[0].steps.iter().map(|step| &step.invocation).collect();
    assert!(!invocations.is_empty() && invocations.iter().all(|id| id.len() == 32), "{invocations:?}");
    let said = invocations.iter().map(|id| node.ok(&format!("journalctl _SYSTEMD_INVOCATION_ID={id} -o cat --no-pager")));
    assert!(said.collect::<String>().contains("NAME: kaapana-admin-chart"));
    node.ok("systemctl service-log-level kaapana-agent debug");
    assert_eq!(node.ok("systemctl service-log-level kaapana-agent").trim(), "debug");
    node.ok("systemctl service-log-level kaapana-agent info");
    assert_eq!(node.ok("systemd-analyze verify --man=no kaapana-agent.service 2>&1"), "");
    let exposure = node.ok("systemd-analyze security kaapana-agent.service --no-pager | tail -n 1");
    let number: f64 = exposure.split_whitespace().find_map(|word| word.parse().ok()).unwrap();
    assert!(number <= 2.5, "{exposure}");
}

fn a_restart_starts_no_helm(node: &Node) {
    let before = node.ok("ls /run/helm-record");
    node.ok("systemctl restart kaapana-agent");
    node.wait_healthy(1);
    // A decision was made on a full look; helm was not even asked for its version.
    node.wait_check("platform.workloads", Status::True);
    assert_eq!(node.ok("ls /run/helm-record"), before);
}

fn a_broken_edit_changes_nothing(node: &Node) {
    node.configure(&config("fast_dri = \"/x\"\n"));
    let published = node.wait_check("config.valid", Status::False);
    assert_eq!((published.phase, published.generation), (Phase::Healthy, 1));
    let error = "10-platform.toml:18:1: data.fast_dri: unknown key (did you mean data.fast_dir?)";
    assert!(published.config_error.contains(error), "{}", published.config_error);
    assert!(node.ok("kaapanactl status").contains(error), "it is shown, and the platform is as healthy as before");
    assert!(node.exits(1, "kaapanactl config check /etc/kaapana/config/10-platform.toml").contains(error));
    assert!(node.exits(1, "kaapanactl reload").contains(error));
    assert!(node.exits(1, "kaapanactl deploy").contains(error), "what was edited is not deployed, and it is said");
    // The last good generation is in force after a restart, too.
    node.ok("systemctl restart kaapana-agent");
    node.wait_healthy(1);
    node.wait_check("config.valid", Status::False);
    std::fs::remove_file(node.path("/etc/kaapana/config/10-platform.toml")).unwrap();
    node.wait("the missing configuration", MOMENT, |p| p.config_error.contains("there is no [platform] table"));
    node.configure(&config(""));
    let published = node.wait_check("config.valid", Status::True);
    assert_eq!((published.phase, published.generation), (Phase::Healthy, 1));
}

fn another_identity_is_held(node: &Node) {
    node.configure(&config("").replace("/data/fast", "/data/other"));
    let published = node.wait_hold("IdentityChange");
    assert_eq!((published.phase, published.job), (Phase::Blocked, None));
    assert!(node.exits(1, "kaapanactl deploy").contains("would start a second, empty platform"));
    assert!(node.ok("kaapanactl plan").contains("data.fast_dir: /data/fast -> /data/other forces another platform"));
    node.configure(&config(""));
    node.wait("the hold is gone", MOMENT, |p| p.holds.is_empty() && p.phase == Phase::Healthy);
}

fn a_killed_agent_finds_its_job_again(node: &Node) {
    node.ok("echo kept >/data/fast/patients");
    node.close_gate("install");
    let generation = node.wait("a generation", MOMENT, |_| true).generation;
    node.configure(&config("[network]\nhttp_port = 8080\n"));
    node.wait_at_gate("install");
    node.ok("systemctl kill --signal=KILL --kill-whom=main kaapana-agent");
    node.wait("the agent again, with its job", MOMENT, |p| p.job.as_ref().is_some_and(|job| job.unit.contains("install")));
    node.ok("systemctl kill --signal=KILL --kill-whom=main kaapana-agent");
    node.open_gate("install");
    let published = node.wait_healthy(generation + 1);
    let job = published.history.last().unwrap();
    assert_eq!((job.id, job.result), (2, JobResult::Done), "{}", job.error);
    assert_eq!(node.helm_calls("install"), 2, "one for each of two deployments");
    assert_eq!(node.ok("cat /data/fast/patients").trim(), "kept");
    assert_eq!(node.ok("curl -s -o /dev/null -w '%{http_code}' http://10.77.0.2:8080/"), "301", "the new port answers");
}

fn the_off_switch(node: &Node) {
    is_synced_before_it_is_answered(node, "Pause sta{sv} 'the disks are being replaced' 0 0");
    node.ok("kaapanactl pause 'the disks are being replaced' --for 2h");
    node.wait("paused", MOMENT, |p| p.phase == Phase::Paused && p.paused_until.is_some());
    assert!(node.exits(5, "kaapanactl status").contains("the disks are being replaced"));
    node.configure(&config("[network]\nhttp_port = 8081\n"));
    node.wait_hold("Paused");
    node.ok("systemctl restart kaapana-agent");
    let published = node.wait_hold("Paused");
    assert_eq!((published.phase, published.job), (Phase::Paused, None));
    node.configure(&config("[network]\nhttp_port = 8080\n"));
    node.wait("nothing differs", MOMENT, |p| p.holds.is_empty() && p.settling_until.is_none());
    is_synced_before_it_is_answered(node, "Resume a{sv} 0");
    node.wait("healthy again", MOMENT, |p| p.phase == Phase::Healthy);
    assert!(node.exits(2, "kaapanactl resume").contains("nothing to do"));
}

fn others_may_read_and_not_act(node: &Node) {
    node.ok("id someone >/dev/null 2>&1 || useradd --create-home someone");
    let generation = node.wait("a generation", MOMENT, |_| true).generation;
    node.ok("runuser -u someone -- kaapanactl status");
    node.ok("runuser -u someone -- kaapanactl plan");
    for command in ["deploy --again", "deploy --now", "cancel 2 --yes", "undeploy", "pause why", "resume", "reload"] {
        assert!(
            node.exits(4, &format!("runuser -u someone -- kaapanactl {command} </dev/null")).contains("not authorized"),
            "{command}"
        );
    }
    // Without polkit nobody is authorized, root neither.
    node.ok("systemctl mask --now --runtime polkit");
    assert!(node.exits(4, "kaapanactl undeploy").contains("nobody is authorized"));
    node.ok("systemctl unmask --runtime polkit && systemctl start polkit");
    let published = node.wait("nothing happened", MOMENT, |_| true);
    assert_eq!((published.phase, published.generation, published.history.len()), (Phase::Healthy, generation, 2));
}

fn an_undeploy_is_remembered_and_leaves_data_and_strangers(node: &Node) {
    node.ok("mkdir -p /tmp/stranger/templates && printf 'apiVersion: v2\\nname: stranger\\nversion: 1.0.0\\n' >/tmp/stranger/Chart.yaml && \
             printf 'apiVersion: v1\\nkind: ConfigMap\\nmetadata:\\n  name: stranger\\n' >/tmp/stranger/templates/a.yaml && \
             /snap/bin/microk8s.helm3 install stranger /tmp/stranger --namespace admin");
    // A job counts for whoever comes second, too.
    node.close_gate("uninstall");
    // Asked by somebody who is given the right.
    let rule = "polkit.addRule(function(action, subject) { if (action.id.indexOf('ai.kaapana.') == 0 && subject.user == 'someone') return 'yes'; });";
    std::fs::write(node.path("/etc/polkit-1/rules.d/10-someone.rules"), rule).unwrap();
    node.ok("systemctl restart polkit");
    is_synced_before_it_is_answered_to(node, "runuser -u someone --", "Undeploy a{sv} 1 reason s 'moving to another room'");
    let uid = node.ok("id -u someone");
    node.wait_at_gate("uninstall");
    node.open_gate("uninstall");
    let ended = node.run("kaapanactl undeploy --reason 'moving to another room'");
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    assert!(ended.err.contains("job 3 undeploy done"), "{}", ended.err);
    node.ok("kaapanactl status | grep -q 'Undeployed - undeployed, as wished'");
    assert_eq!(node.ok("/snap/bin/microk8s.helm3 list --all --all-namespaces --short").trim(), "stranger");
    for namespace in ["admin", "services", "extensions", "project-admin"] {
        node.ok(&format!("/snap/bin/microk8s.kubectl get namespace {namespace}"));
    }
    assert_ne!(node.ok("/snap/bin/microk8s.kubectl get pvc --all-namespaces --no-headers | wc -l").trim(), "0", "claims stay");
    assert_eq!(node.ok("cat /data/fast/patients").trim(), "kept");
    node.ok("systemctl restart kaapana-agent");
    node.wait("still undeployed", MOMENT, |p| p.phase == Phase::Undeployed && nothing_hinders(p));
    assert!(node.exits(2, "kaapanactl undeploy").contains("nothing is deployed"));
    assert!(node.ok("kaapanactl history").contains("moving to another room"));
    assert!(node.ok("kaapanactl job 3").contains(&format!("uid {}", uid.trim())), "{}", node.ok("kaapanactl job 3"));
    // A person brings it back, with live lines in a pipe.
    let ended = node.run("kaapanactl deploy");
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    assert!(ended.err.contains("% follow: ") && ended.err.contains("The platform is at https://10.77.0.2/"), "{}", ended.err);
    let made = node.ok("cat /data/fast/*/made | sort | uniq -c | wc -l");
    assert_ne!(made.trim(), "0", "the data of the first deployment is used again");
    node.wait("healthy", DEPLOYMENT, |p| p.phase == Phase::Healthy);
}

fn without_the_agent(node: &Node) {
    node.ok("systemctl stop kaapana-agent");
    assert!(node.exits(3, "kaapanactl status").contains("systemctl start kaapana-agent"));
    assert!(node.exits(64, "kaapanactl nonsense").contains("unrecognized"));
    node.ok("kaapanactl config check /etc/kaapana/config");
}
