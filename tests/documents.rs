//! What is generated, listed or exemplified elsewhere says what the program says.

#![allow(missing_docs)]

use std::path::{Path, PathBuf};

use kaapana_agent::config::{self, Fragments, keys};
use kaapana_agent::documents::{EXAMPLE_PATH, SCHEMA_PATH, example, introspection, reference, schema};
use kaapana_agent::planner::preflight::CHECKS;

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
fn the_documents_of_the_keys_are_what_the_program_makes() {
    for (path, made) in [
        ("docs/reference.md", reference::text()),
        ("packaging/config/kaapana-config.schema.json", schema::text()),
        ("packaging/config/kaapana.example.toml", example::text()),
    ] {
        let committed = read(path);
        // The first line alone: the whole page would hide it.
        let lines = committed.lines().map(Some).chain([None]).zip(made.lines().map(Some).chain([None]));
        for (number, (committed, made)) in lines.enumerate() {
            assert_eq!(committed, made, "{path}:{}: run `make documents` and read the difference", number + 1);
        }
        assert!(committed == made, "{path}: run `make documents` and read the difference");
    }
}

#[test]
fn the_example_names_every_key_and_is_valid() {
    let mut fragments = Fragments::default();
    fragments.merge_text(Path::new("example.toml"), &example::active()).unwrap();
    let known = keys::KEYS.iter().map(|key| key.path.to_owned()).chain(["values.global.site_banner".to_owned()]);
    let known: std::collections::BTreeSet<String> = known.collect();
    assert_eq!(fragments.entries.keys().cloned().collect::<std::collections::BTreeSet<_>>(), known);
    // Files it names do not exist here, and each stands beside the password itself.
    fragments.entries.retain(|key, _| !key.ends_with("password_file"));
    // Keys of other releases are a mistake in this one.
    let of_this = |key: &str| config::values::releases_of_key(key).is_none_or(|releases| releases.contains(&"0.6"));
    fragments.entries.retain(|key, _| of_this(key));
    if let Err(error) = config::validate(&fragments) {
        panic!("{error:?}");
    }
}

#[test]
fn the_example_as_it_is_configures_nothing() {
    let mut fragments = Fragments::default();
    fragments.merge_text(Path::new("example.toml"), &example::text()).unwrap();
    assert!(fragments.entries.is_empty() && fragments.tables.is_empty());
}

#[test]
fn the_reference_has_a_row_for_each_key_and_its_links_lead_somewhere() {
    let reference = read("docs/reference.md");
    for key in keys::KEYS {
        let row = reference.lines().find(|line| line.starts_with(&format!("| `{}` |", key.path)));
        let row = row.unwrap_or_else(|| panic!("docs/reference.md has no row for {}", key.path));
        let cells = row.replace("\\|", "").matches('|').count();
        assert_eq!(cells, 7, "{row}");
        if let Some(variable) = key.variable {
            assert!(row.contains(variable), "{}: {variable}", key.path);
        }
    }
    for link in reference.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        let (page, anchor) = link.split_once('#').unwrap_or((link, ""));
        let there =
            read(&format!("docs/{page}")).lines().any(|line| anchor.is_empty() || anchor_of(line).as_deref() == Some(anchor));
        assert!(there, "{link}");
    }
}

/// The anchor that a heading of Markdown gets.
fn anchor_of(line: &str) -> Option<String> {
    let heading = line.strip_prefix('#')?.trim_start_matches('#').trim().to_lowercase();
    Some(heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).map(|c| if c == ' ' { '-' } else { c }).collect())
}

#[test]
fn the_package_puts_the_documents_where_they_say() {
    let installed = read("debian/kaapana-agent.install");
    let folder = SCHEMA_PATH.strip_prefix('/').unwrap().rsplit_once('/').unwrap();
    assert!(installed.contains(&format!("packaging/config/{} {}\n", folder.1, folder.0)), "{SCHEMA_PATH}");
    let listed = read("packaging/check-package");
    for path in [SCHEMA_PATH, EXAMPLE_PATH, "/usr/share/man/man5/kaapana-config.5.gz"] {
        assert!(listed.contains(&format!("-rw-r--r-- {}\n", &path[1..])), "{path}");
    }
}

#[test]
fn every_check_has_its_page() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/checks");
    let pages = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut pages: Vec<String> =
        pages.filter_map(|name| name.strip_suffix(".md").map(str::to_owned)).filter(|name| name != "README").collect();
    pages.sort();
    assert_eq!(pages, CHECKS, "a page for each check, and none besides");
    let index = read("docs/checks/README.md");
    for id in CHECKS {
        assert!(index.contains(&format!("({id}.md)")), "docs/checks/README.md does not lead to {id}");
        assert!(read(&format!("docs/checks/{id}.md")).starts_with(&format!("# {id}\n")), "{id}.md has another head");
    }
}

#[test]
fn every_message_id_has_a_catalog_entry() {
    let catalog = read("packaging/catalog/kaapana-agent.catalog");
    let source = read("src/telemetry.rs");
    let ids: Vec<&str> =
        source.split('"').filter(|word| word.len() == 32 && word.chars().all(|c| c.is_ascii_hexdigit())).collect();
    assert_eq!(ids.len(), 20);
    let told = read("docs/operate.md");
    for id in ids {
        assert!(catalog.contains(&format!("-- {id}")), "{id}");
        assert!(told.contains(&format!("| `{id}` |")), "docs/operate.md does not name {id}");
    }
}
