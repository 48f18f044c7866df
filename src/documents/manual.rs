//! The manual page `kaapana-config(5)`.

use roff::{Inline, Roff, bold, italic, roman};

use super::told::{self, Span};
use super::{EXAMPLE_PATH, SCHEMA_PATH};
use crate::config::keys::{Effect, Key};
use crate::config::notes;

/// What a site with a registry begins with.
const EXAMPLE: &str = "\
[platform]
version = \"0.6.0\"
domain = \"kaapana.example.org\"

[registry]
url = \"registry.example.org/kaapana\"
username = \"reader\"
password_file = \"/etc/kaapana/credentials/registry\"

[data]
fast_dir = \"/data/fast\"
slow_dir = \"/data/slow\"
";

const DIRECTORIES: [(&str, &str); 3] = [
    ("/etc/kaapana/config/", "The administrator's; it weighs most."),
    ("/run/kaapana/config/", "Until the next boot."),
    ("/usr/lib/kaapana/config/", "A vendor's; it weighs least."),
];

const DESCRIPTION: &[&str] = &[
    "The configuration of kaapana-agent is a set of TOML files, called fragments, in three directories. The agent watches them and \
     acts on a valid edit by itself. Without a table `[platform]` nothing is configured, and the agent does nothing.",
    "A fragment is a regular file whose name ends in `.toml`; names that begin with a dot or `#`, and back-ups of editors, are not \
     fragments. All fragments are sorted by file name, over the three directories together. When a key stands in several, the last \
     one wins; a list replaces a list as a whole. A file hides a file of the same name in a directory of lower weight; a link to \
     `/dev/null` switches such a file off. An empty file is a mistake.",
    "After an edit the agent waits until no fragment has changed for `agent.settle`, then reads and checks them all; \
     `kaapanactl reload` reads at once. A valid configuration that differs gets the next number, its generation. What a change \
     does is told with each key: one that redeploys takes the platform down and deploys it again, when the chart or a Helm value \
     differs because of it; the data stays. One of identity would start a second, empty platform beside the data of the first; \
     it is held until `kaapanactl deploy --accept-identity-change`. `kaapanactl plan` shows what would be done.",
    "A fragment with a mistake changes nothing. The generation before stays in force, and `kaapanactl status` and the journal \
     name every mistake with file, line, column and key. Unknown keys, wrong types and combinations that cannot be are mistakes.",
    "An empty string means that a key is not set: its default counts.",
];

const PASSWORDS: &[&str] = &[
    "A password stands in a fragment, which should then be of mode 0600, or in a file of its own that a key `password_file` names; \
     not in both. Such a file is a regular file of at most 4096 bytes that only its owner may read (mode 0600). Line ends after the \
     password do not count. It may not lie below `/tmp` or `/var/tmp`: the agent has its own. It is not watched: after a change run \
     `kaapanactl reload`. Passwords are never shown.",
];

/// The page.
#[must_use]
pub fn text() -> String {
    let mut page = Roff::new();
    // No date: the page is the same whenever it is made.
    page.control("TH", ["kaapana-config", "5", "\"\"", concat!("kaapana-agent ", env!("CARGO_PKG_VERSION"))]);
    // A key or an option that is broken at a hyphen cannot be copied.
    page.control("nh", []).control("ad", ["l"]);
    page.control("SH", ["NAME"]).text([roman("kaapana-config - configuration of the Kaapana platform on this server")]);
    page.control("SH", ["SYNOPSIS"]);
    for (at, (directory, _)) in DIRECTORIES.iter().enumerate() {
        if at > 0 {
            page.control("br", []);
        }
        page.text([italic(format!("{directory}*.toml"))]);
    }
    page.control("SH", ["DESCRIPTION"]);
    paragraphs(&mut page, DESCRIPTION);
    keys(&mut page);
    page.control("SH", ["PASSWORDS"]);
    paragraphs(&mut page, PASSWORDS);
    page.control("SH", ["FILES"]);
    let more = [
        ("/etc/kaapana/credentials/", "For files with passwords."),
        (EXAMPLE_PATH, "Every key with an explanation, to copy from."),
        (SCHEMA_PATH, "A JSON Schema of a fragment, for editors."),
    ];
    for (path, is) in DIRECTORIES.iter().chain(&more) {
        page.control("TP", []).text([italic(*path)]).text([roman(*is)]);
    }
    page.control("SH", ["EXAMPLE"]).control("nf", []);
    for line in EXAMPLE.lines() {
        page.text([roman(line)]);
    }
    page.control("fi", []);
    page.control("SH", ["SEE ALSO"]);
    page.text([
        bold("kaapanactl"),
        roman("(1), "),
        bold("kaapanactl-config-check"),
        roman("(1), "),
        bold("kaapanactl-plan"),
        roman("(1), "),
        bold("kaapana-agent"),
        roman("(8)"),
    ]);
    page.render()
}

fn keys(page: &mut Roff) {
    page.control("SH", ["KEYS"]);
    let releases = told::known_releases();
    page.text(inline(&format!(
        "In parentheses stands the type. The Helm values of the releases {releases} of Kaapana are known; where a release is \
         named, the key exists only there."
    )));
    for group in notes::GROUPS {
        let tables: Vec<String> = group.tables.iter().map(|table| format!("[{table}]")).collect();
        page.control("SS", [tables.join(", ").as_str()]).text(inline(group.intro));
        for key in group.tables.iter().flat_map(|table| told::keys_of(table)) {
            entry(page, key);
        }
    }
    page.control("SS", ["[values]"]).text(inline(notes::VALUES));
    page.control("SH", ["TYPES"]);
    for (name, meaning) in told::types() {
        page.control("TP", []).text([bold(name)]).text(inline(meaning));
    }
}

fn entry(page: &mut Roff, key: &Key) {
    let default = told::default_of(key).map(|default| format!(", default {default}"));
    let head = format!(" ({}{})", told::type_of(key), default.unwrap_or_default());
    page.control("TP", []).text([bold(key.path), roman(head)]).text(inline(&told::meaning_of(key)));
    let effect = match key.effect {
        Effect::Agent => "A change touches nothing that runs.",
        Effect::Redeploy => "A change redeploys.",
        Effect::Identity => "A change is one of identity: it is held.",
        Effect::State => "A change deploys or takes down.",
    };
    let variable = key.variable.map(|variable| format!(" The script's variable: `{variable}`."));
    page.text(inline(&format!("{effect}{}", variable.unwrap_or_default())));
}

fn paragraphs(page: &mut Roff, texts: &[&str]) {
    for text in texts {
        page.control("PP", []).text(inline(text));
    }
}

fn inline(text: &str) -> Vec<Inline> {
    let of = |span| match span {
        Span::Words(words) => roman(words),
        Span::Code(code) => bold(code),
    };
    told::spans(text).into_iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Fragments, keys};

    #[test]
    fn every_key_stands_in_the_page() {
        let page = text();
        for key in keys::KEYS {
            assert!(page.contains(&format!(".TP\n\\fB{}\\fR (", key.path.replace('-', "\\-"))), "{}", key.path);
        }
    }

    #[test]
    fn the_example_is_a_configuration() {
        let mut fragments = Fragments::default();
        fragments.merge_text(std::path::Path::new("example.toml"), EXAMPLE).unwrap();
        // The file does not exist here.
        fragments.entries.remove("registry.password_file").unwrap();
        assert!(config::validate(&fragments).unwrap().is_some());
    }
}
