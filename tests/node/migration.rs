//! The data of an older release is migrated by the platform's own migration chart, which
//! is the real one of the test platform: it succeeds, fails, takes long, and wants a fresh
//! deployment. The platforms around it are small, so that each deployment takes seconds.

use kaapana_agent::agent::publish::Published;
use kaapana_agent::ledger::{JobKind, JobResult};
use kaapana_agent::state::{Phase, Status};

use super::harness::{DEPLOYMENT, MOMENT, Node, config_of, on_a_terminal};

const KUBECTL: &str = "/snap/bin/microk8s.kubectl";

const CHART: &str = "apiVersion: v2
name: kaapana-admin-chart
version: VERSION
dependencies:
  - {name: migration-chart, version: 0.0.0, repository: '', condition: migration-chart.enabled}
";

/// A workload, and what writes the version into the fast directory on every deployment.
const PLATFORM: &str = "apiVersion: apps/v1
kind: Deployment
metadata:
  name: keeper
spec:
  selector: {matchLabels: {app: keeper}}
  template:
    metadata: {labels: {app: keeper}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - {name: a, image: registry.example.org/kaapana/minio:0.6.0, imagePullPolicy: Never, command: [sleep, '3600']}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: version-file-writer
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: a
          image: registry.example.org/kaapana/version-file-writer:0.6.0
          imagePullPolicy: Never
          command: [version-file-writer]
          env: [{name: VERSION, value: {{ .Chart.Version | quote }}}]
          volumeMounts: [{name: data, mountPath: /data}]
      volumes:
        - {name: data, hostPath: {path: {{ .Values.global.fast_data_dir | quote }}}}
";

const VALUES: &str = "migration-chart: {enabled: false}\n";

/// Puts a platform's chart into `/srv/FOLDER`, with the migration in this mode.
fn chart(node: &Node, folder: &str, version: &str, mode: &str) {
    let values = "/tmp/kaapana-admin-chart/charts/migration-chart/values.yaml";
    let change = format!("sed -i 's/^  migration: .*/  migration: {mode}\\n  migrationSeconds: 1800/' {values}");
    pack(node, folder, &change, &CHART.replace("VERSION", version), VALUES);
}

/// Puts one into `/srv/FOLDER` whose migration, that of the test platform, was changed so.
fn pack(node: &Node, folder: &str, change: &str, metadata: &str, values: &str) {
    node.ok(&format!(
        "rm -rf /tmp/whole /tmp/kaapana-admin-chart; mkdir -p /tmp/whole /tmp/kaapana-admin-chart; \
         tar -xzf /srv/kaapana-admin-chart-0.6.0.tgz -C /tmp/whole; \
         mkdir /tmp/kaapana-admin-chart/charts; mv /tmp/whole/kaapana-admin-chart/charts/migration-chart /tmp/kaapana-admin-chart/charts/; {change}"
    ));
    let files = [("Chart.yaml", metadata), ("values.yaml", values), ("templates/all.yaml", PLATFORM)];
    node.package_chart(folder, "kaapana-admin-chart", &files);
}

/// A word that the migration says, and the password of the registry: as if it had said that.
const SECRET: &str = "migrating";

/// Configures the platform of this folder.
fn configure(node: &Node, folder: &str, version: &str, deployment: &str) {
    let text = config_of(deployment, "").replace("version = \"0.6.0\"", &format!("version = \"{version}\""));
    let text = text.replace("[registry]\n", &format!("[registry]\nusername = \"reader\"\npassword = \"{SECRET}\"\n"));
    node.configure(&text.replace("/srv/kaapana-admin-chart-0.6.0", &format!("/srv/{folder}/kaapana-admin-chart-{version}")));
}

/// What the migration wrote into both directories, a line for each run.
fn migrations(node: &Node) -> Vec<String> {
    let of = |part: &str| node.ok(&format!("cat /data/{part}/migrations 2>/dev/null || true"));
    let (fast, slow) = (of("fast"), of("slow"));
    let lines = |text: &str| text.lines().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect::<Vec<_>>();
    assert_eq!(lines(&fast), lines(&slow), "both directories, each run");
    lines(&fast)
}

fn releases(node: &Node) -> String {
    node.ok("/snap/bin/microk8s.helm3 list --all --all-namespaces --short")
}

#[test]
fn data_of_an_older_release_is_migrated_when_a_person_says_so() {
    let node = Node::new();
    chart(&node, "old", "0.5.3", "succeed");
    for mode in ["fail", "slow", "fresh", "succeed"] {
        chart(&node, mode, "0.6.0", mode);
    }
    // One without a migration, and one whose migration runs nothing.
    let without = CHART.split("dependencies:").next().unwrap().replace("VERSION", "0.6.0");
    pack(&node, "without", "rm -rf /tmp/kaapana-admin-chart/charts", &without, "{}\n");
    let templates = "/tmp/kaapana-admin-chart/charts/migration-chart/templates";
    let empty =
        format!("rm -rf {templates}/*; printf 'apiVersion: v1\\nkind: ConfigMap\\nmetadata: {{name: a}}\\n' >{templates}/a.yaml");
    pack(&node, "jobless", &empty, &CHART.replace("VERSION", "0.6.0"), VALUES);
    configure(&node, "old", "0.5.3", "");
    node.wait_healthy(1);
    assert_eq!(node.ok("cat /data/fast/version").trim(), "0.5.3");
    node.ok("echo kept >/data/fast/patients");
    let uid = format!("{KUBECTL} get pods -l app=keeper -o jsonpath='{{.items[*].metadata.uid}}'");
    let pod = node.ok(&uid);

    it_is_asked_for(&node, &uid, &pod);
    a_failure_keeps_everything_down(&node);
    a_backup_is_restored(&node);
    it_takes_its_time(&node);
    nothing_older_is_deployed(&node);
    a_fresh_deployment_comes_first(&node);
    assert_eq!(node.ok("cat /data/fast/patients").trim(), "kept");
    data_that_nobody_deployed_onto(&node);
}

fn it_is_asked_for(node: &Node, uid: &str, pod: &str) {
    configure(node, "fail", "0.6.0", "");
    let published = node.wait_hold("disk.fast.version");
    let hold = published.holds.iter().find(|hold| hold.reason == "disk.fast.version").unwrap();
    assert!(hold.message.starts_with("MigrationNeeded: "), "{}", hold.message);
    let said = node.exits(1, "kaapanactl deploy");
    assert!(said.contains("MigrationNeeded") && said.contains("kaapanactl migrate"), "{said}");
    let said = node.exits(1, "kaapanactl migrate");
    assert!(said.contains("of version 0.5.3, and 0.6.0 is configured") && said.contains("Is there a backup"), "{said}");
    node.exits(2, "kaapanactl migrate --restored --yes");
    let said = on_a_terminal(node, "kaapanactl migrate", "n");
    assert!(said.code == 1 && said.out.contains("Go on? [y/N]") && said.out.contains("nothing was done"), "{}", said.out);
    node.exits(1, "kaapanactl deploy --accept-fresh-deploy");
    assert_eq!(node.ok(uid), pod, "what runs is left alone");
    assert_eq!(migrations(node), [""; 0]);
}

fn a_failure_keeps_everything_down(node: &Node) {
    let said = on_a_terminal(node, "kaapanactl migrate", "y");
    assert!(said.code == 1 && said.out.contains("MigrationFailed: Job migration/migration has failed"), "{}", said.out);
    let published = node.wait("it needs an operator", MOMENT, |p| p.phase == Phase::NeedsOperator && p.job.is_none());
    let job = published.history.last().unwrap();
    assert_eq!((job.kind, job.result, job.put_back), (JobKind::Migrate, JobResult::Failed, None), "{}", job.error);
    let log = format!("/var/lib/kaapana-agent/migrations/{}.log", job.id);
    assert!(job.error.contains(&log), "{}", job.error);
    assert_eq!(node.ok(&format!("stat -c %a {log}")).trim(), "600");
    let log = node.ok(&format!("cat {log}"));
    assert!(log.contains("migration from 0.5.3 to 0.6.0 (fail)") && log.contains("the data could not be migrated"), "{log}");
    assert!(log.contains(" /fast\n") && !log.contains(SECRET), "{log}");
    assert_eq!(releases(node), "", "nothing is put back, and the migration's release is gone");
    assert_eq!(migrations(node), ["0.5.3 -> 0.6.0 (fail)"]);

    // Neither a restart nor the old version brings anything back onto half migrated data.
    node.ok("systemctl restart kaapana-agent");
    configure(node, "old", "0.5.3", "");
    let check =
        |p: &Published| p.conditions.iter().any(|c| c.reason == "MigrationUnfinished") && p.generation == 3 && p.job.is_none();
    node.wait("it is remembered", MOMENT, check);
    assert!(node.exits(1, "kaapanactl deploy").contains("MigrationUnfinished"));
    assert_eq!(releases(node), "");
}

/// What was migrated in half is restored from the backup: the old platform comes back.
fn a_backup_is_restored(node: &Node) {
    node.ok("rm /data/fast/migrations /data/slow/migrations");
    let said = node.ok("kaapanactl migrate --restored --yes 2>&1");
    assert!(said.contains("counts as restored"), "{said}");
    node.wait_healthy(3);
    assert_eq!(releases(node).trim(), "kaapana-admin-chart");
    configure(node, "fail", "0.6.0", "");
    node.wait("it is read", MOMENT, |p| p.generation == 4 && p.conditions.iter().any(|c| c.reason == "MigrationNeeded"));
    node.exits(1, "kaapanactl migrate --yes");
    assert_eq!(migrations(node), ["0.5.3 -> 0.6.0 (fail)"]);
}

fn it_takes_its_time(node: &Node) {
    configure(node, "slow", "0.6.0", "migration_deadline = \"1s\"\n");
    node.wait("it is read", MOMENT, |p| p.generation == 5);
    // Past the site's limit it goes on, and is followed again.
    let said = node.exits(1, "kaapanactl migrate --yes");
    assert!(said.contains("DeadlineExceeded: the migration has not ended within 1s; it goes on"), "{said}");
    let active = format!("{KUBECTL} get job migration -n migration -o jsonpath='{{.status.active}}'");
    assert_eq!(node.ok(&active), "1");
    // Nothing else begins meanwhile.
    assert!(node.exits(1, "kaapanactl migrate --restored --yes").contains("the migration is at work"));
    assert!(node.exits(1, "kaapanactl deploy").contains("platform.migration: AtWork"));
    configure(node, "slow", "0.6.0", "migration_deadline = \"1h\"\n");
    node.wait("it is read", MOMENT, |p| p.generation == 6);
    node.ok("kaapanactl migrate --yes --no-wait");
    let works = |p: &Published| {
        p.job.as_ref().is_some_and(|job| job.stage == "migrate" && job.step.starts_with("migrating the data from 0.5.3 to 0.6.0"))
    };
    node.wait("it is followed", MOMENT, works);
    let said = node.exits(1, "kaapanactl cancel --yes");
    assert!(said.contains("half a migration is worse than a long one"), "{said}");
    assert!(node.exits(1, "kaapanactl undeploy --yes --no-wait").contains("does something else"));
    node.ok("systemctl kill --signal=KILL --kill-whom=main kaapana-agent");
    node.wait("it is followed by the next one", MOMENT, works);

    // The deployment follows by itself.
    node.ok("touch /data/fast/go-on");
    let published = node.wait_healthy(6);
    let [.., migrated, deployed] = published.history.as_slice() else { panic!("{:?}", published.history) };
    assert_eq!((migrated.kind, migrated.result), (JobKind::Migrate, JobResult::Done), "{}", migrated.error);
    assert!(migrated.report.starts_with("the data was migrated from 0.5.3 to 0.6.0; the log: "), "{}", migrated.report);
    assert_eq!((deployed.kind, deployed.result), (JobKind::Deploy, JobResult::Done), "{}", deployed.error);
    assert_eq!(migrations(node), ["0.5.3 -> 0.6.0 (fail)", "0.5.3 -> 0.6.0 (slow)"], "none is run twice");
    assert_eq!(releases(node).trim(), "kaapana-admin-chart");
    assert!(node.ok(&format!("cat /var/lib/kaapana-agent/migrations/{}.log", migrated.id)).contains("migrated"));
}

fn nothing_older_is_deployed(node: &Node) {
    node.wait_check("disk.fast.version", Status::True);
    configure(node, "old", "0.5.3", "");
    let published = node.wait_hold("disk.fast.version");
    assert!(published.holds.iter().any(|hold| hold.message.starts_with("OtherRelease: ")), "{:?}", published.holds);
    let said = node.exits(1, "kaapanactl migrate --yes");
    assert!(said.contains("the older 0.5.3 is configured, which would harm it"), "{said}");
    assert_eq!(releases(node).trim(), "kaapana-admin-chart", "what runs goes on");
}

/// 0.5 to 0.6 without the claims of 0.6, on data that was restored from a backup.
fn a_fresh_deployment_comes_first(node: &Node) {
    node.ok("kaapanactl undeploy --yes");
    node.ok("echo 0.5.3 >/data/fast/version");
    configure(node, "fresh", "0.6.0", "");
    node.wait("it is seen", MOMENT, |p| p.conditions.iter().any(|c| c.reason == "MigrationNeeded"));
    let said = node.exits(1, "kaapanactl migrate --yes");
    assert!(said.contains("MigrationFailed"), "{said}");
    let published = node.wait("it wants a fresh deployment", MOMENT, |p| {
        p.conditions.iter().any(|c| c.reason == "FreshDeployNeeded") && p.job.is_none()
    });
    assert_eq!(releases(node), "");
    assert!(node.exits(1, "kaapanactl deploy").contains("--accept-fresh-deploy"));
    node.ok("kaapanactl deploy --accept-fresh-deploy");
    assert_eq!(node.ok("cat /data/fast/version").trim(), "0.6.0");
    let published = node.wait("what follows is named", DEPLOYMENT, |p| {
        p.generation == published.generation && p.conditions.iter().any(|c| c.reason == "MigrationPending")
    });
    // A chart whose migration succeeds by now; the data still is of 0.5.3.
    configure(node, "succeed", "0.6.0", "");
    node.wait_healthy(published.generation + 1);
    let said = node.ok("kaapanactl migrate --yes 2>&1");
    assert!(said.contains("the data was migrated from 0.5.3 to 0.6.0"), "{said}");
    node.wait_healthy(published.generation + 1);
    let lines = migrations(node);
    assert_eq!(lines[2..], ["0.5.3 -> 0.6.0 (fresh)", "0.5.3 -> 0.6.0 (succeed)"]);
    node.wait_check("disk.fast.version", Status::True);
}

/// Only the migration can find out of which version it is, when the chart brings one.
fn data_that_nobody_deployed_onto(node: &Node) {
    node.ok("kaapanactl undeploy --yes");
    // As on a machine with the disks of another: an agent that knows nothing.
    node.ok("systemctl stop kaapana-agent && rm -rf /var/lib/kaapana-agent/* /data/*/.kaapana* /data/*/*");
    node.ok("mkdir /data/fast/postgres && systemctl start kaapana-agent");
    let needed = |p: &Published| p.conditions.iter().any(|c| c.reason == "MigrationNeeded");
    for (folder, words) in [
        ("without", "MigrationMissing: the chart of 0.6.0 brings no migration-chart, so its data cannot be migrated to it"),
        ("jobless", "MigrationMissing: the migration-chart of 0.6.0 runs no Job that could be followed"),
    ] {
        configure(node, folder, "0.6.0", "");
        node.ok("kaapanactl reload");
        node.wait("its migration is wanted", MOMENT, needed);
        let said = node.exits(1, "kaapanactl migrate --yes");
        assert!(said.contains(words), "{said}");
        assert_eq!(migrations(node), [""; 0]);
    }
    configure(node, "succeed", "0.6.0", "");
    node.ok("kaapanactl reload");
    node.wait("its migration is wanted", MOMENT, needed);
    let said = node.ok("kaapanactl migrate --yes 2>&1");
    assert!(said.contains("the data was migrated from an unknown version to 0.6.0"), "{said}");
    assert_eq!(migrations(node), ["0.0.0 -> 0.6.0 (succeed)"], "it was told to find out");
    node.wait("healthy", DEPLOYMENT, |p| p.phase == Phase::Healthy && p.job.is_none());
}
