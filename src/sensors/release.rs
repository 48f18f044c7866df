//! Helm's release secrets: base64 of gzip of JSON (Helm 3 and 4, storage driver `secret`).

use std::io::Read as _;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use k8s_openapi::api::core::v1::Secret;
use serde::Deserialize;
use serde_json::Value as Json;

use crate::config::values::Values;
use crate::state::{ManifestObject, ObjectId, Release, ReleaseValues};

/// The most bytes a release may unpack to.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// Kinds whose health is followed.
const WORKLOADS: [&str; 5] = ["Deployment", "StatefulSet", "DaemonSet", "Job", "PersistentVolumeClaim"];

/// Why a release cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// The secret has no key `release`.
    #[error("the secret has no key \"release\"")]
    NoData,
    /// It is not base64.
    #[error("not base64")]
    Base64,
    /// It is not gzip, or too large.
    #[error("cannot be unpacked")]
    Gzip(#[source] std::io::Error),
    /// It is not the JSON of a release.
    #[error("not a release")]
    Json(#[source] serde_json::Error),
}

#[derive(Deserialize)]
struct Stored {
    name: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    version: u64,
    #[serde(default)]
    info: Info,
    #[serde(default)]
    chart: StoredChart,
    #[serde(default)]
    config: Option<Json>,
    #[serde(default)]
    manifest: String,
    #[serde(default)]
    hooks: Option<Vec<Hook>>,
}

#[derive(Deserialize)]
struct Hook {
    #[serde(default)]
    manifest: String,
}

#[derive(Deserialize, Default)]
struct Info {
    #[serde(default)]
    first_deployed: String,
    #[serde(default)]
    last_deployed: String,
    #[serde(default)]
    deleted: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    description: String,
}

#[derive(Deserialize, Default)]
struct StoredChart {
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    values: Option<Json>,
}

#[derive(Deserialize, Default)]
struct Metadata {
    #[serde(default)]
    name: String,
    #[serde(default)]
    version: String,
}

/// Reads a release secret, keeping only what is needed.
///
/// # Errors
///
/// When it is not one.
pub fn decode(secret: &Secret) -> Result<Release, ReleaseError> {
    let data = secret.data.as_ref().and_then(|data| data.get("release")).ok_or(ReleaseError::NoData)?;
    decode_bytes(&data.0)
}

/// What the labels of a release secret say, for one whose contents cannot be read.
#[must_use]
pub fn from_labels(secret: &Secret) -> Option<Release> {
    let label = |key: &str| secret.metadata.labels.as_ref()?.get(key).cloned();
    Some(Release {
        name: label("name")?,
        namespace: secret.metadata.namespace.clone()?,
        revision: label("version")?.parse().ok()?,
        status: label("status")?,
        changed: None,
        made: None,
        description: String::new(),
        chart: String::new(),
        chart_version: String::new(),
        values: None,
        global_release_name: None,
        global_instance_uid: None,
        global_hostname: None,
        objects: Vec::new(),
        hooks: Vec::new(),
        namespaces: Vec::new(),
        readable: false,
    })
}

/// Reads the contents of a release secret.
///
/// # Errors
///
/// As [`decode`].
pub fn decode_bytes(data: &[u8]) -> Result<Release, ReleaseError> {
    let stored = stored(data)?;
    let global = |key: &str| {
        let at = |values: &Option<Json>| {
            let value = values.as_ref()?.get("global")?.get(key)?;
            (!value.is_null()).then(|| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        };
        at(&stored.config).or_else(|| at(&stored.chart.values))
    };
    let entries = manifest_entries(&stored.manifest);
    let release_name = global("release_name");
    let of = |values: &Option<Json>| values.as_ref().map(Values::of_nested).unwrap_or_default();
    let values = (release_name.as_deref() == Some(stored.name.as_str())).then(|| {
        Arc::new(ReleaseValues {
            raw: stored.config.clone().unwrap_or_default(),
            given: of(&stored.config),
            defaults: of(&stored.chart.values),
        })
    });
    Ok(Release {
        values,
        global_release_name: release_name,
        global_instance_uid: global("instance_uid"),
        global_hostname: global("hostname"),
        hooks: stored
            .hooks
            .iter()
            .flatten()
            .flat_map(|hook| objects(manifest_entries(&hook.manifest), &stored.namespace))
            .map(|object| object.id)
            .filter(|id| id.kind == "Job")
            .collect(),
        namespaces: entries
            .iter()
            .filter(|entry| entry.kind == "Namespace" && !entry.is_kept())
            .map(|entry| entry.metadata.name.clone())
            .collect(),
        objects: objects(entries, &stored.namespace),
        revision: stored.version,
        // While it is being uninstalled, `deleted` says since when.
        changed: stored.info.deleted.parse().or_else(|_| stored.info.last_deployed.parse()).ok(),
        made: stored.info.first_deployed.parse().ok(),
        status: stored.info.status,
        description: stored.info.description,
        chart: stored.chart.metadata.name,
        chart_version: stored.chart.metadata.version,
        name: stored.name,
        namespace: stored.namespace,
        readable: true,
    })
}

fn stored(data: &[u8]) -> Result<Stored, ReleaseError> {
    let packed = base64(data).ok_or(ReleaseError::Base64)?;
    let mut json = Vec::new();
    GzDecoder::new(packed.as_slice()).take(MAX_BYTES).read_to_end(&mut json).map_err(ReleaseError::Gzip)?;
    serde_json::from_slice(&json).map_err(ReleaseError::Json)
}

/// What of an object in a manifest is looked at.
#[derive(Debug, Deserialize)]
pub struct ManifestEntry {
    /// `apiVersion`.
    #[serde(rename = "apiVersion", default)]
    pub api_version: String,
    /// Kind.
    #[serde(default)]
    pub kind: String,
    /// Name, namespace, annotations.
    #[serde(default)]
    pub metadata: ManifestMetadata,
    /// Everything else.
    #[serde(default)]
    pub spec: Option<Json>,
}

impl ManifestEntry {
    /// Is helm told to leave it when the release is uninstalled?
    fn is_kept(&self) -> bool {
        let annotations = self.metadata.annotations.as_ref();
        annotations.and_then(|all| all.get("helm.sh/resource-policy")?.as_str()).is_some_and(|policy| policy.trim() == "keep")
    }
}

/// Metadata of an object in a manifest.
#[derive(Debug, Default, Deserialize)]
pub struct ManifestMetadata {
    /// Name.
    #[serde(default)]
    pub name: String,
    /// Namespace, when it says one.
    #[serde(default)]
    pub namespace: Option<String>,
    /// Annotations; values that are no strings are of no interest.
    #[serde(default)]
    pub annotations: Option<std::collections::BTreeMap<String, Json>>,
}

/// The objects of a rendered manifest. Documents that cannot be read are left out.
#[must_use]
pub fn manifest_entries(manifest: &str) -> Vec<ManifestEntry> {
    documents(manifest).filter_map(|document| entry(&document)).filter(|entry| !entry.kind.is_empty()).collect()
}

/// Helm lets a key stand twice, and so do real charts; the last one wins there, too.
/// A document's size is bounded by that of the release.
fn entry(document: &str) -> Option<ManifestEntry> {
    let options = serde_saphyr::options! {
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::LastWins,
        budget: None,
    };
    serde_saphyr::from_str_with_options(document, options).ok()
}

/// The documents of a rendered manifest with what is looked at of each.
pub fn manifest_documents(manifest: &str) -> impl Iterator<Item = (String, ManifestEntry)> + '_ {
    documents(manifest).filter_map(|document| {
        let entry = entry(&document).filter(|entry| !entry.kind.is_empty())?;
        Some((document, entry))
    })
}

/// The rendered manifest of a release secret.
///
/// # Errors
///
/// As [`decode`].
pub fn manifest(secret: &Secret) -> Result<String, ReleaseError> {
    let data = secret.data.as_ref().and_then(|data| data.get("release")).ok_or(ReleaseError::NoData)?;
    Ok(stored(&data.0)?.manifest)
}

/// Splits at the separator of YAML documents.
fn documents(manifest: &str) -> impl Iterator<Item = String> + '_ {
    let mut lines = manifest.lines().peekable();
    std::iter::from_fn(move || {
        lines.peek()?;
        let mut document = String::new();
        for line in lines.by_ref() {
            if line == "---" || line.starts_with("--- ") {
                break;
            }
            document.push_str(line);
            document.push('\n');
        }
        Some(document)
    })
    .filter(|document| document.lines().any(|line| !line.trim().is_empty() && !line.starts_with('#')))
}

