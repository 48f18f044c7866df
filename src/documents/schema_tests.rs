//! The schema against the program's own validation.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{LazyLock, Mutex};

use super::*;
use crate::config::{self, Fragments, keys};

/// Does a document fit a schema? Knows the words that this schema uses and no others.
fn fits(root: &Json, schema: &Json, document: &Json) -> bool {
    schema.as_object().unwrap().iter().all(|(word, wanted)| match word.as_str() {
        "$schema" | "$defs" | "title" | "description" | "default" => true,
        "$ref" => fits(root, root.pointer(wanted.as_str().unwrap().trim_start_matches('#')).unwrap(), document),
        "anyOf" => wanted.as_array().unwrap().iter().any(|one| fits(root, one, document)),
        "type" => match wanted {
            Json::Array(names) => names.iter().any(|name| is_of(name, document)),
            name => is_of(name, document),
        },
        "enum" => wanted.as_array().unwrap().contains(document),
        "minimum" => document.as_i64().is_none_or(|number| number >= wanted.as_i64().unwrap()),
        "maximum" => document.as_i64().is_none_or(|number| number <= wanted.as_i64().unwrap()),
        "pattern" => document.as_str().is_none_or(|text| matches(wanted.as_str().unwrap(), text)),
        "items" => document.as_array().is_none_or(|items| items.iter().all(|item| fits(root, wanted, item))),
        "properties" => document
            .as_object()
            .is_none_or(|map| map.iter().all(|(name, value)| wanted.get(name).is_none_or(|of| fits(root, of, value)))),
        "additionalProperties" => document.as_object().is_none_or(|map| {
            let more = map.iter().filter(|(name, _)| schema.get("properties").is_none_or(|known| known.get(name).is_none()));
            more.into_iter().all(|(_, value)| *wanted != Json::Bool(false) && fits(root, wanted, value))
        }),
        other => panic!("{other}: this test does not know the word"),
    })
}

fn matches(pattern: &str, text: &str) -> bool {
    static KNOWN: LazyLock<Mutex<HashMap<String, regex::Regex>>> = LazyLock::new(Mutex::default);
    let mut known = KNOWN.lock().unwrap();
    known.entry(pattern.to_owned()).or_insert_with(|| regex::Regex::new(pattern).unwrap()).is_match(text)
}

fn is_of(name: &Json, document: &Json) -> bool {
    match name.as_str().unwrap() {
        "object" => document.is_object(),
        "array" => document.is_array(),
        "string" => document.is_string(),
        "boolean" => document.is_boolean(),
        "integer" => document.is_i64(),
        "number" => document.is_number(),
        other => panic!("{other} is no type"),
    }
}

/// Does the program take this value for the key, as far as one file can tell?
fn program_takes(key: &Key, toml: &str) -> bool {
    let mut fragments = Fragments::default();
    if fragments.merge_text(Path::new("x.toml"), &format!("{} = {toml}\n", key.path)).is_err() {
        return false;
    }
    // The rules between keys are looked at only with a table [platform].
    let wrong = |problem: &config::Problem| problem.key == key.path && problem.message.contains("expected");
    config::validate(&fragments).map_or_else(|error| !error.problems.iter().any(wrong), |_| true)
}

fn schema_takes(schema: &Json, key: &str, toml: &str) -> bool {
    toml::from_str::<Json>(&format!("{key} = {toml}\n")).is_ok_and(|document| fits(schema, schema, &document))
}

