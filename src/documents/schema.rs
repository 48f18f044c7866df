//! `packaging/config/kaapana-config.schema.json`: a JSON Schema of one fragment, for editors.
//!
//! What the program accepts, the schema accepts. The other way round it may be weaker: it knows
//! one file and none of the rules between keys. (Left out on purpose: a whole path in quotes,
//! `"platform.name" = …`, which the program takes for the key; no editor should propose it.)

use serde_json::{Map, Value as Json, json};

use super::told;
use crate::config::keys::{Key, Kind};
use crate::config::notes;

/// The schema, as text.
#[must_use]
pub fn text() -> String {
    format!("{:#}\n", schema())
}

fn schema() -> Json {
    let mut root = table("One file of the configuration. All files are merged: none has to hold all that is required.");
    for group in notes::GROUPS {
        for path in group.tables {
            let mut at = &mut root;
            for name in path.split('.') {
                at = below(at, name);
            }
            at["description"] = told::markdown(group.intro).into();
            for key in told::keys_of(path) {
                at["properties"][key.path.rsplit('.').next().unwrap_or(key.path)] = property(key);
            }
        }
    }
    root["properties"]["values"] = json!({
        "description": told::markdown(notes::VALUES),
        "type": "object",
        "additionalProperties": { "$ref": "#/$defs/value" },
    });
    root["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    root["title"] = "Configuration of kaapana-agent".into();
    // A path may be written in quotes or as tables in tables.
    root["$defs"] = json!({ "value": { "anyOf": [
        { "type": ["string", "number", "boolean"] },
        { "type": "array", "items": { "type": "string" } },
        { "type": "object", "additionalProperties": { "$ref": "#/$defs/value" } },
    ] } });
    root
}

fn table(description: &str) -> Json {
    json!({ "description": description, "type": "object", "additionalProperties": false, "properties": {} })
}

/// The table of this name in a table, made when it is not there yet.
fn below<'j>(at: &'j mut Json, name: &str) -> &'j mut Json {
    let inner = &mut at["properties"][name];
    if inner.is_null() {
        *inner = table("");
    }
    inner
}

fn property(key: &Key) -> Json {
    let variable = key.variable.map(|variable| format!(" Replaces `{variable}` of the script."));
    let mut property = type_of(key.kind);
    property.insert("description".into(), (told::markdown(&told::meaning_of(key)) + &variable.unwrap_or_default()).into());
    // A default in TOML is the same in JSON.
    if let Some(default) = told::default_of(key).and_then(|text| serde_json::from_str(&text).ok()) {
        property.insert("default".into(), default);
    }
    property.into_iter().collect()
}

/// What the schema asks of a type. An empty string means "not set" where a string is free.
fn type_of(kind: Kind) -> Map<String, Json> {
    // Of an address the schema knows the letters, of a time span no more than that it has a number and a unit.
    let label = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?";
    let small = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";
    let name = format!("{label}(?:\\.{label})*");
    let network = "^[0-9A-Fa-f:.]+/[0-9+]+$";
    match kind {
        Kind::Text => string("^[^\\x00-\\x1f\\x7f-\\x9f]*$"),
        Kind::Bool => object(json!({ "type": "boolean" })),
        Kind::AutoBool => object(json!({ "enum": ["auto", true, false] })),
        Kind::Integer(low, high) => object(json!({ "type": "integer", "minimum": low, "maximum": high })),
        Kind::Choice(words) => object(json!({ "type": "string", "enum": words })),
        Kind::Path => string(&format!("^(?:{PATH})?$")),
        Kind::Duration => string("^$|^[\\sA-Za-zµμ0-9.,:+-]*[0-9][.,]?\\s*[A-Za-zµμ:][\\sA-Za-zµμ0-9.,:+-]*$"),
        Kind::Label => string("^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)?$"),
        Kind::ReleaseName => string("^(?:[a-z0-9](?:[a-z0-9-]{0,51}[a-z0-9])?)?$"),
        Kind::Host => string(&format!("^$|^{name}$|^[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*$")),
        Kind::Domain => string(&format!("^$|^{small}(?:\\.{small})*$|^[0-9a-f.]*:[0-9a-f:.]*$")),
        Kind::Quantity => string("^(?:[0-9]+(?:\\.[0-9]*)?|\\.[0-9]+)(?:[KMGTPE]i|[kMGTPE])?$|^$"),
        Kind::Registry => string(&format!("^$|^{name}(?::[0-9+]+)?(?:/[A-Za-z0-9._-]+)*$")),
        Kind::VersionTag => string("^(?:v?[0-9][A-Za-z0-9_]*(?:[.+-][A-Za-z0-9_]+)*)?$"),
        Kind::Version => string("^(?:[0-9][A-Za-z0-9_]*(?:[.+-][A-Za-z0-9_]+)*)?$"),
        Kind::Credential => string("^(?:[A-Za-z][A-Za-z0-9._@!%+=-]*)?$"),
        Kind::Paths => list(&format!("^{PATH}$")),
        Kind::Cidrs => list(network),
        Kind::Windows => list(&format!("^\\s*{DAYS}(?:,{DAYS})*\\s+{TIME}-{TIME}\\s+\\S+\\s*$")),
    }
}

/// An absolute path without control characters and without a part `.` or `..`, in words that
/// every engine knows (none that look ahead).
const PATH: &str = "(?:/(?:[^/.\\x00-\\x1f\\x7f-\\x9f][^/\\x00-\\x1f\\x7f-\\x9f]*\
                    |\\.[^/.\\x00-\\x1f\\x7f-\\x9f][^/\\x00-\\x1f\\x7f-\\x9f]*\
                    |\\.\\.[^/\\x00-\\x1f\\x7f-\\x9f]+)?)+";

const DAYS: &str = "(?:daily|[A-Za-z]{3}(?:-[A-Za-z]{3})?)";

const TIME: &str = "[0-9+]+:[0-9+]{2}";

fn string(pattern: &str) -> Map<String, Json> {
    object(json!({ "type": "string", "pattern": pattern }))
}

fn list(pattern: &str) -> Map<String, Json> {
    object(json!({ "type": "array", "items": string(pattern) }))
}

fn object(json: Json) -> Map<String, Json> {
    match json {
        Json::Object(map) => map,
        other => Map::from_iter([("const".to_owned(), other)]),
    }
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
