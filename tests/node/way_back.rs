//! A deployment that fails puts the last good one back; people's work, the site's own
//! program and a person's cancellation come before a take-down.

use kaapana_agent::agent::publish::Published;
use kaapana_agent::ledger::JobResult;
use kaapana_agent::state::Phase;

use super::harness::{DEPLOYMENT, MOMENT, Node, config, config_of};

#[test]
fn a_failed_deployment_puts_the_last_good_one_back() {
    let node = Node::new();
    node.configure(&config(""));
    node.wait_healthy(1);
    node.ok("echo kept >/data/fast/patients");
    helm_fails(&node);
    a_job_of_the_platform_fails_and_the_agent_is_killed(&node);
    the_configuration_is_mended(&node);
    assert_eq!(node.ok("cat /data/fast/patients").trim(), "kept");
}

/// The end of a job whose failure was followed by the way back.
fn put_back(node: &Node, jobs: usize) -> Published {
    let published = node.wait("the last good one is back", DEPLOYMENT, |p| p.history.len() == jobs && p.job.is_none());
    let job = published.history.last().unwrap();
    assert_eq!((job.result, job.put_back), (JobResult::Failed, Some(1)), "{}", job.error);
    assert!(job.error.ends_with("generation 1 is back and healthy"), "{}", job.error);
    let down = job.page.down_time().expect("the page was gone and came back");
    assert!(down.as_secs() > 0, "{down:?}");
    let published = node.wait("a person decides", MOMENT, |p| p.phase == Phase::NeedsOperator);
    assert!(published.holds.iter().any(|hold| hold.reason == "FailedBefore"), "{:?}", published.holds);
    assert_eq!(node.ok("curl -sk -o /dev/null -w '%{http_code}' https://10.77.0.2/"), "302", "the page of before answers");
    published
}

fn helm_fails(node: &Node) {
    node.configure(&config("[network]\nhttps_port = 40000\n"));
    let published = put_back(node, 2);
    let text = node.ok("kaapanactl job 2");
    for words in [
        "provided port is not in the valid range",
        "generation 1 was put back",
        "the page was gone for",
        "helm install of the chart",
    ] {
        assert!(text.contains(words), "{words} is missing in\n{text}");
    }
    assert!(node.ok("kaapanactl history").contains("the page was gone for"));
    assert_eq!(published.generation, 2, "the configuration in force is the new one, and held");
    let why = node.ok("kaapanactl why");
    for words in
        ["FailedBefore", "network.https_port: 443 -> 40000 forces a redeploy", "installed  generation 1", "asked by the agent"]
    {
        assert!(why.contains(words), "{words} is missing in\n{why}");
    }
    assert_eq!(node.helm_calls("install"), 3, "the good one, the failed one, the good one again");
    // It is not tried again by itself.
    node.ok("systemctl restart kaapana-agent");
    let published = node.wait("looked again", MOMENT, |p| p.phase == Phase::NeedsOperator && p.health.is_some());
    assert_eq!(published.history.len(), 2);
    assert!(node.exits(1, "kaapanactl status").contains("kaapanactl deploy tries it again"));
}

fn a_job_of_the_platform_fails_and_the_agent_is_killed(node: &Node) {
    node.configure(&config("[values]\n\"test.failJob\" = true\n"));
    node.wait("the way back", DEPLOYMENT, |p| p.job.as_ref().is_some_and(|job| !job.way_back.is_empty()));
    let refusal = node.exits(1, "kaapanactl cancel --yes");
    assert!(refusal.contains("is being put back, which is not canceled"), "{refusal}");
    node.close_gate("install");
    node.wait_at_gate("install");
    node.ok("systemctl kill --signal=KILL --kill-whom=main kaapana-agent");
    node.wait("the agent again, on its way back", MOMENT, |p| p.job.as_ref().is_some_and(|job| !job.way_back.is_empty()));
    node.open_gate("install");
    let published = put_back(node, 3);
    assert!(published.history[2].error.contains("init-airflow has failed"), "{}", published.history[2].error);
}

fn the_configuration_is_mended(node: &Node) {
    // What is deployed is what is wished again: nothing is run.
    let installs = node.helm_calls("install");
    node.configure(&config(""));
    let published = node.wait("healthy", MOMENT, |p| p.phase == Phase::Healthy && p.holds.is_empty());
    assert_eq!((published.history.len(), node.helm_calls("install")), (3, installs));
    node.configure(&config("[network]\nhttp_port = 8080\n"));
    let published = node.wait_healthy(published.generation + 1);
    assert_eq!(published.history.last().unwrap().result, JobResult::Done);
}

#[test]
fn people_and_the_sites_program_come_before_a_take_down() {
    let node = Node::new();
    node.configure(&config_of("wait_for_workflows = \"10m\"\n", ""));
    node.wait_healthy(1);
    workflows_are_waited_for(&node);
    the_sites_program_runs_first(&node);
    a_shutdown_is_inhibited_and_a_job_canceled(&node);
}

/// A pod as the workflow engine starts them.
fn start_workflow(node: &Node, name: &str) {
    let image = node.ok(
        "/snap/bin/microk8s.kubectl get deployment -n services minio -o jsonpath='{.spec.template.spec.containers[0].image}'",
    );
    node.ok(&format!(
        "/snap/bin/microk8s.kubectl run {name} -n project-admin --image={} --image-pull-policy=IfNotPresent --restart=Never \
         --command -- sleep 3600 && /snap/bin/microk8s.kubectl wait -n project-admin pod/{name} --for condition=Ready --timeout 60s",
        image.trim()
    ));
}