/// Good and bad values of a type, in the way they stand in TOML.
fn values_of(kind: Kind) -> (Vec<String>, Vec<String>) {
    let quoted = |words: &[&str]| words.iter().map(|word| toml::Value::from(*word).to_string()).collect::<Vec<_>>();
    let listed = |words: &[&str]| words.iter().map(|word| format!("[{}]", toml::Value::from(*word))).collect::<Vec<_>>();
    let long = "a".repeat(64);
    let (good, bad) = match kind {
        Kind::Text => (quoted(&["", "Radiology, 2nd floor – test"]), quoted(&["a\nb", "\u{7f}"])),
        Kind::Bool => (vec!["true".into(), "false".into()], quoted(&["true"])),
        Kind::AutoBool => (vec!["true".into(), "\"auto\"".into()], quoted(&["", "yes"])),
        Kind::Integer(low, high) => {
            (vec![low.to_string(), high.to_string()], vec![(low - 1).to_string(), (high + 1).to_string(), "\"1\"".into()])
        }
        Kind::Choice(words) => (quoted(words), quoted(&["", "sideways"])),
        Kind::Path => (
            quoted(&["", "/", "/a", "/a//b/", "/.hidden", "/a/..b/...", "/Große Daten/x"]),
            quoted(&["a", "./a", "/a/../b", "/.", "/a/./b", "/a/..", "/a\nb", "/a/b\n"]),
        ),
        Kind::Duration => {
            (quoted(&["", "5s", "1h30m", "PT5M", "1 hour, 30 minutes", "250ms", "01:30:00"]), quoted(&["5", "soon", "-"]))
        }
        Kind::Label => (quoted(&["", "a", "a-1", &long[1..]]), quoted(&["A", "a.b", "-a", "a-", "a_b", &long])),
        Kind::ReleaseName => (quoted(&["", "kaapana-admin-chart", &long[11..]]), quoted(&["A", "-a", &long[10..]])),
        Kind::Host => (
            quoted(&["", "10.0.0.5", "::1", "fe80::1:2", "::ffff:10.0.0.5", "Kaapana.example.org", "node"]),
            quoted(&["a b", "https://a.org", "a..b", "-a.org", "a_b"]),
        ),
        Kind::Domain => (
            quoted(&["", "10.0.0.5", "::1", "kaapana.example.org", "node"]),
            quoted(&["a b", "https://a.org", "a..b", "-a.org", "a_b", "Kaapana.example.org"]),
        ),
        Kind::Quantity => (quoted(&["", "100Gi", "1.5Ti", "2T", "1048576"]), quoted(&["100 Gi", "100GB", "-1Gi", "much"])),
        Kind::Registry => (
            quoted(&["", "r.org", "r.org:5000/a/b", "10.0.0.5:5000", "r.org/kaapana_x/y.z-1"]),
            quoted(&["https://r.org", "r.org/", "r.org//a", "r.org:port", "r org"]),
        ),
        Kind::VersionTag => (quoted(&["", "v25.10.0", "25.3.0"]), quoted(&["vv1", "v", "--x", "v1 "])),
        Kind::Version => (quoted(&["", "0.6.0", "0.6.2-rc1+b.7", "1"]), quoted(&["v0.6.0", "0.6.", "0..6", "0.6 "])),
        Kind::Credential => (quoted(&["", "Kaapana2020!", "a", "a.b@c%+=-_"]), quoted(&["1a", "a b", "a#b", "ä"])),
        Kind::Paths => (
            vec!["[]".into(), "[\"/a\", \"/b/c\"]".into()],
            [listed(&["", "a", "/a/../b"]), vec!["\"/a\"".into(), "[1]".into()]].concat(),
        ),
        Kind::Cidrs => (listed(&["10.1.0.0/16", "fd00::/8"]), listed(&["", "10.1.0.0", "a/b/c"])),
        Kind::Windows => (
            listed(&["Sat,Sun 02:00-05:00 Europe/Berlin", "daily 1:30-04:00 UTC", " mon-FRI 22:00-06:00 utc "]),
            listed(&["", "Sat 02:00-05:00", "Sat 2-5 UTC", "Samstag 02:00-05:00 UTC"]),
        ),
    };
    (good, bad)
}

