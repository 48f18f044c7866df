//! Each check is made to fail by the real fault, and clears when the fault is gone. How long
//! either took is printed as a table.
//!
//! `make test` takes a third of the faults, which change with the commit; `make test-all` all of
//! them (`KAAPANA_CHECKS=all`), or those with a word in their name (`KAAPANA_CHECKS=WORD`).

use std::time::Duration;

use kaapana_agent::agent::publish::Published;
use kaapana_agent::state::{Condition, Phase, Severity, Status};

use super::harness::{DEPLOYMENT, MOMENT, Node, config};

/// A fault, and how the check is to say it.
struct Fault {
    check: &'static str,
    what: &'static str,
    reason: &'static str,
    /// Words that its message has.
    says: &'static str,
    make: &'static str,
    mend: &'static str,
    /// The time after which it is looked at at the latest, in seconds; 0: an event tells.
    period: u64,
}

const KUBECTL: &str = "/snap/bin/microk8s.kubectl";
const CERTS: &str = "/var/snap/microk8s/current/certs";
const ARGS: &str = "/var/snap/microk8s/current/args/kube-apiserver";

const FAULTS: &[Fault] = &[
    Fault {
        check: "microk8s.auxiliary",
        what: "a unit is stopped",
        reason: "NotActive",
        says: "",
        make: "systemctl stop snap.microk8s.daemon-apiserver-kicker",
        mend: "systemctl start snap.microk8s.daemon-apiserver-kicker",
        period: 0,
    },
    Fault {
        check: "disk.slow.mounted",
        what: "the disk is unmounted",
        reason: "NotMounted",
        says: "",
        make: "umount -l /data/slow",
        mend: "systemctl start data-slow.mount",
        period: 0,
    },
    Fault {
        check: "microk8s.certificates",
        what: "a certificate ends in two days",
        reason: "ExpiresNow",
        says: "",
        make: "cp -a CERTS/server.crt /root/; DAYS=2 /usr/local/lib/testnode/certs /var/snap/microk8s/current -e server.crt",
        mend: "cp -a /root/server.crt CERTS/server.crt",
        period: 30,
    },
    Fault {
        check: "microk8s.services",
        what: "the container runtime is stopped",
        reason: "NotActive",
        says: "",
        make: "systemctl stop snap.microk8s.daemon-containerd",
        mend: "systemctl start snap.microk8s.daemon-containerd",
        period: 0,
    },
    Fault {
        check: "disk.slow.identity",
        what: "another file system is mounted over the disk",
        reason: "OtherDisk",
        says: "",
        make: "mount -t tmpfs none /data/slow",
        mend: "umount /data/slow",
        period: 0,
    },
    Fault {
        check: "microk8s.node_ports",
        what: "a port is configured that the API server does not give",
        reason: "OutsideRange",
        says: "",
        make: "printf '[network]\nhttps_port = 40000\n' >/etc/kaapana/config/20-port.toml",
        mend: "rm /etc/kaapana/config/20-port.toml",
        period: 1,
    },
    Fault {
        check: "platform.workloads",
        what: "a deployment is deleted",
        reason: "NotHealthy",
        says: "Deployment services/grafana: Missing",
        make: "KUBECTL get deployment -n services grafana -o yaml >/root/grafana.yaml; KUBECTL delete deployment -n services grafana --wait=false",
        mend: "KUBECTL create -f /root/grafana.yaml",
        period: 0,
    },
    Fault {
        check: "disk.slow.writable",
        what: "the file system becomes read-only",
        reason: "ReadOnly",
        says: "",
        make: "mount -o remount,bind,ro /data/slow",
        mend: "mount -o remount,bind,rw /data/slow",
        period: 0,
    },
    Fault {
        check: "helm.binary",
        what: "helm is gone",
        reason: "NotFound",
        says: "",
        make: "mv /snap/microk8s/current/bin/helm /root/helm",
        mend: "mv /root/helm /snap/microk8s/current/bin/helm",
        period: 3,
    },
    Fault {
        check: "microk8s.dns",
        what: "the cluster's DNS is gone",
        reason: "NotEnabled",
        says: "",
        make: "KUBECTL get configmap -n kube-system coredns -o yaml >/root/coredns.yaml; KUBECTL delete configmap -n kube-system coredns",
        mend: "KUBECTL create -f /root/coredns.yaml",
        period: 0,
    },
    Fault {
        check: "disk.slow.space",
        what: "the disk is filled",
        reason: "Critical",
        says: "",
        make: "fallocate -l 1780M /data/slow/fill",
        mend: "rm /data/slow/fill",
        period: 15,
    },
    Fault {
        check: "microk8s.credentials",
        what: "the credentials file is gone",
        reason: "NotUsable",
        says: "",
        make: "mv /var/snap/microk8s/current/credentials/client.config /root/",
        mend: "mv /root/client.config /var/snap/microk8s/current/credentials/",
        period: 3,
    },
    Fault {
        check: "microk8s.rbac",
        what: "the API server asks for no roles",
        reason: "NotEnabled",
        says: "",
        make: "sed -i.before 's/^--authorization-mode=.*/--authorization-mode=AlwaysAllow/' ARGS",
        mend: "mv ARGS.before ARGS",
        period: 15,
    },
    Fault {
        check: "disk.slow.answers",
        what: "a file system hangs",
        reason: "Hung",
        says: "",
        // A FUSE file system whose program never answers its first question.
        make: "systemd-run --quiet --unit=hang bash -c 'exec 3<>/dev/fuse; mount -i -t fuse hang /data/slow -o fd=3,rootmode=40000,user_id=0,group_id=0; exec sleep infinity'",
        mend: "systemctl kill -s KILL hang; umount -l /data/slow; systemctl reset-failed hang 2>/dev/null || true",
        period: 5,
    },
    Fault {
        check: "chart.available",
        what: "the chart is gone",
        reason: "NotFound",
        says: "",
        make: "mv /srv/kaapana-admin-chart-0.6.0.tgz /root/",
        mend: "mv /root/kaapana-admin-chart-0.6.0.tgz /srv/",
        period: 3,
    },
    Fault {
        check: "disk.slow.inodes",
        what: "the inodes are used up",
        reason: "Few",
        says: "",
        make: "mkdir /data/slow/many; cd /data/slow/many; seq 126000 | xargs touch",
        mend: "rm -r /data/slow/many",
        period: 15,
    },
    Fault {
        check: "config.valid",
        what: "an edit is broken",
        reason: "Invalid",
        says: "",
        make: "echo '[platform' >/etc/kaapana/config/20-broken.toml",
        mend: "rm /etc/kaapana/config/20-broken.toml",
        period: 1,
    },
    Fault {
        check: "microk8s.refresh",
        what: "nothing holds the refresh of the snap",
        reason: "NoHold",
        says: "",
        make: "sed -i.before s/hold/nohold/ /srv/snapd/own",
        mend: "mv /srv/snapd/own.before /srv/snapd/own",
        period: 60,
    },
    Fault {
        check: "platform.page",
        what: "what serves the page is scaled to 0",
        reason: "NotAnswering",
        says: "",
        make: "KUBECTL scale deployment -n admin oauth2-proxy --replicas=0",
        mend: "KUBECTL scale deployment -n admin oauth2-proxy --replicas=1",
        period: 90,
    },
    Fault {
        check: "microk8s.runtime",
        what: "the container runtime is stopped with SIGSTOP",
        reason: "NotAnswering",
        says: "",
        make: "systemctl kill -s STOP snap.microk8s.daemon-containerd",
        mend: "systemctl kill -s CONT snap.microk8s.daemon-containerd",
        period: 25,
    },
    Fault {
        check: "platform.workloads",
        what: "an image is nowhere",
        reason: "NotHealthy",
        says: "cannot be pulled: nothing answers at the registry's port",
        make: "KUBECTL set image deployment/grafana -n services '*=127.0.0.1:9/kaapana/grafana:0' && KUBECTL patch deployment grafana -n services -p '{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"'$(KUBECTL get deployment grafana -n services -o jsonpath='{.spec.template.spec.containers[0].name}')'\",\"imagePullPolicy\":\"Always\"}]}}}}'",
        mend: "KUBECTL rollout undo deployment/grafana -n services --to-revision=1",
        period: 0,
    },
    Fault {
        check: "platform.workloads",
        what: "a container ends again and again",
        reason: "NotHealthy",
        says: "CrashLoopBackOff container",
        make: "KUBECTL patch deployment prometheus -n services --type json -p '[{\"op\":\"add\",\"path\":\"/spec/template/spec/containers/0/command\",\"value\":[\"false\"]}]'",
        mend: "KUBECTL rollout undo deployment/prometheus -n services",
        // The kubelet calls it so after the second end.
        period: 30,
    },
    Fault {
        check: "platform.workloads",
        what: "no node takes a pod",
        reason: "Progressing",
        says: "waits for a place on the node",
        make: "KUBECTL patch deployment opensearch -n services -p '{\"spec\":{\"template\":{\"spec\":{\"nodeSelector\":{\"kubernetes.io/hostname\":\"nowhere\"}}}}}'",
        mend: "KUBECTL rollout undo deployment/opensearch -n services",
        period: 0,
    },
    Fault {
        check: "disk.monitored",
        what: "a further mount point is unmounted",
        reason: "NotMounted",
        says: "nothing is mounted at /mnt/site",
        make: "umount /mnt/site",
        mend: "mount -t tmpfs none /mnt/site",
        period: 0,
    },
    Fault {
        check: "disk.slow.shadowed",
        what: "a file is written while the disk is away",
        reason: "FilesBeneath",
        says: "beneath /data/slow lies in /data/slow: forgotten",
        make: "umount -l /data/slow; touch /data/slow/forgotten; systemctl start data-slow.mount",
        mend: "umount -l /data/slow; rm /data/slow/forgotten; systemctl start data-slow.mount",
        period: 0,
    },
    Fault {
        check: "platform.drift",
        what: "a service is changed by hand",
        reason: "Changed",
        says: "Service services/minio-service of kaapana-platform-chart differs in spec.ports",
        // Started anew it looks at once.
        make: "KUBECTL get service -n services minio-service -o yaml >/root/service.yaml; KUBECTL patch service -n services minio-service --type json -p '[{\"op\":\"replace\",\"path\":\"/spec/ports/0/targetPort\",\"value\":1}]'; systemctl restart kaapana-agent",
        mend: "KUBECTL replace -f /root/service.yaml --force",
        period: 30,
    },
    Fault {
        check: "microk8s.api",
        what: "the API server is stopped with SIGSTOP",
        reason: "NotReady",
        says: "",
        make: "systemctl kill -s STOP snap.microk8s.daemon-kubelite",
        mend: "systemctl kill -s CONT snap.microk8s.daemon-kubelite",
        period: 15,
    },
];

