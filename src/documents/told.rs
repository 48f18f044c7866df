//! What every document says of a key, in words: its type, default, releases, meaning.

use crate::config::keys::{self, Effect, Key, Kind};
use crate::config::{notes, values};

/// The tables of the documents and their keys, told together.
pub(super) fn keys_of(table: &str) -> impl Iterator<Item = &'static Key> {
    keys::KEYS.iter().filter(move |key| key.path.rsplit_once('.').is_some_and(|(of, _)| of == table))
}

/// The name of a type.
fn kind_name(kind: Kind) -> String {
    let name = match kind {
        Kind::Text => "string",
        Kind::Bool => "true or false",
        Kind::AutoBool => "\"auto\", true or false",
        Kind::Integer(low, high) => return format!("integer, {low} to {high}"),
        Kind::Choice(words) => return alternatives(words),
        Kind::Path => "absolute path",
        Kind::Duration => "time span",
        Kind::Label => "DNS label",
        Kind::Domain => "host name or IP address, lower case",
        Kind::Quantity => "size",
        Kind::Host => "host name or IP address",
        Kind::Registry => "registry without a scheme",
        Kind::ReleaseName => "release name",
        Kind::Version | Kind::VersionTag => "version",
        Kind::Credential => "credential",
        Kind::Paths => "list of absolute paths",
        Kind::Cidrs => "list of networks (CIDR)",
        Kind::Windows => "list of windows",
    };
    name.to_owned()
}

/// What the name of a type alone does not say.
fn kind_meaning(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Text => Some("text without control characters"),
        Kind::Path => Some("begins with `/`; no part of it is `.` or `..`"),
        Kind::Duration => Some("such as `\"90s\"`, `\"15m\"`, `\"1h30m\"`; at most seven days"),
        Kind::Label => Some("up to 63 lower-case letters, digits and `-`, which is neither first nor last"),
        Kind::ReleaseName => Some("the same as a DNS label, up to 53"),
        Kind::Domain => Some("without scheme, port or path"),
        Kind::Quantity => Some(
            "such as `\"100Gi\"`: a number and `Ki`, `Mi`, `Gi`, `Ti`, `Pi`, `Ei`, `k`, `M`, `G`, `T`, `P`, `E` or no unit for bytes; at least `\"1Mi\"`",
        ),
        Kind::Registry => Some("host, optional port, optional path in lower case: `\"registry.example.org/kaapana\"`"),
        Kind::Version => Some("such as `\"0.6.0\"`"),
        Kind::VersionTag => Some("such as `\"v25.10.0\"`"),
        Kind::Credential => {
            Some("made of `A-Z a-z 0-9 . _ @ ! % + = -`, begins with a letter: Kaapana's charts cannot carry others")
        }
        Kind::Paths => Some("strings in brackets: `[\"/data\", \"/backup\"]`"),
        Kind::Cidrs => Some("strings in brackets: `[\"10.1.0.0/16\"]`"),
        Kind::Windows => Some("strings in brackets, each of days, span and time zone: `[\"Sat,Sun 02:00-05:00 Europe/Berlin\"]`"),
        Kind::Bool | Kind::AutoBool | Kind::Integer(..) | Kind::Choice(_) | Kind::Host => None,
    }
}

fn alternatives(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    match quoted.split_last() {
        Some((last, first)) if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => quoted.concat(),
    }
}

