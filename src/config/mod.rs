//! The configuration of a site: from files to typed settings to Helm values.
//!
//! * [`fragments`] reads `*.toml` of the vendor's, the volatile and the
//!   administrator's directory and merges them, keeping where each value stands;
//! * [`keys`] is the one table of all keys: type, default, script variable, meaning; [`notes`]
//!   is what the documents say of them besides;
//! * [`mod@validate`] checks the merged keys against that table, `typed` one key at a time;
//! * [`credentials`] finds passwords that stand in no fragment;
//! * [`settings`] is what they yield: [`Settings`];
//! * [`mod@show`] tells each value and where it comes from;
//! * [`derived`] computes what depends on several keys or the machine;
//! * [`values`] turns settings into the values given to Helm, by tables of data;
//! * [`mod@import`] makes a fragment of an old deploy script;
//! * [`window`] knows when a change may take the platform down by itself;
//! * [`watch`] waits for the directories to become quiet and loads them again.
//!
//! Nothing here changes the node, and a refused configuration never replaces
//! the one in force: that rule is kept by [`crate::ledger`].

pub mod credentials;
pub mod derived;
pub mod error;
pub mod fragments;
mod host;
pub mod import;
pub mod keys;
pub mod notes;
pub mod settings;
pub mod show;
mod typed;
pub mod validate;
pub mod values;
pub mod watch;
pub mod window;

pub use credentials::CredentialFolders;
pub use error::{ConfigError, Problem};
pub use fragments::{Directories, Fragments, Origin};
pub use settings::Settings;
pub use show::show;
pub use validate::{validate, validate_leniently};

/// Loads and validates the configuration of the given directories.
///
/// Returns `Ok(None)` when no directory holds a fragment with a `[platform]`
/// table: the agent is then unconfigured, which is a state and not an error.
///
/// # Errors
///
/// Every [`Problem`] found, in the order of files and lines.
pub fn load(directories: &Directories) -> Result<Option<Settings>, ConfigError> {
    let fragments = Fragments::read(directories)?;
    validate(&fragments)
}

/// As [`load`]; what a platform may be deployed with all the same is no error: whoever takes
/// the settings decides by [`Settings::tolerated`].
///
/// # Errors
///
/// Every other [`Problem`] found.
pub fn load_leniently(directories: &Directories) -> Result<Option<Settings>, ConfigError> {
    let fragments = Fragments::read(directories)?;
    validate_leniently(&fragments)
}