#[test]
fn program_and_schema_agree_on_values_of_each_type() {
    let schema = schema();
    for key in keys::KEYS {
        let (good, bad) = values_of(key.kind);
        for (values, wanted) in [(good, true), (bad, false)] {
            for toml in values {
                assert_eq!(program_takes(key, &toml), wanted, "the program: {} = {toml}", key.path);
                assert_eq!(schema_takes(&schema, key.path, &toml), wanted, "the schema: {} = {toml}", key.path);
            }
        }
    }
}

#[test]
fn every_default_and_sample_fits() {
    let schema = schema();
    let document: Json = toml::from_str(&crate::documents::example::active()).unwrap();
    assert!(fits(&schema, &schema, &document));
    for key in keys::KEYS {
        if let Some(default) = told::default_of(key) {
            assert!(schema_takes(&schema, key.path, &default), "{}: {default}", key.path);
        }
    }
}

#[test]
fn unknown_keys_are_refused_and_any_helm_value_is_not() {
    let schema = schema();
    assert!(!schema_takes(&schema, "platform.versoin", "\"0.6.0\""));
    assert!(!schema_takes(&schema, "credentials.minio.name", "\"a\""));
    assert!(!schema_takes(&schema, "something", "1"));
    assert!(!schema_takes(&schema, "platform", "1"));
    for toml in ["\"text\"", "1", "1.5", "true", "[\"a\"]", "{ deep = { deeper = 1 } }"] {
        assert!(schema_takes(&schema, "values.\"site.x\"", toml), "{toml}");
    }
    assert!(!schema_takes(&schema, "values.x", "[1]"));
    assert!(fits(&schema, &schema, &json!({})), "a fragment may be without any key");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { failure_persistence: None, ..Default::default() })]
    // What the program accepts, an editor must not mark. Texts are drawn near each type's grammar.
    #[test]
    fn what_the_program_accepts_the_schema_accepts(
        texts in (
            "/?([a.]{0,3}/){0,3}\\PC{0,3}",
            "[+-]?[0-9]{1,2}[.,]?[0-9]?( ?)(h|hrs|hours|m|min|s|sec|ms|µs|μs|ns)((, ?| )?[0-9]{1,2} ?[ms])?( ago)?",
            "(-?PT?[0-9]{0,2}[.,]?[0-9]?[DHMS]?([0-9]M)?|[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?(\\.[0-9])?)",
            "[A-Za-z0-9:.-]{0,12}",
            "[a-z0-9.]{1,6}(:[+0-9]{1,3})?(/[A-Za-z0-9._-]{0,4}){0,2}",
            "[0-9][0-9A-Za-z_.+-]{0,8}",
            "(([0-9]{1,2}\\.){3}[0-9]{1,2}|[0-9a-f]{1,2}::[0-9a-f]{0,2}(:[0-9]\\.0\\.0\\.1)?)/\\+?[0-9]{1,2}",
            "[A-Za-z][0-9A-Za-z._@!%+=# -]{0,8}",
            "( |\\t)?(daily|Mon|sat-TUE|Wed,Thu-Sun)( |\\u{3000})[+01]?[0-9]:[+0-5][0-9]-0?1?[0-9]:[0-5][0-9] (UTC|europe/berlin|Etc/GMT\\+1) ?",
        ),
        any in "\\PC{0,12}",
    ) {
        static SCHEMA: LazyLock<Json> = LazyLock::new(schema);
        let (a, b, c, d, e, f, g, h, i) = texts;
        for text in [a, b, c, d, e, f, g, h, i, any] {
            let toml = toml::Value::from(text.as_str()).to_string();
            let mut kinds: Vec<std::mem::Discriminant<Kind>> = Vec::new();
            for key in keys::KEYS {
                let kind = std::mem::discriminant(&key.kind);
                if kinds.contains(&kind) {
                    continue;
                }
                kinds.push(kind);
                for toml in [toml.clone(), format!("[{toml}]")] {
                    if program_takes(key, &toml) {
                        assert!(schema_takes(&SCHEMA, key.path, &toml), "{} = {toml}", key.path);
                    }
                }
            }
        }
    }
}
