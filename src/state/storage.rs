//! What is seen of the provider of volumes and of GPUs before a deployment.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The provider of volumes that is configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageProvider {
    /// The object of the cluster that shows that it is there.
    pub shown_by: String,
    /// That object is there.
    pub present: bool,
    /// What Longhorn has, when it is the provider and is there.
    pub longhorn: Option<Longhorn>,
}

/// Longhorn, as far as a deployment sets it up (API `longhorn.io/v1beta2`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Longhorn {
    /// This machine's node in it; `None`: it does not know the machine.
    pub node: Option<LonghornNode>,
    /// How many of its nodes take volumes.
    pub schedulable: u32,
    /// `storage-over-provisioning-percentage`; empty when it is not there.
    pub over_provisioning: String,
    /// `storage-minimal-available-percentage`; empty when it is not there.
    pub minimal_available: String,
    /// The file systems of the fast and the slow data directory (`statvfs(3)`, `f_fsid`).
    pub filesystems: [u64; 2],
}

/// A node of Longhorn's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LonghornNode {
    /// Its name.
    pub name: String,
    /// Its disks by name.
    pub disks: BTreeMap<String, LonghornDisk>,
}

/// A disk of a node of Longhorn's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LonghornDisk {
    /// Its directory.
    pub path: PathBuf,
    /// Its tags, which storage classes choose disks by.
    pub tags: Vec<String>,
    /// Its file system; `None` when it cannot be seen.
    pub filesystem: Option<u64>,
}

/// A change of an object of Longhorn's: a merge patch (RFC 7386).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LonghornChange {
    /// `nodes` or `settings`.
    pub plural: String,
    /// The object's name.
    pub name: String,
    /// The patch.
    pub patch: serde_json::Value,
}
