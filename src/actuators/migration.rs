//! The migration of the data: its chart taken out of the platform's, its release ordered,
//! its log kept.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, LogParams};
use serde_json::Value as Json;

use super::{ActionError, chart, helm};
use crate::command::Redactor;
use crate::config::Settings;
use crate::config::values::Values;
use crate::error::chain;
use crate::job_step::{CHART_ARGUMENT, Order};
use crate::ledger::{Job, MIGRATION_RELEASE as RELEASE, PreparedMigration};
use crate::paths::Paths;
use crate::sensors::api::connect;

/// Name of the chart inside the platform's.
const CHART: &str = "migration-chart";

/// What Kaapana's own script gives the chart of the platform's values, in every release.
const SHARED: [&str; 6] = [
    "fast_data_dir",
    "slow_data_dir",
    "registry_url",
    "credentials_registry_username",
    "credentials_registry_password",
    "pull_policy_images",
];

/// The most of a container's log that is kept, in bytes.
const LOG_CAP: i64 = 64 * 1024 * 1024;

/// Brings the migration of a platform's chart in hand: its archive, its values, and which
/// kinds and images it needs.
///
/// # Errors
///
/// When the platform's chart brings none, it does not render or runs no Job, or the disk does
/// not take the files.
pub async fn prepare(
    paths: &Paths,
    helm: &Path,
    job: &Job,
    platform: &Path,
    values: &Values,
    from: Option<String>,
    redactor: &Redactor,
) -> Result<(PreparedMigration, (Vec<String>, Vec<String>)), ActionError> {
    let state = |error: std::io::Error| ActionError::node("StateNotWritable", &error);
    let folder = platform.with_file_name("migration");
    helm::make_folder(&folder).map_err(state)?;
    let file = folder.join("chart.tgz");
    let (source, target) = (platform.to_path_buf(), file.clone());
    let found = tokio::task::spawn_blocking(move || chart::extract(&source, CHART, &target))
        .await
        .unwrap_or_else(|error| Err(error.to_string()))
        .map_err(|message| ActionError::configuration("ChartInvalid", message))?;
    let to = job.settings.text("platform.version").to_owned();
    if !found {
        let message = format!("the chart of {to} brings no {CHART}, so its data cannot be migrated to it");
        return Err(ActionError::configuration("MigrationMissing", message));
    }
    let of = file.clone();
    let named = tokio::task::spawn_blocking(move || chart::globals(&of))
        .await
        .unwrap_or_else(|error| Err(error.to_string()))
        .map_err(|message| ActionError::configuration("ChartInvalid", message))?;
    let given = values_of(&job.settings, values, from.as_deref(), &to, &named).map_err(|unknown| {
        let message = format!(
            "the {CHART} of {to} wants {}, which nobody has given; without it data might be left as it is unnoticed",
            unknown.join(", ")
        );
        ActionError::configuration("MigrationValuesMissing", message)
    })?;
    helm::write_private(&helm::values_file(&file), &serde_json::to_vec(&given).unwrap_or_default()).map_err(state)?;
    let manifest = helm::render(paths, helm, [RELEASE, &job.settings.helm_namespace()], &file, "", redactor).await?;
    let (kinds, images) = helm::requirements(&manifest);
    if !kinds.iter().any(|kind| kind == "batch/v1/Job") {
        let message = format!("the {CHART} of {to} runs no Job that could be followed");
        return Err(ActionError::configuration("MigrationMissing", message));
    }
    Ok((PreparedMigration { chart_file: file, from, to }, (kinds, images)))
}

/// The values of the migration: what the script gives in every release, and what else of the
/// platform's values its templates name. What is not known is an error: empty, it can make a
/// migration leave data as it is and end well.
fn values_of(
    settings: &Settings,
    platform: &Values,
    from: Option<&str>,
    to: &str,
    named: &BTreeMap<String, bool>,
) -> Result<Json, Vec<String>> {
    let text = |text: &str| Json::String(text.to_owned());
    // Charts and images of a release are built with its version.
    let mut global: serde_json::Map<String, Json> =
        [("from_version", from.unwrap_or("autodetect")), ("to_version", to), ("kaapana_build_version", to)]
            .into_iter()
            .map(|(name, version)| (name.to_owned(), text(version)))
            .collect();
    for name in SHARED {
        global.insert(name.to_owned(), platform.get(&format!("global.{name}")).cloned().unwrap_or_else(|| text("")));
    }
    let mut unknown = Vec::new();
    for (name, optional) in named {
        let provider = match settings.text("storage.provider") {
            "longhorn" => "driver.longhorn.io",
            _ => "microk8s.io/hostpath",
        };
        let value = match name.as_str() {
            name if global.contains_key(name) => continue,
            // It would make it a release of the platform.
            "release_name" => continue,
            "admin_release_name" => Some(text(settings.release_name())),
            "storage_provider" => Some(text(provider)),
            name => platform.get(&format!("global.{name}")).cloned(),
        };
        match value {
            Some(value) => drop(global.insert(name.clone(), value)),
            None if *optional => {}
            None => unknown.push(format!("global.{name}")),
        }
    }
    if unknown.is_empty() { Ok(serde_json::json!({"global": global})) } else { Err(unknown) }
}

