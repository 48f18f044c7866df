//! From settings to the values given to Helm, by a table of data for each
//! Kaapana release (`packaging/values/`).

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::derived::{Machine, derived};
use super::settings::{MASK, Settings, has_login, looks_secret};

/// The tables, one for each supported Kaapana release (major.minor).
static TABLES: LazyLock<Vec<Table>> = LazyLock::new(|| {
    [include_str!("../../packaging/values/0.6.toml")].iter().filter_map(|text| toml::from_str(text).ok()).collect()
});

#[derive(Debug, Deserialize)]
struct Table {
    release: String,
    value: Vec<Row>,
}

#[derive(Debug, Deserialize)]
struct Row {
    path: String,
    key: Option<String>,
    derived: Option<String>,
    #[serde(rename = "type")]
    kind: RowType,
    #[serde(default)]
    secret: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RowType {
    String,
    Bool,
    List,
}

/// The values of a deployment: dotted Helm path → value. Holds secrets.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Values {
    flat: BTreeMap<String, Json>,
}

impl std::fmt::Debug for Values {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.flat.keys()).finish()
    }
}

/// No table for this version of the platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("version {version} of the platform is not supported, expected one of the releases {}", supported.join(", "))]
pub struct UnsupportedVersion {
    /// What was asked for.
    pub version: String,
    /// The releases for which there is a table.
    pub supported: Vec<String>,
}

/// The configuration key that sets a Helm path in any release, if one does.
#[must_use]
pub fn key_of_path(path: &str) -> Option<&'static str> {
    TABLES.iter().flat_map(|table| &table.value).find(|row| row.path == path).and_then(|row| row.key.as_deref())
}

/// Major and minor version: `0.6` of `0.6.2-rc1`.
#[must_use]
pub fn release_of(version: &str) -> String {
    version.split(['.', '-', '+']).take(2).collect::<Vec<_>>().join(".")
}

/// Computes the values. Pure: the same settings and machine give the same values.
///
/// # Errors
///
/// When no table exists for the platform's version.
pub fn values(settings: &Settings, machine: &Machine) -> Result<Values, UnsupportedVersion> {
    let table = table(settings)?;
    let mut flat: BTreeMap<String, Json> = table
        .value
        .iter()
        .map(|row| {
            let value = match (&row.derived, &row.key) {
                (Some(name), _) => derived(name, settings, machine),
                (None, Some(key)) => settings.get(key).map(super::settings::Value::to_json),
                (None, None) => None,
            };
            (row.path.clone(), render(row.kind, value))
        })
        .collect();
    for (path, value) in settings.extra() {
        flat.insert(path.clone(), value.to_json());
    }
    Ok(Values { flat })
}

/// Is there a table of the release that is configured?
///
/// # Errors
///
/// When there is none.
pub fn supported(settings: &Settings) -> Result<(), UnsupportedVersion> {
    table(settings).map(drop)
}

fn table(settings: &Settings) -> Result<&'static Table, UnsupportedVersion> {
    let version = settings.text("platform.version");
    let release = release_of(version);
    TABLES.iter().find(|table| table.release == release).ok_or_else(|| UnsupportedVersion {
        version: version.to_owned(),
        supported: TABLES.iter().map(|table| table.release.clone()).collect(),
    })
}

fn render(kind: RowType, value: Option<Json>) -> Json {
    match (kind, value) {
        (RowType::String, Some(Json::String(text))) => Json::String(text),
        (RowType::String, Some(Json::Null) | None) => Json::String(String::new()),
        (RowType::String, Some(other)) => Json::String(other.to_string()),
        (RowType::Bool, Some(Json::Bool(truth))) => Json::Bool(truth),
        (RowType::Bool, _) => Json::Bool(false),
        (RowType::List, Some(Json::Array(items))) => Json::Array(items),
        (RowType::List, _) => Json::Array(Vec::new()),
    }
}

impl Values {
    /// The value at a dotted path.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&Json> {
        self.flat.get(path)
    }

    /// As Helm reads them: nested maps, as JSON, which is YAML.
    #[must_use]
    pub fn nested(&self) -> Json {
        let mut root = serde_json::Map::new();
        for (path, value) in &self.flat {
            let mut parts = path.split('.').peekable();
            let mut at = &mut root;
            while let Some(part) = parts.next() {
                if parts.peek().is_none() {
                    at.insert(part.to_owned(), value.clone());
                    break;
                }
                let next = at.entry(part).or_insert_with(|| Json::Object(serde_json::Map::new()));
                if !next.is_object() {
                    *next = Json::Object(serde_json::Map::new());
                }
                let Json::Object(map) = next else { break };
                at = map;
            }
        }
        Json::Object(root)
    }

    /// The differing paths, old and new value, secrets masked.
    #[must_use]
    pub fn diff(&self, new: &Self) -> Vec<ValueChange> {
        let mut paths: Vec<&String> = self.flat.keys().chain(new.flat.keys()).collect();
        paths.sort();
        paths.dedup();
        paths
            .into_iter()
            .filter(|path| self.flat.get(*path) != new.flat.get(*path))
            .map(|path| ValueChange { path: path.clone(), old: self.shown(path), new: new.shown(path) })
            .collect()
    }

    fn shown(&self, path: &str) -> Option<String> {
        self.flat.get(path).map(|value| match value {
            value if is_secret(path) || is_login(value) => MASK.to_owned(),
            Json::String(text) => text.clone(),
            other => other.to_string(),
        })
    }

    /// Every string in the values that must not be shown.
    #[must_use]
    pub fn secrets(&self) -> Vec<String> {
        self.flat
            .iter()
            .filter(|(path, value)| is_secret(path) || is_login(value))
            .flat_map(|(path, value)| match value {
                Json::String(text) => vec![text.clone()],
                Json::Array(items) => {
                    let secret = |item: &&Json| is_secret(path) || is_login(item);
                    items.iter().filter(secret).filter_map(|item| item.as_str().map(str::to_owned)).collect()
                }
                Json::Bool(_) | Json::Null => Vec::new(),
                other => vec![other.to_string()],
            })
            .filter(|text| !text.is_empty())
            .collect()
    }
}

