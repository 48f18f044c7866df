//! Names of hosts and registries: what is wrong with one, and what was probably meant.
//!
//! A text that may hold a login is never repeated.

use std::net::IpAddr;

/// The longest name of a host (RFC 1035, 2.3.4).
const MOST: usize = 253;

/// Is it a label of RFC 1123, of at most this length?
pub(super) fn is_label(text: &str, most: usize) -> bool {
    text.len() <= most
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.ends_with(|c: char| c.is_ascii_alphanumeric())
}

/// Is it a host name (RFC 1123) or an IP address?
pub(super) fn is_host(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok()
        || (text.len() <= MOST && !is_numeric(text) && text.split('.').all(|label| is_label(&label.to_ascii_lowercase(), 63)))
}

/// An all-numeric name is a mistyped address, not a name (RFC 1123, 2.1).
fn is_numeric(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_digit() || c == '.')
}

/// Is it host, optional port and optional path, as a reference of an OCI registry has them?
pub(super) fn is_registry(text: &str) -> bool {
    let (host, path) = text.split_once('/').map_or((text, None), |(host, path)| (host, Some(path)));
    let (name, port) = host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port)));
    let of_a_path = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
    is_host(name)
        && port.is_none_or(|port| {
            // A sign is no digit.
            port.chars().all(|c| c.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
        })
        && path.is_none_or(|path| path.split('/').all(|part| !part.is_empty() && part.chars().all(of_a_path)))
}

/// What is wrong with a host name, and what to write instead.
pub(super) fn host_fault(text: &str, expectation: &str) -> String {
    let bare = without_scheme(text).split(['/', '?', '#']).next().unwrap_or_default();
    let bare = bare.split_once(':').map_or(bare, |(name, _)| name).trim_end_matches('.').trim().to_ascii_lowercase();
    let meant = if !text.contains('@') && is_host(&bare) { format!("\"{bare}\" alone") } else { expectation.to_owned() };
    let odd = text.chars().find(|c| !(c.is_ascii_alphanumeric() || "-.".contains(*c)));
    if text.contains("://") {
        format!("holds a scheme, expected {meant}")
    } else if text.contains('@') {
        format!("holds \"@\", expected {expectation}")
    } else if text.contains('/') {
        format!("holds a path, expected {meant}")
    } else if text.contains(':') && is_host(&bare) {
        format!("holds a port, expected {meant}; the port is a key of its own")
    } else if text.contains('*') {
        format!("is a wildcard, expected the one name of this host, such as \"{}\"", example(text))
    } else if text.contains(char::is_whitespace) {
        format!("holds a space, expected {meant}")
    } else if text.ends_with('.') && is_host(&bare) {
        format!("ends with a dot, expected {meant}")
    } else if let Some(odd) = odd {
        let foreign = if odd.is_ascii() { "" } else { "; an international name is written in its ASCII form, xn--…" };
        format!("holds \"{odd}\", expected letters, digits, \"-\" and \".\"{foreign}")
    } else if is_numeric(text) {
        format!("found the string {text:?}, expected {expectation}; it is no whole address")
    } else if text.len() > MOST {
        format!("is {} characters long, expected at most {MOST}", text.len())
    } else if let Some(label) = text.split('.').find(|label| label.len() > 63) {
        format!("has a part of {} characters, expected at most 63 between two dots", label.len())
    } else if text.split('.').any(str::is_empty) {
        "has an empty part, expected a name between any two dots".to_owned()
    } else if is_host(&bare) {
        format!("holds upper-case letters, expected {meant}; browsers and certificates know it so")
    } else {
        "has a part that begins or ends with \"-\", expected a letter or digit there".to_owned()
    }
}

/// What is wrong with a registry, and what to write instead.
pub(super) fn registry_fault(text: &str, expectation: &str) -> String {
    let bare = without_scheme(text).trim_end_matches('/');
    let lower = bare.to_ascii_lowercase();
    let meant = |bare: &str| {
        if !bare.contains('@') && is_registry(bare) { format!("\"{bare}\"") } else { expectation.to_owned() }
    };
    if text.contains("://") {
        format!("holds a scheme, expected {}", meant(bare))
    } else if text.contains('@') {
        format!("holds \"@\", expected {expectation}; a login goes to registry.username and registry.password")
    } else if text.ends_with('/') {
        format!("ends with \"/\", expected {}", meant(bare))
    } else if is_registry(&lower) {
        format!("holds upper-case letters in its path, expected {}", meant(&lower))
    } else {
        format!("found the string {text:?}, expected {expectation}")
    }
}

fn without_scheme(text: &str) -> &str {
    text.split_once("://").map_or(text, |(_, rest)| rest)
}

fn example(wildcard: &str) -> String {
    let name = wildcard.replace('*', "kaapana");
    if is_host(&name) { name.to_ascii_lowercase() } else { "kaapana.example.org".to_owned() }
}
