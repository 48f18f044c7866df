//! Moving in: from the deploy script of Kaapana 0.2 to 0.6 to a fragment.
//!
//! * `shell` reads the assignments of a script and runs nothing;
//! * `resolve` finds the settings of its administrator among them;
//! * `convert` makes each the value of its key;
//! * this module writes the fragment and checks it as the agent would;
//! * [`report`] says what was mapped, what was not, and what to look at.
//!
//! Pure: bytes in, text out. The fragment holds the passwords of the script; nothing
//! else that is returned here does.

mod convert;
pub mod report;
mod resolve;
mod shell;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use self::convert::{Converted, convert};
use self::resolve::{Resolved, Setting, Why, resolve};
use super::error::Problem;
use super::fragments::{Fragments, MAX_FILE_BYTES, Raw};
use super::keys::{self, Key};
use super::settings::has_login;
use super::typed::{default_value, typed};
use super::{validate, values};

pub use self::shell::ReadError;

/// The file name under which a fragment is installed.
pub const FILE_NAME: &str = "10-imported.toml";

/// Why a file cannot be imported at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// It is no script.
    #[error("is larger than {MAX_FILE_BYTES} bytes: a deploy script is not, is it the right file?")]
    TooLarge,
    /// It is no text.
    #[error("line {line} holds a NUL byte: it is no text file, or of an encoding other than UTF-8")]
    Binary {
        /// The line.
        line: usize,
    },
    /// The settings cannot be read to their end.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// A variable that became a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapped {
    /// The key.
    pub key: &'static str,
    /// The variable.
    pub variable: String,
    /// Its line in the script.
    pub line: usize,
    /// What else there is to say, such as that it is the default.
    pub notes: Vec<String>,
}

/// A variable that did not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmapped {
    /// The variable.
    pub variable: String,
    /// Its line in the script.
    pub line: usize,
    /// The key it would have become, when there is one in this release.
    pub key: Option<&'static str>,
    /// Why not. Never holds the value of a secret.
    pub reason: String,
}

/// What became of a script.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Import {
    /// The fragment, in TOML. Holds passwords.
    pub fragment: String,
    /// What stands in it.
    pub mapped: Vec<Mapped>,
    /// What a deployment may need and a person has to look at.
    pub unmapped: Vec<Unmapped>,
    /// What the agent does without.
    pub not_needed: Vec<Unmapped>,
    /// Variables that are empty, which is the script's way to leave them unset.
    pub empty: Vec<String>,
    /// Why the fragment, taken by itself, is no valid configuration yet.
    pub problems: Vec<Problem>,
    /// What was not read and may set variables, too: other files, and what stands behind an error.
    pub unread: Vec<String>,
    /// What to think about.
    pub advice: Vec<String>,
    /// The fragment holds passwords.
    pub holds_passwords: bool,
}

impl std::fmt::Debug for Import {
    /// Without the fragment, which holds passwords.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Import")
            .field("mapped", &self.mapped)
            .field("unmapped", &self.unmapped)
            .field("problems", &self.problems)
            .field("unread", &self.unread)
            .field("advice", &self.advice)
            .finish_non_exhaustive()
    }
}

impl Import {
    /// Was everything read, and carried over that a deployment needs?
    #[must_use]
    pub fn is_complete(&self) -> bool {
        !self.mapped.is_empty() && self.unmapped.is_empty() && self.problems.is_empty() && self.unread.is_empty()
    }
}

