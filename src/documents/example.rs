//! `packaging/config/kaapana.example.toml`: every key, commented out.

use super::{SCHEMA_PATH, told};
use crate::config::keys::{Effect, Key, Kind, find};
use crate::config::notes;
use crate::config::values::releases;

/// Columns of an explanation.
const WIDTH: usize = 82;

const HEAD: &str = "\
# Configuration of kaapana-agent: every key, what it means and its default.
# (Made from the program by `make documents`.)
#
# Copy what you need into a file in /etc/kaapana/config/, for example
# /etc/kaapana/config/50-site.toml, mode 0600 when it holds a password. All files
# *.toml there, in /run/kaapana/config/ and in /usr/lib/kaapana/config/ are read in
# the order of their names; a later key wins, and a file in /etc hides the file of
# the same name in the other two. Prefer several small files: one for the site, one
# for passwords.
#
#   kaapanactl config check FILE    looks for mistakes before you put it in place
#   kaapanactl plan                 what the agent would do with it
#   man 5 kaapana-config            the same keys, and how the files are read
#
# The agent acts on a valid edit by itself; a broken one changes nothing.
#
# In this file a line that begins with `#` and a letter, a quote or a bracket is
# configuration, taken out: remove the `#`, also that of the table in brackets above
# it. After `# ` stands an explanation. What stands behind the `=` is the default, or
# an example where the explanation says \"Required\" or \"No default\".
#
# The last line of an explanation holds, in parentheses, the type, the variable of
# the old deploy_platform.sh, and what a change does:
#
#   redeploy  it takes the platform down and deploys it again (the data stays)
#   identity  it would be another platform beside the data of this one; it is held
#             until `kaapanactl deploy --accept-identity-change`
#   agent     it touches nothing that runs
#   state     it deploys or takes down
#
# Files named here must not lie below /tmp or /var/tmp: the agent has its own. The
# first line of this file is for editors that know taplo: keep it in a file of yours,
# and they complete and check its keys.
";

/// The file.
#[must_use]
pub fn text() -> String {
    let mut file = format!("#:schema {SCHEMA_PATH}\n{HEAD}");
    for group in notes::GROUPS {
        file += "\n\n";
        file += &comment(group.intro);
        for table in group.tables {
            file += &format!("#[{table}]\n");
            for key in told::keys_of(table) {
                file += "\n";
                file += &entry(key);
            }
            if group.tables.last() != Some(table) {
                file += "\n";
            }
        }
    }
    file += "\n\n";
    file += &comment(notes::VALUES);
    file += "#[values]\n#\"global.site_banner\" = \"Radiology test system\"\n";
    file
}

/// The same with every `#` before a key or table removed: all keys in force.
#[must_use]
pub fn active() -> String {
    let is_entry = |rest: &&str| rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '[' || c == '"');
    text().lines().map(|line| format!("{}\n", line.strip_prefix('#').filter(is_entry).unwrap_or(line))).collect()
}

fn entry(key: &Key) -> String {
    let effect = match key.effect {
        Effect::Agent => "agent",
        Effect::Redeploy => "redeploy",
        Effect::Identity => "identity",
        Effect::State => "state",
    };
    let facts = [Some(told::type_of(key)), key.variable.map(str::to_owned), Some(effect.to_owned())];
    let facts = facts.into_iter().flatten().collect::<Vec<_>>().join("; ");
    let default = told::default_of(key);
    let mut meaning = told::meaning_of(key);
    if default.is_none() && !meaning.contains("Required.") {
        meaning += " No default.";
    }
    let name = key.path.rsplit('.').next().unwrap_or(key.path);
    let value = default.unwrap_or_else(|| sample(key));
    format!("{}{}#{name} = {value}\n", comment(&meaning), comment(&format!("({facts})")))
}

/// A value for a key that has no default, as it stands in TOML: one that a reader takes for an
/// example, and that is valid together with all the others.
fn sample(key: &Key) -> String {
    let text = match key.path {
        "platform.domain" => "kaapana.example.org",
        "platform.instance_uid" => "second",
        "platform.instance_name" => "Radiology test system",
        "registry.username" => "reader",
        "registry.password_file" => "/etc/kaapana/credentials/registry",
        "smtp.password_file" => "/etc/kaapana/credentials/smtp",
        "credentials.minio.password_file" => "/etc/kaapana/credentials/minio",
        "credentials.grafana.password_file" => "/etc/kaapana/credentials/grafana",
        "credentials.keycloak.password_file" => "/etc/kaapana/credentials/keycloak",
        "deployment.images_tar" => return format!("\"/srv/{}-{}-images.tar\"", chart_name(), version()),
        "deployment.chart_path" => return format!("\"/srv/{}-{}.tgz\"", chart_name(), version()),
        "deployment.pre_takedown" => "/usr/local/sbin/kaapana-backup",
        "deployment.http_proxy" | "deployment.https_proxy" => "http://proxy.example.org:3128",
        "smtp.host" => "mail.example.org",
        "smtp.username" => "kaapana",
        "smtp.sender" => "kaapana@example.org",
        _ => return sample_of(key.kind),
    };
    format!("\"{text}\"")
}

/// A value of a type. A new key without a default needs no more than this.
fn sample_of(kind: Kind) -> String {
    let text = match kind {
        Kind::Text => "text",
        Kind::Bool => return "true".into(),
        Kind::AutoBool => "auto",
        Kind::Integer(low, _) => return low.to_string(),
        Kind::Choice(words) => words.first().copied().unwrap_or_default(),
        Kind::Path => "/srv/kaapana",
        Kind::Duration => "15m",
        Kind::Label | Kind::ReleaseName => "name",
        Kind::Domain => "kaapana.example.org",
        Kind::Quantity => "100Gi",
        Kind::Host => "host.example.org",
        Kind::Registry => "registry.example.org/kaapana",
        Kind::Version => return format!("\"{}\"", version()),
        Kind::VersionTag => "v25.10.0",
        Kind::Credential => "ChangeMe",
        Kind::Paths => return "[\"/data/archive\"]".into(),
        Kind::Cidrs => return "[\"10.1.0.0/16\", \"192.0.2.0/24\"]".into(),
        Kind::Windows => return "[\"Sat,Sun 02:00-05:00 Europe/Berlin\"]".into(),
    };
    format!("\"{text}\"")
}

fn version() -> String {
    format!("{}.0", releases().last().unwrap_or_default())
}

fn chart_name() -> &'static str {
    find("platform.name").and_then(|key| key.default).unwrap_or_default()
}

fn comment(text: &str) -> String {
    let mut lines = String::new();
    let mut line = String::from("#");
    for word in text.split_whitespace() {
        if line.len() > 1 && line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines += &line;
            lines += "\n";
            line.truncate(1);
        }
        line += " ";
        line += word;
    }
    lines + &line + "\n"
}
