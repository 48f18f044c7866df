//! A migration of the data directories that was begun.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What is remembered of a migration from the moment before it is begun. Nothing else is
/// deployed onto the data until it ended well or a person says that the data was restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Migration {
    /// The job that began it last.
    pub job: u32,
    /// What its release says of its maker.
    pub description: String,
    /// The version the data had; `None`: nothing said it, and the migration finds out.
    pub from: Option<String>,
    /// The version it is brought to.
    pub to: String,
    /// The fast data directory.
    pub directory: PathBuf,
    /// When it was begun, by this job; `None`: it is only known to be wanted.
    pub begun: Option<Timestamp>,
    /// When it was first seen at work: what is gone after that ended in a way nobody saw.
    #[serde(default)]
    pub seen: Option<Timestamp>,
    /// Its Job failed or was lost, and that was taken note of.
    #[serde(default)]
    pub failed: bool,
    /// It wants a fresh deployment first, and a person has accepted that.
    #[serde(default)]
    pub fresh: bool,
    /// It was begun after such a deployment, which wrote the new version already.
    #[serde(default)]
    pub after_fresh: bool,
}

/// How the migration of a job ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MigrationEnd {
    /// It ended well.
    pub succeeded: bool,
    /// A sentence of its Job; empty when it ended well.
    pub message: String,
    /// Where its log is kept.
    pub log: PathBuf,
    /// Its pods, namespace and name.
    pub pods: Vec<(String, String)>,
    /// When it was seen to have ended.
    pub at: Timestamp,
    /// Helm was told to remove its release, with or without success.
    #[serde(default)]
    pub removed: bool,
    /// A fresh deployment came before it and wrote the version: only its Job says that it ended well.
    #[serde(default)]
    pub fresh: bool,
}

/// What a job needs for a migration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreparedMigration {
    /// The chart's archive, taken out of the platform's chart.
    pub chart_file: PathBuf,
    /// The version the data has; `None`: the migration finds out.
    pub from: Option<String>,
    /// The version it is brought to.
    pub to: String,
}
