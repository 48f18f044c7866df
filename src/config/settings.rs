//! Settings: the merged keys, checked and typed.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::{ConfigError, Problem};
use super::fragments::{Entry, Fragments, Origin, Raw, nearest_key};
use super::keys::{self, Effect, Key, Kind};
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
    values: BTreeMap<String, Value>,
    extra: BTreeMap<String, Value>,
    /// Where each key was set; keys with their default are absent.
    #[serde(skip)]
    pub origins: BTreeMap<String, Origin>,
    /// What is allowed but worth a sentence.
    #[serde(default)]
    pub warnings: Vec<String>,
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
        ["admin", "services", "extensions"].map(|name| self.namespace(name)).to_vec()
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
        let show = |value: &Value| match value {
            Value::Text(text) => text.clone(),
            other => other.to_json().to_string(),
        };
        let mut shown: BTreeMap<String, String> = self
            .values
            .iter()
            .map(|(key, value)| {
                let secret = keys::find(key).is_some_and(|known| known.secret) || is_login_in_url(key, value);
                (key.clone(), if secret { MASK.to_owned() } else { show(value) })
            })
            .collect();
        for (path, value) in &self.extra {
            shown.insert(format!("values.{path}"), if looks_secret(path) { MASK.to_owned() } else { show(value) });
        }
        shown
    }

    /// Every string that must never be shown.
    #[must_use]
    pub fn secrets(&self) -> Vec<String> {
        let own = self.values.iter().filter(|(key, _)| keys::find(key).is_some_and(|known| known.secret));
        let extra = self.extra.iter().filter(|(path, _)| looks_secret(path));
        own.chain(extra)
            .chain(self.values.iter().filter(|(key, value)| is_login_in_url(key, value)))
            .flat_map(|(_, value)| match value {
                Value::Text(text) => vec![text.clone()],
                Value::List(list) => list.clone(),
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

    /// What makes this platform this one.
    #[must_use]
    pub fn identity(&self) -> Identity {
        keys::KEYS
            .iter()
            .filter(|key| key.effect == Effect::Identity)
            .map(|key| (key.path.to_owned(), self.text(key.path).to_owned()))
            .collect()
    }

    /// Keys whose values differ, in the order of their names.
    #[must_use]
    pub fn changed_keys(&self, other: &Self) -> Vec<String> {
        let mut names: Vec<String> = self.values.keys().chain(other.values.keys()).cloned().collect();
        names.sort();
        names.dedup();
        names.retain(|name| self.values.get(name) != other.values.get(name));
        let mut extra: Vec<String> = self.extra.keys().chain(other.extra.keys()).cloned().collect();
        extra.sort();
        extra.dedup();
        extra.retain(|name| self.extra.get(name) != other.extra.get(name));
        names.extend(extra.into_iter().map(|path| format!("values.{path}")));
        names
    }
}

/// What is shown in place of a secret.
pub const MASK: &str = "********";

/// A proxy's address may hold user and password.
fn is_login_in_url(key: &str, value: &Value) -> bool {
    key.ends_with("_proxy") && matches!(value, Value::Text(text) if text.contains('@'))
}

/// Does the name of a Helm value say that it is a secret?
#[must_use]
pub fn looks_secret(path: &str) -> bool {
    let last = path.rsplit('.').next().unwrap_or(path).to_ascii_lowercase();
    ["password", "passwd", "secret", "token", "credential", "private_key", "apikey", "api_key"]
        .iter()
        .any(|word| last.contains(word))
        && !last.ends_with("username")
        && !last.ends_with("user")
}

/// Reads `"90s"`, `"15m"`, `"2h"`, `"1h30m"`, `"250ms"`.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let span: jiff::SignedDuration = text.trim().parse().ok()?;
    Duration::try_from(span).ok()
}

/// Checks merged fragments. `None`: no `[platform]` table, so nothing is configured.
///
/// # Errors
///
/// Every problem found.
pub fn validate(fragments: &Fragments) -> Result<Option<Settings>, ConfigError> {
    let mut check = Checker { fragments, problems: Vec::new() };
    let mut settings = check.typed_values();
    check.unknown_keys();
    if check.problems.is_empty() && fragments.has_table("platform") {
        check.password_files(&mut settings);
        check.combinations(&settings);
    }
    let mut problems = check.problems;
    if !problems.is_empty() {
        problems.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        return Err(ConfigError { problems });
    }
    if !fragments.has_table("platform") {
        return Ok(None);
    }
    settings.warnings = warnings(fragments, &settings);
    Ok(Some(settings))
}

fn warnings(fragments: &Fragments, settings: &Settings) -> Vec<String> {
    let inline: Vec<&PathBuf> = fragments
        .world_readable
        .iter()
        .filter(|file| {
            fragments.entries.iter().any(|(key, entry)| {
                entry.origin.file == **file
                    && (keys::find(key).is_some_and(|known| known.secret)
                        || key.strip_prefix("values.").is_some_and(looks_secret))
            })
        })
        .collect();
    let mut warnings: Vec<String> = inline
        .into_iter()
        .map(|file| format!("{} holds a password and is readable by every user: chmod 0600 {}", file.display(), file.display()))
        .collect();
    if settings.flag("deployment.prefetch_extensions") && !settings.text("deployment.chart_path").is_empty() {
        warnings.push("deployment.prefetch_extensions has no effect with deployment.chart_path".into());
    }
    warnings
}

struct Checker<'f> {
    fragments: &'f Fragments,
    problems: Vec<Problem>,
}

