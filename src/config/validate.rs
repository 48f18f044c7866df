//! From merged fragments to [`Settings`]: the rules between keys, and every problem at once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::credentials::{Guard, meant, of_file, read_password};
use super::error::{ConfigError, Problem};
use super::fragments::{Fragments, Origin, Raw, nearest_key};
use super::host::is_host;
use super::keys::{self, Kind};
use super::settings::{Settings, Value, looks_secret};
use super::show::Source;
use super::typed::{check_credential, default_value, typed};
use super::values;

/// The ports of the platform, which are node ports.
const PORTS: [&str; 3] = ["network.http_port", "network.https_port", "network.dicom_port"];

/// The range that Kaapana has its API server give node ports from.
const NODE_PORTS: std::ops::RangeInclusive<i64> = 80..=32000;

/// Checks merged fragments. `None`: no `[platform]` table, so nothing is configured.
///
/// # Errors
///
/// Every problem found.
pub fn validate(fragments: &Fragments) -> Result<Option<Settings>, ConfigError> {
    Ok(check(fragments, false)?.map(|checked| checked.settings))
}

/// As [`validate`]; what a platform may be deployed with all the same (credentials that the
/// charts mangle, shares that are not 100, a domain in capitals) is no error but stands in
/// [`Settings::tolerated`].
///
/// # Errors
///
/// Every other problem found.
pub fn validate_leniently(fragments: &Fragments) -> Result<Option<Settings>, ConfigError> {
    Ok(check(fragments, true)?.map(|checked| checked.settings))
}

/// Valid settings, and where passwords came from that stand in no fragment.
pub(super) struct Checked {
    pub settings: Settings,
    pub passwords: BTreeMap<&'static str, Source>,
}

/// As [`validate`], and keeps where passwords came from.
pub(super) fn check(fragments: &Fragments, lenient: bool) -> Result<Option<Checked>, ConfigError> {
    let mut check =
        Checker { fragments, problems: Vec::new(), warnings: Vec::new(), tolerable: Vec::new(), passwords: BTreeMap::new() };
    let mut settings = check.typed_values();
    check.unknown_keys();
    if check.problems.is_empty() && fragments.has_table("platform") {
        check.passwords(&mut settings);
        check.combinations(&settings);
    }
    let mut problems = check.problems;
    if !lenient {
        problems.extend(check.tolerable.drain(..).map(|(_, problem)| problem));
    }
    if !problems.is_empty() {
        problems.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        return Err(ConfigError { problems });
    }
    if !fragments.has_table("platform") {
        return Ok(None);
    }
    settings.warnings = warnings(fragments, &settings);
    settings.warnings.append(&mut check.warnings);
    settings.tolerated = check.tolerable.iter().map(|(of, problem)| (of.clone(), problem.to_string())).collect();
    Ok(Some(Checked { settings, passwords: check.passwords }))
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
    for key in PORTS.iter().filter(|key| !NODE_PORTS.contains(&settings.integer(key))) {
        warnings.push(format!(
            "{key} is {}, and the API server gives ports from {} to {} unless its --service-node-port-range says otherwise",
            settings.integer(key),
            NODE_PORTS.start(),
            NODE_PORTS.end()
        ));
    }
    warnings
}

/// Can a platform be deployed with it all the same?
fn is_tolerable(kind: Kind, text: &str) -> bool {
    match kind {
        Kind::Credential => !text.contains(char::is_control),
        Kind::Domain => is_host(text),
        _ => false,
    }
}

struct Checker<'f> {
    fragments: &'f Fragments,
    problems: Vec<Problem>,
    warnings: Vec<String>,
    /// What is an error for a new platform alone, by key or table.
    tolerable: Vec<(String, Problem)>,
    passwords: BTreeMap<&'static str, Source>,
}