/// The order to begin a migration. Helm does not wait for its Job.
#[must_use]
pub fn order(paths: &Paths, helm: &Path, job: &Job, migration: &PreparedMigration) -> Order {
    let namespace = job.settings.helm_namespace();
    let words = ["install", RELEASE, CHART_ARGUMENT, "--namespace", &namespace, "--values", "-", "--description"];
    let mut arguments: Vec<String> = words.into_iter().map(str::to_owned).chain([job.description()]).collect();
    if namespace != "default" {
        arguments.push("--create-namespace".into());
    }
    Order {
        chart: Some(migration.chart_file.clone()),
        input: Some(helm::values_file(&migration.chart_file)),
        ..helm::order(paths, helm, arguments, job.settings.duration("deployment.helm_timeout"))
    }
}

/// Keeps what the containers of these pods said in a file of mode 0600, and returns its path.
/// What cannot be read is said in the file: that a migration has ended does not depend on it.
pub async fn keep_log(paths: &Paths, job: u32, pods: &[(String, String)], secrets: &[String]) -> PathBuf {
    let file = paths.migration_log(job);
    let mut text = String::new();
    match connect(&paths.kubeconfig).await {
        Ok(client) => {
            for (namespace, name) in pods {
                let api = Api::<Pod>::namespaced(client.clone(), namespace);
                match api.get(name).await {
                    Ok(pod) => logs(&api, &pod, &mut text).await,
                    Err(error) => {
                        writeln!(text, "== {namespace}/{name} could not be read: {}", chain(&error)).unwrap_or_default()
                    }
                }
            }
        }
        Err(reason) => writeln!(text, "== the API server could not be asked: {reason}").unwrap_or_default(),
    }
    let text = Redactor::new(secrets.to_vec()).redact(&text);
    let written = match file.parent() {
        Some(folder) => helm::make_folder(folder).and_then(|()| helm::write_private(&file, text.as_bytes())),
        None => Ok(()),
    };
    if let Err(error) = written {
        tracing::warn!(job, %error, "job {job}: the log of the migration could not be kept in {}: {error}", file.display());
    }
    file
}

/// What each container of a pod said, init containers first.
async fn logs(api: &Api<Pod>, pod: &Pod, text: &mut String) {
    let name = pod.metadata.name.clone().unwrap_or_default();
    let spec = pod.spec.clone().unwrap_or_default();
    let containers = spec.init_containers.unwrap_or_default().into_iter().chain(spec.containers);
    let mut known = BTreeSet::new();
    for container in containers.filter(|container| known.insert(container.name.clone())) {
        writeln!(text, "== {name} {}", container.name).unwrap_or_default();
        let parameters =
            LogParams { container: Some(container.name), timestamps: true, limit_bytes: Some(LOG_CAP), ..LogParams::default() };
        match api.logs(&name, &parameters).await {
            Ok(said) => text.push_str(&said),
            Err(error) => writeln!(text, "== could not be read: {}", chain(&error)).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_migration_is_given_what_its_templates_name() {
        let mut fragments = crate::config::Fragments::default();
        let site = "[platform]\nversion=\"0.6.0\"\ndomain=\"a.b\"\n[registry]\nurl=\"r.org\"\n";
        fragments.merge_text(Path::new("/x.toml"), site).unwrap();
        let settings = crate::config::validate(&fragments).unwrap().unwrap();
        let platform = Values::of_nested(&json!({"global": {
            "fast_data_dir": "/f", "slow_data_dir": "/s", "services_namespace": "services", "domain": "x",
            "registry_url": "r.org", "credentials_registry_username": "reader", "pull_policy_images": "Always"}}));
        let named = |names: &[(&str, bool)]| names.iter().map(|(name, optional)| ((*name).to_owned(), *optional)).collect();
        let names =
            named(&[("services_namespace", false), ("storage_provider", false), ("later", true), ("release_name", false)]);
        let given = values_of(&settings, &platform, None, "0.6.0", &names).unwrap();
        let wanted = json!({"global": {
            "from_version": "autodetect", "to_version": "0.6.0", "kaapana_build_version": "0.6.0",
            "fast_data_dir": "/f", "slow_data_dir": "/s", "services_namespace": "services", "registry_url": "r.org",
            "credentials_registry_username": "reader", "credentials_registry_password": "", "pull_policy_images": "Always",
            "storage_provider": "microk8s.io/hostpath"}});
        assert_eq!(given, wanted, "what the script gives, and what is named");
        let unknown = values_of(&settings, &platform, None, "0.6.0", &named(&[("secret_of_later", false)]));
        assert_eq!(unknown.unwrap_err(), ["global.secret_of_later"]);
    }
}
