//! The values of each release and each special case, rendered by the real Helm with the
//! test platform's chart of that release, which refuses what is missing or of another type.
//!
//! `tests/values/rendered/` keeps what a production platform renders to, and of each case what
//! differs from it. `UPDATE_GOLDEN=1` writes it; it is reviewed like code.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use kaapana_agent::config::values::values;

use cases::{CASES, RELEASES, machine, settings};

#[path = "../values/cases.rs"]
mod cases;

fn output(command: &mut Command) -> String {
    let ended = command.output().unwrap();
    assert!(ended.status.success(), "{command:?}: {}", String::from_utf8_lossy(&ended.stderr));
    String::from_utf8(ended.stdout).unwrap()
}

/// The lines of a manifest, each behind its object; without what is random in every render.
fn lines(manifest: &str) -> Vec<String> {
    let random = |line: &str| {
        let cut = |word: &str| line.split_once(word).map(|(before, _)| format!("{before}{word}*"));
        let key = line.strip_prefix("  key: ").filter(|key| key.len() == 32).map(|_| "  key: *".to_owned());
        ["session-", "remove-secret-", "remove-kube-helm-collections-"].into_iter().find_map(cut).or(key)
    };
    let mut lines = Vec::new();
    for document in manifest.split("\n---\n") {
        let document: Vec<String> = document
            .lines()
            .filter(|line| !line.starts_with('#') && !line.contains("kaapana.example/render") && !line.trim().is_empty())
            .map(|line| random(line).unwrap_or_else(|| line.to_owned()))
            .collect();
        let of = |key: &str| document.iter().find_map(|line| line.strip_prefix(key)).unwrap_or_default().trim().to_owned();
        let object = format!("{} {}", of("kind:"), of("  name:"));
        lines.extend(document.iter().map(|line| format!("{object} | {line}")));
    }
    lines
}

/// As `diff` tells it, by lines; what only moved is the same.
fn difference(before: &[String], now: &[String]) -> String {
    let count = |of: &[String], line: &String| of.iter().filter(|other| *other == line).count();
    let mut told = String::new();
    let mut tell = |sign: char, of: &[String], others: &[String]| {
        let mut seen = std::collections::BTreeSet::new();
        for line in of.iter().filter(|line| seen.insert(*line)) {
            for _ in count(others, line)..count(of, line) {
                writeln!(told, "{sign} {line}").unwrap();
            }
        }
    };
    tell('-', before, now);
    tell('+', now, before);
    told
}

#[test]
fn the_real_helm_renders_the_values_of_each_release() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let work = tempfile::tempdir().unwrap();
    let helm = output(Command::new(project.join("tests/node/node")).arg("tools")).trim().to_owned() + "/bin/helm";
    let versions: Vec<String> = RELEASES.iter().map(|release| format!("{release}.1")).collect();
    output(Command::new(project.join("tests/charts/build")).env("HELM", &helm).arg(work.path()).args(&versions));
    for (release, version) in RELEASES.iter().zip(&versions) {
        let render = |more: &str, machine| {
            let values = values(&settings(release, more), &machine).unwrap();
            let file = work.path().join("values.json");
            std::fs::write(&file, serde_json::to_vec(&values.nested()).unwrap()).unwrap();
            let chart = work.path().join(format!("charts/kaapana-admin-chart-{version}.tgz"));
            let mut command = Command::new(&helm);
            command.arg("template").arg("kaapana-admin-chart").arg(chart).arg("--values").arg(file);
            // Helm reads no other settings than these.
            lines(&output(command.env_clear().env("HOME", work.path())))
        };
        let production = render("", machine());
        let mut told = format!("# Kaapana {release}: production\n{}\n", production.join("\n"));
        for (name, _, more, adjust) in CASES.iter().filter(|case| case.1.contains(release)) {
            let mut machine = machine();
            adjust(&mut machine);
            write!(told, "\n# {name}\n{}", difference(&production, &render(more, machine))).unwrap();
        }
        let golden = project.join(format!("tests/values/rendered/{release}.golden"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::create_dir_all(golden.parent().unwrap()).unwrap();
            std::fs::write(&golden, &told).unwrap();
        }
        let known = std::fs::read_to_string(&golden).unwrap_or_default();
        let wrong = difference(
            &known.lines().map(str::to_owned).collect::<Vec<_>>(),
            &told.lines().map(str::to_owned).collect::<Vec<_>>(),
        );
        assert_eq!(wrong, "", "{release}");
    }
}