/// Variables of the script that mean nothing for the agent, and why.
const NOT_NEEDED: &[(&str, &[&str])] = &[
    ("the agent makes one of 256 bits, once, and keeps it; that of a platform it takes over is kept", &["OIDC_CLIENT_SECRET"]),
    ("decided by platform.instance_uid", &["INCLUDE_REVERSE_PROXY"]),
    ("decided by deployment.dev_mode", &["KAAPANA_INIT_PASSWORD"]),
    ("decided by deployment.dev_mode and deployment.offline", &["PULL_POLICY_IMAGES", "PULL_POLICY_JOBS", "PULL_POLICY_PODS"]),
    ("decided by storage.provider", &["STORAGE_CLASS_FAST", "STORAGE_CLASS_SLOW", "STORAGE_CLASS_WORKFLOW"]),
    (
        "computed from the server's memory and [resources]",
        &[
            "TOTAL_PERCENT",
            "TOTAL_MEMORY",
            "ALLOCATABLE_MEMORY",
            "PACS_MEMORY_LIMIT",
            "AIRFLOW_MEMORY_LIMIT",
            "OPENSEARCH_MEMORY_LIMIT",
            "PACS_MEMORY_REQUEST",
            "AIRFLOW_MEMORY_REQUEST",
            "OPENSEARCH_MEMORY_REQUEST",
        ],
    ),
    (
        "found out by the agent",
        &[
            "DEPLOYMENT_TIMESTAMP",
            "MAIN_NODE_NAME",
            "STORAGE_NODE",
            "HOME_DIR",
            "BASE_NAMESPACE",
            "INTERNAL_CIDRS",
            "SERVER_IP",
            "VERSION_IMAGE_COUNT",
        ],
    ),
    ("the agent uses MicroK8s' own Helm", &["HELM_EXECUTABLE", "KUBECTL_EXECUTABLE", "HELM_EXPERIMENTAL_OCI"]),
    ("the agent asks before it migrates data: deployment.migration, kaapanactl migrate", &["MIGRATION_ENABLED"]),
    ("of the script alone", &["QUIET", "AUTO_NO_HOOKS", "CHART_REFERENCE", "TAR_PATH", "SCRIPT_DIR", "DEV_PORTS"]),
];

/// The key a variable of the script becomes.
fn key_of(variable: &str) -> Option<&'static Key> {
    keys::KEYS.iter().find(|key| key.variable == Some(variable))
}

fn is_known(variable: &str) -> bool {
    key_of(variable).is_some()
}

fn not_needed(variable: &str) -> Option<&'static str> {
    NOT_NEEDED.iter().find(|(_, names)| names.contains(&variable)).map(|(why, _)| *why)
}

/// Reads a script, or lines `KEY=value`, and makes a fragment of it. `name` is what the
/// file is called in the fragment.
///
/// # Errors
///
/// When it is no text, too large, or cannot be read to the end of its settings.
pub fn import(name: &str, bytes: &[u8]) -> Result<Import, ImportError> {
    if u64::try_from(bytes.len()).map_or(true, |length| length > MAX_FILE_BYTES) {
        return Err(ImportError::TooLarge);
    }
    if let Some(at) = bytes.iter().position(|byte| *byte == 0) {
        return Err(ImportError::Binary { line: 1 + bytes[..at].iter().filter(|byte| **byte == b'\n').count() });
    }
    // An umlaut of another encoding in a comment is no reason to refuse the whole file.
    let text = String::from_utf8_lossy(bytes);
    let lossy = matches!(text, std::borrow::Cow::Owned(_));
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text).replace("\r\n", "\n");
    let script = shell::read(&text);
    let mut resolved = resolve(&script, is_known);
    let mut work = Work { is_script: script.runs_commands, ..Work::default() };
    if let Some(error) = &script.error {
        // What stands behind the settings is the script's own work.
        if resolved.end.is_none_or(|end| error.line() <= end) || !resolved.settings.iter().any(|one| is_known(&one.name)) {
            return Err(error.clone().into());
        }
        work.import.unread.push(format!("{error}; what follows was not read"));
    }
    for setting in &mut resolved.settings {
        let broken = |text: &resolve::Text| text.text.contains(char::REPLACEMENT_CHARACTER);
        if lossy && setting.value.as_ref().is_ok_and(broken) {
            setting.value = Err(Why::Encoding);
        }
    }
    work.release = release(&resolved);
    for (line, what) in &script.unseen {
        work.import.unread.push(format!("line {line} {what}"));
    }
    for setting in &resolved.settings {
        work.setting(setting);
    }
    work.scheme();
    work.unknown(&resolved, !script.runs_commands);
    work.write();
    work.check(name);
    work.head(name);
    work.advise(&resolved);
    let missing = |path: &str| {
        let unmapped = work.import.unmapped.iter().any(|one| one.key == Some(path));
        unmapped || work.import.problems.iter().any(|problem| problem.key == path)
    };
    if script.runs_commands && ["platform.version", "platform.domain", "registry.url"].into_iter().any(missing) {
        let said = "what the script asked for, or was told by options such as --domain and --chart, does not stand in it";
        work.import.advice.insert(0, said.into());
    }
    for (name, line) in &resolved.for_one_command {
        let said = format!("{name} is set for one command only on line {line}: not taken, since it sets nothing for the others");
        work.import.advice.push(said);
    }
    work.import.harmless();
    Ok(work.import)
}

