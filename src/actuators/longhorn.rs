//! Longhorn: its disks and settings, changed as the planner says.

use kube::api::{Api, DynamicObject, Patch, PatchParams};

use super::ActionError;
use crate::paths::Paths;
use crate::sensors::api::connect;
use crate::sensors::storage::{LONGHORN_NAMESPACE, longhorn_resource};
use crate::state::LonghornChange;

/// Applies the changes, in their order.
///
/// # Errors
///
/// When the API server does not take one of them. Those before it stay.
pub async fn configure(paths: &Paths, job: u32, changes: &[LonghornChange]) -> Result<bool, ActionError> {
    let client = connect(&paths.kubeconfig).await.map_err(|message| ActionError {
        reason: "ApiNotReachable",
        message,
        tail: Vec::new(),
        cause: crate::ledger::Cause::Api,
    })?;
    for LonghornChange { plural, name, patch } in changes {
        let kind = if plural == "nodes" { "Node" } else { "Setting" };
        let objects = Api::<DynamicObject>::namespaced_with(client.clone(), LONGHORN_NAMESPACE, &longhorn_resource(kind, plural));
        objects
            .patch(name, &PatchParams::default(), &Patch::Merge(patch))
            .await
            .map_err(|error| ActionError::node("LonghornNotConfigured", &error))?;
        tracing::info!(job, object = format!("{plural}/{name}"), patch = %patch, "Longhorn: {plural}/{name} was changed: {patch}");
    }
    Ok(true)
}
