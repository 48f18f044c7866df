//! The configuration in force, key by key, with where each value comes from.

use std::fmt;
use std::path::PathBuf;

use super::error::ConfigError;
use super::fragments::{Fragments, Origin};
use super::keys;
use super::settings::Value;
use super::validate::check;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Nobody set it.
    Default,
    /// A fragment sets it.
    Fragment {
        /// Where.
        origin: Origin,
        /// Where it stands, too, in files before, without effect.
        instead_of: Vec<Origin>,
    },
    /// The file that a key names.
    PasswordFile {
        /// The file.
        file: PathBuf,
        /// Where the key stands.
        named: Origin,
    },
    /// A credential that systemd passes to the service, by its name.
    Credential(String),
    /// A file that is called like the key.
    File(PathBuf),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => write!(f, "default"),
            Self::Fragment { origin, instead_of } => {
                write!(f, "{origin}")?;
                // The latest first: it would count if this one went.
                for (at, other) in instead_of.iter().rev().enumerate() {
                    write!(f, "{}{other}", if at == 0 { ", instead of " } else { ", " })?;
                }
                Ok(())
            }
            Self::PasswordFile { file, named } => write!(f, "file {}, named in {named}", file.display()),
            Self::Credential(name) => write!(f, "credential {name}"),
            Self::File(file) => write!(f, "file {}", file.display()),
        }
    }
}

/// A key that has a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its table, dotted.
    pub table: String,
    /// Its name in the table, in quotes where TOML wants them.
    pub name: String,
    /// The value as it would stand in TOML; secrets are masked.
    pub value: String,
    /// Where it comes from.
    pub source: Source,
}

/// What is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Every key that has a value in the release that is configured, in the order of the reference.
    pub lines: Vec<Line>,
    /// What is allowed but worth a sentence.
    pub warnings: Vec<String>,
}

/// Checks merged fragments and tells what they yield. `None`: nothing is configured.
///
/// # Errors
///
/// Every problem found.
pub fn show(fragments: &Fragments) -> Result<Option<Shown>, ConfigError> {
    let Some(mut checked) = check(fragments, true)? else { return Ok(None) };
    let in_a_fragment = |key: &str| {
        let entry = fragments.entries.get(key)?;
        let instead_of = fragments.overridden.get(key).cloned().unwrap_or_default();
        Some(Source::Fragment { origin: entry.origin.clone(), instead_of })
    };
    let mut lines = Vec::new();
    for key in keys::KEYS {
        let Some(value) = checked.settings.shown(key.path) else { continue };
        let (table, name) = key.path.rsplit_once('.').unwrap_or(("", key.path));
        let source = checked
            .passwords
            .remove(key.path)
            .or_else(|| fragments.is_set(key.path).then(|| in_a_fragment(key.path)).flatten())
            .unwrap_or(Source::Default);
        // The default of a key that this release does not have has no effect.
        if source == Source::Default && !checked.settings.has_key(key.path) {
            continue;
        }
        lines.push(Line { table: table.to_owned(), name: name.to_owned(), value: literal(&value), source });
    }
    for path in checked.settings.extra().keys() {
        let key = format!("values.{path}");
        let (Some(value), Some(source)) = (checked.settings.shown(&key), in_a_fragment(&key)) else { continue };
        let name = toml::Value::String(path.clone()).to_string();
        lines.push(Line { table: "values".to_owned(), name, value: literal(&value), source });
    }
    Ok(Some(Shown { lines, warnings: checked.settings.warnings }))
}

fn literal(value: &Value) -> String {
    let text = |text: &String| toml::Value::String(text.clone());
    match value {
        Value::Bool(truth) => truth.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => toml::Value::Float(*number).to_string(),
        Value::Text(one) => text(one).to_string(),
        Value::List(list) => toml::Value::Array(list.iter().map(text).collect()).to_string(),
    }
}