fn workflows_are_waited_for(node: &Node) {
    start_workflow(node, "segmentation-1");
    node.wait("the workflow is seen", MOMENT, |p| {
        p.running.as_ref().is_some_and(|r| r.workflows == ["project-admin/segmentation-1"])
    });
    node.configure(&config_of("wait_for_workflows = \"10m\"\n", "[network]\nhttp_port = 8080\n"));
    let published = node.wait("it is waited for", MOMENT, |p| {
        p.job.as_ref().is_some_and(|job| job.step.contains("waiting for 1 workflow pod") && job.step.contains("segmentation-1"))
    });
    assert_eq!(published.job.unwrap().stage, "prepare");
    assert_eq!(node.helm_calls("uninstall"), 0);
    node.ok("/snap/bin/microk8s.kubectl delete pod -n project-admin segmentation-1 --grace-period=1");
    node.wait_healthy(2);
    // Asked for by hand: named, and not waited for when a person says so.
    start_workflow(node, "segmentation-2");
    node.configure(&config_of(
        "wait_for_workflows = \"10m\"\npre_takedown = \"/usr/local/sbin/before\"\n",
        "[network]\nhttp_port = 8081\n",
    ));
    node.wait("it is waited for", MOMENT, |p| p.job.as_ref().is_some_and(|job| job.step.contains("segmentation-2")));
    assert!(node.ok("kaapanactl cancel --yes 2>&1").contains("nothing was touched"));
    let published = node.wait("canceled", MOMENT, |p| p.job.is_none() && p.history.last().unwrap().result == JobResult::Canceled);
    assert_eq!(published.history.last().unwrap().stage.as_str(), "prepare");
    node.wait_hold("FailedBefore");
    assert!(node.exits(2, "kaapanactl cancel --yes").contains("no job is running"));
}

fn the_sites_program_runs_first(node: &Node) {
    std::fs::write(
        node.path("/usr/local/sbin/before"),
        "#!/bin/sh\nenv | sort >/run/before-env\necho 'the backup disk is full' >&2\nexit 3\n",
    )
    .unwrap();
    node.ok("chmod 0755 /usr/local/sbin/before");
    let uninstalls = node.helm_calls("uninstall");
    let ended = node.run("kaapanactl deploy --stop-workflows");
    assert_eq!(ended.code, 1, "{}{}", ended.out, ended.err);
    assert!(ended.err.contains("1 workflow pod is running: project-admin/segmentation-2"), "{}", ended.err);
    assert!(ended.err.contains("PreTakedownFailed") && ended.err.contains("the backup disk is full"), "{}", ended.err);
    assert_eq!(node.helm_calls("uninstall"), uninstalls, "nothing was touched");
    let environment = node.ok("cat /run/before-env");
    for line in ["KAAPANA_FAST_DIR=/data/fast", "KAAPANA_SLOW_DIR=/data/slow", "KAAPANA_JOB_TYPE=deploy"] {
        assert!(environment.contains(line), "{line} is missing in\n{environment}");
    }
    node.ok("/snap/bin/microk8s.kubectl get pod -n project-admin segmentation-2");
    // It succeeds while the platform still runs, and only then the platform is taken down.
    std::fs::write(
        node.path("/usr/local/sbin/before"),
        "#!/bin/sh\ncurl -sk -o /dev/null -w '%{http_code}' https://10.77.0.2/ >/run/before-page\n",
    )
    .unwrap();
    let ended = node.run("kaapanactl deploy --stop-workflows --reason 'the backup works again'");
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    assert_eq!(node.ok("cat /run/before-page"), "302");
    let text = node.ok("kaapanactl job 5");
    assert!(text.contains("pre-takedown") && text.contains("the backup works again") && text.contains("uid 0"), "{text}");
    assert!(node.ok("kaapanactl logs 5").contains("helm_release=") || node.ok("kaapanactl logs 5").contains("STATUS: deployed"));
}

fn a_shutdown_is_inhibited_and_a_job_canceled(node: &Node) {
    let locks = "systemd-inhibit --list --no-pager --no-legend";
    assert!(!node.ok(locks).contains("kaapana-agent"), "no job runs");
    // A workflow is a person's: it outlives the platform under it, and is theirs to end.
    node.ok("/snap/bin/microk8s.kubectl delete pod -n project-admin segmentation-2 --grace-period=1");
    node.close_gate("install");
    let generation = node.wait("a generation", MOMENT, |_| true).generation;
    node.configure(&config("[network]\nhttp_port = 8082\n"));
    node.wait_at_gate("install");
    let listed = node.ok(locks);
    assert!(listed.contains("kaapana-agent") && listed.contains("shutdown") && listed.contains("block"), "{listed}");
    let question = node.exits(1, "kaapanactl cancel </dev/null");
    assert!(
        question.contains("is put back, which takes the platform down once more") && question.contains("--yes"),
        "{question}"
    );
    assert!(node.exits(1, "kaapanactl undeploy --stop-workflows").contains("kaapanactl cancel"), "a conflict says what to do");
    assert!(node.ok("kaapanactl cancel --yes 2>&1").contains("is being canceled"));
    node.open_gate("install");
    let published = node.wait("the last good one is back", DEPLOYMENT, |p| p.job.is_none() && p.phase == Phase::NeedsOperator);
    let job = published.history.last().unwrap();
    assert_eq!((job.result, job.put_back), (JobResult::Canceled, Some(generation)), "{}", job.error);
    assert!(!node.ok(locks).contains("kaapana-agent"), "the lock is gone with the job");
    node.ok("kaapanactl deploy --stop-workflows");
}
