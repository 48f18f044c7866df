//! Changes of the cluster that are not helm's.

use k8s_openapi::api::core::v1::{Endpoints, Node};
use kube::api::{Api, Patch, PatchParams};

use super::ActionError;
use crate::paths::Paths;
use crate::sensors::api::connect;

/// Puts `kaapana.io/node=storage` on a node, which the charts select by.
///
/// # Errors
///
/// When the API server does not take it.
pub async fn label_node(paths: &Paths, node: &str) -> Result<(), ActionError> {
    let client = connect(&paths.kubeconfig).await.map_err(unreachable)?;
    let patch = serde_json::json!({"metadata": {"labels": {"kaapana.io/node": "storage"}}});
    Api::<Node>::all(client)
        .patch(node, &PatchParams::default(), &Patch::Merge(&patch))
        .await
        .map(drop)
        .map_err(|error| ActionError::node("NodeNotLabelled", &error))
}

/// The API server's address behind its service; `None` when it cannot be read.
pub async fn api_address(paths: &Paths) -> Option<String> {
    let client = connect(&paths.kubeconfig).await.ok()?;
    let endpoints = Api::<Endpoints>::namespaced(client, "default").get("kubernetes").await.ok()?;
    endpoints.subsets?.into_iter().flat_map(|subset| subset.addresses.unwrap_or_default()).map(|address| address.ip).next()
}

fn unreachable(message: String) -> ActionError {
    ActionError { reason: "ApiNotReachable", message, tail: Vec::new(), cause: crate::ledger::Cause::Api }
}
