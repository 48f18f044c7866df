//! `kaapanactl import`: scripts like those of each release against golden files, and the
//! program itself. `tests/fixtures/import/NAME` is read; `NAME.toml` is the fragment,
//! `NAME.stderr` what is said. `UPDATE_GOLDEN=1` writes them; they are reviewed like code.

#![allow(missing_docs)]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use kaapana_agent::config::import::{import, report};
use kaapana_agent::config::{Fragments, validate};

/// The fixtures, and whether all of it is carried over.
const FIXTURES: &[(&str, bool)] = &[
    ("0.2-deploy_platform.sh", false),
    ("0.3-deploy_platform.sh", true),
    ("0.4-deploy_platform.sh", false),
    ("0.5-deploy_platform.sh", false),
    ("0.6-kaapanactl.sh", false),
    // Helper functions above the settings, a case, a file that is read, and what is set twice.
    ("helpers-deploy_platform.sh", false),
    ("site.env", true),
    // Characters of the shell, and blanks around the sign.
    ("mistakes.env", false),
];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/import").join(name)
}

fn golden(name: &str, told: &str) {
    let path = fixture(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, told).unwrap();
    }
    assert_eq!(told, std::fs::read_to_string(&path).unwrap_or_default(), "{name}");
}

#[test]
fn scripts_of_each_release_become_the_golden_fragments() {
    for (name, complete) in FIXTURES {
        let imported = import(name, &std::fs::read(fixture(name)).unwrap()).unwrap();
        let told = report::report(name, &imported);
        assert_eq!(imported.is_complete(), *complete, "{name}\n{told}");
        assert!(!told.to_lowercase().contains("planted"), "{told}");
        golden(&format!("{name}.toml"), &imported.fragment);
        golden(&format!("{name}.stderr"), &told);
        let mut fragments = Fragments::default();
        fragments.merge_text(Path::new(name), &imported.fragment).unwrap();
        assert_eq!(validate(&fragments).is_ok(), imported.problems.is_empty(), "{name}");
    }
}

fn kaapanactl() -> Command {
    Command::new(env!("CARGO_BIN_EXE_kaapanactl"))
}

struct Said {
    code: i32,
    out: String,
    err: String,
}

fn run(command: &mut Command) -> Said {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said { code: output.status.code().unwrap(), out: text(&output.stdout), err: text(&output.stderr) }
}

fn write(folder: &Path, file: &Path) -> Said {
    run(kaapanactl().arg("import").arg(file).arg("--write").arg("--directory").arg(folder))
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_fragment_goes_to_standard_output_and_the_rest_to_standard_error() {
    for (name, complete) in FIXTURES {
        let said = run(kaapanactl().arg("import").arg(fixture(name)));
        assert_eq!(said.out, std::fs::read_to_string(fixture(&format!("{name}.toml"))).unwrap());
        assert_eq!(said.code, i32::from(!complete), "{name}");
        assert!(!said.err.to_lowercase().contains("planted"), "{}", said.err);
    }
}

#[test]
fn standard_input_is_read() {
    let said =
        run(kaapanactl().args(["import", "-"]).write_stdin("DOMAIN=a.b\nPLATFORM_VERSION=0.6.0\nCONTAINER_REGISTRY_URL=r.org"));
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.out.starts_with("# Made by `kaapanactl import` from standard input.\n"), "{}", said.out);
    assert!(said.out.contains("domain = \"a.b\""));
    assert!(said.err.starts_with("standard input: 3 settings carried over\n"), "{}", said.err);
}

#[test]
fn a_whole_fragment_is_installed_for_its_owner_alone_and_never_over_another() {
    let folder = tempfile::tempdir().unwrap();
    let said = write(folder.path(), &fixture("site.env"));
    assert_eq!((said.code, said.out.as_str()), (0, ""), "{}", said.err);
    // It is not the directory of the agent that runs here.
    assert!(said.err.contains("(mode 0600)\n") && !said.err.contains("The agent reads it by itself"), "{}", said.err);
    assert_eq!(names(folder.path()), ["10-imported.toml"]);
    let file = folder.path().join("10-imported.toml");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o600);
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(text, std::fs::read_to_string(fixture("site.env.toml")).unwrap());

    std::fs::write(&file, "# mine\n").unwrap();
    let said = write(folder.path(), &fixture("site.env"));
    assert_eq!(said.code, 1);
    assert!(said.err.contains("10-imported.toml exists already and is not overwritten; remove it,"), "{}", said.err);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "# mine\n");
    std::fs::remove_file(&file).unwrap();
    // Also not over a link that leads nowhere.
    std::os::unix::fs::symlink("/nonexistent/x", &file).unwrap();
    assert_eq!(write(folder.path(), &fixture("site.env")).code, 1);
    assert_eq!(names(folder.path()), ["10-imported.toml"]);
}