impl Checker<'_> {
    fn problem(&mut self, key: &str, message: impl Into<String>, advice: Option<String>) {
        let origin = self.fragments.entries.get(key).map(|entry| &entry.origin).or_else(|| self.fragments.tables.get(key));
        self.problems.push(Problem {
            file: origin.map(|origin| origin.file.clone()),
            line: origin.map_or(0, |origin| origin.line),
            column: origin.map_or(0, |origin| origin.column),
            key: key.to_owned(),
            message: message.into(),
            advice,
        });
    }

    fn typed_values(&mut self) -> Settings {
        let mut values = BTreeMap::new();
        let mut origins = BTreeMap::new();
        for key in keys::KEYS {
            if let Some(entry) = self.fragments.entries.get(key.path) {
                match typed(key, entry) {
                    Ok(Value::Text(text)) if text.is_empty() => {}
                    Ok(value) => {
                        values.insert(key.path.to_owned(), value);
                        origins.insert(key.path.to_owned(), entry.origin.clone());
                        continue;
                    }
                    Err(message) => {
                        self.problem(key.path, message, None);
                        continue;
                    }
                }
            }
            if let Some(value) = default_value(key) {
                values.insert(key.path.to_owned(), value);
            }
        }
        let mut extra = BTreeMap::new();
        for (key, entry) in &self.fragments.entries {
            let Some(path) = key.strip_prefix("values.") else { continue };
            match extra_value(path, &entry.raw) {
                Ok(value) => {
                    extra.insert(path.to_owned(), value);
                    origins.insert(key.clone(), entry.origin.clone());
                }
                Err(message) => self.problem(key, message, None),
            }
        }
        Settings { values, extra, origins, warnings: Vec::new() }
    }

    fn unknown_keys(&mut self) {
        let known = |key: &str| keys::find(key).is_some() || key.starts_with("values.");
        let unknown: Vec<String> = self
            .fragments
            .entries
            .keys()
            .filter(|key| !known(key))
            .chain(self.fragments.tables.keys().filter(|table| {
                let below = format!("{table}.");
                // A table of unknown keys is reported by its keys, an empty one by itself.
                !keys::is_table(table)
                    && *table != "values"
                    && !table.starts_with("values.")
                    && !self.fragments.entries.keys().any(|key| key.starts_with(&below))
            }))
            .cloned()
            .collect();
        for key in unknown {
            if keys::is_table(&key) {
                self.problem(&key, format!("is a table, expected [{key}] with keys below it"), None);
                continue;
            }
            let advice = nearest_key(&key).map(|near| format!("did you mean {near}?"));
            self.problem(&key, "unknown key", advice.or_else(|| Some("any Helm value goes below [values]".into())));
        }
    }

    fn password_files(&mut self, settings: &mut Settings) {
        for key in keys::KEYS.iter().filter(|key| key.path.ends_with(".password_file")) {
            let file = settings.text(key.path).to_owned();
            if file.is_empty() {
                continue;
            }
            let password = key.path.trim_end_matches("_file");
            if self.fragments.entries.contains_key(password) {
                self.problem(key.path, format!("stands beside {password}, expected one of the two"), None);
                continue;
            }
            match read_password(Path::new(&file)) {
                Ok(text) => {
                    settings.values.insert(password.to_owned(), Value::Text(text));
                }
                Err((message, advice)) => self.problem(key.path, format!("{file}: {message}"), advice),
            }
        }
    }

    fn combinations(&mut self, settings: &Settings) {
        for key in ["platform.version", "platform.domain"] {
            if settings.text(key).is_empty() {
                let advice = keys::find(key).and_then(|known| known.variable).map(|variable| format!("the script's {variable}"));
                self.problem(key, "is required and not set", advice);
            }
        }
        let chart_path = settings.text("deployment.chart_path");
        if chart_path.is_empty() {
            if settings.flag("deployment.offline") {
                self.problem(
                    "deployment.offline",
                    "is true without deployment.chart_path",
                    Some("set deployment.chart_path to the chart's archive".into()),
                );
            } else if settings.text("registry.url").is_empty() {
                self.problem(
                    "registry.url",
                    "is required when deployment.chart_path is not set",
                    Some("the registry the chart comes from".into()),
                );
            }
        } else if !settings.text("platform.version").is_empty() {
            let wanted = format!("{}-{}.tgz", settings.release_name(), settings.text("platform.version"));
            let named = Path::new(chart_path).file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if named != wanted {
                self.problem(
                    "deployment.chart_path",
                    format!("the file is called \"{named}\", expected \"{wanted}\""),
                    Some("platform.name and platform.version decide the file's name".into()),
                );
            }
        }
        if settings.text("agent.on_change") == "window" && settings.list("agent.windows").is_empty() {
            self.problem(
                "agent.on_change",
                "is \"window\" and there is none",
                Some("set agent.windows, such as [\"Sat 02:00-05:00 Europe/Berlin\"]".into()),
            );
        }
        self.distinct_ports(settings);
        self.data_directories(settings);
        if settings.integer("data.critical_free_percent") > settings.integer("data.warn_free_percent") {
            self.problem(
                "data.critical_free_percent",
                "is larger than data.warn_free_percent",
                Some("the warning comes before the critical mark".into()),
            );
        }
        let names: Vec<(&str, String)> =
            ["admin", "services", "extensions"].into_iter().map(|name| (name, settings.namespace(name))).collect();
        for (at, (name, namespace)) in names.iter().enumerate() {
            if let Some((other, _)) = names[..at].iter().find(|(_, known)| known == namespace) {
                self.problem(
                    &format!("namespaces.{name}"),
                    format!("is \"{namespace}\", as namespaces.{other}"),
                    Some("each needs a namespace of its own".into()),
                );
            }
        }
    }

    fn distinct_ports(&mut self, settings: &Settings) {
        let ports = ["network.http_port", "network.https_port", "network.dicom_port"];
        for (at, key) in ports.iter().enumerate() {
            if let Some(other) = ports[..at].iter().find(|other| settings.integer(other) == settings.integer(key)) {
                self.problem(
                    key,
                    format!("is {}, as {other}", settings.integer(key)),
                    Some("each needs a port of its own".into()),
                );
            }
        }
    }

    fn data_directories(&mut self, settings: &Settings) {
        let (fast, slow) = (settings.fast_dir(), settings.slow_dir());
        for (key, path) in [("data.fast_dir", &fast), ("data.slow_dir", &slow)] {
            if path == Path::new("/") {
                self.problem(key, "is the root directory", Some("use a directory of its own".into()));
            }
        }
        if fast != slow && (fast.starts_with(&slow) || slow.starts_with(&fast)) {
            self.problem(
                "data.slow_dir",
                format!("{} and data.fast_dir {} lie in each other", slow.display(), fast.display()),
                Some("the same directory for both is fine, nested ones are not".into()),
            );
        }
    }
}

