//! The API server: `/readyz`, its version, the kinds it serves.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tokio::sync::watch;

use super::{Observation, Observations};
use crate::error::chain;
use crate::paths::Paths;
use crate::state::{ApiState, Observed};

/// How often readiness is asked while the server is ready.
const PERIOD_READY: Duration = Duration::from_secs(10);

/// How often while it is not.
const PERIOD_WAITING: Duration = Duration::from_secs(2);

/// How often the kinds are asked, when nobody waits for one.
const PERIOD_KINDS: Duration = Duration::from_secs(600);

/// How often when a deployment waits for a kind.
const PERIOD_KINDS_WANTED: Duration = Duration::from_secs(10);

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Makes a client of a credentials file.
///
/// # Errors
///
/// A sentence: the file cannot be read or is no kubeconfig.
pub async fn connect(kubeconfig: &Path) -> Result<Client, String> {
    // Another program's file: a disk that hangs under it must not hold the loop.
    let read = tokio::time::timeout(PATIENCE, tokio::fs::read_to_string(kubeconfig)).await;
    let text = read
        .unwrap_or_else(|_| Err(std::io::Error::other(format!("no answer for {} s", PATIENCE.as_secs()))))
        .map_err(|error| format!("{} cannot be read: {error}", kubeconfig.display()))?;
    // Its errors quote the file, and with it the cluster administrator's key.
    let parsed = Kubeconfig::from_yaml(&text).map_err(|_| format!("{} is no kubeconfig", kubeconfig.display()))?;
    let mut config = Config::from_custom_kubeconfig(parsed, &KubeConfigOptions::default())
        .await
        .map_err(|error| format!("{}: {error}", kubeconfig.display()))?;
    config.connect_timeout = Some(PATIENCE);
    Client::try_from(config).map_err(|error| format!("{}: {error}", kubeconfig.display()))
}

/// Asks until the receiver is gone. `kinds_wanted`: a deployment waits for a kind.
pub async fn run(paths: Arc<Paths>, mut kinds_wanted: watch::Receiver<bool>, observations: Observations) {
    let mut client: Option<Client> = None;
    let mut kinds_at: Option<tokio::time::Instant> = None;
    loop {
        let state = match ask(&paths, &mut client).await {
            Ok(state) => state,
            Err(message) => {
                client = None;
                ApiState { ready: false, message, version: String::new() }
            }
        };
        let ready = state.ready;
        if observations.send(Observation::Api(Observed::Fresh(state))).await.is_err() {
            return;
        }
        let period = if *kinds_wanted.borrow_and_update() { PERIOD_KINDS_WANTED } else { PERIOD_KINDS };
        let due = kinds_at.is_none_or(|at| at.elapsed() >= period);
        if !ready {
            kinds_at = None;
        } else if due && let Some(client) = &client {
            let seen = match tokio::time::timeout(PATIENCE * 4, served_kinds(client)).await {
                Ok(Ok(kinds)) => {
                    kinds_at = Some(tokio::time::Instant::now());
                    Observed::Fresh(Arc::new(kinds))
                }
                Ok(Err(error)) => Observed::Unknown { reason: error.to_string() },
                Err(_) => Observed::Unknown { reason: "the API server's discovery did not answer".into() },
            };
            if observations.send(Observation::Kinds(seen)).await.is_err() {
                return;
            }
        }
        let pause = if ready { PERIOD_READY } else { PERIOD_WAITING };
        tokio::select! {
            () = tokio::time::sleep(pause) => {} // ok: a period, not a test
            changed = kinds_wanted.changed() => if changed.is_err() { return },
        }
    }
}

async fn ask(paths: &Paths, client: &mut Option<Client>) -> Result<ApiState, String> {
    let connected = match client {
        Some(client) => client.clone(),
        None => client.insert(connect(&paths.kubeconfig).await?).clone(),
    };
    let asked = async {
        let request = http_get("/readyz")?;
        connected.request_text(request).await.map_err(|error| {
            let said = chain(&error);
            unready(&said).unwrap_or_else(|| format!("the API server does not answer: {said}"))
        })
    };
    match tokio::time::timeout(PATIENCE, asked).await {
        Err(_) => return Err(format!("/readyz has not answered for {} s", PATIENCE.as_secs())),
        Ok(Err(message)) => return Err(message),
        Ok(Ok(_)) => {}
    }
    let version = match tokio::time::timeout(PATIENCE, connected.apiserver_version()).await {
        Ok(Ok(info)) => info.git_version,
        _ => String::new(),
    };
    Ok(ApiState { ready: true, message: String::new(), version })
}

/// What of the server is not ready, as its answer to a failed `/readyz` lists it (Kubernetes 1.16
/// and later): a line for each part, `[-]` before what failed.
fn unready(said: &str) -> Option<String> {
    let failed = said.split(['\n', '\r']).flat_map(|line| line.split_once("[-]")).map(|(_, rest)| rest);
    let names: Vec<&str> = failed.filter_map(|rest| rest.split_whitespace().next()).collect();
    (!names.is_empty()).then(|| format!("the API server is not ready: {} failed", names.join(", ")))
}

fn http_get(path: &str) -> Result<http::Request<Vec<u8>>, String> {
    http::Request::get(path).body(Vec::new()).map_err(|error| error.to_string())
}

/// All kinds of all groups and versions, as `group/version/Kind`.
async fn served_kinds(client: &Client) -> kube::Result<BTreeSet<String>> {
    let mut kinds = BTreeSet::new();
    for version in client.list_core_api_versions().await?.versions {
        let list = client.list_core_api_resources(&version).await?;
        kinds.extend(list.resources.into_iter().map(|resource| format!("{version}/{}", resource.kind)));
    }
    for group in client.list_api_groups().await?.groups {
        for version in group.versions {
            // An aggregated API that is down must not hide all others.
            let Ok(list) = client.list_api_group_resources(&version.group_version).await else { continue };
            kinds.extend(list.resources.into_iter().map(|resource| format!("{}/{}", version.group_version, resource.kind)));
        }
    }
    Ok(kinds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_ready_is_named() {
        let said = "ApiError: [+]ping ok\n[-]etcd failed: reason withheld\n[+]poststarthook/a ok\n[-]poststarthook/b failed: reason withheld\nreadyz check failed";
        assert_eq!(unready(said).unwrap(), "the API server is not ready: etcd, poststarthook/b failed");
        assert_eq!(unready("connection refused"), None);
    }
}
