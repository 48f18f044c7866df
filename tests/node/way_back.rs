//! A deployment that fails puts the last good one back; people's work, the site's own
//! program and a person's cancellation come before a take-down.

use kaapana_agent::agent::publish::Published;
use kaapana_agent::ledger::JobResult;
use kaapana_agent::state::{Phase, Status};

use super::durability::is_synced_before_it_is_answered;
use super::harness::{DEPLOYMENT, MOMENT, Node, config, config_of, on_a_terminal, start_workflow};

#[test]
fn a_failed_deployment_puts_the_last_good_one_back() {
    let node = Node::new();
    node.configure(&config(""));
    node.wait_healthy(1);
    node.ok("echo kept >/data/fast/patients");
    helm_fails(&node);
    a_job_of_the_platform_fails_and_the_agent_is_killed(&node);
    it_is_not_healthy_before_its_deadline(&node);
    the_configuration_is_mended(&node);
    not_onto_data_that_became_newer(&node);
    assert_eq!(node.ok("cat /data/fast/patients").trim(), "kept");
}

/// The end of a job whose failure was followed by the way back.
fn put_back(node: &Node, jobs: usize, result: JobResult) -> Published {
    let published = node.wait("the last good one is back", DEPLOYMENT, |p| p.history.len() == jobs && p.job.is_none());
    let job = published.history.last().unwrap();
    assert_eq!((job.result, job.put_back), (result, Some(1)), "{}", job.error);
    assert!(job.error.ends_with("generation 1 is back and healthy"), "{}", job.error);
    let down = job.page.down_time().expect("the page was gone and came back");
    assert!(down.as_secs() > 0, "{down:?}");
    let published = node.wait("a person decides", MOMENT, |p| p.phase == Phase::NeedsOperator);
    assert!(published.holds.iter().any(|hold| hold.reason == "FailedBefore"), "{:?}", published.holds);
    assert_eq!(node.ok("curl -sk -o /dev/null -w '%{http_code}' https://10.77.0.2/"), "302", "the page of before answers");
    published
}

fn values(node: &Node) -> String {
    node.ok("/snap/bin/microk8s.helm3 get values kaapana-admin-chart --namespace default --output json")
}

/// What was rendered, without what the chart makes anew each time.
fn manifest(node: &Node) -> Vec<String> {
    let text = node.ok("/snap/bin/microk8s.helm3 get manifest kaapana-admin-chart --namespace default");
    let random = |line: &str| {
        ["session-", "render:", "password:", "secret:", "key:", "token:"].iter().any(|word| line.to_lowercase().contains(word))
    };
    text.lines().filter(|line| !random(line)).map(str::to_owned).collect()
}

fn helm_fails(node: &Node) {
    let before = values(node);
    let of_before = manifest(node);
    // Another archive, and the one of before is away: it was kept.
    node.ok(
        "mkdir -p /srv/other /tmp/other && tar -xzf /srv/kaapana-admin-chart-0.6.0.tgz -C /tmp/other && \
         printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: of-the-other-chart}\n' >/tmp/other/kaapana-admin-chart/templates/other.yaml && \
         tar -czf /srv/other/kaapana-admin-chart-0.6.0.tgz -C /tmp/other kaapana-admin-chart && mv /srv/kaapana-admin-chart-0.6.0.tgz /srv/away.tgz",
    );
    node.occupy_port(31000);
    node.configure(&config("[network]\nhttps_port = 31000\n").replace("/srv/kaapana-admin", "/srv/other/kaapana-admin"));
    let published = put_back(node, 2, JobResult::Failed);
    node.ok("mv /srv/away.tgz /srv/kaapana-admin-chart-0.6.0.tgz");
    assert_eq!(manifest(node), of_before, "the chart of before");
    let text = node.ok("kaapanactl job 2");
    for words in
        ["provided port is already allocated", "generation 1 was put back", "the page was gone for", "helm install of the chart"]
    {
        assert!(text.contains(words), "{words} is missing in\n{text}");
    }
    assert_eq!(values(node), before, "the values of before");
    let history = node.ok("kaapanactl history");
    let row = history.lines().find(|line| line.contains("the page was gone for")).unwrap_or_else(|| panic!("{history}"));
    let took = published.history[1].finished.duration_since(published.history[1].created).as_secs();
    assert!(took > 0 && row.contains(&format!(" {took} s ")), "{row}");
    assert_eq!(published.generation, 2, "the configuration in force is the new one, and held");
    let why = node.ok("kaapanactl why");
    for words in
        ["FailedBefore", "network.https_port: 443 -> 31000 forces a redeploy", "installed  generation 1", "asked by the agent"]
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
    node.close_gate("install");
    node.wait_at_gate("install");
    // A step runs for certain: while the way back only waits, a person may give it up.
    let refusal = node.exits(1, "kaapanactl cancel --yes");
    assert!(refusal.contains("is being put back, which is not canceled"), "{refusal}");
    node.ok("systemctl kill --signal=KILL --kill-whom=main kaapana-agent");
    node.wait("the agent again, on its way back", MOMENT, |p| p.job.as_ref().is_some_and(|job| !job.way_back.is_empty()));
    node.open_gate("install");
    let published = put_back(node, 3, JobResult::Failed);
    assert!(published.history[2].error.contains("init-airflow has failed"), "{}", published.history[2].error);
}

