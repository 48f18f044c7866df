//! The Helm values of each release and of each special case, against golden files in
//! `tests/values/`: the whole of a production platform, and of each case what differs from it.
//! `UPDATE_GOLDEN=1` writes them; they are reviewed like code.

#![allow(missing_docs)]

use std::fmt::Write as _;
use std::path::Path;

use cases::{CASES, RELEASES, machine, settings};
use kaapana_agent::config::values::{Values, values};
use serde_json::Value as Json;

#[path = "values/cases.rs"]
mod cases;

fn lines(values: &Values) -> Vec<String> {
    fn walk(path: &str, value: &Json, lines: &mut Vec<String>) {
        match value {
            Json::Object(map) => map.iter().for_each(|(key, value)| {
                walk(&if path.is_empty() { key.clone() } else { format!("{path}.{key}") }, value, lines);
            }),
            other => lines.push(format!("{path} = {other}")),
        }
    }
    let mut lines = Vec::new();
    walk("", &values.nested(), &mut lines);
    lines
}

#[test]
fn the_values_of_each_release_are_as_the_golden_files_say() {
    for release in RELEASES {
        let production = lines(&values(&settings(release, ""), &machine()).unwrap());
        let mut told = format!("# Kaapana {release}: production\n{}\n", production.join("\n"));
        for (name, _, more, adjust) in CASES.iter().filter(|case| case.1.contains(release)) {
            let mut machine = machine();
            adjust(&mut machine);
            let case = lines(&values(&settings(release, more), &machine).unwrap());
            writeln!(told, "\n# {name}").unwrap();
            production.iter().filter(|line| !case.contains(line)).for_each(|line| writeln!(told, "- {line}").unwrap());
            case.iter().filter(|line| !production.contains(line)).for_each(|line| writeln!(told, "+ {line}").unwrap());
        }
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/values/{release}.golden"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::create_dir_all(golden.parent().unwrap()).unwrap();
            std::fs::write(&golden, &told).unwrap();
        }
        let known = std::fs::read_to_string(&golden).unwrap_or_default();
        assert_eq!(told, known, "{release}");
    }
}