/// Of all faults, those of this commit; or those that `KAAPANA_CHECKS` says.
fn chosen() -> Vec<&'static Fault> {
    let wanted = std::env::var("KAAPANA_CHECKS").unwrap_or_default();
    let commit = std::env::var("KAAPANA_COMMIT").unwrap_or_default();
    let start = usize::from_str_radix(commit.get(..6).unwrap_or("0"), 16).unwrap_or_default();
    let of = |(number, fault): &(usize, &Fault)| match wanted.as_str() {
        "" => (number + start).is_multiple_of(3),
        "all" => true,
        word => fault.check.contains(word),
    };
    FAULTS.iter().enumerate().filter(of).map(|(_, fault)| fault).collect()
}

fn condition<'p>(published: &'p Published, id: &str) -> Option<&'p Condition> {
    published.conditions.iter().find(|condition| condition.id == id)
}

/// Runs a script and returns when it began, as the node's clock says.
fn at(node: &Node, script: &str) -> jiff::Timestamp {
    let script = script.replace("KUBECTL", KUBECTL).replace("CERTS", CERTS).replace("ARGS", ARGS);
    let printed = node.ok(&format!("date +%s%N >/run/began; {{ {script}; }} >/dev/null; cat /run/began"));
    jiff::Timestamp::from_nanosecond(printed.trim().parse().unwrap()).unwrap()
}

