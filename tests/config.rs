//! Every bad input, with the message that a person reads: `tests/config/bad_input.txt` holds the
//! fragments, and below each what the agent says of it. `UPDATE_GOLDEN=1` writes the answers; they
//! are reviewed like code.

#![allow(missing_docs)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use kaapana_agent::config::{self, Directories};

/// What each case stands beside, unless it stands alone.
const SITE: &str =
    "[platform]\nversion = \"0.6.0\"\ndomain = \"kaapana.example.org\"\n[registry]\nurl = \"registry.example.org/kaapana\"\n";

fn write(root: &Path, path: &str, text: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

/// What the agent says of a configuration, without the temporary folder.
fn said(root: &Path) -> Vec<String> {
    let lines = match config::load(&Directories::below(root)) {
        Err(error) => error.problems.iter().map(ToString::to_string).collect(),
        Ok(Some(settings)) => settings.warnings.iter().map(|warning| format!("warning: {warning}")).collect(),
        Ok(None) => vec!["nothing is configured".to_owned()],
    };
    lines.into_iter().map(|line: String| line.replace(root.to_str().unwrap(), "")).collect()
}

/// What is too long to be written out.
fn expand(text: &str) -> String {
    text.replace("LONG_NAME", &["sixteen-letters"; 16].join(".")).replace("LONG_LABEL", &"x".repeat(64))
}

#[test]
fn every_bad_input_gets_its_message() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config/bad_input.txt");
    let golden = std::fs::read_to_string(&file).unwrap();
    let (head, cases) = golden.split_once("\n## ").unwrap();
    let mut told = head.to_owned();
    for case in cases.split("\n## ") {
        let (name, rest) = case.split_once('\n').unwrap();
        let input: String =
            rest.lines().filter(|line| !line.starts_with("=> ") && !line.is_empty()).map(|line| format!("{line}\n")).collect();
        let root = tempfile::tempdir().unwrap();
        if !name.ends_with("(alone)") {
            write(root.path(), "etc/kaapana/config/10-site.toml", SITE);
        }
        write(root.path(), "etc/kaapana/config/20-case.toml", &expand(&input));
        let answer = said(root.path());
        assert!(!answer.is_empty(), "{name}: accepted without a word");
        write!(told, "\n## {name}\n{input}").unwrap();
        for line in answer {
            assert!(!line.contains("planted"), "{name}: a secret is repeated: {line}");
            writeln!(told, "=> {line}").unwrap();
        }
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&file, &told).unwrap();
        return;
    }
    // Line by line, so that a failure shows the one that differs.
    told.lines().zip(golden.lines()).for_each(|(told, known)| assert_eq!(told, known));
    assert_eq!(told.lines().count(), golden.lines().count());
}

#[test]
fn a_fragment_with_a_password_that_others_can_read_gives_a_warning() {
    use std::os::unix::fs::PermissionsExt as _;
    for secret in ["[registry]\npassword = \"Planted1\"\n", "[values]\n\"global.site_token\" = \"Planted1\"\n"] {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "etc/kaapana/config/10-site.toml", SITE);
        let file = write(root.path(), "etc/kaapana/config/20-secret.toml", secret);
        assert_eq!(said(root.path()), [""; 0]);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(
            said(root.path()),
            [
                "warning: /etc/kaapana/config/20-secret.toml holds a password and is readable by every user: chmod 0600 /etc/kaapana/config/20-secret.toml"
            ]
        );
    }
}

#[test]
fn a_thousand_fragments_are_read_and_one_more_is_refused() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "etc/kaapana/config/10-site.toml", SITE);
    // Each says something of its own and something that the next one says again.
    for number in 1..1000 {
        let text = format!("[values]\n\"site.key{number}\" = {number}\n\"site.again\" = {number}\n");
        write(root.path(), &format!("etc/kaapana/config/20-{number:04}.toml"), &text);
    }
    assert_eq!(said(root.path()), [""; 0]);
    let settings = config::load(&Directories::below(root.path())).unwrap().unwrap();
    assert_eq!(settings.extra().len(), 1000);
    assert_eq!(settings.extra()["site.again"].to_json(), 999);
    write(root.path(), "usr/lib/kaapana/config/30.toml", SITE);
    assert_eq!(said(root.path()), ["/etc/kaapana/config: 1001 fragments, expected at most 1000 (merge them into a few files)"]);
}