impl Checker<'_> {
    fn problem(&mut self, key: &str, message: impl Into<String>, advice: Option<String>) {
        let problem = self.problem_of(key, message.into(), advice);
        self.problems.push(problem);
    }

    fn problem_of(&self, key: &str, message: String, advice: Option<String>) -> Problem {
        let origin = self
            .fragments
            .entries
            .get(key)
            .map(|entry| &entry.origin)
            .or_else(|| self.fragments.tables.get(key))
            .or_else(|| self.fragments.tables.get(key.rsplit_once('.')?.0));
        Problem {
            file: origin.map(|origin| origin.file.clone()),
            line: origin.map_or(0, |origin| origin.line),
            column: origin.map_or(0, |origin| origin.column),
            key: key.to_owned(),
            message,
            advice,
        }
    }

    fn typed_values(&mut self) -> Settings {
        let mut values = BTreeMap::new();
        for key in keys::KEYS {
            if let Some(entry) = self.fragments.entries.get(key.path) {
                match typed(key, entry) {
                    Ok(Value::Text(text)) if text.is_empty() => {}
                    Ok(value) => {
                        values.insert(key.path.to_owned(), value);
                        continue;
                    }
                    Err(message) => {
                        match &entry.raw {
                            // A platform that runs with it is kept so.
                            Raw::String(text) if is_tolerable(key.kind, text) => {
                                let problem = self.problem_of(key.path, message, None);
                                self.tolerable.push((key.path.to_owned(), problem));
                                values.insert(key.path.to_owned(), Value::Text(text.clone()));
                            }
                            _ => self.problem(key.path, message, None),
                        }
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
                    if let Some(decides) = values::decided_by(path) {
                        let message = format!("follows the key {decides} and is not given by itself");
                        self.tolerable.push((key.clone(), self.problem_of(key, message, None)));
                    }
                    extra.insert(path.to_owned(), value);
                }
                Err(message) => self.problem(key, message, None),
            }
        }
        Settings { values, extra, warnings: Vec::new(), tolerated: BTreeMap::new() }
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

    /// Every password that stands in no fragment: read, checked, and told when it does not count.
    fn passwords(&mut self, settings: &mut Settings) {
        let listing = match self.fragments.credentials.list() {
            Ok(listing) => listing,
            Err(problem) => {
                self.problems.push(problem);
                return;
            }
        };
        for key in keys::KEYS.iter().filter(|key| key.secret) {
            // What counts so far: what is said of it, and its file.
            let mut counts: Option<(String, Option<PathBuf>)> =
                self.origin_of_set(key.path).map(|origin| (format!("is set in {origin}"), None));
            let file_key = format!("{}_file", key.path);
            if let Some(named) = self.origin_of_set(&file_key) {
                let file = PathBuf::from(settings.text(&file_key));
                if counts.is_some() {
                    self.problem(&file_key, format!("stands beside {}, expected one of the two", key.path), None);
                    continue;
                }
                match read_password(&file, Guard::Named) {
                    Ok(text) => {
                        if let Err(message) = check_credential(&text) {
                            let problem = self.problem_of(&file_key, format!("{}: {message}", file.display()), None);
                            self.tolerable.push((key.path.to_owned(), problem));
                        }
                        settings.values.insert(key.path.to_owned(), Value::Text(text));
                    }
                    Err((message, advice)) => self.problem(&file_key, format!("{}: {message}", file.display()), advice),
                }
                counts = Some((format!("is in {}, as {named} says", file.display()), Some(file.clone())));
                self.passwords.insert(key.path, Source::PasswordFile { file, named });
            }
            for credential in listing.credentials.iter().filter(|credential| credential.key == key.path) {
                let file = &credential.file;
                // A file that is open to others is a leak also when another password counts.
                let text = match read_password(file, credential.guard) {
                    Ok(text) => text,
                    Err(fault) => {
                        self.problems.push(of_file(file, fault));
                        continue;
                    }
                };
                if let Some((other, known)) = &counts {
                    if known.as_ref() != Some(file) {
                        self.warnings.push(format!(
                            "{} {other}, and that counts; {} has no effect: remove one of the two",
                            key.path,
                            file.display()
                        ));
                    }
                    continue;
                }
                if let Err(message) = check_credential(&text) {
                    self.tolerable.push((key.path.to_owned(), of_file(file, (message, None))));
                }
                settings.values.insert(key.path.to_owned(), Value::Text(text));
                let (said, source) = match credential.guard {
                    Guard::Systemd => ("is a credential of the service".to_owned(), Source::Credential(key.path.to_owned())),
                    Guard::Folder | Guard::Named => (format!("is in {}", file.display()), Source::File(file.clone())),
                };
                counts = Some((said, Some(file.clone())));
                self.passwords.insert(key.path, source);
                self.credential_of_other_releases(settings, key.path, file);
            }
        }
        let named: Vec<&str> =
            keys::KEYS.iter().filter(|key| key.path.ends_with("password_file")).map(|key| settings.text(key.path)).collect();
        for stranger in listing.strangers.iter().filter(|file| !named.iter().any(|named| Path::new(named) == *file)) {
            let name = stranger.file_name().unwrap_or_default().to_string_lossy();
            self.warnings.push(format!(
                "{} is called like no key of a password and has no effect: {}",
                stranger.display(),
                meant(&name)
            ));
        }
    }

    /// Where a key stands that is set to something.
    fn origin_of_set(&self, key: &str) -> Option<Origin> {
        self.fragments.is_set(key).then(|| self.fragments.entries[key].origin.clone())
    }

    fn credential_of_other_releases(&mut self, settings: &Settings, key: &str, file: &Path) {
        let Ok(release) = values::supported(settings) else { return };
        if let Some(releases) = values::releases_of_key(key).filter(|releases| !releases.contains(&release)) {
            self.warnings.push(format!(
                "{} has no effect: the key exists only in the releases {}, and platform.version is of {release}",
                file.display(),
                releases.join(", ")
            ));
        }
    }

    /// A key that would have no effect in the release that is configured.
    fn other_releases(&mut self, settings: &Settings) {
        // A version that is not supported is told by a check: another agent may support it.
        let Ok(release) = values::supported(settings) else { return };
        let set: Vec<String> = self.fragments.entries.keys().filter(|key| self.fragments.is_set(key)).cloned().collect();
        for key in set {
            // A file is another way to say what the key says.
            let of = key.strip_suffix("_file").unwrap_or(&key);
            let Some(releases) = values::releases_of_key(of).filter(|releases| !releases.contains(&release)) else { continue };
            let message = format!("exists only in the releases {}, and platform.version is of {release}", releases.join(", "));
            self.problem(&key, message, Some("remove it".into()));
        }
    }

    fn longhorn(&mut self, settings: &Settings) {
        let has = values::releases_of_key("storage.volume_slow_data").unwrap_or_default();
        if settings.text("storage.provider") == "longhorn"
            && values::supported(settings).is_ok_and(|release| !has.contains(&release))
        {
            let advice = Some("use \"hostpath\"".to_owned());
            self.problem(
                "storage.provider",
                format!("is \"longhorn\", which exists only in the releases {}", has.join(", ")),
                advice,
            );
        }
    }

    fn combinations(&mut self, settings: &Settings) {
        for key in ["platform.version", "platform.domain"] {
            if settings.text(key).is_empty() {
                let advice = keys::find(key).and_then(|known| known.variable).map(|variable| format!("the script's {variable}"));
                self.problem(key, "is required and not set", advice);
            }
        }
        self.other_releases(settings);
        self.longhorn(settings);
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
        self.images_archive(settings);
        self.backup_of_migration(settings);
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
        let names: Vec<(&str, String)> = names.into_iter().chain(settings.jobs_namespace().map(|name| ("jobs", name))).collect();
        for (at, (name, namespace)) in names.iter().enumerate() {
            if let Some((other, _)) = names[..at].iter().find(|(_, known)| known == namespace) {
                self.problem(
                    &format!("namespaces.{name}"),
                    format!("is \"{namespace}\", as namespaces.{other}"),
                    Some("each needs a namespace of its own".into()),
                );
            }
        }
        self.prefixed_namespaces(settings);
        self.shares(settings);
    }

    /// A name alone may be short enough, and too long with the instance's prefix.
    fn prefixed_namespaces(&mut self, settings: &Settings) {
        for name in ["services", "jobs", "extensions", "helm"] {
            let whole = settings.namespace(name);
            let counts = name != "jobs" || settings.jobs_namespace().is_some();
            if counts && whole.len() > 63 {
                self.problem(
                    &format!("namespaces.{name}"),
                    format!("is \"{whole}\" with the prefix of the instance, {} characters, expected at most 63", whole.len()),
                    Some("shorten it or platform.instance_uid".into()),
                );
            }
        }
    }

    /// The script divides by their sum, so that any three numbers work, and 30, 500 and 20 by mistake, too.
    fn shares(&mut self, settings: &Settings) {
        let keys = ["resources.pacs_percent", "resources.airflow_percent", "resources.opensearch_percent"];
        let sum: i64 = keys.iter().map(|key| settings.integer(key)).sum();
        let last = keys.iter().rfind(|key| self.fragments.is_set(key));
        if let Some(last) = last.filter(|_| sum != 100) {
            let shares: Vec<String> = keys.iter().map(|key| format!("{} = {}", key, settings.integer(key))).collect();
            let message = format!("the shares {} are {sum} together, expected 100", shares.join(", "));
            let problem = self.problem_of(last, message, Some("a key that is not set has its default".into()));
            self.tolerable.push(("resources".into(), problem));
        }
    }

    fn images_archive(&mut self, settings: &Settings) {
        let archive = settings.text("deployment.images_tar");
        if archive.is_empty() || settings.text("platform.version").is_empty() {
            return;
        }
        let wanted = format!("{}-{}-images.tar", settings.release_name(), settings.text("platform.version"));
        let named = Path::new(archive).file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if named != wanted {
            self.problem(
                "deployment.images_tar",
                format!("the file is called \"{named}\", expected \"{wanted}\""),
                Some("platform.name and platform.version decide the file's name".into()),
            );
        }
    }

    /// Nobody is asked for a backup then, so a program has to make it.
    fn backup_of_migration(&mut self, settings: &Settings) {
        if settings.text("deployment.migration") == "auto" && settings.text("deployment.pre_takedown").is_empty() {
            self.problem(
                "deployment.migration",
                "is \"auto\" and nobody makes a backup before it",
                Some("set deployment.pre_takedown to a program that does".into()),
            );
        }
    }

    fn distinct_ports(&mut self, settings: &Settings) {
        for (at, key) in PORTS.iter().enumerate() {
            if let Some(other) = PORTS[..at].iter().find(|other| settings.integer(other) == settings.integer(key)) {
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

fn extra_value(path: &str, raw: &Raw) -> Result<Value, String> {
    let parts: Vec<&str> = path.split('.').collect();
    if parts.iter().any(|part| part.is_empty()) {
        return Err("has an empty part, expected a path such as \"global.key\"".into());
    }
    if parts[0] == "global" && parts.len() != 2 {
        return Err("would be a map below global, which the cluster's own installer cannot pass on".into());
    }
    if let Some(key) = values::key_of_path(path) {
        return Err(format!("is set by the key {key}, expected it there"));
    }
    if values::is_known(path) && matches!(raw, Raw::List(_)) {
        return Err("is a list, expected a string".into());
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
#[path = "validate_tests.rs"]
mod tests;
