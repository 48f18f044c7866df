//! The provider of volumes: there, and set up for the data directories. Pure.
//!
//! What is set up in Longhorn, and why, is Kaapana's own way (`deploy_platform.sh` of 0.6):
//! its storage classes choose disks by the tags `fast-data` and `slow-data`, and claim far
//! more than the disks have.

use std::collections::BTreeMap;

use serde_json::json;

use super::act;
use crate::ledger::{Cause, Job, Prepared};
use crate::planner::{Plan, Step};
use crate::state::{Longhorn, LonghornChange, LonghornDisk};

/// The tags of the disks of the fast and the slow data directory.
const TAGS: [&str; 2] = ["fast-data", "slow-data"];

/// Claims may be this many times what the disks have, in percent: in production, in development.
const OVER_PROVISIONING: [u64; 2] = [1_000_000, 1_000];

/// The free share of a disk below which no replica is put on it, in percent.
const MINIMAL_AVAILABLE: u64 = 5;

/// What stands in the way, and then what is to be set up; `None`: everything is as it should be.
pub(super) fn next(job: &Job, prepared: &Prepared) -> Option<Plan> {
    let provider = prepared.storage.as_ref()?;
    if !provider.present {
        let help = match &provider.shown_by {
            shown if shown.starts_with("CSIDriver") => "install Longhorn, or set storage.provider",
            _ => "microk8s enable hostpath-storage",
        };
        let message = format!("the provider of volumes is not there: the cluster has no {} ({help})", provider.shown_by);
        return Some(act(job, message.clone(), Step::fail("StorageProviderMissing", message, Cause::Surroundings)));
    }
    let longhorn = provider.longhorn.as_ref().filter(|_| !job.arranged.contains("configure-longhorn"))?;
    let Some(node) = &longhorn.node else {
        let message = format!("Longhorn does not know the node {}, so it has no disk on it", prepared.machine.node_name);
        return Some(act(job, message.clone(), Step::fail("LonghornNodeMissing", message, Cause::Surroundings)));
    };
    let directories = [job.settings.fast_dir(), job.settings.slow_dir()];
    let mut changes = Vec::new();
    if let Some(disks) = disks(&node.disks, longhorn, directories) {
        let patch = json!({"spec": {"disks": disks}});
        changes.push(LonghornChange { plural: "nodes".into(), name: node.name.clone(), patch });
    }
    let over = OVER_PROVISIONING[usize::from(job.settings.flag("deployment.dev_mode"))];
    // What a site allows beyond that stays.
    let enough = longhorn.over_provisioning.parse().is_ok_and(|value: u64| value >= over);
    let low = longhorn.minimal_available.parse().is_ok_and(|value: u64| value <= MINIMAL_AVAILABLE);
    for (name, fine, value) in
        [("storage-over-provisioning-percentage", enough, over), ("storage-minimal-available-percentage", low, MINIMAL_AVAILABLE)]
    {
        if !fine {
            let patch = json!({"value": value.to_string()});
            changes.push(LonghornChange { plural: "settings".into(), name: name.into(), patch });
        }
    }
    let summary = "setting up Longhorn's disks and settings";
    (!changes.is_empty()).then(|| act(job, summary, Step::ConfigureLonghorn { changes }))
}

/// The disks to be added or tagged, as they go into a merge patch. Longhorn takes one disk on
/// a file system; one that is there already is tagged and else stays as it is.
fn disks(
    known: &BTreeMap<String, LonghornDisk>,
    longhorn: &Longhorn,
    directories: [std::path::PathBuf; 2],
) -> Option<BTreeMap<String, serde_json::Value>> {
    let mut disks = known.clone();
    for ((path, filesystem), tag) in directories.into_iter().zip(longhorn.filesystems).zip(TAGS) {
        let there = disks.iter_mut().find(|(_, disk)| disk.filesystem == Some(filesystem) || disk.path == path);
        let there = there.map(|(name, _)| name.clone());
        let free = || (1..).map(|number| if number == 1 { tag.to_owned() } else { format!("{tag}-{number}") });
        let name = there.or_else(|| free().find(|name| !disks.contains_key(name))).unwrap_or_default();
        let new = LonghornDisk { path, tags: Vec::new(), filesystem: Some(filesystem) };
        let disk = disks.entry(name).or_insert(new);
        if !disk.tags.iter().any(|known| known == tag) {
            disk.tags.push(tag.to_owned());
        }
    }
    let changed = disks.iter().filter(|(name, disk)| known.get(*name) != Some(disk));
    let patches: BTreeMap<_, _> = changed
        .map(|(name, disk)| {
            let patch = if known.contains_key(name) {
                json!({"tags": disk.tags})
            } else {
                json!({"path": disk.path, "allowScheduling": true, "tags": disk.tags})
            };
            (name.clone(), patch)
        })
        .collect();
    (!patches.is_empty()).then_some(patches)
}
