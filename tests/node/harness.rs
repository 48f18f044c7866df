//! What the stories on the node are told with.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use kaapana_agent::agent::publish::Published;
use kaapana_agent::cli::follow::{Changes, describe};
use kaapana_agent::dbus::proxy::ManagerProxy;
use kaapana_agent::state::{Condition, Phase, Severity, Status};

/// A deployment of the test platform, from the first step to healthy.
pub const DEPLOYMENT: Duration = Duration::from_secs(240);

/// Anything that takes the agent a moment, also on a machine that is busy otherwise.
pub const MOMENT: Duration = Duration::from_secs(60);

/// How a command in the node ended.
pub struct Ended {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// A call of helm.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HelmRecord {
    /// Its file, which begins with the verb.
    pub file: String,
    pub release: String,
    pub succeeded: bool,
}

pub struct Node {
    pid: String,
    runtime: tokio::runtime::Runtime,
}

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The test platform's charts and images, built once.
fn platform() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let folder = repository().join("target/test-platform");
        let status = Command::new(repository().join("tests/charts/build")).arg(&folder).status().unwrap();
        assert!(status.success(), "tests/charts/build");
        folder
    })
}

/// The package that was built last.
fn package() -> PathBuf {
    let mut found: Vec<PathBuf> = std::fs::read_dir(repository().join("dist"))
        .expect("make package comes first")
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .collect();
    found.sort_by_key(|path| std::fs::metadata(path).unwrap().modified().unwrap());
    found.pop().expect("make package comes first")
}