/// An address with user and password in it, such as a proxy's, also in a list.
fn is_login(value: &Json) -> bool {
    match value {
        Json::String(text) => has_login(text),
        Json::Array(items) => items.iter().any(is_login),
        _ => false,
    }
}

fn is_secret(path: &str) -> bool {
    looks_secret(path) || TABLES.iter().flat_map(|table| &table.value).any(|row| row.secret && row.path == path)
}

/// One differing value, as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValueChange {
    /// Helm path.
    pub path: String,
    /// What is deployed.
    pub old: Option<String>,
    /// What would be.
    pub new: Option<String>,
}

/// Bytes as hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{fragments::Fragments, keys, validate};

    fn settings(more: &str) -> Settings {
        let mut fragments = Fragments::default();
        let text = format!(
            "[platform]\nversion = \"0.6.0\"\ndomain = \"10.0.0.5\"\n[registry]\nurl = \"r.org\"\nusername = \"user\"\npassword = \"Secret1\"\n{more}"
        );
        fragments.merge_text(std::path::Path::new("/x.toml"), &text).unwrap();
        validate(&fragments).unwrap().unwrap()
    }

    fn machine() -> Machine {
        Machine {
            memory_mib: 64_000,
            gpu: false,
            node_name: "node".into(),
            server_ip: Some("10.0.0.5".into()),
            api_ip: Some("10.0.0.6".into()),
            timestamp: "2026-11-23-10-00".into(),
            oidc_client_secret: "ab".repeat(32),
        }
    }

    #[test]
    fn the_tables_are_read_and_every_row_has_a_source() {
        assert_eq!(TABLES.len(), 1, "a table that does not parse would be lost silently");
        for row in TABLES.iter().flat_map(|table| &table.value) {
            if let Some(key) = &row.key {
                assert!(keys::find(key).is_some(), "{key}");
            }
            if let Some(name) = &row.derived {
                assert!(derived(name, &settings(""), &machine()).is_some(), "{name}");
            }
            assert!(row.key.is_some() || row.derived.is_some(), "{}", row.path);
        }
    }

    #[test]
    fn every_key_that_redeploys_reaches_a_value_or_the_chart() {
        let reached = |key: &str| TABLES.iter().flat_map(|table| &table.value).any(|row| row.key.as_deref() == Some(key));
        for key in keys::KEYS.iter().filter(|key| key.effect == keys::Effect::Redeploy) {
            let of_the_chart =
                ["platform.version", "deployment.chart_path"].contains(&key.path) || key.path.ends_with("password_file");
            assert!(reached(key.path) || of_the_chart, "{}", key.path);
        }
    }

    #[test]
    fn types_are_the_charts() {
        let values = values(&settings("[network]\nhttps_port = 8443\n"), &machine()).unwrap();
        assert_eq!(values.get("global.https_port"), Some(&Json::from("8443")), "an integer fails the render");
        assert_eq!(values.get("global.gpu_support"), Some(&Json::from(false)), "the string \"false\" is truthy");
        assert_eq!(
            values.get("global.internalCidrs"),
            Some(&serde_json::json!(["10.152.183.0/24", "10.1.0.0/16", "10.0.0.5/32", "10.0.0.6/32"]))
        );
        assert_eq!(values.get("global.airflow_memory_limit"), Some(&Json::from("22400")));
        assert_eq!(values.get("global.airflow_memory_request"), Some(&Json::from("7466")));
        assert_eq!(values.nested()["global"]["hostname"], Json::from("10.0.0.5"));
    }

    #[test]
    fn a_chart_in_hand_needs_no_registry_credentials() {
        let values =
            values(&settings("[deployment]\nchart_path = \"/srv/kaapana-admin-chart-0.6.0.tgz\"\n"), &machine()).unwrap();
        assert_eq!(values.get("global.credentials_registry_password"), Some(&Json::from("")));
    }

    #[test]
    fn a_diff_masks_secrets() {
        let old = values(&settings(""), &machine()).unwrap();
        let new =
            values(&settings("[credentials.minio]\npassword = \"Planted1\"\n[network]\nhttp_port = 81\n"), &machine()).unwrap();
        let diff = old.diff(&new);
        assert_eq!(diff.len(), 2);
        assert!(!format!("{diff:?}").contains("Planted1"));
        assert_eq!((diff[1].old.as_deref(), diff[1].new.as_deref()), (Some("80"), Some("81")));
    }

    #[test]
    fn a_release_without_a_table_is_named() {
        let mut fragments = Fragments::default();
        fragments
            .merge_text(
                std::path::Path::new("/x.toml"),
                "[platform]\nversion=\"9.1.0\"\ndomain=\"a.b\"\n[registry]\nurl=\"r.org\"\n",
            )
            .unwrap();
        let settings = validate(&fragments).unwrap().unwrap();
        assert_eq!(
            values(&settings, &machine()).unwrap_err().to_string(),
            "version 9.1.0 of the platform is not supported, expected one of the releases 0.6"
        );
    }
}
