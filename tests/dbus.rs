//! The D-Bus interface on a private bus with the real polkitd: no systemd, no
//! cluster, so everything about them is unknown and the agent still answers.

#![allow(missing_docs)]

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use kaapana_agent::cli::follow::{Changes, describe};
use kaapana_agent::dbus::proxy::ManagerProxy;
use kaapana_agent::state::{Phase, Status};
use zbus::{Connection, Variant};

const MOMENT: Duration = Duration::from_secs(20);

const BUS: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=SOCKET</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus"/>
  </policy>
  <includedir>REPOSITORY/packaging/dbus-1/system.d</includedir>
  <includedir>/usr/share/dbus-1/system.d</includedir>
</busconfig>
"#;

/// Ended with its children's help when dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

struct Bus {
    folder: tempfile::TempDir,
    _daemon: Process,
    polkit: Option<Process>,
    agent: Option<Process>,
}

impl Bus {
    fn start(with_polkit: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Others must reach the socket.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder.path(), open).unwrap();
        let socket = folder.path().join("bus");
        let config = BUS.replace("SOCKET", socket.to_str().unwrap()).replace("REPOSITORY", env!("CARGO_MANIFEST_DIR"));
        std::fs::write(folder.path().join("bus.conf"), config).unwrap();
        let mut daemon = Command::new("dbus-daemon")
            .arg(format!("--config-file={}", folder.path().join("bus.conf").display()))
            .args(["--nofork", "--print-address"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // It prints its address when it listens.
        let mut line = String::new();
        BufReader::new(daemon.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let mut bus = Self { folder, _daemon: Process(daemon), polkit: None, agent: None };
        if with_polkit {
            // polkitd reads its actions from one fixed folder: in a mount namespace of its
            // own that is the repository's.
            let script = "mount --bind \"$0\" /usr/share/polkit-1/actions && exec /usr/lib/polkit-1/polkitd --no-debug";
            let actions = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/polkit-1");
            let child =
                bus.command("unshare").args(["--mount", "sh", "-c", script, actions]).stderr(Stdio::null()).spawn().unwrap();
            bus.polkit = Some(Process(child));
        }
        bus
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("DBUS_SYSTEM_BUS_ADDRESS", self.address()).stdin(Stdio::null());
        command
    }

    fn address(&self) -> String {
        format!("unix:path={}", self.folder.path().join("bus").display())
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    fn configure(&self, text: &str) {
        let folder = self.root().join("etc/kaapana/config");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(".new"), text).unwrap();
        std::fs::rename(folder.join(".new"), folder.join("10.toml")).unwrap();
    }

    /// Puts a password into a folder, as a configuration management would.
    fn password(&self, folder: &str, name: &str, text: &str) -> PathBuf {
        let folder = self.folder.path().join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        let (new, file) = (folder.join(".new"), folder.join(name));
        std::fs::write(&new, text).unwrap();
        std::fs::set_permissions(&new, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        std::fs::rename(new, &file).unwrap();
        file
    }

    fn start_agent(&mut self) {
        std::fs::create_dir_all(self.root()).unwrap();
        let child = self
            .command(env!("CARGO_BIN_EXE_kaapana-agent"))
            // As systemd does, whether there is one or not.
            .env("CREDENTIALS_DIRECTORY", self.folder.path().join("systemd"))
            .arg("--root")
            .arg(self.root())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.agent = Some(Process(child));
    }

    async fn connect(&self) -> Connection {
        zbus::connection::Builder::address(self.address().as_str()).build().await.unwrap()
    }

    /// Waits until the agent publishes what is asked for.
    async fn wait(
        &self,
        holds: impl Fn(&kaapana_agent::agent::publish::Published) -> bool,
    ) -> kaapana_agent::agent::publish::Published {
        let (connection, signals) = (self.connect().await, self.connect().await);
        let mut changes = Changes::listen(&signals).await.unwrap();
        let manager =
            ManagerProxy::builder(&connection).cache_properties(zbus::proxy::CacheProperties::No).build().await.unwrap();
        let waiting = async {
            loop {
                if let Some(published) = describe(&manager).await.unwrap()
                    && holds(&published)
                {
                    return published;
                }
                assert!(changes.next().await);
            }
        };
        tokio::time::timeout(MOMENT, waiting).await.expect("it is published in time")
    }

    /// Waits until a name is owned.
    async fn wait_for_name(&self, name: &str) {
        use futures_util::StreamExt as _;
        let connection = self.connect().await;
        let bus = zbus::fdo::DBusProxy::new(&connection).await.unwrap();
        let mut owners = bus.receive_name_owner_changed().await.unwrap();
        let waiting = async {
            while !bus.name_has_owner(name.try_into().unwrap()).await.unwrap() {
                owners.next().await;
            }
        };
        tokio::time::timeout(MOMENT, waiting).await.unwrap_or_else(|_| panic!("nobody owns {name}"));
    }

    fn ctl(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.command(env!("CARGO_BIN_EXE_kaapanactl")).args(arguments).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.code().unwrap_or(-1), text)
    }

    /// As an ordinary user.
    fn ctl_as_nobody(&self, arguments: &[&str]) -> (i32, String) {
        // The program lies in a folder of root's.
        let copy = self.folder.path().join("kaapanactl");
        std::fs::copy(env!("CARGO_BIN_EXE_kaapanactl"), &copy).unwrap();
        let output = self
            .command("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(&copy)
            .args(arguments)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.code().unwrap_or(-1), text)
    }
}

const GOOD: &str = "[platform]\nversion = \"0.6.0\"\ndomain = \"kaapana.example.org\"\n[registry]\nurl = \"registry.example.org\"\n[agent]\nsettle = \"100ms\"\n";

fn has_polkit() -> bool {
    let there = PathBuf::from("/usr/lib/polkit-1/polkitd").exists() && rustix::process::geteuid().is_root();
    assert!(there, "polkitd is not installed, or this does not run as root: make ready");
    there
}

#[tokio::test]
async fn without_a_node_it_answers_and_says_what_it_waits_for() {
    assert!(has_polkit());
    let mut bus = Bus::start(true);
    bus.wait_for_name("org.freedesktop.PolicyKit1").await;
    assert_eq!(bus.ctl(&["status"]).0, 3, "nobody answers yet");
    bus.start_agent();
    bus.wait_for_name("ai.kaapana.Agent1").await;
    let published = bus.wait(|p| p.phase == Phase::Unconfigured && !p.conditions.is_empty()).await;
    assert_eq!(published.generation, 0);
    assert!(bus.ctl(&["deploy"]).1.contains("no platform is configured"));

    bus.configure(GOOD);
    let published = bus.wait(|p| p.generation == 1 && p.holds.iter().any(|hold| hold.reason == "helm.binary")).await;
    assert_eq!(published.phase, Phase::Blocked);
    let (code, text) = bus.ctl(&["deploy"]);
    assert!(code == 1 && text.contains("there is no helm binary"), "{code} {text}");

    bus.wait(|p| p.conditions.iter().any(|check| check.id == "system.memory" && check.reason != "Pending")).await;
    let (code, text) = bus.ctl(&["values"]);
    assert!(code == 0 && text.contains("global.http_port = \"80\"") && text.contains("password = \"********\""), "{code} {text}");
    let (_, json) = bus.ctl(&["values", "--json"]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap()["global.hostname"], "kaapana.example.org", "{json}");

    bus.configure(&GOOD.replace("version", "versoin"));
    let published = bus.wait(|p| !p.config_error.is_empty()).await;
    assert!(published.config_error.contains("10.toml:2:1: platform.versoin: unknown key (did you mean platform.version?)"));
    assert_eq!(published.generation, 1, "the last good generation stays in force");

    // A second agent does not take the first one's place.
    let second = bus.command(env!("CARGO_BIN_EXE_kaapana-agent")).arg("--root").arg(bus.root()).output().unwrap();
    let text = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(second.status.code() == Some(1) && text.contains("is another kaapana-agent running?"), "{text}");
    // Nor one with another memory.
    let elsewhere = tempfile::tempdir().unwrap();
    let second = bus.command(env!("CARGO_BIN_EXE_kaapana-agent")).arg("--root").arg(elsewhere.path()).output().unwrap();
    let text = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(second.status.code() == Some(1) && text.contains("is another kaapana-agent running?"), "{text}");

    // Killed and started again it remembers.
    bus.agent = None;
    bus.configure("");
    bus.start_agent();
    bus.wait_for_name("ai.kaapana.Agent1").await;
    let published = bus.wait(|p| p.config_error.contains("is empty")).await;
    assert_eq!(published.generation, 1);
    bus.configure(GOOD);
    bus.wait(|p| p.config_error.is_empty() && p.conditions.iter().any(|c| c.id == "config.valid" && c.status == Status::True))
        .await;
}

#[tokio::test]
async fn a_password_that_appears_or_changes_is_an_edit_and_is_shown_nowhere() {
    assert!(has_polkit());
    let mut bus = Bus::start(true);
    bus.password("systemd", "smtp.password", "PlantedSmtp1\n");
    bus.configure(GOOD);
    bus.start_agent();
    bus.wait_for_name("ai.kaapana.Agent1").await;
    bus.wait(|p| p.generation == 1).await;
    let file = bus.password("root/etc/kaapana/credentials", "registry.password", "PlantedRegistry1\n");
    bus.wait(|p| p.generation == 2).await;
    bus.password("root/etc/kaapana/credentials", "registry.password", "PlantedRegistry2\n");
    bus.wait(|p| p.generation == 3).await;
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let published = bus.wait(|p| !p.config_error.is_empty()).await;
    let expected = format!("{0}: is readable by others (mode 0644) (chmod 0600 {0})", file.display());
    assert_eq!((published.config_error, published.generation), (expected, 3), "the last good generation stays in force");
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    bus.wait(|p| p.config_error.is_empty()).await;
    // What does not count is told. The credential was read, and so there is something to say of the file.
    bus.password("root/etc/kaapana/credentials", "smtp.password", "PlantedSmtp2\n");
    let warned = |p: &kaapana_agent::agent::publish::Published| {
        p.conditions
            .iter()
            .any(|check| check.id == "config.valid" && check.message.contains("smtp.password is a credential of the service"))
    };
    assert_eq!(bus.wait(warned).await.generation, 3);
    for arguments in [&["status", "--json"][..], &["plan", "--json"], &["values"], &["why"]] {
        let (_, text) = bus.ctl(arguments);
        assert!(!text.is_empty() && !text.contains("Planted"), "{text}");
    }
}

#[tokio::test]
async fn polkit_decides_for_the_caller() {
    assert!(has_polkit());
    let mut bus = Bus::start(true);
    bus.wait_for_name("org.freedesktop.PolicyKit1").await;
    bus.configure(GOOD);
    bus.start_agent();
    bus.wait_for_name("ai.kaapana.Agent1").await;
    bus.wait(|p| p.generation == 1).await;
    assert_eq!(bus.ctl_as_nobody(&["status"]).0, 1, "reading is free");
    for arguments in [&["pause", "why"][..], &["deploy"], &["undeploy"], &["reload"], &["resume"]] {
        let (code, text) = bus.ctl_as_nobody(arguments);
        assert!(code == 4 && text.contains("not authorized"), "{arguments:?}: {code} {text}");
    }
    assert_eq!(bus.ctl(&["pause", "the disks are being replaced", "--for", "1h"]).0, 0, "root may");
    let published = bus.wait(|p| p.phase == Phase::Paused).await;
    assert_eq!(published.pause_reason, "the disks are being replaced");
    assert_eq!(bus.ctl(&["status"]).0, 5);
    assert_eq!(bus.ctl(&["resume"]).0, 0);
    assert_eq!(bus.ctl(&["resume"]).0, 2, "nothing to do");
    assert_eq!(bus.ctl(&["undeploy"]).0, 2, "nothing is deployed, which is remembered");
    let published = bus.wait(|p| p.phase == Phase::Undeployed).await;
    assert_eq!(published.desired_state, "undeployed");
}

#[tokio::test]
async fn without_polkit_nobody_may_and_reading_is_free() {
    assert!(has_polkit());
    let mut bus = Bus::start(false);
    bus.configure(GOOD);
    bus.start_agent();
    bus.wait_for_name("ai.kaapana.Agent1").await;
    bus.wait(|p| p.generation == 1).await;
    let (code, text) = bus.ctl(&["pause", "why"]);
    assert!(code == 4 && text.contains("nobody is authorized"), "{code} {text}");
    assert!(bus.wait(|_| true).await.pause_reason.is_empty(), "nothing happened");
}

#[tokio::test]
async fn calls_with_unknown_or_wrong_options_are_refused_by_name() {
    assert!(has_polkit());
    let mut bus = Bus::start(true);
    bus.start_agent();
    bus.wait_for_name("ai.kaapana.Agent1").await;
    let connection = bus.connect().await;
    let manager = ManagerProxy::new(&connection).await.unwrap();
    let refused = |error: zbus::Error| match error {
        zbus::Error::MethodError(name, text, _) => format!("{name}: {}", text.unwrap_or_default()),
        other => other.to_string(),
    };
    let error = refused(manager.deploy(HashMap::from([("agian", Variant::from(true))])).await.unwrap_err());
    assert_eq!(
        error,
        "ai.kaapana.Agent1.Error.InvalidArgument: unknown option \"agian\", expected one of reason, again, now, stop-workflows, unlock, accept-identity-change, accept-disk-change, accept-fresh-deploy, accept-unknown-data"
    );
    let error = refused(manager.deploy(HashMap::from([("again", Variant::from("yes"))])).await.unwrap_err());
    assert_eq!(error, "ai.kaapana.Agent1.Error.InvalidArgument: the option again wants a boolean");
    let error = refused(manager.pause("a\nb", 0, HashMap::new()).await.unwrap_err());
    assert!(error.starts_with("ai.kaapana.Agent1.Error.InvalidArgument: reason wants"), "{error}");
    // A check is an object of its own, found by its path and by the object manager.
    bus.wait(|p| !p.conditions.is_empty()).await;
    let objects = zbus::fdo::ObjectManagerProxy::builder(&connection)
        .destination("ai.kaapana.Agent1")
        .path("/ai/kaapana/Agent1")
        .build()
        .await
        .unwrap();
    let check = "/ai/kaapana/Agent1/check/config_2evalid";
    let managed = objects.get_managed_objects().await.unwrap();
    assert!(managed.keys().any(|path| path.as_str() == check), "{:?}", managed.keys());
}

#[test]
fn the_command_line_without_a_bus() {
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_kaapanactl"))
            .args(arguments)
            .env("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus")
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, text) = run(&["status"]);
    assert!(code == Some(3) && text.contains("systemctl status dbus"), "{code:?} {text}");
    assert_eq!(run(&["status", "--nonsense"]).0, Some(64));
    assert_eq!(run(&["pause", "why", "--for", "soon"]).0, Some(64));
    assert_eq!(run(&["--help"]).0, Some(0));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("10.toml");
    std::fs::write(&file, GOOD).unwrap();
    assert_eq!(run(&["config", "check", file.to_str().unwrap()]).0, Some(0));
    std::fs::write(&file, GOOD.replace("0.6.0", "")).unwrap();
    let (code, text) = run(&["config", "check", folder.path().to_str().unwrap()]);
    assert!(code == Some(1) && text.contains("platform.version: is required and not set"), "{code:?} {text}");
    assert_eq!(run(&["config", "check", "/nonexistent.toml"]).0, Some(1));
}