fn it_is_not_healthy_before_its_deadline(node: &Node) {
    node.configure(&config_of("deadline = \"90s\"\n", "[values]\n\"test.waitForever\" = true\n"));
    let published = put_back(node, 4, JobResult::Timeout);
    let error = &published.history[3].error;
    assert!(error.contains("not healthy before the deadline") && error.contains("airflow-webserver"), "{error}");
}

fn not_onto_data_that_became_newer(node: &Node) {
    let made = node.ok("cat /data/fast/*/made | sort");
    let jobs = node.wait("its jobs", MOMENT, |_| true).history.len();
    node.close_gate("install");
    node.occupy_port(31001);
    node.configure(&config("[network]\nhttps_port = 31001\n"));
    node.wait_at_gate("install");
    node.ok("echo 0.7.0 >/data/fast/version");
    node.wait_check("disk.fast.version", Status::False);
    node.open_gate("install");
    let published = node.wait("a person decides", DEPLOYMENT, |p| {
        p.history.len() == jobs + 1 && p.job.is_none() && p.phase == Phase::NeedsOperator
    });
    let job = published.history.last().unwrap();
    assert_eq!((job.result, job.put_back), (JobResult::Failed, None), "{}", job.error);
    assert!(job.error.contains("0.7.0"), "{}", job.error);
    assert_eq!(node.ok("/snap/bin/microk8s.helm3 list --all --all-namespaces --short"), "", "everything stays down");
    let refusal = node.exits(1, "kaapanactl deploy");
    assert!(refusal.contains("the data under /data/fast is of version 0.7.0, and the older 0.6.0 is configured"), "{refusal}");
    assert_eq!(node.ok("cat /data/fast/*/made | sort"), made);
    // A person put the data of before back.
    node.ok("echo 0.6.0 >/data/fast/version");
    node.configure(&config(""));
    node.wait("healthy", DEPLOYMENT, |p| p.phase == Phase::Healthy && p.job.is_none());
    assert_eq!(node.ok("cat /data/fast/*/made | sort"), made, "the data of before is used");
}

fn the_configuration_is_mended(node: &Node) {
    // What is deployed is what is wished again: nothing is run.
    let installs = node.helm_calls("install");
    node.configure(&config(""));
    let published = node.wait("healthy", MOMENT, |p| p.phase == Phase::Healthy && p.holds.is_empty());
    assert_eq!((published.history.len(), node.helm_calls("install")), (4, installs));
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
    node.configure(&with_program("8081"));
    node.wait("it is waited for", MOMENT, |p| p.job.as_ref().is_some_and(|job| job.step.contains("segmentation-2")));
    assert!(node.ok("kaapanactl cancel --yes 2>&1").contains("nothing was touched"));
    let published = node.wait("canceled", MOMENT, |p| p.job.is_none() && p.history.last().unwrap().result == JobResult::Canceled);
    assert_eq!(published.history.last().unwrap().stage.as_str(), "prepare");
    node.wait_hold("FailedBefore");
    assert!(node.exits(2, "kaapanactl cancel --yes").contains("no job is running"));
}

/// Before a take-down two things are asked of the site: time for workflows, its program.
fn with_program(port: &str) -> String {
    config_of(
        "wait_for_workflows = \"10m\"\npre_takedown = \"/usr/local/sbin/before\"\npre_takedown_timeout = \"4s\"\n",
        &format!("[network]\nhttp_port = {port}\n"),
    )
}

fn program(node: &Node, text: &str) {
    std::fs::write(node.path("/usr/local/sbin/before"), format!("#!/bin/sh\n{text}")).unwrap();
    node.ok("chmod 0755 /usr/local/sbin/before");
}

