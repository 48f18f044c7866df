//! The provider of volumes, looked at when a deployment is prepared.

use std::path::{Path, PathBuf};

use k8s_openapi::api::storage::v1::{CSIDriver, StorageClass};
use kube::api::{Api, ApiResource, DynamicObject, ListParams};
use kube::{Client, ResourceExt as _};

use super::api::connect;
use crate::config::Settings;
use crate::state::{Longhorn, LonghornDisk, LonghornNode, StorageProvider};

/// Where Longhorn has its objects.
pub const LONGHORN_NAMESPACE: &str = "longhorn-system";

/// The kinds of Longhorn's objects: `("Node", "nodes")`, `("Setting", "settings")`.
#[must_use]
pub fn longhorn_resource(kind: &str, plural: &str) -> ApiResource {
    let group_version = "longhorn.io/v1beta2".to_owned();
    let (group, version) = ("longhorn.io".to_owned(), "v1beta2".to_owned());
    ApiResource { group, version, api_version: group_version, kind: kind.to_owned(), plural: plural.to_owned() }
}

/// Why the provider was not seen, a sentence.
#[derive(Debug, thiserror::Error)]
pub enum Unseen {
    /// The API server did not answer.
    #[error("{0}")]
    Api(String),
    /// A data directory did not.
    #[error("{0}")]
    Directory(String),
}

fn failed(error: kube::Error) -> Unseen {
    Unseen::Api(crate::error::chain(&error))
}

/// Looks at the provider that is configured; changes nothing.
///
/// # Errors
///
/// When the API server or a data directory does not answer.
pub async fn look(kubeconfig: &Path, settings: &Settings, node: &str) -> Result<StorageProvider, Unseen> {
    let client = connect(kubeconfig).await.map_err(Unseen::Api)?;
    if settings.text("storage.provider") != "longhorn" {
        let classes = Api::<StorageClass>::all(client).list(&ListParams::default()).await.map_err(failed)?;
        let present = classes.iter().any(|class| class.provisioner == "microk8s.io/hostpath");
        return Ok(StorageProvider { shown_by: "StorageClass of microk8s.io/hostpath".into(), present, longhorn: None });
    }
    let name = "driver.longhorn.io";
    let shown_by = format!("CSIDriver {name}");
    if Api::<CSIDriver>::all(client.clone()).get_opt(name).await.map_err(failed)?.is_none() {
        return Ok(StorageProvider { shown_by, present: false, longhorn: None });
    }
    let directories = [settings.fast_dir(), settings.slow_dir()];
    Ok(StorageProvider { shown_by, present: true, longhorn: Some(longhorn(client, node, directories).await?) })
}

async fn longhorn(client: Client, node: &str, directories: [PathBuf; 2]) -> Result<Longhorn, Unseen> {
    let nodes = longhorn_resource("Node", "nodes");
    let nodes = Api::<DynamicObject>::namespaced_with(client.clone(), LONGHORN_NAMESPACE, &nodes);
    let nodes = nodes.list(&ListParams::default()).await.map_err(failed)?.items;
    let settings = longhorn_resource("Setting", "settings");
    let settings = Api::<DynamicObject>::namespaced_with(client, LONGHORN_NAMESPACE, &settings);
    let value = async |name: &str| {
        let found = settings.get_opt(name).await.map_err(failed)?;
        Ok::<_, Unseen>(found.and_then(|found| found.data.get("value")?.as_str().map(str::to_owned)).unwrap_or_default())
    };
    let schedulable = nodes.iter().filter(|node| node.data.pointer("/spec/allowScheduling") == Some(&true.into())).count();
    let (over, minimal) =
        (value("storage-over-provisioning-percentage").await?, value("storage-minimal-available-percentage").await?);
    let found = nodes.into_iter().find(|known| known.name_any() == node);
    // A file system may hang, so it is asked on a thread of its own.
    let asked = tokio::task::spawn_blocking(move || {
        let [fast, slow] =
            directories.map(|path| filesystem(&path).map_err(|error| format!("{} cannot be seen: {error}", path.display())));
        Ok::<_, String>((found.map(|found| node_of(&found)), [fast?, slow?]))
    });
    let (node, filesystems) = asked.await.unwrap_or_else(|fault| Err(fault.to_string())).map_err(Unseen::Directory)?;
    Ok(Longhorn {
        node,
        schedulable: u32::try_from(schedulable).unwrap_or(u32::MAX),
        over_provisioning: over,
        minimal_available: minimal,
        filesystems,
    })
}

fn node_of(found: &DynamicObject) -> LonghornNode {
    let disks = found.data.pointer("/spec/disks").and_then(serde_json::Value::as_object).cloned().unwrap_or_default();
    let disk = |disk: &serde_json::Value| {
        let path = PathBuf::from(disk.get("path").and_then(serde_json::Value::as_str).unwrap_or_default());
        let tags = disk.get("tags").and_then(serde_json::Value::as_array).cloned().unwrap_or_default();
        LonghornDisk {
            filesystem: filesystem(&path).ok(),
            tags: tags.iter().filter_map(|tag| tag.as_str()).map(str::to_owned).collect(),
            path,
        }
    };
    LonghornNode { name: found.name_any(), disks: disks.iter().map(|(name, value)| (name.clone(), disk(value))).collect() }
}

fn filesystem(path: &Path) -> std::io::Result<u64> {
    Ok(rustix::fs::statvfs(path)?.f_fsid)
}
