//! What is missing, broken or goes away holds or fails with a reason, and the agent
//! goes on by itself when the cause is gone.

use kaapana_agent::agent::publish::Published;
use kaapana_agent::ledger::JobResult;
use kaapana_agent::state::{Phase, Status};

use super::harness::{DEPLOYMENT, MOMENT, Node, config, config_of};

#[test]
fn each_missing_thing_holds_and_clears_by_itself() {
    let node = Node::new();
    // Everything is missing at once; each that comes back clears its own hold.
    node.ok("mv /snap/microk8s/current/bin/helm /root/helm; mv /var/snap/microk8s/current/credentials/client.config /root/; \
             mv /srv/kaapana-admin-chart-0.6.0.tgz /root/; systemctl stop data-fast.mount");
    node.configure(&config(""));
    for hold in ["helm.binary", "microk8s.credentials", "disk.fast.mounted"] {
        node.wait_hold(hold);
    }
    let published = node.wait_hold("chart.available");
    let hold = published.holds.iter().find(|hold| hold.reason == "chart.available").unwrap();
    assert!(hold.message.starts_with("NotFound: /srv/kaapana-admin-chart-0.6.0.tgz"), "{}", hold.message);
    let published = node.wait("blocked", MOMENT, |p| p.phase == Phase::Blocked);
    assert_eq!((published.job, published.history.len()), (None, 0), "nothing was begun");
    node.ok("mv /root/helm /snap/microk8s/current/bin/helm; mv /root/kaapana-admin-chart-0.6.0.tgz /srv/; mv /root/client.config /var/snap/microk8s/current/credentials/");
    node.wait("only the disk holds", MOMENT, |p| {
        p.holds.iter().all(|hold| hold.reason.starts_with("disk.fast.")) && !p.holds.is_empty()
    });

    // The interlock: asked for, refused, and nothing is written to the bare mount point.
    let refusal = node.exits(1, "kaapanactl deploy");
    assert!(refusal.contains("/data/fast should be mounted and is not"), "{refusal}");
    node.ok("systemctl stop snap.microk8s.daemon-kubelite");
    node.wait_hold("microk8s.services");
    node.wait_hold("microk8s.api");
    node.ok("systemctl start snap.microk8s.daemon-kubelite");
    node.wait("the API is back", MOMENT * 2, |p| {
        p.conditions.iter().any(|c| c.id == "microk8s.node" && c.status == Status::True)
    });
    node.wait_hold("disk.fast.mounted");
    assert_eq!(node.ok("ls -A /data/fast"), "", "the bare mount point stays empty");
    assert_eq!(node.helm_calls("install"), 0);

    // An archive under the right name that is another chart, or was cut off.
    let metadata = "apiVersion: v2\nname: kaapana-admin-chart\nversion: 0.5.3\n";
    node.package_chart("x", "kaapana-admin-chart", &[("Chart.yaml", metadata)]);
    node.ok("mv /srv/x/kaapana-admin-chart-0.5.3.tgz /srv/x/kaapana-admin-chart-0.6.0.tgz");
    node.configure(&config("").replace("/srv/kaapana", "/srv/x/kaapana"));
    node.ok("systemctl start data-fast.mount");
    let invalid =
        |p: &Published| p.history.last().map(|job| job.error.clone()).filter(|error| error.starts_with("ChartInvalid: "));
    let published = node.wait("another chart", MOMENT, |p| invalid(p).is_some());
    let error = invalid(&published).unwrap();
    assert!(
        error.contains(
            "/srv/x/kaapana-admin-chart-0.6.0.tgz: holds the chart kaapana-admin-chart 0.5.3, expected kaapana-admin-chart 0.6.0"
        ),
        "{error}"
    );
    node.ok("head -c 3000 /srv/kaapana-admin-chart-0.6.0.tgz >/srv/x/new && mv /srv/x/new /srv/x/kaapana-admin-chart-0.6.0.tgz");
    let published = node.wait("cut off", MOMENT, |p| invalid(p).is_some_and(|error| !error.contains("holds the chart")));
    let error = invalid(&published).unwrap();
    assert!(error.contains("is not a whole gzipped tar archive"), "{error}");

    // A chart that does not render, then one with a kind nobody serves: before anything
    // is touched, each with its reason; the next configuration is tried by itself.
    node.configure(&config("[values]\n\"test.renderFail\" = true\n"));
    let rendered = |p: &Published| p.history.last().is_none_or(|job| !job.error.starts_with("ChartNotRendered: "));
    let published =
        node.wait("the chart does not render", MOMENT, |p| p.phase == Phase::NeedsOperator && p.job.is_none() && !rendered(p));
    assert_eq!(published.history.last().unwrap().result, JobResult::Failed);
    node.configure(&config("[values]\n\"test.unknownKind\" = true\n"));
    let published = node
        .wait("the kind is not served", MOMENT, |p| p.history.last().is_some_and(|job| job.error.starts_with("KindNotServed: ")));
    assert_eq!(published.phase, Phase::Blocked);
    let jobs = published.history.len();
    // A failed generation is not tried again, not by a restart either.
    node.ok("systemctl restart kaapana-agent");
    let published =
        node.wait("looked again", MOMENT, |p| p.phase == Phase::Blocked && p.holds.iter().any(|h| h.reason == "FailedBefore"));
    assert_eq!(published.history.len(), jobs);
    assert_eq!(node.helm_calls("install"), 0);

    // Helm fails half-way: the port is another service's.
    node.occupy_port(31000);
    node.configure(&config("[network]\nhttps_port = 31000\n"));
    let published = node.wait("helm failed", DEPLOYMENT, |p| {
        p.phase == Phase::NeedsOperator && p.history.last().is_some_and(|job| job.error.starts_with("HelmFailed"))
    });
    let deployment = published.conditions.iter().find(|c| c.id == "platform.deployment").unwrap();
    assert!(deployment.message.contains("provided port is already allocated"), "the last lines of helm: {}", deployment.message);
    let installs = node.helm_calls("install");

    // The right configuration goes on by itself: what helm left is taken down first.
    node.configure(&config(""));
    let published = node.wait("healthy at last", DEPLOYMENT, |p| p.phase == Phase::Healthy && p.job.is_none());
    assert_eq!(published.history.last().unwrap().result, JobResult::Done);
    assert_eq!(node.helm_calls("install"), installs + 1);
}

