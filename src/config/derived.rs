//! Values computed from settings and machine, by name. Pure functions.

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::keys::INIT_PASSWORDS;
use super::settings::{Auto, Settings};

/// What a deployment takes from the machine. Read once for a deployment and kept
/// in the ledger, so that a new lease, memory module or kernel redeploys nothing.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Is a usable GPU there?
    pub gpu: bool,
    /// How many nodes of Longhorn's take volumes; 0 when it is not used.
    #[serde(default)]
    pub longhorn_nodes: u32,
    /// Name of the Kubernetes node.
    pub node_name: String,
    /// Address of this server, without a prefix length.
    pub server_ip: Option<String>,
    /// Address of the API server as pods see it behind its service.
    pub api_ip: Option<String>,
    /// When the deployment was prepared, `YYYY-MM-DD-HH-MM`.
    pub timestamp: String,
    /// Secret shared by the login service and its clients: 256 bits, hexadecimal.
    /// Made once and reused.
    pub oidc_client_secret: String,
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Machine")
            .field("memory_mib", &self.memory_mib)
            .field("node_name", &self.node_name)
            .finish_non_exhaustive()
    }
}

/// Computes a derived value; `None` for a name that does not exist.
#[must_use]
pub fn derived(name: &str, settings: &Settings, machine: &Machine) -> Option<Json> {
    let chart_in_hand = !settings.text("deployment.chart_path").is_empty();
    let or_empty = |key: &str| if chart_in_hand { String::new() } else { settings.text(key).to_owned() };
    let class = |hostpath: &str, longhorn: &str| match settings.text("storage.provider") {
        "longhorn" => json!(format!("kaapana-longhorn-{longhorn}")),
        _ => json!(format!("kaapana-hostpath-{hostpath}-data-dir")),
    };
    Some(match name {
        "instance_name" => match settings.text("platform.instance_name") {
            "" => json!(settings.text("platform.domain")),
            name => json!(name),
        },
        "include_reverse_proxy" => json!(!settings.text("platform.instance_uid").is_empty()),
        "gpu_support" => json!(match settings.auto("deployment.gpu_support") {
            Auto::Auto => machine.gpu,
            Auto::Yes => true,
            Auto::No => false,
        }),
        "prefetch_extensions" => json!(settings.flag("deployment.prefetch_extensions") && !chart_in_hand),
        "init_password" => json!(INIT_PASSWORDS[usize::from(!settings.flag("deployment.dev_mode"))]),
        "pull_policy" => json!(if settings.flag("deployment.dev_mode") && !settings.flag("deployment.offline") {
            "Always"
        } else {
            "IfNotPresent"
        }),
        "registry_username" => json!(or_empty("registry.username")),
        "registry_password" => json!(or_empty("registry.password")),
        "services_namespace" => json!(settings.namespace("services")),
        "admin_namespace" => json!(settings.namespace("admin")),
        "extensions_namespace" => json!(settings.namespace("extensions")),
        "jobs_namespace" => json!(settings.namespace("jobs")),
        "base_namespace" => json!("base"),
        "fast_dir" => json!(settings.fast_dir().to_string_lossy()),
        "slow_dir" => json!(settings.slow_dir().to_string_lossy()),
        "home_dir" => json!("/home/kaapana"),
        "mount_points_to_monitor" => json!(settings.list("data.mount_points_to_monitor").join(",")),
        "storage_class_fast" => class("fast", "fast-db"),
        "storage_class_slow" => class("slow", "slow-data"),
        "storage_class_workflow" => class("fast", "fast-workflow"),
        "replica_count" => json!(match settings.integer("storage.replica_count") {
            1 if settings.text("storage.provider") == "longhorn" && machine.longhorn_nodes > 1 => 2,
            count => count,
        }),
        "storage_node" => json!("storage"),
        "main_node_name" => json!(machine.node_name),
        "internal_cidrs" => json!(internal_cidrs(settings, machine)),
        "pacs_memory_limit"
        | "airflow_memory_limit"
        | "opensearch_memory_limit"
        | "pacs_memory_request"
        | "airflow_memory_request"
        | "opensearch_memory_request" => memory(name, settings, machine.memory_mib),
        "oidc_client_secret" => json!(machine.oidc_client_secret),
        "timestamp" => json!(machine.timestamp),
        _ => return None,
    })
}

/// 70 % of the memory, divided by the shares; a request is a third of its limit.
fn memory(name: &str, settings: &Settings, memory_mib: u64) -> Json {
    let share = |service: &str| settings.integer(&format!("resources.{service}_percent")).unsigned_abs();
    let sum = ["pacs", "airflow", "opensearch"].into_iter().map(share).sum::<u64>().max(1);
    let (service, kind) = name.split_once("_memory_").unwrap_or((name, "limit"));
    // In the script's two steps: what it deployed is recognised.
    let limit = memory_mib * 7 / 10 * share(service) / sum;
    json!(if kind == "request" { limit / 3 } else { limit }.to_string())
}

/// A memory size with which the limits come out as these; `None`: there is none.
#[must_use]
pub fn memory_of_limits(settings: &Settings, limits: [Option<u64>; 3]) -> Option<u64> {
    let names = ["pacs", "airflow", "opensearch"];
    let shares = names.map(|name| settings.integer(&format!("resources.{name}_percent")).unsigned_abs());
    let sum = shares.iter().sum::<u64>().max(1);
    let limit = |memory: u64, share: u64| memory * 7 / 10 * share / sum;
    // The largest share tells it most closely; a few sizes give the same limit.
    let (at, share) = shares.iter().copied().enumerate().max_by_key(|(_, share)| *share)?;
    let least = limits[at]?.checked_mul(sum)?.div_ceil(share.max(1)).checked_mul(10)?.div_ceil(7);
    (least..least + 8).find(|memory| (0..3).all(|at| limits[at] == Some(limit(*memory, shares[at]))))
}

fn internal_cidrs(settings: &Settings, machine: &Machine) -> Vec<String> {
    let configured = settings.list("network.internal_cidrs");
    if !configured.is_empty() {
        return configured.to_vec();
    }
    let mut cidrs = vec!["10.152.183.0/24".to_owned(), "10.1.0.0/16".to_owned()];
    let domain = settings.text("platform.domain").parse::<std::net::IpAddr>().ok().map(|ip| ip.to_string());
    for address in [machine.server_ip.clone(), domain, machine.api_ip.clone()].into_iter().flatten() {
        let bits = if address.contains(':') { 128 } else { 32 };
        let cidr = format!("{address}/{bits}");
        if !cidrs.contains(&cidr) {
            cidrs.push(cidr);
        }
    }
    cidrs
}

#[cfg(test)]
#[path = "derived_tests.rs"]
mod tests;
