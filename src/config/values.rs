//! From settings to the values given to Helm, by one table of data for all Kaapana
//! releases (`packaging/values/values.toml`).

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::derived::{Machine, derived};
use super::settings::{MASK, Settings, has_login, looks_secret};

/// What each key becomes, in each supported Kaapana release (major.minor).
static TABLE: LazyLock<Table> = LazyLock::new(|| {
    toml::from_str(include_str!("../../packaging/values/values.toml")).expect("the table is part of the program")
});

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    releases: Vec<String>,
    value: Vec<Row>,
}

impl Table {
    /// The rows of a release.
    fn of<'t>(&'t self, release: &'t str) -> impl Iterator<Item = &'t Row> {
        let at = |name: &str| self.releases.iter().position(|known| known == name);
        let number = at(release);
        self.value.iter().filter(move |row| {
            let after = row.since.as_deref().is_none_or(|since| at(since) <= number);
            number.is_some() && after && row.until.as_deref().is_none_or(|until| number <= at(until))
        })
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    path: String,
    key: Option<String>,
    derived: Option<String>,
    #[serde(rename = "type")]
    kind: RowType,
    #[serde(default)]
    secret: bool,
    since: Option<String>,
    until: Option<String>,
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

/// Is there a row for this path in any release?
#[must_use]
pub fn is_known(path: &str) -> bool {
    TABLE.value.iter().any(|row| row.path == path)
}

/// Does this value decide which platform it is: where its data lies, and in which
/// namespaces it runs?
#[must_use]
pub fn is_identity(path: &str) -> bool {
    let key = key_of_path(path).and_then(super::keys::find);
    path.starts_with("global.storage_class_") || key.is_some_and(|key| key.effect == super::keys::Effect::Identity)
}

/// The key that decides about a computed path which says where a platform's parts and its data
/// are; `None`: a site may give another value.
#[must_use]
pub fn decided_by(path: &str) -> Option<&'static str> {
    match path {
        "global.helm_namespace" => Some("namespaces.admin"),
        "global.include_reverse_proxy" => Some("platform.instance_uid"),
        _ => path.starts_with("global.storage_class_").then_some("storage.provider"),
    }
}

/// The configuration key that sets a Helm path in any release, if one does.
#[must_use]
pub fn key_of_path(path: &str) -> Option<&'static str> {
    TABLE.value.iter().find(|row| row.path == path).and_then(|row| row.key.as_deref())
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
    let release = supported(settings)?;
    let mut flat: BTreeMap<String, Json> = TABLE
        .of(release)
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
        let row = TABLE.of(release).find(|row| row.path == *path);
        let value = row.map_or_else(|| value.to_json(), |row| render(row.kind, Some(value.to_json())));
        flat.insert(path.clone(), value);
    }
    Ok(Values { flat })
}

/// The release that is configured, when it is a supported one.
///
/// # Errors
///
/// When it is not.
pub fn supported(settings: &Settings) -> Result<&'static str, UnsupportedVersion> {
    let version = settings.text("platform.version");
    let release = release_of(version);
    let known = TABLE.releases.iter().find(|known| **known == release).map(String::as_str);
    known.ok_or_else(|| UnsupportedVersion { version: version.to_owned(), supported: TABLE.releases.clone() })
}

/// The releases whose values are known, oldest first.
pub fn releases() -> impl Iterator<Item = &'static str> {
    TABLE.releases.iter().map(String::as_str)
}

/// The releases in which a key becomes a value; `None`: it is no key of a value.
#[must_use]
pub fn releases_of_key(key: &str) -> Option<Vec<&'static str>> {
    let has = |release: &&String| TABLE.of(release).any(|row| row.key.as_deref() == Some(key));
    let of_a_value = TABLE.value.iter().any(|row| row.key.as_deref() == Some(key));
    of_a_value.then(|| TABLE.releases.iter().filter(has).map(String::as_str).collect())
}