fn node(arguments: &[&str]) -> std::process::Output {
    Command::new(repository().join("tests/node/node"))
        .args(arguments)
        .env("KAAPANA_NODE_IMAGES", platform().join("images"))
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

impl Node {
    /// A node as after its first boot, with the package installed, and a wrapper
    /// around helm that records what it is given and can be held at a gate.
    pub fn new() -> Self {
        let node = Self::bare();
        node.install();
        node
    }

    /// A node as after its first boot.
    pub fn bare() -> Self {
        let reset = node(&["reset"]);
        assert!(reset.status.success(), "reset: {}", String::from_utf8_lossy(&reset.stderr));
        let pid = String::from_utf8(node(&["pid"]).stdout).unwrap().trim().to_owned();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let node = Self { pid, runtime };
        node.ok("mkdir -p /srv /run/helm-record && chmod 0777 /run/helm-record");
        for chart in std::fs::read_dir(platform().join("charts")).unwrap() {
            let chart = chart.unwrap().path();
            std::fs::copy(&chart, node.path("/srv").join(chart.file_name().unwrap())).unwrap();
        }
        std::fs::copy(package(), node.path("/root/kaapana-agent.deb")).unwrap();
        node.wrap_helm();
        node
    }

    /// Packs a chart of these files in `/tmp/NAME` and puts it into `/srv/FOLDER`.
    pub fn package_chart(&self, folder: &str, name: &str, files: &[(&str, &str)]) {
        self.ok(&format!("mkdir -p /tmp/{name}/templates /srv/{folder}"));
        for (path, text) in files {
            std::fs::write(self.path(&format!("/tmp/{name}/{path}")), text).unwrap();
        }
        self.ok(&format!("/snap/bin/microk8s.helm3 package /tmp/{name} --destination /srv/{folder}"));
    }

    /// Puts the archive of the test platform's images into `/srv`, and returns its name.
    pub fn images_archive(&self) -> &'static str {
        let name = "kaapana-admin-chart-0.6.0-images.tar";
        std::fs::copy(platform().join("images").join(name), self.path("/srv").join(name)).unwrap();
        name
    }

    /// Installs the package. While a test is being written, `KAAPANA_NODE_DEBUG=1` puts
    /// the programs that were built last in the place of the package's.
    pub fn install(&self) {
        self.ok("apt-get install -y /root/kaapana-agent.deb");
        if std::env::var_os("KAAPANA_NODE_DEBUG").is_some() {
            self.replace_programs("");
        }
    }

    /// Puts the agent with fault points in the place of the package's.
    pub fn install_faults(&self) {
        self.replace_programs("[Service]\nEnvironment=KAAPANA_FAULTS=/run/kaapana-agent\n");
    }

    fn replace_programs(&self, drop_in: &str) {
        for (built, place) in [
            (env!("CARGO_BIN_EXE_kaapana-agent"), "/usr/sbin/kaapana-agent"),
            (env!("CARGO_BIN_EXE_kaapanactl"), "/usr/bin/kaapanactl"),
        ] {
            let new = format!("{place}.new");
            std::fs::copy(built, self.path(&new)).unwrap();
            self.ok(&format!("mv {new} {place}"));
        }
        self.ok(&format!(
            "mkdir -p /etc/systemd/system/kaapana-agent.service.d && \
             printf '{drop_in}' >/etc/systemd/system/kaapana-agent.service.d/tests.conf && \
             systemctl daemon-reload && systemctl restart kaapana-agent"
        ));
    }

    /// Kills everything in the node at once, and boots it with its disks.
    pub fn crash(&mut self) {
        // What helm was called for is no part of the node.
        self.ok("rm -rf /root/helm-record && cp -a /run/helm-record /root/");
        for act in ["crash", "boot"] {
            let output = node(&[act]);
            assert!(output.status.success(), "{act}: {}", String::from_utf8_lossy(&output.stderr));
        }
        self.pid = String::from_utf8(node(&["pid"]).stdout).unwrap().trim().to_owned();
        self.ok("mkdir -p /run/helm-record && chmod 0777 /run/helm-record && cp -a -n /root/helm-record/. /run/helm-record/");
    }

    /// Each call of helm leaves its arguments and environment in a file of its own, and
    /// how it ended.
    /// While `/run/helm-gate-VERB` is a FIFO, helm waits until someone writes to it.
    fn wrap_helm(&self) {
        let wrapper = "#!/bin/bash\n\
            record=$(mktemp /run/helm-record/$1-XXXXXX)\n\
            { printf '%s\\n' \"$@\"; tr '\\0' '\\n' </proc/self/environ; tr '\\0' '\\n' </proc/$PPID/cmdline; tr '\\0' '\\n' </proc/$PPID/environ; } >\"$record\" 2>/dev/null\n\
            if [ -p /run/helm-gate-$1 ]; then echo waits >/run/helm-waits-$1; read -r word </run/helm-gate-$1; fi\n\
            /snap/microk8s/current/bin/real/helm \"$@\"; code=$?; echo \"exit $code\" >>\"$record\"; exit $code\n";
        self.ok(
            "mkdir -p /snap/microk8s/current/bin/real && mv /snap/microk8s/current/bin/helm /snap/microk8s/current/bin/real/helm",
        );
        std::fs::write(self.path("/run/helm-wrapper"), wrapper).unwrap();
        self.ok("install -m 0755 /run/helm-wrapper /snap/microk8s/current/bin/helm");
    }

    /// From now on helm waits before it does this.
    pub fn close_gate(&self, verb: &str) {
        self.ok(&format!("mkfifo /run/helm-waits-{verb} /run/helm-gate-{verb}"));
    }

    /// Waits until a helm stands at the gate.
    pub fn wait_at_gate(&self, verb: &str) {
        self.ok(&format!("timeout 200 cat /run/helm-waits-{verb}"));
    }

    /// Lets the helm at the gate go on, and the next ones pass.
    pub fn open_gate(&self, verb: &str) {
        self.ok(&format!("rm /run/helm-waits-{verb}; mv /run/helm-gate-{verb} /run/helm-gate-open; echo go >/run/helm-gate-open; rm /run/helm-gate-open"));
    }

    /// How often helm was called to do this.
    pub fn helm_calls(&self, verb: &str) -> usize {
        self.ok(&format!("ls /run/helm-record | grep -c '^{verb}-' || true")).trim().parse().unwrap()
    }

    /// What helm was called to do since the node is there, in no order.
    pub fn helm_records(&self) -> BTreeSet<HelmRecord> {
        let script = "cd /run/helm-record && for file in *; do [ ! -f $file ] || echo $file $(sed -n 2p $file) $(grep -a -x 'exit [0-9]*' $file); done";
        let record = |line: &str| {
            let words: Vec<&str> = line.split(' ').collect();
            HelmRecord {
                file: words[0].to_owned(),
                release: words.get(1).copied().unwrap_or_default().to_owned(),
                succeeded: words.last() == Some(&"0"),
            }
        };
        self.ok(script).lines().map(record).collect()
    }

    pub fn path(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{path}", self.pid))
    }

    pub fn run(&self, script: &str) -> Ended {
        let output = node(&["run", "--", "bash", "-c", script]);
        Ended {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Runs it, expects success, returns what it printed.
    pub fn ok(&self, script: &str) -> String {
        let ended = self.run(script);
        assert_eq!(ended.code, 0, "{script}\n{}{}", ended.out, ended.err);
        ended.out
    }

    /// Runs it and expects this exit status; returns both outputs.
    pub fn exits(&self, code: i32, script: &str) -> String {
        let ended = self.run(script);
        assert_eq!(ended.code, code, "{script}\n{}{}", ended.out, ended.err);
        ended.out + &ended.err
    }

    /// Replaces the fragment as an editor does: written aside, renamed.
    pub fn configure(&self, text: &str) {
        let folder = self.path("/etc/kaapana/config");
        std::fs::write(folder.join(".10-platform.toml.new"), text).unwrap();
        std::fs::rename(folder.join(".10-platform.toml.new"), folder.join("10-platform.toml")).unwrap();
    }

    /// Waits for something the agent publishes; its signals wake.
    pub fn wait(&self, what: &str, limit: Duration, holds: impl Fn(&Published) -> bool) -> Published {
        let address = format!("unix:path={}", self.path("/run/dbus/system_bus_socket").display());
        let mut last = None;
        let waiting = async {
            let connection = zbus::connection::Builder::address(address.as_str()).build().await?;
            let mut changes = Changes::listen(&connection).await?;
            let manager = ManagerProxy::builder(&connection).cache_properties(zbus::proxy::CacheProperties::No).build().await?;
            loop {
                if let Some(published) = describe(&manager).await? {
                    if holds(&published) {
                        return Ok::<_, zbus::Error>(published);
                    }
                    last = Some(published);
                }
                assert!(changes.next().await, "the bus went away");
            }
        };
        let ended = self.runtime.block_on(async { tokio::time::timeout(limit, waiting).await });
        match ended {
            Ok(result) => result.unwrap(),
            Err(_) => panic!(
                "{what}: not within {} s; last: {}\n{}",
                limit.as_secs(),
                last.map(|p| kaapana_agent::cli::text::status(&p, true)).unwrap_or_default(),
                self.run("journalctl -u kaapana-agent -u 'kaapana-job-*' --no-pager -n 60 -o cat").out
            ),
        }
    }

    /// What anybody can see of the agent and its jobs while they run: units and their properties,
    /// D-Bus, processes with their arguments and environments, and the journal.
    pub fn public(&self) -> [(&'static str, String); 3] {
        let units = "systemctl show '*' 2>/dev/null; systemctl show kaapana-agent 'kaapana-job-*'; cat /run/systemd/transient/* 2>/dev/null";
        let bus = "busctl call ai.kaapana.Agent1 /ai/kaapana/Agent1 ai.kaapana.Agent1.Manager Describe; kaapanactl status --json; \
                   kaapanactl plan; kaapanactl plan --json; kaapanactl values; kaapanactl values --json; ps -ef; cat /proc/*/environ | tr '\\0' '\\n'";
        let seen = [
            ("units", self.run(units).out),
            ("D-Bus and processes", self.run(bus).out),
            ("the journal", self.ok("journalctl -o json --no-pager; journalctl -o cat --no-pager")),
        ];
        // Each place was really looked at: what is no secret is found in it.
        for ((place, text), public) in seen.iter().zip(["kaapana-agent.service", "kaapana-admin-chart", "MESSAGE_ID"]) {
            assert!(text.contains(public), "{public} was not found in {place}");
        }
        seen
    }

    /// Files that others can read and that hold this word; not those of the test itself.
    pub fn readable_with(&self, word: &str) -> String {
        self.ok(&format!(
            "find / -xdev -type f -perm /o=r -newer /root/kaapana-agent.deb -size -10M -not -path '/proc/*' -not -path '/sys/*' \
             -not -path '/var/snap/*' -not -path '/run/helm-record/*' -not -path '/data/*' -not -path '/srv/*' \
             -not -path '/etc/kaapana/config/*' -print0 | xargs -0 -r grep -la '{word}' || true"
        ))
    }

    /// A stranger's service takes a port of the node: nobody but Helm finds that out.
    pub fn occupy_port(&self, port: u16) {
        self.ok(&format!("/snap/bin/microk8s.kubectl create service nodeport squatter-{port} --tcp={port} --node-port={port}"));
    }

    pub fn wait_healthy(&self, generation: u64) -> Published {
        self.wait(&format!("generation {generation} healthy"), DEPLOYMENT, |p| {
            p.phase == Phase::Healthy && p.generation == generation && p.job.is_none()
        })
    }

    pub fn wait_hold(&self, reason: &str) -> Published {
        self.wait(&format!("the hold {reason}"), MOMENT, |p| p.holds.iter().any(|hold| hold.reason == reason))
    }

    /// Waits for a check to say this.
    pub fn wait_check(&self, id: &str, status: Status) -> Published {
        self.wait(&format!("{id} {status:?}"), MOMENT, |p| p.conditions.iter().any(|c| c.id == id && c.status == status))
    }
}

/// Runs it on a terminal, where the person gives this answer.
pub fn on_a_terminal(node: &Node, command: &str, answer: &str) -> Ended {
    node.run(&format!("printf '{answer}\\n' | script -qefc '{command}' /dev/null"))
}

/// A pod as the workflow engine starts them.
pub fn start_workflow(node: &Node, name: &str) {
    let image = node.ok(
        "/snap/bin/microk8s.kubectl get deployment -n services minio -o jsonpath='{.spec.template.spec.containers[0].image}'",
    );
    node.ok(&format!(
        "/snap/bin/microk8s.kubectl run {name} -n project-admin --image={} --image-pull-policy=IfNotPresent --restart=Never \
         --command -- sleep 3600 && /snap/bin/microk8s.kubectl wait -n project-admin pod/{name} --for condition=Ready --timeout 60s",
        image.trim()
    ));
}

/// Everything was looked at, and nothing hinders a deployment.
pub fn nothing_hinders(published: &Published) -> bool {
    let fine = |c: &Condition| c.reason != "Pending" && (c.status == Status::True || c.severity != Severity::Critical);
    published.conditions.iter().all(fine)
}

/// The configuration of the test platform. `more` goes after the last table, `[data]`.
pub fn config(more: &str) -> String {
    config_of("", more)
}

/// As [`config`], with keys of `[deployment]`.
pub fn config_of(deployment: &str, more: &str) -> String {
    format!(
        "[platform]\nversion = \"0.6.0\"\ndomain = \"10.77.0.2\"\n[registry]\nurl = \"registry.example.org/kaapana\"\n\
         [deployment]\ndev_mode = false\ngpu_support = false\noffline = true\nchart_path = \"/srv/kaapana-admin-chart-0.6.0.tgz\"\n{deployment}\
         [agent]\nsettle = \"1s\"\nstability = \"2s\"\nfailure_grace = \"5s\"\n[data]\nfast_dir = \"/data/fast\"\nslow_dir = \"/data/slow\"\n{more}"
    )
}