#[test]
fn the_api_server_crashes_while_helm_runs() {
    let node = Node::new();
    node.close_gate("install");
    node.configure(&config(""));
    node.wait_at_gate("install");
    node.ok("systemctl stop snap.microk8s.daemon-kubelite");
    node.wait_check("microk8s.services", Status::False);
    node.open_gate("install");
    let published =
        node.wait("the job failed", DEPLOYMENT, |p| p.history.last().is_some_and(|job| job.result != JobResult::Done));
    assert!(published.history[0].error.starts_with("ApiWentAway"), "{}", published.history[0].error);
    assert_eq!(published.phase, Phase::Blocked);
    node.ok("systemctl start snap.microk8s.daemon-kubelite");
    let published = node.wait("healthy by itself", DEPLOYMENT, |p| p.phase == Phase::Healthy && p.job.is_none());
    assert_eq!(published.history.iter().map(|job| job.result).collect::<Vec<_>>(), [JobResult::Failed, JobResult::Done]);
}

#[test]
fn a_failing_platform_ends_and_is_not_tried_for_ever() {
    let node = Node::new();
    node.configure(&config("[values]\n\"test.failJob\" = true\n"));
    let published = node.wait("the Job failed", DEPLOYMENT, |p| p.phase == Phase::NeedsOperator && p.job.is_none());
    assert!(published.history[0].error.contains("init-airflow"), "{}", published.history[0].error);
    assert_eq!(published.history.len(), 1);
    assert!(node.exits(1, "kaapanactl status").contains("kaapanactl logs 1; kaapanactl deploy tries it again"));
    // A deadline ends what never becomes ready; an image that is not there is named.
    node.configure(&config_of("deadline = \"60s\"\n", "[values]\n\"test.missingImage\" = true\n"));
    let published = node.wait("the image is named", DEPLOYMENT, |p| {
        p.health.as_ref().is_some_and(|health| health.findings.iter().any(|finding| finding.message.contains("cannot be pulled")))
    });
    assert!(published.job.is_some(), "it waits for the deadline");
    let published = node.wait("the deadline", DEPLOYMENT, |p| p.phase == Phase::NeedsOperator && p.job.is_none());
    assert_eq!(published.history.last().unwrap().result, JobResult::Timeout);
    // What the cluster says of it is in the journal, where it stays.
    let warned = node.ok("journalctl -u kaapana-agent -o json --no-pager MESSAGE_ID=9f3c1a64b8d24e0f8a7d5b2e61c0d943");
    assert!(warned.contains("the cluster warns of Pod ") && warned.contains("absent"), "{warned}");
}

#[test]
fn a_full_state_disk_holds_and_clears_by_itself() {
    let node = Node::new();
    node.ok(
        "systemctl stop kaapana-agent && mount -t tmpfs -o size=16m tmpfs /var/lib/kaapana-agent && systemctl start kaapana-agent",
    );
    node.wait("the first look", MOMENT, |p| p.phase == Phase::Unconfigured && !p.conditions.is_empty());
    node.exits(1, "dd if=/dev/zero of=/var/lib/kaapana-agent/fill bs=4k");
    node.configure(&config(""));
    let published = node.wait_check("agent.ledger", Status::False);
    assert!(published.config_error.contains("No space left"), "{}", published.config_error);
    assert_eq!((published.generation, published.job), (0, None), "nothing counts that could not be kept");
    // Space is all it needs: neither an edit nor a restart.
    node.ok("rm /var/lib/kaapana-agent/fill");
    node.wait_healthy(1);
    node.ok("kaapanactl undeploy --no-hooks && systemctl stop kaapana-agent && umount /var/lib/kaapana-agent");
}
