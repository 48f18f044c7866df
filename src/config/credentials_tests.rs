use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::config::{ConfigError, Directories, Settings, load, show};

/// A machine with a small configuration and both folders of credentials.
struct Machine {
    root: tempfile::TempDir,
    directories: Directories,
}

const SITE: &str =
    "[platform]\nversion = \"0.6.0\"\ndomain = \"kaapana.example.org\"\n[registry]\nurl = \"registry.example.org\"\n";

impl Machine {
    fn new(more: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        let mut directories = Directories::below(root.path());
        directories.credentials.systemd = Some(root.path().join("run/credentials/kaapana-agent.service"));
        let folders = [directories.credentials.systemd.as_ref(), directories.credentials.files.as_ref()];
        for folder in folders.into_iter().flatten().chain([&directories.paths[2]]) {
            std::fs::create_dir_all(folder).unwrap();
        }
        let machine = Self { root, directories };
        machine.write("etc/kaapana/config/10.toml", &format!("{SITE}{more}"), 0o600);
        machine
    }

    fn write(&self, path: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.root.path().join(path);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        self.write(&format!("etc/kaapana/credentials/{name}"), text, 0o600)
    }

    fn credential(&self, name: &str, text: &str) -> PathBuf {
        self.write(&format!("run/credentials/kaapana-agent.service/{name}"), text, 0o400)
    }

    fn load(&self) -> Settings {
        load(&self.directories).unwrap().unwrap()
    }

    fn said(&self, text: &str) -> String {
        text.replace(self.root.path().to_str().unwrap(), "")
    }

    fn warnings(&self) -> Vec<String> {
        self.load().warnings.iter().map(|warning| self.said(warning)).collect()
    }

    fn refusal(&self) -> String {
        let ConfigError { problems } = load(&self.directories).map(drop).unwrap_err();
        problems.iter().map(|problem| self.said(&problem.to_string())).collect::<Vec<_>>().join("\n")
    }

    fn source(&self, key: &str) -> String {
        let shown = show(&crate::config::Fragments::read(&self.directories).unwrap()).unwrap().unwrap();
        let line = shown.lines.iter().find(|line| format!("{}.{}", line.table, line.name) == key).unwrap();
        self.said(&line.source.to_string())
    }
}

#[test]
fn every_secret_key_takes_a_credential_of_systemd_and_a_file() {
    let secrets: Vec<&str> = keys::KEYS.iter().filter(|key| key.secret).map(|key| key.path).collect();
    assert!(secrets.len() >= 5);
    for key in secrets {
        let machine = Machine::new("");
        machine.file(key, "FromFile1\n");
        assert_eq!((machine.load().text(key), machine.warnings()), ("FromFile1", vec![]), "{key}");
        assert_eq!(machine.source(key), format!("file /etc/kaapana/credentials/{key}"));
        machine.credential(key, "FromSystemd1");
        assert_eq!(machine.load().text(key), "FromSystemd1", "{key}");
        assert_eq!(machine.source(key), format!("credential {key}"));
        assert_eq!(
            machine.warnings(),
            [format!(
                "{key} is a credential of the service, and that counts; /etc/kaapana/credentials/{key} has no effect: remove one of the two"
            )]
        );
        assert!(!format!("{:?}", machine.load().masked()).contains("From"), "{key} is masked");
        assert!(machine.load().secrets().contains(&"FromSystemd1".to_owned()));
    }
}

#[test]
fn what_a_fragment_says_counts_before_and_the_other_is_told() {
    let machine = Machine::new("password = \"Inline1\"\n");
    machine.file("registry.password", "FromFile1");
    assert_eq!(machine.load().text("registry.password"), "Inline1");
    assert_eq!(machine.source("registry.password"), "/etc/kaapana/config/10.toml:6");
    assert_eq!(
        machine.warnings(),
        [
            "registry.password is set in /etc/kaapana/config/10.toml:6, and that counts; /etc/kaapana/credentials/registry.password has no effect: remove one of the two"
        ]
    );

    let machine = Machine::new("");
    let named = machine.file("site", "Named1");
    machine.write("etc/kaapana/config/20.toml", &format!("[registry]\npassword_file = \"{}\"\n", named.display()), 0o600);
    machine.credential("registry.password", "FromSystemd1");
    assert_eq!(machine.load().text("registry.password"), "Named1");
    assert_eq!(machine.source("registry.password"), "file /etc/kaapana/credentials/site, named in /etc/kaapana/config/20.toml:2");
    assert_eq!(
        machine.warnings(),
        [
            "registry.password is in /etc/kaapana/credentials/site, as /etc/kaapana/config/20.toml:2 says, and that counts; /run/credentials/kaapana-agent.service/registry.password has no effect: remove one of the two"
        ]
    );
}

#[test]
fn a_key_may_name_the_very_file_and_an_empty_one_says_nothing() {
    let machine = Machine::new("password = \"\"\n");
    let file = machine.file("registry.password", "FromFile1");
    assert_eq!((machine.load().text("registry.password"), machine.warnings()), ("FromFile1", vec![]));
    machine.write("etc/kaapana/config/20.toml", &format!("[registry]\npassword_file = \"{}\"\n", file.display()), 0o600);
    assert_eq!((machine.load().text("registry.password"), machine.warnings()), ("FromFile1", vec![]));
}

