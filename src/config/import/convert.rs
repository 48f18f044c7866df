//! From the text of a variable to the value of a key.

use crate::config::fragments::{Entry, Origin, Raw};
use crate::config::keys::{Key, Kind};
use crate::config::typed::typed;

/// A value of a key, and what is to be said about how it came from the text.
#[derive(Debug, Clone, PartialEq)]
pub struct Converted {
    /// The value.
    pub raw: Raw,
    /// The scheme that was taken off a registry's address.
    pub scheme: Option<String>,
    /// Why the configuration refuses it: kept for a person to correct, since leaving a
    /// credential out would put a documented default in its place.
    pub refused: Option<String>,
}

/// Converts by the kind of the key.
///
/// # Errors
///
/// A sentence that says what was expected. Never holds the value of a secret.
pub fn convert(key: &Key, text: &str) -> Result<Converted, String> {
    let mut scheme = None;
    let trimmed = text.trim();
    let raw = match key.kind {
        Kind::Bool | Kind::AutoBool => match truth(trimmed) {
            Some(truth) => Raw::Bool(truth),
            // The script handed this option on to Helm as it is.
            None if key.path == "deployment.no_hooks" && trimmed == "--no-hooks" => Raw::Bool(true),
            None => Raw::String(trimmed.to_owned()),
        },
        Kind::Integer(..) => trimmed.parse().map_or_else(|_| Raw::String(trimmed.to_owned()), Raw::Integer),
        Kind::Paths | Kind::Cidrs | Kind::Windows => Raw::List(
            trimmed
                .split(|c: char| c == ',' || c == ';' || c.is_whitespace())
                .filter(|one| !one.is_empty())
                .map(String::from)
                .collect(),
        ),
        Kind::Registry => {
            let mut address = trimmed;
            if let Some((before, after)) = trimmed.split_once("://") {
                scheme = Some(before.to_ascii_lowercase());
                address = after;
            }
            Raw::String(address.trim_end_matches('/').to_owned())
        }
        // The other names that the script knows it by.
        Kind::Choice(_) if key.path == "storage.provider" => Raw::String(
            match trimmed {
                "driver.longhorn.io" => "longhorn",
                "microk8s.io/hostpath" | "microk8s" => "hostpath",
                other => other,
            }
            .to_owned(),
        ),
        // A blank in a password belongs to it.
        Kind::Credential | Kind::Text => Raw::String(text.to_owned()),
        _ => Raw::String(trimmed.to_owned()),
    };
    let origin = Origin { file: std::path::PathBuf::new(), line: 0, column: 0 };
    let refused = match typed(key, &Entry { raw: raw.clone(), origin }) {
        Ok(_) => None,
        Err(message) if key.kind == Kind::Credential => Some(message),
        Err(message) => return Err(message),
    };
    Ok(Converted { raw, scheme, refused })
}

fn truth(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "y" | "on" | "1" => Some(true),
        "false" | "no" | "n" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// The value as it stands in TOML.
pub fn toml(raw: &Raw) -> String {
    let value = match raw {
        Raw::String(text) => toml::Value::from(text.as_str()),
        Raw::Integer(number) => toml::Value::from(*number),
        Raw::Float(number) => toml::Value::from(*number),
        Raw::Bool(truth) => toml::Value::from(*truth),
        Raw::List(list) => toml::Value::from(list.clone()),
        Raw::Other(name) => toml::Value::from(*name),
    };
    value.to_string()
}