fn read_password(path: &Path) -> Result<String, (String, Option<String>)> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = std::fs::metadata(path).map_err(|error| (format!("cannot be read: {error}"), None))?;
    if !metadata.is_file() || metadata.len() > 4096 {
        return Err(("expected a small regular file".into(), None));
    }
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err((format!("is readable by others (mode {mode:04o})"), Some(format!("chmod 0600 {}", path.display()))));
    }
    let text = std::fs::read_to_string(path).map_err(|error| (format!("cannot be read: {error}"), None))?;
    let text = text.trim_end_matches(['\n', '\r']);
    if text.is_empty() {
        return Err(("is empty".into(), Some("write the password into it".into())));
    }
    check_credential(text).map_err(|message| (message, None))?;
    Ok(text.to_owned())
}

fn default_value(key: &Key) -> Option<Value> {
    let text = key.default?;
    match key.kind {
        Kind::Bool => Some(Value::Bool(text == "true")),
        Kind::Integer(..) => text.parse().ok().map(Value::Integer),
        _ => Some(Value::Text(text.trim_matches('"').to_owned())),
    }
}

fn typed(key: &Key, entry: &Entry) -> Result<Value, String> {
    let wrong = || {
        // What may hold a password, by itself or by mistake, is never repeated.
        let hidden = |text: &str| key.secret || key.path.ends_with("password_file") || text.contains('@') || text.contains("://");
        let found = match &entry.raw {
            Raw::String(text) if hidden(text) => "a string".to_owned(),
            Raw::String(text) => format!("the string {text:?}"),
            Raw::Integer(number) if !key.secret => format!("the integer {number}"),
            other => other.type_name().to_owned(),
        };
        Err(format!("found {found}, expected {}", key.kind.expectation()))
    };
    match (key.kind, &entry.raw) {
        (Kind::Bool | Kind::AutoBool, Raw::Bool(truth)) => Ok(Value::Bool(*truth)),
        (Kind::AutoBool, Raw::String(text)) if text == "auto" => Ok(Value::Text(text.clone())),
        (Kind::Integer(low, high), Raw::Integer(number)) if (low..=high).contains(number) => Ok(Value::Integer(*number)),
        (Kind::Choice(words), Raw::String(text)) if words.contains(&text.as_str()) => Ok(Value::Text(text.clone())),
        (Kind::Credential, Raw::String(text)) => match check_credential(text) {
            Ok(()) => Ok(Value::Text(text.clone())),
            Err(message) => Err(message),
        },
        // An empty string is the script's way to leave a variable unset.
        (
            Kind::Text
            | Kind::Path
            | Kind::Duration
            | Kind::Label
            | Kind::Host
            | Kind::Registry
            | Kind::ReleaseName
            | Kind::Version,
            Raw::String(text),
        ) if text.is_empty() => Ok(Value::Text(String::new())),
        (Kind::Registry, Raw::String(text)) if text.contains("://") => {
            Err(format!("found a scheme, expected {}", key.kind.expectation()))
        }
        (kind, Raw::String(text)) if text_is(kind, text) => {
            let text = if kind == Kind::Path { normal_path(text) } else { text.clone() };
            Ok(Value::Text(text))
        }
        (Kind::Paths, Raw::List(list)) if list.iter().all(|path| text_is(Kind::Path, path)) => Ok(Value::List(list.clone())),
        (Kind::Windows, Raw::List(list)) => match list.iter().find_map(|text| Window::parse(text).err()) {
            None => Ok(Value::List(list.clone())),
            Some(message) => Err(format!("{message}, expected {}", key.kind.expectation())),
        },
        (Kind::Cidrs, Raw::List(list)) if list.iter().all(|cidr| is_cidr(cidr)) => Ok(Value::List(list.clone())),
        _ => wrong(),
    }
}