/// Waits for a check to say it, and returns after how many milliseconds it did.
fn delay(node: &Node, fault: &Fault, began: jiff::Timestamp, status: Status) -> i64 {
    let limit = Duration::from_secs((fault.period + 1) * 10).max(MOMENT);
    let published = node.wait(&format!("{}: {status:?} by {}", fault.check, fault.what), limit, |p| {
        let failed = |c: &Condition| c.reason == fault.reason && c.message.contains(fault.says);
        let says = |c: &Condition| c.status == status && (status == Status::True || failed(c));
        condition(p, fault.check).is_some_and(says)
    });
    let since = condition(&published, fault.check).unwrap().since;
    i64::try_from(since.duration_since(began).as_millis()).unwrap()
}

#[test]
fn each_check_fails_by_its_fault_and_clears_by_itself() {
    assert!(!chosen().is_empty(), "no fault has that name");
    let node = Node::new();
    snapd(&node);
    node.ok("mkdir -p /mnt/site && mount -t tmpfs none /mnt/site");
    node.configure(&config("mount_points_to_monitor = [\"/mnt/site\"]\n"));
    node.wait("healthy, with its page", DEPLOYMENT, |p| {
        p.phase == Phase::Healthy && p.job.is_none() && condition(p, "platform.page").is_some_and(|c| c.status == Status::True)
    });
    let mut table = vec!["\n| check | fault | reason | detected | cleared |\n|---|---|---|---|---|".to_owned()];
    for fault in chosen() {
        node.wait(&format!("{} is as it should be", fault.check), MOMENT * 2, |p| {
            condition(p, fault.check).is_some_and(|c| c.status == Status::True)
        });
        let detected = delay(&node, fault, at(&node, fault.make), Status::False);
        let cleared = delay(&node, fault, at(&node, fault.mend), Status::True);
        table.push(format!("| `{}` | {} | {} | {detected} ms | {cleared} ms |", fault.check, fault.what, fault.reason));
        // Wanted are 100 ms after an event and a second after a period; ten seconds more are a fault, also
        // where the fault itself takes some, such as the end of a unit or thousands of files.
        let most = i64::try_from(fault.period * 1_000 + 10_000).unwrap();
        let most_cleared = if fault.mend.contains("KUBECTL") || fault.period > 10 { most * 2 } else { most };
        assert!(detected < most && cleared < most_cleared, "{}\n{}", fault.what, table.join("\n"));
    }
    println!("{}", table.join("\n"));
    // Nothing of it was an occasion to touch the platform, and nothing is left of it.
    let published = node.wait("all is as before", DEPLOYMENT, |p| {
        p.phase == Phase::Healthy && p.conditions.iter().all(|c| c.status == Status::True || c.severity != Severity::Critical)
    });
    assert_eq!((published.history.len(), node.helm_calls("uninstall")), (1, 0));
    the_doctor_says_the_same(&node);
}