/// The supported release that the script deploys, when it says one.
fn release(resolved: &Resolved) -> Option<String> {
    let version = resolved.settings.iter().find(|one| key_of(&one.name).is_some_and(|key| key.path == "platform.version"))?;
    let release = values::release_of(version.value.as_ref().ok()?.text.trim());
    let supported = values::releases_of_key("platform.domain").unwrap_or_default();
    supported.contains(&release.as_str()).then_some(release)
}

/// What is built while the settings are gone through.
#[derive(Default)]
struct Work {
    import: Import,
    release: Option<String>,
    values: BTreeMap<&'static str, Converted>,
    is_script: bool,
}

impl Work {
    fn not_needed(&mut self, setting: &Setting, reason: impl Into<String>) {
        let (variable, line) = (setting.name.clone(), setting.line);
        self.import.not_needed.push(Unmapped { variable, line, key: None, reason: reason.into() });
    }

    fn unmapped(&mut self, setting: &Setting, key: Option<&'static str>, reason: impl Into<String>) {
        let (variable, line) = (setting.name.clone(), setting.line);
        self.import.unmapped.push(Unmapped { variable, line, key, reason: reason.into() });
    }

    fn setting(&mut self, setting: &Setting) {
        let Some(key) = key_of(&setting.name) else {
            if let Some(why) = not_needed(&setting.name) {
                self.not_needed(setting, why);
            }
            return;
        };
        if let Some(release) = &self.release
            && let Some(releases) = values::releases_of_key(key.path)
            && !releases.contains(&release.as_str())
        {
            let reason = format!("exists only in the releases {}", releases.join(", "));
            self.not_needed(setting, reason);
            return;
        }
        let value = match &setting.value {
            Ok(value) => value,
            Err(why) => {
                self.unmapped(setting, Some(key.path), why.to_string());
                return;
            }
        };
        if value.text.trim().is_empty() {
            self.import.empty.push(setting.name.clone());
            return;
        }
        match convert(key, &value.text) {
            Ok(converted) => self.mapped(setting, key, converted, value.default),
            Err(message) => {
                let reason = if key.path == "deployment.chart_path" {
                    format!("{message}; a path that is not absolute depends on where the script was started")
                } else {
                    message
                };
                self.unmapped(setting, Some(key.path), reason);
            }
        }
    }

    fn mapped(&mut self, setting: &Setting, key: &'static Key, mut converted: Converted, environment: bool) {
        let mut notes = Vec::new();
        if key.path == "deployment.gpu_support" && self.is_script && converted.raw == Raw::Bool(false) {
            // Its default, which it overwrites by what it finds.
            converted.raw = Raw::String("auto".into());
            notes.push("false there, until the script has looked for a GPU".into());
        }
        if is_default(key, &converted.raw) {
            notes.push("the default".into());
        }
        if environment {
            notes.push("unless the script's environment said otherwise".into());
        }
        if let Some(scheme) = &converted.scheme {
            notes.push(format!("without {scheme}://"));
        }
        self.import.mapped.push(Mapped { key: key.path, variable: setting.name.clone(), line: setting.line, notes });
        self.values.insert(key.path, converted);
    }

