//! The GPU operator: MicroK8s' add-on, or its chart from an archive.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{ActionError, chart, helm};
use crate::job_step::{CHART_ARGUMENT, Order};
use crate::ledger::{GPU_OPERATOR as OPERATOR, GPU_OPERATOR_NAMESPACE, Job};
use crate::paths::Paths;

/// From this version on the operator's toolkit must be told where the container runtime has
/// its settings (Kaapana 0.6).
const TOLD_SOURCE: (u32, u32) = (25, 10);

/// The operator's chart beside the platform's, when it is there: its own copy, with its values.
///
/// Or what is wrong with it, a sentence: whether it is needed is not known here.
///
/// # Errors
///
/// When the disk does not take the copy.
pub async fn prepare(paths: &Paths, job: &Job) -> Result<Option<Result<PathBuf, String>>, ActionError> {
    let source = job.settings.beside_chart(&format!("{OPERATOR}.tgz"));
    if !job.settings.flag("deployment.offline") || !tokio::fs::try_exists(&source).await.unwrap_or(false) {
        return Ok(None);
    }
    let state = |error: std::io::Error| ActionError::node("StateNotWritable", &error);
    let folder = paths.deployment(job.id).join(OPERATOR);
    helm::make_folder(&folder).map_err(state)?;
    let file = folder.join("chart.tgz");
    let invalid = |message: String| Ok(Some(Err(format!("{}: {message}", source.display()))));
    if let Err(fault) = helm::copy_chart(&source, &file).await {
        return invalid(fault.message);
    }
    let of = file.clone();
    let found = match tokio::task::spawn_blocking(move || chart::metadata(&of)).await {
        Ok(Ok(found)) => found,
        Ok(Err(fault)) => return invalid(fault),
        Err(fault) => return invalid(fault.to_string()),
    };
    if found.name != OPERATOR {
        return invalid(format!("holds the chart {}, expected {OPERATOR}", found.name));
    }
    let values = values(paths, &found.version);
    helm::write_private(&helm::values_file(&file), &serde_json::to_vec(&values).unwrap_or_default()).map_err(state)?;
    Ok(Some(Ok(file)))
}

/// The runtime is MicroK8s', the driver the host's.
fn values(paths: &Paths, version: &str) -> serde_json::Value {
    let mut environment = vec![
        json!({"name": "CONTAINERD_CONFIG", "value": paths.runtime_settings.with_file_name("containerd-template.toml")}),
        json!({"name": "CONTAINERD_SOCKET", "value": paths.runtime}),
        json!({"name": "CONTAINERD_SET_AS_DEFAULT", "value": "1"}),
    ];
    if tells_source(version) {
        environment.push(json!({"name": "RUNTIME_CONFIG_SOURCE", "value": source(paths)}));
    }
    json!({
        "operator": {"defaultRuntime": "containerd"},
        "driver": {"enabled": false},
        "toolkit": {"enabled": true, "env": environment},
    })
}

/// The proxies of this process's environment, without those that have a login in them: an order
/// holds no secret.
#[must_use]
pub fn proxies() -> Vec<(String, String)> {
    let names = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"];
    let set = names.into_iter().filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?)));
    set.filter(|(_, value)| !value.contains('@')).collect()
}

/// The order to bring the operator: by MicroK8s through these proxies, or from its chart.
#[must_use]
pub fn order(paths: &Paths, helm: &Path, job: &Job, chart: Option<&Path>, proxies: &[(String, String)]) -> Order {
    let limit = job.settings.duration("deployment.helm_timeout");
    if let Some(chart) = chart {
        let words =
            ["install", OPERATOR, CHART_ARGUMENT, "--namespace", GPU_OPERATOR_NAMESPACE, "--create-namespace", "--values", "-"];
        let arguments = words.into_iter().map(str::to_owned).collect();
        return Order {
            chart: Some(chart.to_path_buf()),
            input: Some(helm::values_file(chart)),
            ..helm::order(paths, helm, arguments, limit)
        };
    }
    let version = job.settings.text("deployment.gpu_operator_version");
    let mut arguments: Vec<String> = ["enable", "nvidia", "--gpu-operator-driver", "host"].map(str::to_owned).into();
    if !version.is_empty() {
        arguments.extend(["--gpu-operator-version".to_owned(), version.to_owned()]);
    }
    if tells_source(version) {
        // The add-on itself gives the first three.
        for set in ["name=RUNTIME_CONFIG_SOURCE".to_owned(), format!("value={}", source(paths))] {
            arguments.extend(["--gpu-operator-set".to_owned(), format!("toolkit.env[3].{set}")]);
        }
    }
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin";
    let environment = std::iter::once(("PATH".to_owned(), path.to_owned())).chain(proxies.iter().cloned()).collect();
    Order {
        program: paths.microk8s.clone(),
        arguments,
        chart: None,
        input: None,
        stream: None,
        verify: false,
        environment,
        home: paths.helm_home(),
        limit_seconds: limit.as_secs(),
    }
}

fn source(paths: &Paths) -> String {
    format!("file={}", paths.runtime_settings.display())
}

fn tells_source(version: &str) -> bool {
    let mut numbers = version.trim_start_matches('v').split('.').map(str::parse::<u32>);
    let (major, minor) = (numbers.next(), numbers.next());
    // A word that is no version is of somebody who follows the newest.
    !matches!((major, minor), (Some(Ok(major)), Some(Ok(minor))) if (major, minor) < TOLD_SOURCE)
}
