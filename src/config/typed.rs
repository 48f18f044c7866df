//! One key at a time: a value of its kind, or a sentence that says what was expected.

use std::net::IpAddr;
use std::time::Duration;

use super::fragments::{Entry, Raw};
use super::host::{host_fault, is_host, is_label, is_registry, registry_fault};
use super::keys::{Key, Kind};
use super::settings::{Value, parse_duration};
use super::window::Window;

pub(super) fn default_value(key: &Key) -> Option<Value> {
    let text = key.default?;
    match key.kind {
        Kind::Bool => Some(Value::Bool(text == "true")),
        Kind::Integer(..) => text.parse().ok().map(Value::Integer),
        _ => Some(Value::Text(text.trim_matches('"').to_owned())),
    }
}

pub(super) fn typed(key: &Key, entry: &Entry) -> Result<Value, String> {
    let wrong = || {
        // What may hold a password, by itself or by mistake, is never repeated.
        let hidden = |text: &str| key.secret || key.path.ends_with("password_file") || text.contains('@') || text.contains("://");
        let found = match &entry.raw {
            Raw::String(text) if hidden(text) => "a string".to_owned(),
            Raw::String(text) if text.len() > 253 => format!("a string of {} bytes", text.len()),
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
            | Kind::Domain
            | Kind::Quantity
            | Kind::Registry
            | Kind::ReleaseName
            | Kind::Version
            | Kind::VersionTag,
            Raw::String(text),
        ) if text.is_empty() => Ok(Value::Text(String::new())),
        (Kind::Registry, Raw::String(text)) if !is_registry(text) && is_one_line(text) => {
            Err(registry_fault(text, &key.kind.expectation()))
        }
        (Kind::Host | Kind::Domain, Raw::String(text)) if !text_is(key.kind, text) && is_one_line(text) => {
            Err(host_fault(text, &key.kind.expectation()))
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

/// Such a text can be repeated in a message, too.
fn is_one_line(text: &str) -> bool {
    !text.chars().any(char::is_control) && text.len() <= 4096
}

fn text_is(kind: Kind, text: &str) -> bool {
    if !is_one_line(text) {
        return false;
    }
    match kind {
        Kind::Text => true,
        Kind::Path => text.starts_with('/') && !text.split('/').any(|part| part == ".." || part == "."),
        Kind::Duration => parse_duration(text).is_some_and(|span| span <= Duration::from_secs(7 * 24 * 3600)),
        Kind::Label => is_label(text, 63),
        Kind::ReleaseName => is_label(text, 53),
        Kind::Host => is_host(text),
        Kind::Domain => is_host(text) && !text.contains(|c: char| c.is_ascii_uppercase()),
        Kind::Quantity => is_quantity(text),
        Kind::Registry => is_registry(text),
        Kind::VersionTag => text_is(Kind::Version, text.strip_prefix('v').unwrap_or(text)),
        Kind::Version => {
            text.starts_with(|first: char| first.is_ascii_digit())
                && text
                    .split(['.', '-', '+'])
                    .all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
        }
        _ => false,
    }
}

/// Is it a positive quantity of bytes as Kubernetes writes it, of a size that can be meant?
fn is_quantity(text: &str) -> bool {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match &text[number.len()..] {
        "" => 1.0,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => 1024_f64,
        "Mi" => 1024_f64.powi(2),
        "Gi" => 1024_f64.powi(3),
        "Ti" => 1024_f64.powi(4),
        "Pi" => 1024_f64.powi(5),
        "Ei" => 1024_f64.powi(6),
        _ => return false,
    };
    // Digits with one dot between them: no sign, no exponent.
    number.starts_with(|c: char| c.is_ascii_digit())
        && number.ends_with(|c: char| c.is_ascii_digit())
        && number.chars().all(|c| c.is_ascii_digit() || c == '.')
        // Without a unit it is bytes: "100" is a unit forgotten. Kubernetes counts in 63 bits.
        && number.parse::<f64>().is_ok_and(|number| (1024_f64.powi(2)..2_f64.powi(63)).contains(&(number * factor)))
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
pub(super) fn check_credential(text: &str) -> Result<(), String> {
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