#[test]
fn a_file_that_others_can_read_is_refused_with_the_chmod_to_run_also_when_it_does_not_count() {
    for more in ["", "password = \"Inline1\"\n"] {
        let machine = Machine::new(more);
        for (mode, how) in [(0o644, "readable by"), (0o640, "readable by"), (0o620, "open to")] {
            machine.write("etc/kaapana/credentials/registry.password", "FromFile1", mode);
            assert_eq!(
                machine.refusal(),
                format!(
                    "/etc/kaapana/credentials/registry.password: is {how} others (mode {mode:04o}) (chmod 0600 /etc/kaapana/credentials/registry.password)"
                )
            );
        }
        machine.file("registry.password", "FromFile1");
        machine.load();
    }
}

#[test]
fn what_is_no_password_is_refused_by_name_and_never_repeated() {
    for (content, expected) in [
        ("", "is empty (write the password into it)"),
        ("\n", "is empty (write the password into it)"),
        (&*"Planted".repeat(600), "is longer than 4096 bytes (it holds the password alone)"),
        (
            "7Planted",
            "does not start with a letter, expected a string of A-Z a-z 0-9 . _ @ ! % + = - that starts with a letter; the charts would read it as something else than a string",
        ),
        (
            "Planted word",
            "holds a character that the charts would mangle, expected a string of A-Z a-z 0-9 . _ @ ! % + = - that starts with a letter",
        ),
    ] {
        for of_systemd in [false, true] {
            let machine = Machine::new("");
            let file =
                if of_systemd { machine.credential("smtp.password", content) } else { machine.file("smtp.password", content) };
            assert_eq!(machine.refusal(), format!("{}: {expected}", machine.said(&file.display().to_string())));
            assert!(!machine.refusal().contains("Planted"));
        }
    }
}

#[test]
fn what_is_no_file_is_refused_without_waiting_for_it() {
    let machine = Machine::new("");
    let path = machine.directories.credentials.files.clone().unwrap().join("registry.password");
    let expected = "/etc/kaapana/credentials/registry.password: is not a regular file";
    std::fs::create_dir(&path).unwrap();
    assert_eq!(machine.refusal(), expected);
    std::fs::remove_dir(&path).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
    assert_eq!(machine.refusal(), expected, "a FIFO without a writer would never open");
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("/dev/null", &path).unwrap();
    assert_eq!(machine.refusal(), expected);
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("/nowhere", &path).unwrap();
    assert_eq!(
        machine.refusal(),
        "/etc/kaapana/credentials/registry.password: cannot be read: No such file or directory (os error 2)"
    );
}

#[test]
fn a_file_of_somebody_else_is_refused() {
    let machine = Machine::new("");
    let file = machine.file("registry.password", "FromFile1");
    // Only root can give a file away.
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&file, Some(1234), None).unwrap();
        assert_eq!(
            machine.refusal(),
            "/etc/kaapana/credentials/registry.password: belongs to user 1234, expected root (chown root: /etc/kaapana/credentials/registry.password)"
        );
    }
}

#[test]
fn a_name_that_is_no_key_is_told_with_the_one_that_was_meant() {
    let machine = Machine::new("");
    for name in ["registry", "smtp.pasword", "completely-different", ".registry.password.swp", "registry.password~", "#x#"] {
        machine.file(name, "FromFile1");
    }
    let all = "registry.password, smtp.password, credentials.minio.password, credentials.grafana.password, credentials.keycloak.password";
    assert_eq!(
        machine.warnings(),
        [
            format!(
                "/etc/kaapana/credentials/completely-different is called like no key of a password and has no effect: expected one of {all}"
            ),
            "/etc/kaapana/credentials/registry is called like no key of a password and has no effect: did you mean registry.password?".into(),
            "/etc/kaapana/credentials/smtp.pasword is called like no key of a password and has no effect: did you mean smtp.password?".into(),
        ]
    );
}

#[test]
fn a_password_that_the_release_does_not_have_is_told() {
    let machine = Machine::new("");
    machine.write("etc/kaapana/config/20.toml", "[platform]\nversion = \"0.3.1\"\n", 0o600);
    machine.file("smtp.password", "FromFile1");
    assert_eq!(
        machine.warnings(),
        [
            "/etc/kaapana/credentials/smtp.password has no effect: the key exists only in the releases 0.4, 0.5, 0.6, and platform.version is of 0.3"
        ]
    );
}

#[test]
fn without_the_folders_or_a_platform_nothing_is_asked_for() {
    let machine = Machine::new("");
    std::fs::remove_dir(machine.directories.credentials.files.as_ref().unwrap()).unwrap();
    std::fs::remove_dir(machine.directories.credentials.systemd.as_ref().unwrap()).unwrap();
    assert_eq!(machine.warnings(), [""; 0]);
    let machine = Machine::new("");
    machine.write("etc/kaapana/credentials/registry.password", "FromFile1", 0o644);
    std::fs::remove_file(machine.root.path().join("etc/kaapana/config/10.toml")).unwrap();
    assert!(load(&machine.directories).unwrap().is_none());
}
