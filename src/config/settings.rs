//! Settings: what a valid configuration says, by key.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::keys::{self, Effect};
use super::window::Window;

/// A checked value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// A truth value.
    Bool(bool),
    /// An integer.
    Integer(i64),
    /// A floating-point number; only below `[values]`.
    Float(f64),
    /// A string.
    Text(String),
    /// A list of strings.
    List(Vec<String>),
}

impl Value {
    /// The value as JSON.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or(serde_json::Value::Null)
    }
}

/// A valid configuration: every key has a value of its kind or is unset.
///
/// It holds secrets: it is stored only in files of mode 0600, and its `Debug`
/// shows no values.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    pub(super) values: BTreeMap<String, Value>,
    pub(super) extra: BTreeMap<String, Value>,
    /// What is allowed but worth a sentence.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// What is wrong for a new platform, and kept where a platform is deployed so: by key, or
    /// by table, a sentence without the value.
    #[serde(default)]
    pub tolerated: BTreeMap<String, String>,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings").field("keys", &self.values.keys()).finish_non_exhaustive()
    }
}

/// What makes a platform this platform: a change of it is held until a person accepts it.
pub type Identity = BTreeMap<String, String>;

/// The three answers to "must it be so?".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auto {
    /// The agent looks.
    Auto,
    /// Yes.
    Yes,
    /// No.
    No,
}