    /// `http://` before the registry says what `PLAIN_HTTP` says, unless that one is set.
    fn scheme(&mut self) {
        let Some(key) = keys::find("registry.plain_http") else { return };
        let is_http = self.values.get("registry.url").is_some_and(|url| url.scheme.as_deref() == Some("http"));
        let said = self.values.contains_key(key.path) || self.import.unmapped.iter().any(|one| one.key == Some(key.path));
        let Some(url) = self.import.mapped.iter().find(|mapped| mapped.key == "registry.url") else { return };
        if is_http && !said {
            let (variable, line) = (url.variable.clone(), url.line);
            let notes = vec!["its http:// says so".to_owned()];
            self.import.mapped.push(Mapped { key: key.path, variable, line, notes });
            self.values.insert(key.path, Converted { raw: Raw::Bool(true), scheme: None, refused: None });
        }
    }

    /// The keys whose values are passwords, or hold one.
    fn passwords(&self) -> impl Iterator<Item = &'static Key> {
        let secret = |key: &&Key| key.secret || self.text(key.path).is_some_and(has_login);
        keys::KEYS.iter().filter(|key| self.values.contains_key(key.path)).filter(secret)
    }

    /// What is neither known nor known to be of no use. A script has many variables of
    /// its own, so only what looks like a setting is told.
    fn unknown(&mut self, resolved: &Resolved, plain: bool) {
        let told = |one: &&Setting| {
            let has_value = one.value.as_ref().is_ok_and(|value| !value.text.is_empty() && !value.default);
            let capital =
                one.name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_') && one.name.len() > 1;
            let helper = resolved.used.contains(&one.name);
            !is_known(&one.name) && not_needed(&one.name).is_none() && !helper && (plain || (has_value && capital))
        };
        let names: Vec<String> = resolved
            .settings
            .iter()
            .filter(told)
            .map(|one| {
                let near = nearest(&one.name).map(|near| format!(", did you mean {near}?")).unwrap_or_default();
                format!("{} (line {}{near})", one.name, one.line)
            })
            .collect();
        if !names.is_empty() {
            let more = names.len().saturating_sub(10);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let names = names.into_iter().take(10).collect::<Vec<_>>().join(", ");
            self.import.advice.push(format!(
                "not known, and not carried over: {names}{more}; a Helm value of your own goes below [values], by its path"
            ));
        }
    }

    /// The tables, in the order of the keys.
    fn write(&mut self) {
        let mut text = String::new();
        let mut table = "";
        for key in keys::KEYS {
            let Some(converted) = self.values.get(key.path) else { continue };
            let (of, last) = key.path.rsplit_once('.').unwrap_or(("", key.path));
            if of != table {
                writeln!(text, "\n[{of}]").ok();
                table = of;
            }
            if let Some(mapped) = self.import.mapped.iter().find(|mapped| mapped.key == key.path) {
                let notes = if mapped.notes.is_empty() { String::new() } else { format!("; {}", mapped.notes.join(", ")) };
                writeln!(text, "# {}", comment(&format!("{}, line {}{notes}", mapped.variable, mapped.line))).ok();
            }
            writeln!(text, "{last} = {}", convert::toml(&converted.raw)).ok();
        }
        self.import.fragment = text;
        self.import.mapped.sort_by_key(|mapped| keys::KEYS.iter().position(|key| key.path == mapped.key));
    }

    /// What stands above the tables: where they come from, and what is missing.
    fn head(&mut self, name: &str) {
        let mut text = format!("# Made by `kaapanactl import` from {}.\n", comment(name));
        if self.passwords().next().is_some() {
            self.import.holds_passwords = true;
            text += "# Holds passwords: keep it at mode 0600.\n";
        }
        if !self.import.unread.is_empty() {
            text += "#\n# Not read:\n";
            for one in &self.import.unread {
                writeln!(text, "#   {}", comment(one)).ok();
            }
        }
        if !self.import.unmapped.is_empty() {
            text += "#\n# Not carried over:\n";
            for one in &self.import.unmapped {
                writeln!(text, "#   {}", comment(&report::unmapped(one))).ok();
            }
        }
        if !self.import.problems.is_empty() {
            text += "#\n# To be filled in or corrected:\n";
            for problem in &self.import.problems {
                writeln!(text, "#   {}", comment(&report::without_place(problem))).ok();
            }
        }
        self.import.fragment.insert_str(0, &text);
    }

    /// Checks the fragment as the agent would, taken by itself.
    fn check(&mut self, name: &str) {
        let path = Path::new(FILE_NAME);
        let mut fragments = Fragments::default();
        if let Err(error) = fragments.merge_text(path, &self.import.fragment) {
            self.import.problems = error.problems;
            return;
        }
        for (key, converted) in &self.values {
            let Some(message) = &converted.refused else { continue };
            let Some(entry) = fragments.entries.get_mut(*key) else { continue };
            self.import.problems.push(Problem {
                file: Some(path.to_path_buf()),
                line: entry.origin.line,
                column: entry.origin.column,
                key: (*key).to_owned(),
                message: message.clone(),
                advice: Some("set another one where it is used, then here".into()),
            });
            // One refusal must not hide the others: the rules between keys come after it.
            entry.raw = Raw::String("stand-in".into());
        }
        match validate(&fragments) {
            Ok(Some(_)) => {}
            Ok(None) if self.values.is_empty() && self.import.unmapped.is_empty() && self.import.empty.is_empty() => {
                self.import
                    .advice
                    .insert(0, format!("{name} sets no variable of Kaapana's deploy script: is it the right file?"));
            }
            Ok(None) => self
                .import
                .advice
                .push("nothing says which platform is meant ([platform]): by itself the fragment configures nothing".to_owned()),
            Err(error) => self.import.problems.extend(error.problems),
        }
        self.import.problems.sort_by_key(|problem| problem.line);
    }

    fn text(&self, key: &str) -> Option<&str> {
        match &self.values.get(key)?.raw {
            Raw::String(text) => Some(text),
            _ => None,
        }
    }

    fn truth(&self, key: &str) -> Option<bool> {
        match self.values.get(key)?.raw {
            Raw::Bool(truth) => Some(truth),
            _ => None,
        }
    }

    fn advise(&mut self, resolved: &Resolved) {
        let mut advice = Vec::new();
        // The script set this one by what it found, which the next sentence is about.
        for one in resolved.passed_over.iter().filter(|one| one.name != "GPU_SUPPORT") {
            advice.push(format!(
                "{} may be set again on line {}, which {}: the value of line {} was taken",
                one.name, one.line, one.why, one.kept
            ));
        }
        if self.truth("deployment.gpu_support") == Some(false) {
            advice.push(
                "deployment.gpu_support = false deploys without a GPU also where there is one; the script looked for \
                 itself, as \"auto\" does"
                    .into(),
            );
        }
        if self.truth("registry.plain_http") == Some(true) {
            advice.push(
                "the registry is spoken to over plain HTTP: passwords and images go over the network unprotected; use HTTPS"
                    .into(),
            );
        }
        if !self.values.is_empty() && self.truth("deployment.dev_mode").unwrap_or(true) {
            let said = if self.values.contains_key("deployment.dev_mode") { "" } else { " by default" };
            advice.push(format!(
                "deployment.dev_mode is true{said}: images are pulled at every start of a pod, and the first password is a \
                 simple one; set it to false on a server with patients' data"
            ));
        }
        if let (Some(version), None) = (self.text("platform.version"), &self.release) {
            advice.push(format!(
                "the Helm values of Kaapana {version} are not known to this version of the agent, which deploys nothing of it"
            ));
        }
        self.advise_about_passwords(&mut advice);
        self.advise_about_instance(&mut advice);
        self.import.advice.append(&mut advice);
    }

    fn advise_about_passwords(&self, advice: &mut Vec<String>) {
        let has_platform = self.values.keys().any(|key| key.starts_with("platform."));
        let public: Vec<&str> = keys::KEYS
            .iter()
            .filter(|key| key.secret)
            .filter(|key| match self.text(key.path) {
                Some(text) => keys::is_public_password(text),
                None => has_platform && key.default.is_some(),
            })
            .map(|key| key.path)
            .collect();
        if !public.is_empty() {
            advice
                .push(format!("documented default passwords, which everybody can look up: {}; set your own", public.join(", ")));
        }
        let (own, logins): (Vec<&Key>, Vec<&Key>) = self.passwords().partition(|key| key.secret);
        let paths = |keys: &[&Key]| keys.iter().map(|key| key.path).collect::<Vec<_>>().join(", ");
        if !own.is_empty() {
            advice.push(format!(
                "the fragment holds passwords: {}; better is a file of mode 0600 for each, called like its key, such as \
                 /etc/kaapana/credentials/{}, and no such line in the fragment",
                paths(&own),
                own[0].path
            ));
        }
        if !logins.is_empty() {
            advice.push(format!("an address in the fragment holds a password: {}; keep it at mode 0600", paths(&logins)));
        }
        if self.values.values().any(|converted| converted.refused.is_some()) {
            advice.push(
                "a new platform is not deployed with a credential that the charts would mangle; one that the script deployed \
                 with it can be taken over with it: redirect standard output to a fragment (umask 077), since --write refuses"
                    .into(),
            );
        }
    }

    /// The agent puts prefix and suffix on, as the script did.
    fn advise_about_instance(&self, advice: &mut Vec<String>) {
        let Some(uid) = self.text("platform.instance_uid") else { return };
        for key in ["namespaces.services", "namespaces.jobs", "namespaces.extensions", "namespaces.helm"] {
            if self.text(key).is_some_and(|text| text.starts_with(&format!("{uid}-"))) {
                advice.push(format!("{key} begins with the instance's \"{uid}-\", which the agent puts before it once more"));
            }
        }
        for key in ["data.fast_dir", "data.slow_dir"] {
            if self.text(key).is_some_and(|text| text.trim_end_matches('/').ends_with(&format!("-{uid}"))) {
                advice.push(format!("{key} ends with the instance's \"-{uid}\", which the agent puts behind it once more"));
            }
        }
    }
}