/// The types that want an explanation, and it.
pub(super) fn types() -> Vec<(String, &'static str)> {
    let mut types: Vec<(String, &'static str)> = Vec::new();
    for (name, meaning) in keys::KEYS.iter().filter_map(|key| Some((kind_name(key.kind), kind_meaning(key.kind)?))) {
        if types.iter().all(|(known, _)| *known != name) {
            types.push((name, meaning));
        }
    }
    types.sort();
    types.push(("secret".into(), "is never shown"));
    types
}

/// The type of a key.
pub(super) fn type_of(key: &Key) -> String {
    kind_name(key.kind) + if key.secret { ", secret" } else { "" }
}

/// The default as it stands in TOML.
pub(super) fn default_of(key: &Key) -> Option<String> {
    let text = key.default?;
    Some(match key.kind {
        Kind::Bool | Kind::Integer(..) => text.to_owned(),
        // No list has a default.
        _ => format!("\"{}\"", text.trim_matches('"')),
    })
}

/// The releases of which the values are known: `0.2 to 0.6`.
pub(super) fn known_releases() -> String {
    let mut all = values::releases();
    match (all.next(), all.last()) {
        (Some(first), Some(last)) => format!("{first} to {last}"),
        (only, _) => only.unwrap_or_default().to_owned(),
    }
}

/// The releases in which a key exists, as a sentence; `None`: in all of them.
pub(super) fn releases_of(key: &Key) -> Option<String> {
    // A file is another way to say what the key says.
    let has = values::releases_of_key(key.path.strip_suffix("_file").unwrap_or(key.path))?;
    let latest = values::releases().last();
    match has[..] {
        [] => None,
        _ if values::releases().eq(has.iter().copied()) => None,
        [only] => Some(format!("Release {only}.")),
        [first, .., last] if latest == Some(last) => Some(format!("Releases {first} and newer.")),
        [first, last] => Some(format!("Releases {first} and {last}.")),
        [first, .., last] => Some(format!("Releases {first} to {last}.")),
    }
}

/// What a key means: sentences with neutral markup.
pub(super) fn meaning_of(key: &Key) -> String {
    let note = notes::find(key.path).map(|note| note.text).filter(|text| !text.is_empty());
    let sentences = [Some(key.doc.to_owned()), note.map(str::to_owned), releases_of(key)];
    sentences.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// What a change does, in a word or three.
pub(super) fn effect_of(key: &Key) -> &'static str {
    match key.effect {
        Effect::Agent => "nothing that runs",
        Effect::Redeploy => "redeploy",
        Effect::Identity => "**identity**: held",
        Effect::State => "state",
    }
}

/// A part of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Span {
    /// Words.
    Words(String),
    /// To be typed or read as it is.
    Code(String),
}

/// Takes neutral markup apart. A key's path, what is quoted and what has angle brackets is code
/// without backticks, too, so that messages can use the same sentences as they are.
pub(super) fn spans(text: &str) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for (at, part) in text.split('`').enumerate() {
        if at % 2 == 1 {
            spans.push(Span::Code(part.to_owned()));
            continue;
        }
        for word in part.split_inclusive(' ') {
            let core = word.trim_end_matches([' ', '.', ',', ';', ':']);
            let quoted = core.len() > 2 && core.starts_with('"') && core.ends_with('"');
            if keys::find(core).is_some() || core.contains('<') || quoted {
                spans.push(Span::Code(core.to_owned()));
                push_words(&mut spans, &word[core.len()..]);
            } else {
                push_words(&mut spans, word);
            }
        }
    }
    spans
}

fn push_words(spans: &mut Vec<Span>, words: &str) {
    match spans.last_mut() {
        Some(Span::Words(before)) => before.push_str(words),
        _ if words.is_empty() => {}
        _ => spans.push(Span::Words(words.to_owned())),
    }
}

/// Neutral markup as Markdown, fit for a cell of a table.
pub(super) fn markdown(text: &str) -> String {
    let of = |span| match span {
        Span::Words(words) => words,
        Span::Code(code) => format!("`{code}`"),
    };
    spans(text).into_iter().map(of).collect::<String>().replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn releases(path: &str) -> Option<String> {
        releases_of(keys::find(path).unwrap())
    }

    #[test]
    fn the_releases_of_a_key_are_a_sentence() {
        assert_eq!(known_releases(), "0.2 to 0.6");
        assert_eq!(releases("platform.domain"), None);
        assert_eq!(releases("agent.settle"), None);
        assert_eq!(releases("deployment.enable_nfs").unwrap(), "Releases 0.2 to 0.5.");
        assert_eq!(releases("namespaces.jobs").unwrap(), "Releases 0.2 and 0.3.");
        assert_eq!(releases("smtp.password_file").unwrap(), "Releases 0.4 and newer.");
        assert_eq!(releases("storage.replica_count").unwrap(), "Release 0.6.");
    }

    #[test]
    fn code_is_found_with_and_without_backticks() {
        assert_eq!(markdown("Needs deployment.chart_path, or `a|b`."), "Needs `deployment.chart_path`, or `a\\|b`.");
        assert_eq!(markdown("Called <a>-<b>.tgz; \"0s\" waits."), "Called `<a>-<b>.tgz`; `\"0s\"` waits.");
        assert_eq!(spans("x"), [Span::Words("x".into())]);
    }

    #[test]
    fn a_default_is_toml() {
        for key in keys::KEYS {
            let Some(default) = default_of(key) else { continue };
            assert!(toml::from_str::<toml::Table>(&format!("x = {default}")).is_ok(), "{}: {default}", key.path);
        }
    }
}