fn objects(entries: Vec<ManifestEntry>, namespace: &str) -> Vec<ManifestObject> {
    entries
        .into_iter()
        .filter(|entry| WORKLOADS.contains(&entry.kind.as_str()))
        .map(|entry| ManifestObject {
            keep: entry.is_kept(),
            has_ttl: entry.spec.as_ref().is_some_and(|spec| spec.get("ttlSecondsAfterFinished").is_some_and(Json::is_number)),
            id: ObjectId::new(&entry.kind, entry.metadata.namespace.as_deref().unwrap_or(namespace), &entry.metadata.name),
        })
        .collect()
}

/// Standard base64 (RFC 4648, 4); `None`: something else.
pub(super) fn base64(text: &[u8]) -> Option<Vec<u8>> {
    STANDARD.decode(text.trim_ascii()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn encode(json: &str) -> Vec<u8> {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(json.as_bytes()).unwrap();
        STANDARD.encode(gzip.finish().unwrap()).into_bytes()
    }

    #[test]
    fn a_release_is_reduced_to_what_is_needed() {
        let manifest = "---\n# Source: x\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: a\n  namespace: services\n---\napiVersion: batch/v1\nkind: Job\nmetadata:\n  name: v\nspec:\n  ttlSecondsAfterFinished: 300\n---\nkind: ConfigMap\nmetadata:\n  name: c\n---\nkind: PersistentVolumeClaim\nmetadata:\n  name: p\n  annotations:\n    helm.sh/resource-policy: keep\n---\nkind: Namespace\nmetadata:\n  name: lost\n---\nkind: Namespace\nmetadata:\n  name: kept\n  annotations: {helm.sh/resource-policy: keep}\n";
        let json = serde_json::json!({
            "name": "kaapana-platform-chart", "namespace": "admin", "version": 3,
            "info": {"status": "deployed", "description": "d", "last_deployed": "2026-11-23T10:00:00.5+01:00", "deleted": ""},
            "chart": {"metadata": {"name": "kaapana-platform-chart", "version": "0.6.0"}, "values": {"global": {"hostname": "other"}}},
            "config": {"global": {"release_name": "kaapana-admin-chart", "hostname": "k.org"}},
            "manifest": manifest,
            "hooks": [{"name": "h", "kind": "Job", "manifest": "kind: Job\nmetadata:\n  name: h\n  namespace: services\n"}]
        });
        let release = decode_bytes(&encode(&json.to_string())).unwrap();
        assert_eq!((release.revision, release.status.as_str()), (3, "deployed"));
        assert_eq!(release.changed, Some("2026-11-23T09:00:00.5Z".parse().unwrap()));
        assert_eq!(release.hooks, [ObjectId::new("Job", "services", "h")]);
        assert_eq!(release.global_hostname.as_deref(), Some("k.org"), "the site's value wins over the chart's");
        assert_eq!(release.namespaces, ["lost"]);
        let objects: Vec<(String, bool, bool)> = release.objects.iter().map(|o| (o.id.to_string(), o.has_ttl, o.keep)).collect();
        assert_eq!(
            objects,
            [
                ("Deployment services/a".into(), false, false),
                ("Job admin/v".into(), true, false),
                ("PersistentVolumeClaim admin/p".into(), false, true)
            ]
        );
    }

    #[test]
    fn what_real_charts_contain_is_read() {
        let manifest = "kind: Deployment\nmetadata:\n  name: twice\n  labels: {a: 1, a: 2}\nspec:\n  mode: 0644\n  text: |\n    --- not a separator\n  on: yes\n";
        let names: Vec<String> = manifest_entries(manifest).into_iter().map(|entry| entry.metadata.name).collect();
        assert_eq!(names, ["twice"]);
    }

    proptest::proptest! {
        #[test]
        fn no_secret_panics(bytes in proptest::collection::vec(0_u8..=255, 0..200), json in "\\PC{0,100}") {
            decode_bytes(&bytes).ok();
            decode_bytes(&encode(&json)).ok();
        }
    }
}