fn is_default(key: &Key, raw: &Raw) -> bool {
    let origin = super::fragments::Origin { file: std::path::PathBuf::new(), line: 0, column: 0 };
    let value = typed(key, &super::fragments::Entry { raw: raw.clone(), origin }).ok();
    value.is_some() && value == default_value(key)
}

/// The known variable that is nearly written like this one.
fn nearest(variable: &str) -> Option<&'static str> {
    let upper = variable.to_ascii_uppercase();
    keys::KEYS
        .iter()
        .filter_map(|key| key.variable)
        .map(|known| (strsim::damerau_levenshtein(&upper, &known.to_ascii_uppercase()), known))
        .min()
        .filter(|(distance, known)| *distance <= 2 && known.len() > 4)
        .map(|(_, known)| known)
}

impl Import {
    /// No name or sentence does anything to a terminal, whatever the script holds.
    fn harmless(&mut self) {
        let unmapped = self.unmapped.iter_mut().chain(&mut self.not_needed);
        let (variables, reasons): (Vec<_>, Vec<_>) = unmapped.map(|one| (&mut one.variable, &mut one.reason)).unzip();
        let notes = self.mapped.iter_mut().flat_map(|one| one.notes.iter_mut().chain([&mut one.variable]));
        let rest = self.empty.iter_mut().chain(&mut self.unread).chain(&mut self.advice);
        for text in variables.into_iter().chain(reasons).chain(notes).chain(rest) {
            *text = comment(text);
        }
    }
}

/// A sentence that fits behind a `#`, and on a terminal.
pub(super) fn comment(text: &str) -> String {
    let strange = |c: char| c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if strange(c) { ' ' } else { c }).collect()
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
