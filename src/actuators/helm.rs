//! Helm: a chart brought in hand, an installation or uninstallation ordered.
//!
//! What changes the cluster runs in a transient unit ([`crate::job_step`]). Values
//! reach helm in a file of mode 0600, never as arguments.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value as Json;

use super::{ActionError, chart};
use crate::command::{Input, Invocation, Redactor, helm_environment, run};
use crate::config::derived::Machine;
use crate::config::settings::Settings;
use crate::config::values::{self, Values};
use crate::error::chain;
use crate::job_step::{CHART_ARGUMENT, Order};
use crate::ledger::{Cause, Job, JobKind, Prepared};
use crate::paths::Paths;
use crate::sensors::{release::manifest_entries, tools};
use crate::state::Chart;

/// How long helm may take to render a chart.
const RENDER_LIMIT: Duration = Duration::from_secs(120);

/// The largest manifest, in bytes.
const MANIFEST_CAP: usize = 64 * 1024 * 1024;

/// Makes a folder of mode 0700 and its parents.
pub(super) fn make_folder(path: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Writes a file of mode 0600, synced.
pub(super) fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// The file of a deployment's values: beside its chart.
#[must_use]
pub fn values_file(chart: &Path) -> PathBuf {
    chart.with_file_name("values.json")
}

/// Brings chart, values and manifest of a job in hand. Nothing that runs is touched.
/// `from`: the version a migration begins with; `None`: it finds out itself.
///
/// # Errors
///
/// When the chart is not there or not the one that is meant, does not render, the
/// container runtime does not say which images it has, or the disk does not take the files.
pub async fn prepare(
    paths: &Paths,
    helm: &Path,
    job: &Job,
    source: &Chart,
    machine: Machine,
    api_version: &str,
    from: Option<String>,
) -> Result<Prepared, ActionError> {
    let folder = paths.deployment(job.id);
    let state = |error: std::io::Error| ActionError::node("StateNotWritable", &error);
    make_folder(&folder).map_err(state)?;
    make_folder(&paths.helm_home()).map_err(state)?;
    let settings = &job.settings;
    let values = values::values(settings, &machine)
        .map_err(|error| ActionError::configuration("UnsupportedVersion", error.to_string()))?;
    let redactor = Redactor::new([values.secrets(), settings.secrets()].concat());
    let file = folder.join("chart.tgz");
    match source {
        Chart::File { path, .. } => copy_chart(path, &file).await?,
        Chart::Registry { version, .. } => super::pull::chart(paths, settings, version, &file, &redactor).await?,
    }
    check_chart(settings, source, &file).await?;
    let digest = digest(&file).await?;
    write_private(&values_file(&file), &serde_json::to_vec(&values.nested()).unwrap_or_default()).map_err(state)?;
    let name = [settings.release_name(), &settings.helm_namespace()];
    let manifest = render(paths, helm, name, &file, api_version, &redactor).await?;
    let (mut kinds, mut images) = requirements(&manifest);
    let registry_hosting = brings_registry_hosting(&manifest);
    let migration = if job.kind == JobKind::Migrate {
        let (migration, (also, of)) = super::migration::prepare(paths, helm, job, &file, &values, from, &redactor).await?;
        (kinds, images) = (merged(kinds, also), merged(images, of));
        Some(migration)
    } else {
        None
    };
    let missing_images = super::images::missing(paths, &images).await?;
    let import = super::images::import_from(job, &missing_images).await?;
    Ok(Prepared {
        chart_digest: digest,
        chart_file: file,
        values,
        machine,
        kinds,
        images,
        registry_hosting,
        missing_images,
        import,
        aside: None,
        migration,
        storage: None,
        gpu_operator: None,
    })
}

/// Both, sorted, each once.
fn merged(a: Vec<String>, b: Vec<String>) -> Vec<String> {
    a.into_iter().chain(b).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Puts a chart aside, with what Helm was given for what was taken over and runs with it:
/// the way back.
///
/// # Errors
///
/// When the disk does not take the files.
pub async fn put_aside(chart: &Path, given: &Json) -> Result<PathBuf, ActionError> {
    let state = |error: std::io::Error| ActionError::node("StateNotWritable", &error);
    let folder = chart.with_file_name("aside");
    make_folder(&folder).map_err(state)?;
    let file = folder.join("chart.tgz");
    copy_chart(chart, &file).await?;
    write_private(&values_file(&file), &serde_json::to_vec(given).unwrap_or_default()).map_err(state)?;
    Ok(file)
}

pub(super) async fn copy_chart(from: &Path, to: &Path) -> Result<(), ActionError> {
    let new = to.with_extension("new");
    let copied = async {
        tokio::fs::copy(from, &new).await?;
        // The ledger that names it is synced, too.
        tokio::fs::File::open(&new).await?.sync_all().await?;
        tokio::fs::rename(&new, to).await?;
        match to.parent() {
            Some(folder) => tokio::fs::File::open(folder).await?.sync_all().await,
            None => Ok(()),
        }
    };
    copied.await.map_err(|error| ActionError {
        cause: Cause::Interrupted,
        ..ActionError::configuration("ChartNotReadable", format!("{}: {error}", from.display()))
    })
}

/// Is the archive whole, and the chart that is configured?
async fn check_chart(settings: &Settings, source: &Chart, file: &Path) -> Result<(), ActionError> {
    let of = file.to_path_buf();
    let invalid = |message: String| ActionError::configuration("ChartInvalid", format!("{}: {message}", source.source()));
    let found = tokio::task::spawn_blocking(move || chart::metadata(&of))
        .await
        .unwrap_or_else(|error| Err(error.to_string()))
        .map_err(invalid)?;
    let (name, version) = (settings.release_name(), settings.text("platform.version"));
    if found.name != name || found.version != version {
        return Err(invalid(format!("holds the chart {} {}, expected {name} {version}", found.name, found.version)));
    }
    Ok(())
}

async fn digest(file: &Path) -> Result<String, ActionError> {
    let of = file.to_path_buf();
    tokio::task::spawn_blocking(move || tools::digest_of(&of))
        .await
        .unwrap_or_else(|error| Err(std::io::Error::other(error)))
        .map_err(|error| ActionError::node("StateNotReadable", &error))
}

fn invocation(paths: &Paths, helm: &Path, arguments: Vec<std::ffi::OsString>, limit: Duration) -> Invocation {
    Invocation {
        program: helm.to_path_buf(),
        arguments,
        environment: helm_environment(&paths.helm_home()),
        directory: paths.helm_home(),
        input: Input::Bytes(Vec::new()),
        limit,
        output_cap: MANIFEST_CAP,
    }
}

/// Renders a chart with the values beside it, as the release of this name and namespace.
pub(super) async fn render(
    paths: &Paths,
    helm: &Path,
    [name, namespace]: [&str; 2],
    chart: &Path,
    api_version: &str,
    redactor: &Redactor,
) -> Result<String, ActionError> {
    let mut arguments = vec![
        "template".into(),
        name.into(),
        chart.as_os_str().into(),
        "--namespace".into(),
        namespace.into(),
        "--values".into(),
        values_file(chart).into(),
        "--include-crds".into(),
    ];
    if !api_version.is_empty() {
        arguments.extend(["--kube-version".into(), api_version.into()]);
    }
    let outcome = run(invocation(paths, helm, arguments, RENDER_LIMIT), redactor, true, |_| {})
        .await
        .map_err(|error| ActionError::node("HelmNotStarted", &error))?;
    if !outcome.success() {
        let how = if outcome.timed_out { format!("not within {} s", RENDER_LIMIT.as_secs()) } else { outcome.tail.join(" ") };
        return Err(ActionError {
            tail: outcome.tail,
            ..ActionError::configuration("ChartNotRendered", format!("the chart does not render: {how}"))
        });
    }
    String::from_utf8(outcome.output).map_err(|error| ActionError::configuration("ChartNotRendered", chain(&error)))
}

/// Kinds the API server must serve (those the manifest itself defines do not
/// count), and images the manifest names.
#[must_use]
pub fn requirements(manifest: &str) -> (Vec<String>, Vec<String>) {
    let mut kinds = BTreeSet::new();
    let mut defined = BTreeSet::new();
    let mut images = BTreeSet::new();
    for entry in manifest_entries(manifest) {
        kinds.insert(format!("{}/{}", entry.api_version, entry.kind));
        let Some(spec) = &entry.spec else { continue };
        if entry.kind == "CustomResourceDefinition" {
            let text = |path: &str| spec.pointer(path).and_then(Json::as_str).unwrap_or_default().to_owned();
            let versions = spec.get("versions").and_then(Json::as_array).cloned().unwrap_or_default();
            defined.extend(versions.iter().filter_map(|version| {
                Some(format!("{}/{}/{}", text("/group"), version.get("name")?.as_str()?, text("/names/kind")))
            }));
        }
        collect_images(spec, &mut images);
    }
    (kinds.difference(&defined).cloned().collect(), images.into_iter().collect())
}

/// Is `kube-public/local-registry-hosting` in the manifest?
fn brings_registry_hosting(manifest: &str) -> bool {
    manifest_entries(manifest).iter().any(|entry| {
        let metadata = &entry.metadata;
        let place = metadata.namespace.as_deref() == Some("kube-public");
        entry.kind == "ConfigMap" && metadata.name == "local-registry-hosting" && place
    })
}

fn collect_images(value: &Json, images: &mut BTreeSet<String>) {
    match value {
        Json::Object(map) => {
            for (key, inner) in map {
                if matches!(key.as_str(), "containers" | "initContainers")
                    && let Json::Array(containers) = inner
                {
                    images.extend(containers.iter().filter_map(|container| container.get("image")?.as_str()).map(str::to_owned));
                }
                collect_images(inner, images);
            }
        }
        Json::Array(items) => items.iter().for_each(|item| collect_images(item, images)),
        _ => {}
    }
}

/// Writes the order of a step into its folder, for its unit to read.
///
/// # Errors
///
/// When the disk does not take it.
pub fn write_order(paths: &Paths, unit: &str, order: &Order, secrets: &[String]) -> std::io::Result<PathBuf> {
    let folder = paths.step(unit);
    make_folder(&folder)?;
    write_private(&folder.join(crate::job_step::SECRETS_FILE), &serde_json::to_vec(secrets)?)?;
    write_private(&folder.join(crate::job_step::ORDER_FILE), &serde_json::to_vec(order)?)?;
    std::fs::File::open(&folder)?.sync_all()?;
    Ok(folder)
}

/// The order to install a job's chart.
#[must_use]
pub fn install_order(paths: &Paths, helm: &Path, job: &Job, prepared: &Prepared) -> Order {
    let mut order = chart_order(paths, helm, "install", job, prepared);
    if job.settings.helm_namespace() != "default" {
        order.arguments.push("--create-namespace".into());
    }
    order
}

/// The order to upgrade to a job's chart; nothing of the values before is reused.
#[must_use]
pub fn upgrade_order(paths: &Paths, helm: &Path, job: &Job, prepared: &Prepared) -> Order {
    let mut order = chart_order(paths, helm, "upgrade", job, prepared);
    order.arguments.extend(["--reset-values".into(), "--history-max".into(), "10".into()]);
    order
}

/// The release is found again by the description.
fn chart_order(paths: &Paths, helm: &Path, verb: &str, job: &Job, prepared: &Prepared) -> Order {
    let settings = &job.settings;
    let limit = settings.duration("deployment.helm_timeout");
    let namespace = settings.helm_namespace();
    let arguments = vec![
        verb.to_owned(),
        settings.release_name().to_owned(),
        CHART_ARGUMENT.into(),
        "--namespace".into(),
        namespace,
        "--values".into(),
        "-".into(),
        "--description".into(),
        job.description(),
    ];
    Order {
        chart: Some(prepared.chart_file.clone()),
        input: Some(values_file(&prepared.chart_file)),
        ..order(paths, helm, arguments, limit)
    }
}

/// The order to uninstall a release.
#[must_use]
pub fn uninstall_order(paths: &Paths, helm: &Path, job: &Job, namespace: &str, release: &str, no_hooks: bool) -> Order {
    let mut arguments = vec!["uninstall".to_owned(), release.to_owned(), "--namespace".into(), namespace.to_owned()];
    if no_hooks {
        arguments.push("--no-hooks".into());
    }
    order(paths, helm, arguments, job.settings.duration("deployment.helm_timeout"))
}

pub(super) fn order(paths: &Paths, helm: &Path, mut arguments: Vec<String>, limit: Duration) -> Order {
    arguments.extend([
        "--timeout".into(),
        format!("{}s", limit.as_secs()),
        "--kubeconfig".into(),
        paths.kubeconfig.display().to_string(),
    ]);
    Order {
        program: helm.to_path_buf(),
        arguments,
        chart: None,
        input: None,
        stream: None,
        verify: false,
        environment: Vec::new(),
        home: paths.helm_home(),
        // Helm's own limit comes first and says more; this one is for a helm that hangs.
        limit_seconds: limit.as_secs() + 60,
    }
}

/// The secrets that a job's programs may print.
#[must_use]
pub fn secrets_of(job: &Job, deployed: Option<&Values>) -> Vec<String> {
    let mut secrets = job.settings.secrets();
    secrets.extend(job.prepared.iter().flat_map(|prepared| prepared.values.secrets()));
    secrets.extend(deployed.iter().flat_map(|values| values.secrets()));
    secrets.sort();
    secrets.dedup();
    secrets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_images_of_a_manifest() {
        let manifest = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: x}\nspec:\n  group: my.org\n  names: {kind: Thing}\n  versions: [{name: v1}]\n---\napiVersion: my.org/v1\nkind: Thing\nmetadata: {name: t}\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec:\n  template:\n    spec:\n      initContainers: [{name: i, image: 'r/i:1'}]\n      containers: [{name: c, image: 'r/c:1'}, {name: c2, image: 'r/c:1'}]\n";
        let (kinds, images) = requirements(manifest);
        assert_eq!(kinds, ["apiextensions.k8s.io/v1/CustomResourceDefinition", "apps/v1/Deployment"]);
        assert_eq!(images, ["r/c:1", "r/i:1"]);
    }
}
