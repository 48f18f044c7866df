//! Documents that are made from the program: introspection XML, manual pages,
//! completions, and from the table of keys the [`reference`](mod@reference), the manual page of
//! the configuration ([`manual`]), its [`schema`] and its [`example`]. The package's build calls
//! this; a test compares what is committed.

pub mod example;
pub mod manual;
pub mod reference;
pub mod schema;
mod told;

use std::path::Path;
use std::sync::Arc;

use clap::{CommandFactory as _, ValueEnum};

use crate::agent::Agent;
use crate::cli;
use crate::dbus::{Loop, check::Check, job::Job, manager::Manager};

/// Where the package puts the schema.
pub const SCHEMA_PATH: &str = "/usr/share/kaapana-agent/kaapana-config.schema.json";

/// Where the package puts the example.
pub const EXAMPLE_PATH: &str = "/usr/share/doc/kaapana-agent/examples/kaapana.example.toml";

/// What can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// One D-Bus introspection file for each interface.
    Introspection,
    /// Manual pages of both programs and of the configuration.
    Manpages,
    /// Completions for bash, zsh and fish.
    Completions,
    /// The page with all keys of the configuration.
    Reference,
    /// The JSON Schema of the configuration.
    Schema,
    /// The example of a configuration: every key, commented out.
    Example,
}

/// Writes the documents of a kind into a folder.
///
/// # Errors
///
/// When the folder cannot be written.
pub fn generate(kind: Kind, folder: &Path, daemon: clap::Command) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    match kind {
        Kind::Introspection => {
            introspection().into_iter().try_for_each(|(name, xml)| std::fs::write(folder.join(format!("{name}.xml")), xml))
        }
        Kind::Manpages => {
            clap_mangen::Man::new(daemon.disable_help_subcommand(true)).section("8").generate_to(folder)?;
            // A page for each command, as the first one refers to them.
            clap_mangen::generate_to(cli::Arguments::command().disable_help_subcommand(true), folder)?;
            std::fs::write(folder.join("kaapana-config.5"), manual::text())
        }
        Kind::Completions => {
            use clap_complete::Shell;
            let files = [("kaapanactl.bash", Shell::Bash), ("_kaapanactl", Shell::Zsh), ("kaapanactl.fish", Shell::Fish)];
            files.into_iter().try_for_each(|(name, shell)| {
                let mut text = Vec::new();
                clap_complete::generate(shell, &mut cli::Arguments::command(), "kaapanactl", &mut text);
                std::fs::write(folder.join(name), text)
            })
        }
        Kind::Reference => std::fs::write(folder.join("reference.md"), reference::text()),
        Kind::Schema => std::fs::write(folder.join("kaapana-config.schema.json"), schema::text()),
        Kind::Example => std::fs::write(folder.join("kaapana.example.toml"), example::text()),
    }
}

/// The introspection XML of each interface, by its name, as the daemon says it.
#[must_use]
pub fn introspection() -> Vec<(String, String)> {
    let (_, published) = tokio::sync::watch::channel(Arc::new(Agent::nothing_yet()));
    let (requests, _) = tokio::sync::mpsc::channel(1);
    let of = Loop { published, requests };
    vec![document(&Manager::new(of.clone())), document(&Job::new(0, of.clone())), document(&Check::new(String::new(), of))]
}

fn document<I: zbus::object_server::Interface>(interface: &I) -> (String, String) {
    let mut body = String::new();
    interface.introspect_to_writer(&mut body, 2);
    let head = "<!DOCTYPE node PUBLIC \"-//freedesktop//DTD D-BUS Object Introspection 1.0//EN\"\n \
                \"http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd\">\n\
                <!-- Made from the program by `make documents`; do not edit. -->\n";
    (I::name().to_string(), format!("{head}<node>\n{body}</node>\n"))
}