/// The path without doubled or trailing slashes, so that one directory has one name.
fn normal_path(text: &str) -> String {
    let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty()).collect();
    format!("/{}", parts.join("/"))
}

fn text_is(kind: Kind, text: &str) -> bool {
    if text.chars().any(char::is_control) || text.len() > 4096 {
        return false;
    }
    match kind {
        Kind::Text => true,
        Kind::Path => text.starts_with('/') && !text.split('/').any(|part| part == ".." || part == "."),
        Kind::Duration => parse_duration(text).is_some_and(|span| span <= Duration::from_secs(7 * 24 * 3600)),
        Kind::Label => is_label(text, 63),
        Kind::ReleaseName => is_label(text, 53),
        Kind::Host => is_host(text),
        Kind::Registry => is_registry(text),
        Kind::Version => {
            text.starts_with(|first: char| first.is_ascii_digit())
                && text
                    .split(['.', '-', '+'])
                    .all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
        }
        _ => false,
    }
}

fn is_label(text: &str, most: usize) -> bool {
    text.len() <= most
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.ends_with(|c: char| c.is_ascii_alphanumeric())
}

fn is_host(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok()
        || (text.len() <= 253
            && text.split('.').all(|label| is_label(&label.to_ascii_lowercase(), 63))
            // An all-numeric name is a mistyped address, not a name (RFC 1123, 2.1).
            && !text.chars().all(|c| c.is_ascii_digit() || c == '.'))
}