/// Becomes this key a value in the release that is configured?
#[must_use]
pub fn has_key(settings: &Settings, key: &str) -> bool {
    supported(settings).is_ok_and(|release| releases_of_key(key).is_some_and(|has| has.contains(&release)))
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

    /// Of nested maps, as a release keeps them.
    #[must_use]
    pub fn of_nested(values: &Json) -> Self {
        fn walk(prefix: &str, value: &Json, flat: &mut BTreeMap<String, Json>) {
            match value {
                Json::Object(map) if prefix.is_empty() || !map.is_empty() => {
                    for (name, inner) in map {
                        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                        walk(&path, inner, flat);
                    }
                }
                Json::Null => {}
                other => drop(flat.insert(prefix.to_owned(), other.clone())),
            }
        }
        let mut flat = BTreeMap::new();
        walk("", values, &mut flat);
        flat.remove("");
        Self { flat }
    }

    /// The paths.
    pub fn paths(&self) -> impl Iterator<Item = &String> {
        self.flat.keys()
    }

    /// With another value at a path; `None`: with none.
    pub fn set(&mut self, path: &str, value: Option<Json>) {
        match value {
            Some(value) => drop(self.flat.insert(path.to_owned(), value)),
            None => drop(self.flat.remove(path)),
        }
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

    /// Every value, as it may be shown.
    #[must_use]
    pub fn masked(&self) -> BTreeMap<String, Json> {
        let hidden = |path: &str, value: &Json| value.as_str() != Some("") && is_hidden(path, value);
        let show = |path: &str, value: &Json| if hidden(path, value) { Json::from(MASK) } else { value.clone() };
        self.flat.iter().map(|(path, value)| (path.clone(), show(path, value))).collect()
    }

    fn shown(&self, path: &str) -> Option<String> {
        self.flat.get(path).map(|value| match value {
            value if is_hidden(path, value) => MASK.to_owned(),
            Json::String(text) => text.clone(),
            other => other.to_string(),
        })
    }

    /// Every string in the values that must not be shown.
    #[must_use]
    pub fn secrets(&self) -> Vec<String> {
        self.flat
            .iter()
            .filter(|(path, value)| is_hidden(path, value))
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

/// A value that must not be shown. A proxy's address may hold a user alone.
fn is_hidden(path: &str, value: &Json) -> bool {
    let proxy = path.to_ascii_lowercase().ends_with("proxy") && value.as_str().is_some_and(|text| text.contains('@'));
    is_secret(path) || is_login(value) || proxy
}

fn is_secret(path: &str) -> bool {
    looks_secret(path) || TABLE.value.iter().any(|row| row.secret && row.path == path)
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
        settings_of("0.6.0", more)
    }

    fn settings_of(version: &str, more: &str) -> Settings {
        let mut fragments = Fragments::default();
        let text = format!(
            "[platform]\nversion = \"{version}\"\ndomain = \"10.0.0.5\"\n[registry]\nurl = \"r.org\"\nusername = \"user\"\npassword = \"Secret1\"\n{more}"
        );
        fragments.merge_text(std::path::Path::new("/x.toml"), &text).unwrap();
        validate(&fragments).unwrap().unwrap()
    }

    fn machine() -> Machine {
        Machine {
            memory_mib: 64_000,
            gpu: false,
            longhorn_nodes: 0,
            node_name: "node".into(),
            server_ip: Some("10.0.0.5".into()),
            api_ip: Some("10.0.0.6".into()),
            timestamp: "2026-11-23-10-00".into(),
            oidc_client_secret: "ab".repeat(32),
        }
    }

    #[test]
    fn the_tables_are_read_and_every_row_has_a_source() {
        for row in &TABLE.value {
            for release in &TABLE.releases {
                assert_eq!(
                    TABLE.of(release).filter(|other| other.path == row.path).count().max(1),
                    1,
                    "{} in {release}",
                    row.path
                );
            }
            for release in [&row.since, &row.until].into_iter().flatten() {
                assert!(TABLE.releases.contains(release), "{}: {release}", row.path);
            }
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
        let reached = |key: &str| TABLE.value.iter().any(|row| row.key.as_deref() == Some(key));
        for key in keys::KEYS.iter().filter(|key| key.effect == keys::Effect::Redeploy) {
            let of_the_chart =
                ["platform.version", "deployment.chart_path", "registry.plain_http", "registry.ca_file", "deployment.images_tar"]
                    .contains(&key.path)
                    || key.path.ends_with("password_file");
            assert!(reached(key.path) || of_the_chart, "{}", key.path);
        }
    }

    #[test]
    fn each_release_has_its_values_and_types() {
        let of = |version: &str, path: &str| values(&settings_of(version, ""), &machine()).unwrap().get(path).cloned();
        for (path, first, last) in [
            ("global.jobs_namespace", "0.2", "0.3"),
            ("global.enable_nfs", "0.2", "0.5"),
            ("global.http_proxy", "0.2", "0.4"),
            ("global.instance_name", "0.4", "0.6"),
            ("global.pacs_memory_limit", "0.4", "0.6"),
            ("global.smtp_host", "0.4", "0.6"),
            ("global.internalCidrs", "0.5", "0.6"),
            ("squid-proxy.upstreamHttpProxy", "0.5", "0.6"),
            ("global.volume_slow_data", "0.6", "0.6"),
            ("global.hostname", "0.2", "0.6"),
        ] {
            for release in ["0.2", "0.3", "0.4", "0.5", "0.6"] {
                let there = of(&format!("{release}.1"), path).is_some();
                assert_eq!(there, (first..=last).contains(&release), "{path} in {release}");
            }
        }
        assert_eq!(of("0.3.0", "global.dev_mode"), Some(Json::from("true")), "a string up to 0.3");
        assert_eq!(of("0.4.0", "global.dev_mode"), Some(Json::from(true)));
        assert_eq!(of("0.3.0", "global.gpu_support"), Some(Json::from("false")));
        assert_eq!(releases_of_key("deployment.enable_nfs").unwrap(), ["0.2", "0.3", "0.4", "0.5"]);
        assert_eq!(releases_of_key("agent.settle"), None);
    }

    #[test]
    fn what_is_shown_holds_no_secret() {
        let more = "[deployment]\nhttp_proxy = \"http://token@proxy:3128\"\n[values]\n\"site.hosts\" = [\"a\", \"https://u:p@b\"]\n\"site.mail\" = \"a@b.org\"\n";
        let shown = values(&settings(more), &machine()).unwrap().masked();
        for path in
            ["global.credentials_registry_password", "global.oidc_client_secret", "squid-proxy.upstreamHttpProxy", "site.hosts"]
        {
            assert_eq!(shown[path], Json::from(MASK), "{path}");
        }
        assert_eq!(shown["global.smtp_password"], Json::from(""), "that there is none is no secret");
        assert_eq!((&shown["site.mail"], &shown["global.hostname"]), (&Json::from("a@b.org"), &Json::from("10.0.0.5")));
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
            "version 9.1.0 of the platform is not supported, expected one of the releases 0.2, 0.3, 0.4, 0.5, 0.6"
        );
    }
}
