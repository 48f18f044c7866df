//! What is generated, listed or exemplified elsewhere says what the program says.

#![allow(missing_docs)]

use std::path::{Path, PathBuf};

use kaapana_agent::config::{self, Fragments, keys};
use kaapana_agent::documents::introspection;

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(repository(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn the_introspection_files_are_what_the_daemon_says() {
    for (name, xml) in introspection() {
        let committed = read(&format!("packaging/dbus-1/interfaces/{name}.xml"));
        assert_eq!(committed, xml, "run `make documents` and read the difference");
        let members = xml.matches("<method ").count() + xml.matches("<property ").count() + xml.matches("<signal ").count();
        assert_eq!(xml.matches("<!--\n").count(), members, "each member of {name} has a text");
    }
}

#[test]
fn the_example_names_every_key_and_is_valid() {
    let example = read("packaging/config/kaapana.example.toml");
    let mut active = String::new();
    for line in example.lines() {
        let bare =
            line.strip_prefix('#').filter(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '[' || c == '"'));
        active += bare.unwrap_or(if line.starts_with('#') { "" } else { line });
        active.push('\n');
    }
    let mut fragments = Fragments::default();
    fragments.merge_text(Path::new("example.toml"), &active).unwrap();
    for key in keys::KEYS {
        assert!(
            fragments.entries.contains_key(key.path) || example.contains(key.path.rsplit('.').next().unwrap()),
            "{}",
            key.path
        );
    }
    // Files it names do not exist here.
    fragments.entries.retain(|key, _| !key.ends_with("password_file"));
    // Keys of other releases are a mistake in this one.
    let of_this = |key: &str| config::values::releases_of_key(key).is_none_or(|releases| releases.contains(&"0.6"));
    fragments.entries.retain(|key, _| of_this(key));
    if let Err(error) = config::validate(&fragments) {
        panic!("{error:?}");
    }
}

#[test]
fn the_reference_has_a_row_for_each_key() {
    let reference = read("docs/configure.md");
    for key in keys::KEYS {
        let row = reference.lines().find(|line| line.starts_with(&format!("| `{}` |", key.path)));
        let row = row.unwrap_or_else(|| panic!("docs/configure.md has no row for {}", key.path));
        if let Some(variable) = key.variable {
            assert!(row.contains(variable), "{}: {variable}", key.path);
        }
    }
}

#[test]
fn every_check_has_its_place_in_the_documentation() {
    let page = read("docs/checks.md");
    let source = read("src/planner/preflight.rs");
    let ids = source.split('"').filter(|word| {
        ["config.", "microk8s.", "helm.", "system.", "gpu.", "chart.", "platform.", "agent.", "disk."]
            .iter()
            .any(|head| word.starts_with(head))
            && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.')
    });
    let mut count = 0;
    for id in ids.filter(|id| keys::find(id).is_none()) {
        assert!(page.contains(id), "docs/checks.md does not know {id}");
        count += 1;
    }
    assert!(count >= 12, "the ids were not found in the source");
}

#[test]
fn every_message_id_has_a_catalog_entry() {
    let catalog = read("packaging/catalog/kaapana-agent.catalog");
    let source = read("src/telemetry.rs");
    let ids: Vec<&str> =
        source.split('"').filter(|word| word.len() == 32 && word.chars().all(|c| c.is_ascii_hexdigit())).collect();
    assert_eq!(ids.len(), 17);
    for id in ids {
        assert!(catalog.contains(&format!("-- {id}")), "{id}");
    }
}