impl Settings {
    /// The value of a key, its default included.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.values.get(key)
    }

    /// A string; empty when unset.
    #[must_use]
    pub fn text(&self, key: &str) -> &str {
        match self.values.get(key) {
            Some(Value::Text(text)) => text,
            _ => "",
        }
    }

    /// A truth value; false when unset.
    #[must_use]
    pub fn flag(&self, key: &str) -> bool {
        matches!(self.values.get(key), Some(Value::Bool(true)))
    }

    /// An integer; 0 when unset.
    #[must_use]
    pub fn integer(&self, key: &str) -> i64 {
        match self.values.get(key) {
            Some(Value::Integer(number)) => *number,
            _ => 0,
        }
    }

    /// The maintenance windows.
    #[must_use]
    pub fn windows(&self) -> Vec<Window> {
        self.list("agent.windows").iter().filter_map(|text| Window::parse(text).ok()).collect()
    }

    /// A list; empty when unset.
    #[must_use]
    pub fn list(&self, key: &str) -> &[String] {
        match self.values.get(key) {
            Some(Value::List(list)) => list,
            _ => &[],
        }
    }

    /// `auto`, yes or no.
    #[must_use]
    pub fn auto(&self, key: &str) -> Auto {
        match self.values.get(key) {
            Some(Value::Bool(true)) => Auto::Yes,
            Some(Value::Bool(false)) => Auto::No,
            _ => Auto::Auto,
        }
    }

    /// A time span; zero when unset.
    #[must_use]
    pub fn duration(&self, key: &str) -> Duration {
        parse_duration(self.text(key)).unwrap_or_default()
    }

    /// The name of the root release, and of its chart.
    #[must_use]
    pub fn release_name(&self) -> &str {
        self.text("platform.name")
    }

    /// Where the root release's chart lies in the registry: `oci://host/path/name`.
    #[must_use]
    pub fn chart_reference(&self) -> String {
        format!("oci://{}/{}", self.text("registry.url"), self.release_name())
    }

    /// Does the root release's chart come from the registry?
    #[must_use]
    pub fn uses_registry(&self) -> bool {
        self.text("deployment.chart_path").is_empty() && !self.flag("deployment.offline")
    }

    /// The name that the DNS may be asked for: the platform's domain, when it is no address, and
    /// the site is not offline.
    #[must_use]
    pub fn name_in_dns(&self) -> Option<&str> {
        let domain = self.text("platform.domain");
        let asked = !domain.is_empty() && domain.parse::<std::net::IpAddr>().is_err() && !self.flag("deployment.offline");
        asked.then_some(domain)
    }

    /// Prefix `<uid>-` of the namespaces of a further instance; empty for the first.
    #[must_use]
    pub fn prefix(&self) -> String {
        match self.text("platform.instance_uid") {
            "" => String::new(),
            uid => format!("{uid}-"),
        }
    }

    /// The namespace in which Helm keeps the root release.
    #[must_use]
    pub fn helm_namespace(&self) -> String {
        self.namespace("helm")
    }

    /// A namespace by its key; all but `admin` carry the instance's prefix.
    #[must_use]
    pub fn namespace(&self, name: &str) -> String {
        let plain = self.text(&format!("namespaces.{name}"));
        if name == "admin" { plain.to_owned() } else { format!("{}{plain}", self.prefix()) }
    }

    /// These settings, with the keys that steer the agent as they are in `other`.
    #[must_use]
    pub fn with_agent_keys(&self, other: &Self) -> Self {
        let mut settings = self.clone();
        for key in keys::KEYS.iter().filter(|key| key.effect == keys::Effect::Agent) {
            match other.values.get(key.path) {
                Some(value) => settings.values.insert(key.path.to_owned(), value.clone()),
                None => settings.values.remove(key.path),
            };
        }
        settings
    }

    /// The platform's namespaces, that of its root release aside.
    #[must_use]
    pub fn namespaces(&self) -> Vec<String> {
        ["admin", "services", "extensions"].map(|name| self.namespace(name)).into_iter().chain(self.jobs_namespace()).collect()
    }

    /// A file in the directory of the configured archive of the chart.
    #[must_use]
    pub fn beside_chart(&self, name: &str) -> PathBuf {
        PathBuf::from(self.text("deployment.chart_path")).with_file_name(name)
    }

    /// The fast data directory, with the instance's suffix.
    #[must_use]
    pub fn fast_dir(&self) -> PathBuf {
        self.data_dir("data.fast_dir")
    }

    /// The slow data directory, with the instance's suffix.
    #[must_use]
    pub fn slow_dir(&self) -> PathBuf {
        self.data_dir("data.slow_dir")
    }

    fn data_dir(&self, key: &str) -> PathBuf {
        match self.text("platform.instance_uid") {
            "" => PathBuf::from(self.text(key)),
            uid => PathBuf::from(format!("{}-{uid}", self.text(key))),
        }
    }

    /// The keys that were set to something, `[values]` included, secrets masked.
    #[must_use]
    pub fn masked(&self) -> BTreeMap<String, String> {
        let text = |value: Value| match value {
            Value::Text(text) => text,
            other => other.to_json().to_string(),
        };
        let keys = self.values.keys().cloned().chain(self.extra.keys().map(|path| format!("values.{path}")));
        keys.filter_map(|key| self.shown(&key).map(|value| (key, text(value)))).collect()
    }

    /// The value of a key, `values.` and a path included, as it may be shown.
    #[must_use]
    pub fn shown(&self, key: &str) -> Option<Value> {
        let (value, secret) = match key.strip_prefix("values.") {
            Some(path) => {
                let value = self.extra.get(path)?;
                (value, looks_secret(path) || is_login(value))
            }
            None => {
                let value = self.values.get(key)?;
                (value, is_secret(key, value))
            }
        };
        Some(if secret { Value::Text(MASK.to_owned()) } else { value.clone() })
    }

    /// Every string that must never be shown.
    #[must_use]
    pub fn secrets(&self) -> Vec<String> {
        let own = self.values.iter().filter(|(key, value)| is_secret(key, value));
        let extra = self.extra.iter().filter(|(path, value)| looks_secret(path) || is_login(value));
        own.chain(extra)
            .flat_map(|(path, value)| match value {
                Value::Text(text) => vec![text.clone()],
                Value::List(list) => list.iter().filter(|text| looks_secret(path) || has_login(text)).cloned().collect(),
                // Below "secretStore" there is "enabled", too.
                Value::Bool(_) => Vec::new(),
                other => vec![other.to_json().to_string()],
            })
            .filter(|text| !text.is_empty())
            .collect()
    }

    /// Helm values of `[values]`: path → value.
    #[must_use]
    pub fn extra(&self) -> &BTreeMap<String, Value> {
        &self.extra
    }

    /// Does the release that is configured have this key? Those that become no value are in
    /// all of them.
    pub(super) fn has_key(&self, key: &str) -> bool {
        let release = super::values::release_of(self.text("platform.version"));
        super::values::releases_of_key(key).is_none_or(|releases| releases.contains(&release.as_str()))
    }

    /// The namespace in which workflows run in releases that have one.
    #[must_use]
    pub fn jobs_namespace(&self) -> Option<String> {
        self.has_key("namespaces.jobs").then(|| self.namespace("jobs"))
    }

    /// What of [`Settings::tolerated`] is not deployed so by these other settings.
    #[must_use]
    pub fn not_tolerated(&self, deployed: Option<&Self>) -> Vec<String> {
        let same = |of: &String| {
            deployed.is_some_and(|deployed| {
                if let Some(path) = of.strip_prefix("values.") {
                    return self.extra.get(path) == deployed.extra.get(path);
                }
                let below = format!("{of}.");
                let keys = || keys::KEYS.iter().map(|key| key.path).filter(|key| key == of || key.starts_with(&below));
                keys().all(|key| self.values.get(key) == deployed.values.get(key))
            })
        };
        self.tolerated.iter().filter(|(of, _)| !same(of)).map(|(_, sentence)| sentence.clone()).collect()
    }

    /// What makes this platform this one.
    #[must_use]
    pub fn identity(&self) -> Identity {
        keys::KEYS
            .iter()
            .filter(|key| key.effect == Effect::Identity && self.has_key(key.path))
            .map(|key| (key.path.to_owned(), self.text(key.path).to_owned()))
            .collect()
    }

    /// Keys whose values differ, in the order of their names.
    #[must_use]
    pub fn changed_keys(&self, other: &Self) -> Vec<String> {
        let mut names: Vec<String> = self.values.keys().chain(other.values.keys()).cloned().collect();
        names.sort();
        names.dedup();
        // A key that only one of them knew is at its default in the other.
        let of = |settings: &Self, name: &String| {
            settings.values.get(name).cloned().or_else(|| keys::find(name).and_then(super::typed::default_value))
        };
        names.retain(|name| of(self, name) != of(other, name));
        let mut extra: Vec<String> = self.extra.keys().chain(other.extra.keys()).cloned().collect();
        extra.sort();
        extra.dedup();
        extra.retain(|name| self.extra.get(name) != other.extra.get(name));
        names.extend(extra.into_iter().map(|path| format!("values.{path}")));
        names
    }
}