#[test]
fn nothing_is_installed_that_is_not_whole_or_not_valid() {
    for (name, why) in [
        ("0.2-deploy_platform.sh", "not carried over: DOMAIN (platform.domain), line 83: is set in the function ask_domain only"),
        ("0.4-deploy_platform.sh", "not carried over: SLOW_DATA_DIR (data.slow_dir), line 19"),
        ("0.5-deploy_platform.sh", "not carried over: SMTP_PORT (smtp.port), line 30"),
        ("0.5-deploy_platform.sh", "not read: line 38 reads ./site.env, which is not followed"),
        ("mistakes.env", "not carried over: GRAFANA_PASSWORD (credentials.grafana.password), line 6"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let said = write(folder.path(), &fixture(name));
        assert_eq!((said.code, said.out.as_str()), (1, ""), "{name}");
        let after = said.err.split("nothing was written").nth(1).unwrap();
        assert!(after.contains(why), "{}", said.err);
        assert!(!said.err.to_lowercase().contains("planted"), "{}", said.err);
        assert_eq!(names(folder.path()), Vec::<String>::new());
    }
}

#[test]
fn the_fragments_that_are_there_count() {
    let folder = tempfile::tempdir().unwrap();
    let site = folder.path().join("50-site.toml");
    // What the script does not say stands in another fragment.
    std::fs::write(&site, "[platform]\ndomain = \"kaapana.example.org\"\n").unwrap();
    let said = write(folder.path(), &fixture("0.2-deploy_platform.sh"));
    assert_eq!(said.code, 0, "{}", said.err);
    std::fs::remove_file(folder.path().join("10-imported.toml")).unwrap();
    // A password that is set to nothing is not set; a file of it says it.
    let script = folder.path().join("script");
    let text = std::fs::read_to_string(fixture("site.env")).unwrap();
    std::fs::write(&script, text.replace("Planted-grafana.1", "$(cat /root/pw)")).unwrap();
    std::fs::write(&site, "[credentials.grafana]\npassword = \"\"\n").unwrap();
    assert_eq!(write(folder.path(), &script).code, 1);
    let password = folder.path().join("pw");
    std::fs::write(&password, "Planted-grafana.1\n").unwrap();
    std::fs::set_permissions(&password, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(&site, format!("[credentials.grafana]\npassword_file = \"{}\"\n", password.display())).unwrap();
    let said = write(folder.path(), &script);
    assert_eq!(said.code, 0, "{}", said.err);
    for file in ["10-imported.toml", "script", "pw"] {
        std::fs::remove_file(folder.path().join(file)).unwrap();
    }
    // What does not go together is told, with the file it stands in.
    std::fs::write(&site, "[data]\nslow_dir = \"/data/fast/slow\"\n").unwrap();
    let said = write(folder.path(), &fixture("site.env"));
    assert_eq!(said.code, 1, "{}", said.err);
    assert!(said.err.contains("50-site.toml:2:1: data.slow_dir: "), "{}", said.err);
    assert_eq!(names(folder.path()), ["50-site.toml"]);
}

#[test]
fn what_cannot_be_read_or_written_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let said = run(kaapanactl().args(["import", "/nonexistent/deploy.sh"]));
    assert_eq!((said.code, said.out.as_str()), (1, ""));
    assert!(said.err.starts_with("kaapanactl: /nonexistent/deploy.sh cannot be read: "), "{}", said.err);
    let said = run(kaapanactl().arg("import").arg(folder.path()));
    assert_eq!(said.code, 1, "{}", said.err);
    let said = write(&folder.path().join("none"), &fixture("site.env"));
    assert_eq!(said.code, 1);
    assert!(said.err.contains("none/10-imported.toml cannot be written: "), "{}", said.err);
    let said = run(kaapanactl().args(["import", "-"]).write_stdin("A='\n"));
    assert_eq!(said.code, 1);
    assert_eq!(said.err, "kaapanactl: standard input: line 1: a single quote is opened here and never closed\n");
    for wrong in [vec!["import"], vec!["import", "-", "--directory", "/tmp"], vec!["import", "a", "b"]] {
        assert_eq!(run(kaapanactl().args(wrong)).code, 64);
    }
}

#[test]
fn half_a_fragment_is_a_failure() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_kaapanactl"));
    let output = command.arg("import").arg(fixture("site.env")).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("could not be written as a whole"));
}

#[test]
fn a_file_of_passwords_that_others_can_read_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.toml");
    for (mode, text, told) in [
        (0o644, "SMTP_PASSWORD=Planted1\n", true),
        (0o644, "http_proxy=http://u:planted@p:1\n", true),
        (0o600, "SMTP_PASSWORD=Planted1\n", false),
        (0o644, "SMTP_HOST=a.b\n", false),
    ] {
        let script = folder.path().join("script");
        std::fs::write(&script, text).unwrap();
        let out = std::fs::File::create(&path).unwrap();
        out.set_permissions(std::fs::Permissions::from_mode(mode)).unwrap();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_kaapanactl"));
        let output = command.arg("import").arg(&script).stdout(out).output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(err.contains("open to others (mode 0644): chmod 0600 it"), told, "{mode:o} {text} {err}");
    }
}

#[test]
fn nothing_of_the_script_is_run() {
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("made").display().to_string();
    let script = format!("DOMAIN=$(touch {made})\nSMTP_HOST=`touch {made}`\ntouch {made}\nX=\"${{Y:-$(touch {made})}}\"\n");
    run(kaapanactl().args(["import", "-"]).write_stdin(script));
    assert_eq!(names(folder.path()), Vec::<String>::new());
}
