//! The images a chart names are in hand before anything is taken down: offline they
//! must be there, with a registry (a real one, with a password) they are pulled.

use kaapana_agent::agent::publish::Published;
use kaapana_agent::ledger::JobResult;
use kaapana_agent::state::Phase;

use super::harness::{DEPLOYMENT, MOMENT, Node, config, config_of};

/// `Registry.Password1`, as htpasswd(1) writes it.
const HTPASSWD: &str = "reader:$2b$04$hoPoJSrTsru7TEVInKl2HemfwExLkjzlu3DaUcRlQYp5cn6QjO/OK";

/// All of the test platform's images under another registry's name, pushed there. Those
/// of the root chart are in that registry only; with a chart from a file Kaapana gives
/// its pods no credentials, so the others stay.
const PUSH: &str = "set -e; ctr=/snap/bin/microk8s.ctr
    curl -s -o /dev/null --retry 30 --retry-connrefused --retry-max-time 30 http://localhost:5000/v2/
    root=$(/snap/bin/microk8s.helm3 get manifest kaapana-admin-chart; /snap/bin/microk8s.helm3 get hooks kaapana-admin-chart)
    for image in $($ctr images ls -q | grep ^registry.example.org/kaapana/); do
        other=localhost:5000/${image#registry.example.org/}
        $ctr images tag $image $other
        $ctr images push --plain-http --user reader:Registry.Password1 $other
        case $root in (*${image%:*}:*) $ctr images rm $other ;; esac
    done >/dev/null 2>&1";

/// The images of that registry that are not on the node.
const ABSENT: &str = "for name in $(ls /run/registry/docker/registry/v2/repositories/kaapana); do
        /snap/bin/microk8s.ctr images ls -q | grep -qx localhost:5000/kaapana/$name:0.6.0 || echo $name
    done";

fn from_registry(password: &str) -> String {
    config("").replace("offline = true\n", "").replace(
        "registry.example.org/kaapana\"",
        &format!("localhost:5000/kaapana\"\nusername = \"reader\"\npassword = \"{password}\""),
    )
}

#[test]
fn images_are_in_hand_before_anything_is_taken_down() {
    let node = Node::new();
    node.configure(&config(""));
    node.wait_healthy(1);
    let pods = "/snap/bin/microk8s.kubectl get pods --all-namespaces --no-headers -o custom-columns=u:.metadata.uid | sort";
    let before = node.ok(pods);

    // Offline, an image of the chart is not there.
    node.configure(&config("[values]\n\"test.missingImage\" = \"traefik\"\n"));
    let published = node.wait("the image is missing", MOMENT, |p| {
        p.history.last().is_some_and(|job| job.error.starts_with("ImagesMissing: ")) && p.job.is_none()
    });
    let error = &published.history.last().unwrap().error;
    assert!(error.contains("1 of 11 images are not on this machine: registry.example.org/kaapana/traefik:absent"), "{error}");
    let advice = &published.holds.iter().find(|hold| hold.reason == "FailedBefore").expect("it is not tried at once").advice;
    assert!(advice.contains("kaapanactl images import"), "{advice}");
    // It is imported; a person asks, who need not wait for the next look.
    node.ok("/snap/bin/microk8s.ctr images tag registry.example.org/kaapana/traefik:0.6.0 registry.example.org/kaapana/traefik:absent");
    assert_eq!(node.ok(pods), before, "no pod was touched");
    let ended = node.run("kaapanactl deploy");
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    let before = node.ok(pods);
    let uninstalls = node.helm_calls("uninstall");

    // A registry that wants a password, and gets another one.
    std::fs::write(node.path("/run/htpasswd"), format!("{HTPASSWD}\n")).unwrap();
    std::fs::write(
        node.path("/run/registry.yml"),
        "version: 0.1\nstorage: {filesystem: {rootdirectory: /run/registry}}\nhttp: {addr: 'localhost:5000'}\n\
         auth: {htpasswd: {realm: test, path: /run/htpasswd}}\n",
    )
    .unwrap();
    node.ok("systemd-run --quiet --unit registry docker-registry serve /run/registry.yml");
    node.ok(PUSH);
    assert_eq!(node.ok(ABSENT).lines().count(), 11, "the images of the root chart are in the registry only");
    node.configure(&from_registry("Wrong.Password1"));
    let published = node.wait("the registry refuses", MOMENT, |p| {
        p.history.last().is_some_and(|job| job.error.starts_with("ImageNotPulled: localhost:5000/kaapana/")) && p.job.is_none()
    });
    assert_eq!(published.phase, Phase::Blocked);
    assert_eq!(node.ok(pods), before, "no pod was touched");
    assert_eq!(node.ok("journalctl --no-pager -o json | grep -cE '(Wrong|Registry).Password1' || true").trim(), "0");

    // The right one: everything is pulled while the old platform runs, also when the agent is
    // killed while the registry takes its time.
    node.close_gate("uninstall");
    node.ok("systemctl kill --signal=STOP registry");
    node.configure(&from_registry("Registry.Password1"));
    let pulls = |p: &Published| p.job.as_ref().is_some_and(|job| job.step.starts_with("pulling "));
    node.wait("an image is pulled", MOMENT, pulls);
    node.ok("systemctl kill --signal=KILL --kill-whom=main kaapana-agent");
    node.wait("it is pulled again", MOMENT, pulls);
    node.ok("systemctl kill --signal=CONT registry");
    node.wait_at_gate("uninstall");
    assert_eq!(node.ok(ABSENT), "", "they were pulled");
    assert_eq!(node.helm_calls("uninstall"), uninstalls + 1);
    node.open_gate("uninstall");
    let published = node.wait("deployed from the registry", DEPLOYMENT, |p| p.phase == Phase::Healthy && p.job.is_none());
    assert_eq!(published.history.last().unwrap().result, JobResult::Done);
}

/// What is asked of the world outside, counted and refused.
/// The registry has an address there, and a question for a name counts wherever it is put.
const OUTSIDE: &str = "echo '192.0.2.1 registry.example.org' >>/etc/hosts
    iptables -I OUTPUT -m addrtype ! --dst-type LOCAL ! -d 10.0.0.0/8 -m comment --comment outside -j REJECT
    for protocol in udp tcp; do iptables -I OUTPUT -p $protocol --dport 53 -m comment --comment outside -j REJECT; done";
const ASKED: &str = "iptables -nvxL OUTPUT | awk '/outside/ {sum += $1} END {print sum}'";

/// Takes the platform's images away, under the names that the kubelet gave them, too: those keep
/// what was unpacked.
const FORGET: &str = "set -e; all=$(/snap/bin/microk8s.ctr images ls)
    digests=$(echo \"$all\" | awk '/^registry.example.org.kaapana/ {print $3}' | sort -u)
    /snap/bin/microk8s.ctr images rm --sync $(echo \"$all\" | grep -F \"$digests\" | cut -d ' ' -f 1)";

const COUNT: &str = "/snap/bin/microk8s.ctr images ls -q | grep -c ^registry.example.org/kaapana/ || true";

#[test]
fn offline_the_images_come_from_an_archive() {
    let node = Node::new();
    let name = node.images_archive();
    // One byte in the middle is another one.
    node.ok(&format!(
        "mkdir /srv/damaged && cp /srv/{name} /srv/damaged/ && at=$(($(stat -c %s /srv/{name}) / 2)) && \
         byte=$(od -An -tu1 -j $at -N 1 /srv/{name}) && \
         printf \\\\$(printf %03o $(((byte + 1) % 256))) | dd of=/srv/damaged/{name} bs=1 seek=$at conv=notrunc status=none"
    ));
    node.ok(&format!("mkdir /srv/cut /srv/other /srv/few && head -c 3000000 /srv/{name} >/srv/cut/{name} && tar cf /srv/other/{name} /etc/hostname"));
    node.ok(&format!(
        "cd /srv && /snap/bin/microk8s.ctr images export few/{name} $(/snap/bin/microk8s.ctr images ls -q | grep kaapana/minio:)"
    ));
    node.ok(FORGET);
    node.ok(OUTSIDE);
    an_archive_is_imported_by_a_job_of_its_own(&node, name);
    for (folder, reason, words) in [
        ("cut", "ImagesArchiveInvalid", "is cut off"),
        ("other", "ImagesArchiveInvalid", "is no archive of images"),
        ("damaged", "ImagesArchiveInvalid", "is damaged: "),
        ("few", "ImagesMissing", "and not these, which are not on this machine either: registry.example.org/kaapana/"),
    ] {
        node.configure(&config_of(&format!("images_tar = \"/srv/{folder}/{name}\"\n"), ""));
        let published = node.wait(words, MOMENT, |p| {
            let of = |error: &str| error.starts_with(&format!("{reason}: ")) && error.contains(&format!("/srv/{folder}/"));
            p.job.is_none() && p.history.last().is_some_and(|job| of(&job.error))
        });
        let error = &published.history.last().unwrap().error;
        assert!(error.contains(words), "{error}");
    }
    assert_eq!(node.ok(COUNT).trim(), "0", "nothing was imported from them");
    node.configure(&config_of(&format!("images_tar = \"/srv/{name}\"\n"), ""));
    node.wait("the import", MOMENT, |p| p.job.as_ref().is_some_and(|job| job.unit.contains("import-images")));
    // It runs in a unit of its own.
    node.ok("systemctl kill --signal=KILL --kill-whom=main kaapana-agent");
    let published = node.wait("healthy", DEPLOYMENT, |p| p.phase == Phase::Healthy && p.job.is_none());
    let job = published.history.last().unwrap();
    assert_eq!(
        job.steps.iter().filter(|step| step.what.starts_with("import of the images in /srv/")).count(),
        1,
        "{:?}",
        job.steps
    );
    assert_eq!(node.ok(ASKED).trim(), "0", "nobody outside was asked");
    // The counter counts: an address, and the question for one.
    let asked = || node.ok(ASKED).trim().parse::<u64>().unwrap();
    node.run("curl -s --max-time 2 http://registry.example.org/");
    let address = asked();
    node.run("getent hosts other.example.org");
    assert!(address > 0 && asked() > address, "{address}, {}", asked());
}

/// `ctr` waits at a gate before it imports, with the first MiBs of the archive in its hands.
const CTR: &str = r#"ctr=/snap/microk8s/current/bin/ctr; [ -e $ctr ] || ctr=/usr/bin/ctr; mv $ctr $ctr.real
cat >$ctr <<END
#!/bin/sh
[ -p /run/helm-gate-ctr ] || exec $ctr.real "\$@"
head -c 2097152 >/run/ctr-begin
echo waits >/run/helm-waits-ctr; read -r word </run/helm-gate-ctr
cat /run/ctr-begin - | $ctr.real "\$@"
END
chmod 0755 $ctr"#;

fn an_archive_is_imported_by_a_job_of_its_own(node: &Node, name: &str) {
    node.ok(CTR);
    assert!(node.exits(1, &format!("kaapanactl images import /srv/{name}")).contains("no platform is configured"));
    node.configure(&config(""));
    node.wait("what is missing is told", MOMENT, |p| {
        p.history.last().is_some_and(|job| job.error.starts_with("ImagesMissing: "))
    });
    // What is imported would be deployed at once.
    node.ok("kaapanactl pause 'one thing after the other'");
    let jobs = node.wait("it is paused", MOMENT, |p| p.job.is_none() && !p.pause_reason.is_empty()).history.len();
    for (folder, words) in
        [("cut", "is cut off"), ("other", "holds neither manifest.json"), ("absent", "cannot be read: No such file")]
    {
        let said = node.exits(1, &format!("mkdir -p /srv/{folder} && cd /srv/{folder} && kaapanactl images import {name}"));
        assert!(said.contains(&format!("ImagesArchiveInvalid: /srv/{folder}/{name} {words}")), "{said}");
    }
    let call = "busctl call ai.kaapana.Agent1 /ai/kaapana/Agent1 ai.kaapana.Agent1.Manager ImportImages 'sa{sv}'";
    assert!(node.exits(1, &format!("{call} srv/x.tar 0")).contains("no absolute path"));

    // It outlives the agent, and a cancellation ends it in its middle.
    node.close_gate("ctr");
    node.ok(&format!("kaapanactl images import /srv/{name} --no-wait"));
    node.wait_at_gate("ctr");
    node.ok(&format!("kaapanactl images import /srv/{name} --no-wait"));
    assert!(node.exits(1, "kaapanactl images import /srv/another.tar").contains("does something else"));
    node.ok("systemctl kill --signal=KILL --kill-whom=main kaapana-agent");
    node.wait("the agent again", MOMENT, |p| p.job.as_ref().is_some_and(|job| job.kind == "import-images"));
    let said = node.ok("kaapanactl cancel --yes 2>&1");
    assert!(said.contains("the job ends; images that are there already stay"), "{said}");
    let published = node.wait("it is canceled", MOMENT, |p| p.job.is_none() && p.history.len() == jobs + 4);
    assert_eq!(published.history.last().unwrap().result, JobResult::Canceled);
    node.ok("rm /run/helm-waits-ctr /run/helm-gate-ctr");
    node.wait("its unit is gone", MOMENT, |_| node.ok("systemctl list-units --all --no-legend 'kaapana-job-*'").is_empty());
    assert_eq!(node.ok(COUNT).trim(), "0");

    // To its end: counted by bytes and images.
    node.close_gate("ctr");
    node.ok(&format!("kaapanactl images import /srv/{name} --no-wait"));
    node.wait_at_gate("ctr");
    let counts = |p: &Published| p.job.as_ref().map(|job| job.counts.clone()).unwrap_or_default();
    let published = node.wait("it is counted", MOMENT, |p| counts(p).get("MiB").is_some_and(|count| count.total > 0));
    let images = counts(&published)["images"];
    assert!(images.done == 0 && images.total > 20, "{images:?}");
    // On its way: what the runtime took of the archive, and what it has by now.
    node.ok(&format!(
        "ctr=/snap/microk8s/current/bin/ctr; [ -e $ctr ] || ctr=/usr/bin/ctr; $ctr.real --address /var/snap/microk8s/common/run/containerd.sock -n k8s.io images import /srv/few/{name}"
    ));
    let published = node.wait("it goes on", MOMENT, |p| counts(p).get("images").is_some_and(|count| count.done == 1));
    let read = counts(&published)["MiB"];
    assert!(read.done >= 2 && read.done < read.total, "{read:?}");
    node.open_gate("ctr");
    let published = node.wait("it is imported", DEPLOYMENT, |p| p.job.is_none() && p.history.len() == jobs + 5);
    let job = published.history.last().unwrap();
    assert_eq!(
        (job.result, job.report.as_str()),
        (JobResult::Done, format!("{} images of /srv/{name} are in the container runtime", images.total).as_str())
    );
    assert_ne!(node.ok(COUNT).trim(), "0");
    node.ok(FORGET);
    node.ok("kaapanactl resume");
}