/// The program, without a bus to talk to.
fn kaapanactl(root: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kaapanactl"))
        .args(arguments)
        .arg("--root")
        .arg(root)
        .env_clear()
        .env("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere")
        .current_dir(root)
        .output()
        .unwrap()
}

fn text(root: &Path, bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap().replace(root.to_str().unwrap(), "")
}

/// Status, standard output and standard error.
fn answer(root: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = kaapanactl(root, arguments);
    (output.status.code().unwrap(), text(root, &output.stdout), text(root, &output.stderr))
}

/// A site with a value from each place a value can come from.
fn site() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let at = root.path();
    write(at, "usr/lib/kaapana/config/00-vendor.toml", "[network]\nhttps_port = 8443\n[agent]\nsettle = \"10s\"\n");
    write(at, "etc/kaapana/config/10-site.toml", &format!("{SITE}username = \"reader\"\n"));
    let more = "[network]\nhttps_port = 443\n[smtp]\npassword = \"PlantedSmtp1\"\n\
                [values]\n\"global.site_token\" = \"PlantedToken1\"\n\"site.names\" = [\"a\", \"b\"]\n";
    write(at, "etc/kaapana/config/20-more.toml", more);
    write(at, "etc/kaapana/credentials/registry.password", "PlantedRegistry1\n");
    write(at, "run/credentials/kaapana-agent.service/credentials.grafana.password", "PlantedGrafana1");
    root
}

#[test]
fn config_show_tells_each_value_and_where_it_comes_from_and_no_secret() {
    let root = site();
    let (status, told, warned) = answer(root.path(), &["config", "show", "--origin"]);
    assert_eq!((status, warned.as_str()), (0, ""), "{told}");
    assert!(!told.contains("Planted"), "{told}");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config/show_origin.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&file, &told).unwrap();
    }
    assert_eq!(told, std::fs::read_to_string(&file).unwrap_or_default());
    // Without the origins it is the same, and TOML.
    let (_, plain, _) = answer(root.path(), &["config", "show"]);
    let bare: String = told.lines().map(|line| line.split("  # ").next().unwrap().trim_end().to_owned() + "\n").collect();
    assert_eq!(plain, bare);
    toml::from_str::<toml::Table>(&plain).unwrap();
}

#[test]
fn config_check_says_that_all_is_well_or_every_problem() {
    let root = site();
    let well = "the configuration: valid, kaapana-admin-chart 0.6.0\n";
    assert_eq!(answer(root.path(), &["config", "check"]), (0, String::new(), well.into()));
    write(root.path(), "etc/kaapana/config/30-bad.toml", "[network]\nhttp_port = 443\n[data]\nfast_dirr = \"/data\"\n");
    for command in ["check", "show"] {
        let (status, told, said) = answer(root.path(), &["config", command]);
        assert_eq!((status, told.as_str()), (1, ""));
        assert_eq!(said, "/etc/kaapana/config/30-bad.toml:4:1: data.fast_dirr: unknown key (did you mean data.fast_dir?)\n");
    }
    // Alone, a file or folder is the whole configuration, and passwords that stand in no fragment do not count.
    write(root.path(), "etc/kaapana/credentials/smtp.password", "");
    let (status, _, said) = answer(root.path(), &["config", "check", "etc/kaapana/config/10-site.toml"]);
    assert_eq!((status, said.as_str()), (0, "etc/kaapana/config/10-site.toml: valid, kaapana-admin-chart 0.6.0\n"));
    let (status, told, _) = answer(root.path(), &["config", "show", "--origin", "usr/lib/kaapana/config"]);
    assert_eq!((status, told.as_str()), (0, ""), "there is no [platform] table");
    let (status, _, said) = answer(root.path(), &["config", "check", "missing.toml"]);
    assert_eq!((status, said.as_str()), (1, "missing.toml: cannot be read: No such file or directory (os error 2)\n"));
}

#[test]
fn on_a_machine_without_anything_nothing_is_configured() {
    let root = tempfile::tempdir().unwrap();
    let nothing = "the configuration: valid, but there is no [platform] table, so nothing is configured\n";
    for command in ["check", "show"] {
        assert_eq!(answer(root.path(), &["config", command]), (0, String::new(), nothing.into()));
    }
}