fn is_registry(text: &str) -> bool {
    let (host, path) = text.split_once('/').map_or((text, None), |(host, path)| (host, Some(path)));
    let (name, port) = host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port)));
    is_host(name)
        && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
        && path.is_none_or(|path| {
            path.split('/').all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)))
        })
}

fn is_cidr(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else { return false };
    match (address.parse::<IpAddr>(), bits.parse::<u8>()) {
        (Ok(IpAddr::V4(_)), Ok(bits)) => bits <= 32,
        (Ok(IpAddr::V6(_)), Ok(bits)) => bits <= 128,
        _ => false,
    }
}

/// Some templates of the charts take credentials unquoted: what would become a
/// number, a comment or an anchor of YAML there is refused. Never repeats the text.
fn check_credential(text: &str) -> Result<(), String> {
    let wanted = Kind::Credential.expectation();
    if text.is_empty() {
        return Ok(());
    }
    if !text.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Err(format!(
            "does not start with a letter, expected {wanted}; the charts would read it as something else than a string"
        ));
    }
    if !text.chars().all(|c| c.is_ascii_alphanumeric() || "._@!%+=-".contains(c)) {
        return Err(format!("holds a character that the charts would mangle, expected {wanted}"));
    }
    Ok(())
}

fn extra_value(path: &str, raw: &Raw) -> Result<Value, String> {
    let parts: Vec<&str> = path.split('.').collect();
    if parts.iter().any(|part| part.is_empty()) {
        return Err("has an empty part, expected a path such as \"global.key\"".into());
    }
    if parts[0] == "global" && parts.len() != 2 {
        return Err("would be a map below global, which the cluster's own installer cannot pass on".into());
    }
    if let Some(key) = super::values::key_of_path(path) {
        return Err(format!("is set by the key {key}, expected it there"));
    }
    match raw {
        Raw::String(text) => Ok(Value::Text(text.clone())),
        Raw::Bool(truth) => Ok(Value::Bool(*truth)),
        Raw::Integer(number) => Ok(Value::Integer(*number)),
        Raw::Float(number) => Ok(Value::Float(*number)),
        Raw::List(list) => Ok(Value::List(list.clone())),
        Raw::Other(name) => Err(format!("is {name}, expected a string, a number, true or false, or a list of strings")),
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