/// snapd cannot be had: a socket that answers as its interface is documented.
fn snapd(node: &Node) {
    node.ok("mkdir -p /srv/snapd");
    let hold = "2315-01-01T00:00:00Z";
    let files = [
        ("own", format!(r#"{{"result":{{"version":"v1.33.1","tracking-channel":"1.33/stable","hold":"{hold}"}}}}"#)),
        ("all", r#"{"result":{"refresh":{}}}"#.to_owned()),
        (
            "answer",
            "read -r method path version\nwhile read -r line && [ ${#line} -gt 1 ]; do :; done\n\
             case $path in */snaps/microk8s) body=$(cat /srv/snapd/own) ;; *) body=$(cat /srv/snapd/all) ;; esac\n\
             printf 'HTTP/1.1 200 OK\\r\\nContent-Length: %s\\r\\nConnection: close\\r\\n\\r\\n%s' ${#body} \"$body\"\n"
                .to_owned(),
        ),
    ];
    for (name, text) in files {
        std::fs::write(node.path("/srv/snapd").join(name), text).unwrap();
    }
    node.ok(
        "systemd-run --quiet --unit=testnode-snapd systemd-socket-activate --accept --inetd --listen=/run/snapd.socket /bin/bash /srv/snapd/answer",
    );
}

/// With the agent and without it, as root and as somebody else.
fn the_doctor_says_the_same(node: &Node) {
    let with = node.run("kaapanactl doctor");
    assert!(with.code < 2, "nothing hinders a deployment: {}{}", with.out, with.err);
    assert!(with.out.contains("a deployment would not be held"), "{}", with.out);
    node.ok("systemctl stop kaapana-agent");
    let without = node.run("kaapanactl doctor --all");
    assert!(without.code < 2, "{}{}", without.out, without.err);
    assert!(without.err.contains("The agent does not run"), "{}", without.err);
    for words in
        ["disk.fast.identity: /data/fast is the recorded disk", "microk8s.node: ready: kaapana-node", "platform.workloads"]
    {
        assert!(without.out.contains(words), "{words} is missing in\n{}", without.out);
    }
    node.ok("id someone >/dev/null 2>&1 || useradd --create-home someone");
    let others = node.exits(2, "runuser -u someone -- kaapanactl doctor");
    for words in ["Run it as root", "client.config", "Permission denied"] {
        assert!(others.contains(words), "{words} is missing in\n{others}");
    }
    let json: serde_json::Value = serde_json::from_str(&node.run("kaapanactl doctor --json").out).unwrap();
    assert_eq!(json["seen_by"], "doctor");
    // Without a cluster it says what it cannot see, and does not wait for it.
    node.ok("systemctl stop snap.microk8s.daemon-kubelite");
    let took = node.exits(2, "TIMEFORMAT=%R; time kaapanactl doctor");
    let seconds: f64 = took.lines().rev().find_map(|line| line.trim().parse().ok()).unwrap_or_else(|| panic!("{took}"));
    assert!(took.contains("microk8s.services") && seconds < 30.0, "{took}");
    node.ok("systemctl start snap.microk8s.daemon-kubelite kaapana-agent");
}