fn the_sites_program_runs_first(node: &Node) {
    program(
        node,
        "env | sort >/run/before-env\ncat /proc/self/cgroup >/run/before-unit\necho 'the backup disk is full' >&2\nexit 3\n",
    );
    let uninstalls = node.helm_calls("uninstall");
    // Who says nothing at the question has asked for nothing.
    let jobs = node.wait("its jobs", MOMENT, |_| true).history.len();
    let ended = on_a_terminal(node, "kaapanactl deploy", "");
    assert_eq!(ended.code, 1, "{}{}", ended.out, ended.err);
    for words in ["1 workflow pod is running: project-admin/segmentation-2", "[w/a/N]", "nothing was done"] {
        assert!(ended.out.contains(words), "{words} is missing in {}", ended.out);
    }
    assert_eq!(node.wait("nothing was done", MOMENT, |p| p.job.is_none()).history.len(), jobs);
    let ended = on_a_terminal(node, "kaapanactl deploy", "a");
    assert_eq!(ended.code, 1, "{}{}", ended.out, ended.err);
    assert!(ended.out.contains("PreTakedownFailed") && ended.out.contains("kaapanactl logs 4"), "{}", ended.out);
    // It may have said a secret that nobody knows: only who may read the journal sees it.
    assert!(node.ok("kaapanactl logs 4").contains("the backup disk is full"));
    assert!(!node.exits(1, "kaapanactl status --json").contains("the backup disk is full"));
    assert_eq!(node.helm_calls("uninstall"), uninstalls, "nothing was touched");
    let unit = node.ok("cat /run/before-unit");
    assert!(unit.contains("/kaapana-job-4-pre-takedown-1.service"), "{unit}");
    // One that does not end is ended, and its failure is one, too.
    program(node, "exec tail -f /dev/null\n");
    let ended = node.run("kaapanactl deploy --stop-workflows");
    assert_eq!(ended.code, 1, "{}{}", ended.out, ended.err);
    assert!(ended.err.contains("PreTakedownFailed") && ended.err.contains("ran past its time limit"), "{}", ended.err);
    assert_eq!(node.ok("systemctl list-units --no-legend 'kaapana-job-5-pre-takedown-*'"), "", "it was ended");
    assert_eq!(node.helm_calls("uninstall"), uninstalls, "nothing was touched");
    let environment = node.ok("cat /run/before-env");
    for line in ["KAAPANA_FAST_DIR=/data/fast", "KAAPANA_SLOW_DIR=/data/slow", "KAAPANA_JOB_TYPE=deploy"] {
        assert!(environment.contains(line), "{line} is missing in\n{environment}");
    }
    node.ok("/snap/bin/microk8s.kubectl get pod -n project-admin segmentation-2");
    // It succeeds while the platform still runs, and only then the platform is taken down.
    program(node, "curl -sk -o /dev/null -w '%{http_code}' https://10.77.0.2/ >/run/before-page\n");
    // From a login, whose session is kept with the request.
    let ended = node.run(
        "systemd-run --quiet --wait --pipe -p User=root -p PAMName=login kaapanactl deploy --stop-workflows --reason 'the backup works again'",
    );
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    assert_eq!(node.ok("cat /run/before-page"), "302");
    let text = node.ok("kaapanactl job 6");
    for words in ["pre-takedown", "the backup works again", "uid 0, session "] {
        assert!(text.contains(words), "{words} is missing in\n{text}");
    }
    assert!(node.ok("kaapanactl logs 6").contains("STATUS: deployed"));
}

fn a_shutdown_is_inhibited_and_a_job_canceled(node: &Node) {
    let locks = "systemd-inhibit --list --no-pager --no-legend";
    assert!(!node.ok(locks).contains("kaapana-agent"), "no job runs");
    // Who answers that the workflow is waited for, waits.
    let ended = on_a_terminal(node, "kaapanactl deploy --again --no-wait", "w");
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    node.wait("it is waited for", MOMENT, |p| p.job.as_ref().is_some_and(|job| job.step.contains("segmentation-2")));
    let ended = on_a_terminal(node, "kaapanactl cancel", "n");
    assert!(ended.code == 1 && ended.out.contains("nothing was done"), "{}", ended.out);
    let ended = on_a_terminal(node, "kaapanactl cancel", "y");
    assert!(ended.code == 0 && ended.out.contains("is being canceled: "), "{}", ended.out);
    node.wait("canceled", MOMENT, |p| p.job.is_none() && p.history.last().unwrap().result == JobResult::Canceled);
    // A workflow is a person's: it outlives the platform under it, and is theirs to end.
    node.ok("/snap/bin/microk8s.kubectl delete pod -n project-admin segmentation-2 --grace-period=1");
    node.close_gate("install");
    let generation = node.wait("a generation", MOMENT, |_| true).generation;
    // The cluster's own installer may be cut off in its middle: what it leaves counts as stuck after this.
    node.configure(&config_of("stuck_after = \"15s\"\n", "[network]\nhttp_port = 8082\n"));
    node.wait_at_gate("install");
    let listed = node.ok(locks);
    assert!(listed.contains("kaapana-agent") && listed.contains("shutdown") && listed.contains("block"), "{listed}");
    // The same once more is the job that runs; something else is a conflict.
    let running = node.wait("the job", MOMENT, |p| p.job.is_some()).job.unwrap().id;
    assert_eq!(node.ok("kaapanactl deploy --no-wait --stop-workflows").trim(), running.to_string());
    assert!(
        node.exits(1, "kaapanactl deploy --again")
            .contains(&format!("job {running} (deploy) is running and does something else"))
    );
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
    is_synced_before_it_is_answered(node, "Deploy a{sv} 1 stop-workflows b true");
    node.ok("kaapanactl deploy --stop-workflows");
}