/// Is it the same platform? A key that a later version of the agent knows says nothing of
/// one that was deployed before.
#[must_use]
pub fn same_identity(recorded: &Identity, wanted: &Identity) -> bool {
    wanted.iter().all(|(key, new)| recorded.get(key).is_none_or(|old| old == new))
}

/// What is shown in place of a secret.
pub const MASK: &str = "********";

fn is_secret(key: &str, value: &Value) -> bool {
    // A proxy's address may hold a user alone.
    let proxy = key.ends_with("_proxy") && matches!(value, Value::Text(text) if text.contains('@'));
    keys::find(key).is_some_and(|known| known.secret) || is_login(value) || proxy
}

fn is_login(value: &Value) -> bool {
    match value {
        Value::Text(text) => has_login(text),
        Value::List(list) => list.iter().any(|text| has_login(text)),
        _ => false,
    }
}

/// Does it hold a user and a password, or a token: `user:password@host`,
/// `https://token@host`? A mail address and an image with its digest do not.
#[must_use]
pub fn has_login(text: &str) -> bool {
    text.rsplit_once('@').is_some_and(|(before, after)| before.contains(':') && !after.starts_with("sha256:"))
}

/// Does the name of a Helm value, or that of a map around it, say that it is a secret?
#[must_use]
pub fn looks_secret(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    let words = ["password", "passwd", "secret", "token", "credential", "private_key", "apikey", "api_key"];
    let secret = |part: &str| words.iter().any(|word| part.contains(word));
    let last = path.rsplit('.').next().unwrap_or_default();
    path.split('.').any(secret) && !last.ends_with("username") && !last.ends_with("user")
}

/// Reads `"90s"`, `"15m"`, `"2h"`, `"1h30m"`, `"250ms"`.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let span: jiff::SignedDuration = text.trim().parse().ok()?;
    Duration::try_from(span).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_are_seen_and_what_only_looks_like_one_is_not() {
        for login in ["user:pw@proxy:3128", "http://user:pw@proxy", "https://token@git.example.org/x", "u:p@ss@host"] {
            assert!(has_login(login), "{login}");
        }
        for other in ["admin@example.org", "http://proxy:3128", "registry:5000/x@sha256:0123", "@", "a:b"] {
            assert!(!has_login(other), "{other}");
        }
    }

    #[test]
    fn a_key_that_an_earlier_agent_did_not_know_is_no_change() {
        let mut fragments = crate::config::Fragments::default();
        let text = "[platform]\nversion = \"0.3.1\"\ndomain = \"a.b\"\n[registry]\nurl = \"r.org\"\n";
        fragments.merge_text(std::path::Path::new("/x.toml"), text).unwrap();
        let now = crate::config::validate(&fragments).unwrap().unwrap();
        let mut before = now.clone();
        before.values.remove("namespaces.jobs").unwrap();
        assert_eq!(before.changed_keys(&now), [""; 0]);
        let mut recorded = now.identity();
        recorded.remove("namespaces.jobs").unwrap();
        assert!(same_identity(&recorded, &now.identity()));
        recorded.insert("namespaces.admin".into(), "other".into());
        assert!(!same_identity(&recorded, &now.identity()));
        assert_eq!(now.jobs_namespace().as_deref(), Some("jobs"));
    }

    #[test]
    fn a_secret_is_told_by_any_part_of_its_path() {
        for path in ["db.password", "db.password.admin", "siteToken", "credentials.minio.key", "global.oidc_client_secret"] {
            assert!(looks_secret(path), "{path}");
        }
        for path in ["global.http_port", "credentials.minio.username", "db.user"] {
            assert!(!looks_secret(path), "{path}");
        }
    }
}
