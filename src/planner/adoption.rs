//! A platform that somebody else deployed: what is it, in what does it differ from the
//! configuration, and may it be taken over as it is? Pure.
//!
//! Taking over changes nothing on the node. What would start another platform beside the
//! data of this one (another chart, version, namespace or data directory) is never taken over.

use jiff::Timestamp;
use serde_json::Value as Json;

use super::release::{any_machine, not_ours};
use super::step::Hold;
use super::{Inputs, preflight};
use crate::config::derived::{Machine, memory_of_limits};
use crate::config::settings::{MASK, Settings};
use crate::config::values::{self, ValueChange, Values};
use crate::health::platform::Ownership;
use crate::ledger::{Adopted, Deployed, Intent};
use crate::state::{Condition, Release, ReleaseValues, Severity, Status};

/// What can be taken over.
#[derive(Debug, Clone, PartialEq)]
pub struct Adoption {
    /// As it goes into the ledger.
    pub deployed: Deployed,
    /// In what it differs from what is configured, secrets masked.
    pub differences: Vec<ValueChange>,
}

/// Looks at the release under the root release's name, when the agent has deployed none.
/// `None`: there is no such release, or the cluster or the chart was not looked at yet.
///
/// # Errors
///
/// A [`Hold`]: it is not the platform that is configured, and nothing is touched.
pub fn look(inputs: &Inputs<'_>, settings: &Settings) -> Result<Option<Adoption>, Hold> {
    let ownership = Ownership::of(settings);
    let (Some(cluster), Some(chart)) = (inputs.snapshot.cluster.fresh(), inputs.chart(settings)) else { return Ok(None) };
    let Some(root) = cluster.releases.get(&(ownership.namespace.clone(), ownership.root.clone())) else { return Ok(None) };
    let Some(found) = root.values.as_ref().filter(|_| root.readable && root.status == "deployed") else {
        return Err(not_ours(root));
    };
    other_platform(root, found, settings)?;
    let machine = machine_of(inputs, settings, found);
    let Ok(wanted) = values::values(settings, &machine) else { return Err(not_ours(root)) };
    let (values, differences) = compare(found, &wanted);
    let differs = |key: &String| {
        let of_key =
            |path: &str| values::key_of_path(path).is_some_and(|known| known == key || known.starts_with(&format!("{key}.")));
        let given = key.strip_prefix("values.");
        differences.iter().any(|change| of_key(&change.path) || given == Some(change.path.as_str()))
    };
    if let Some(hold) = not_tolerated(settings, Some(&differs)) {
        return Err(hold);
    }
    let differences = masked(differences, settings);
    let text = |path: &str| value(found, path).and_then(|value| value.as_str().map(str::to_owned));
    let deployed = Deployed {
        job: 0,
        description: root.description.clone(),
        generation: inputs.ledger.generation,
        settings: Some(settings.clone()),
        intent: Intent::new(settings, chart),
        identity: settings.identity(),
        ownership: Ownership { hostname: text("global.hostname").unwrap_or_default(), ..ownership },
        chart_digest: String::new(),
        chart_file: std::path::PathBuf::new(),
        values,
        adopted: Some(Adopted { wanted, given: found.raw.clone() }),
        machine,
        kinds: Vec::new(),
        images: Vec::new(),
        registry_hosting: false,
        installed: true,
        healthy: false,
        partial: false,
        replaces: None,
        made: root.made.map(|made| (made, Some(made))),
        at: root.made.unwrap_or(Timestamp::UNIX_EPOCH),
    };
    Ok(Some(Adoption { deployed, differences }))
}

/// What is wrong for a new platform, unless somebody deployed the same: `differs` tells.
#[must_use]
pub fn not_tolerated(settings: &Settings, differs: Option<&dyn Fn(&String) -> bool>) -> Option<Hold> {
    let wrong = settings.tolerated.iter().filter(|(key, _)| differs.is_none_or(|differs| differs(key)));
    let wrong: Vec<&str> = wrong.map(|(_, sentence)| sentence.as_str()).collect();
    (!wrong.is_empty()).then(|| {
        Hold::new("ConfigNotDeployable", wrong.join("; "), "mend it; only a platform that is deployed so already is kept so")
    })
}

/// Values that no key tells anything of may be anybody's secret: they are named, not shown.
#[must_use]
pub fn masked(differences: Vec<ValueChange>, settings: &Settings) -> Vec<ValueChange> {
    let mask = |change: ValueChange| {
        let known = values::is_known(&change.path) || settings.extra().contains_key(&change.path);
        if known {
            return change;
        }
        let hide = |value: Option<String>| value.map(|_| MASK.to_owned());
        ValueChange { old: hide(change.old), new: hide(change.new), ..change }
    };
    differences.into_iter().map(mask).collect()
}

/// What forbids to take it over now: a disk that is not as it should be would be recorded.
#[must_use]
pub fn holds(conditions: &[Condition]) -> Vec<Hold> {
    let disk = |condition: &&Condition| {
        // What runs on the data says of which version it is.
        let disk = condition.id.starts_with("disk.") && condition.id != preflight::DATA_VERSION;
        disk && condition.severity == Severity::Critical && condition.status != Status::True
    };
    conditions.iter().filter(disk).map(preflight::hold_of).collect()
}

/// The hold until a person takes it over, or the configuration says what is deployed.
#[must_use]
pub fn hold(adoption: &Adoption) -> Hold {
    let Deployed { ownership, .. } = &adoption.deployed;
    Hold::new(
        "AdoptionNeeded",
        format!(
            "the release {}/{} is there and was not installed by this agent; it differs from the configuration in {}",
            ownership.namespace,
            ownership.root,
            told(&adoption.differences)
        ),
        "kaapanactl plan shows the differences; make the configuration say what is deployed, or kaapanactl adopt takes it over as it is",
    )
}

/// The first paths that differ, and how many more.
#[must_use]
pub fn told(differences: &[ValueChange]) -> String {
    let paths: Vec<&str> = differences.iter().map(|change| change.path.as_str()).collect();
    match paths.as_slice() {
        [] => "nothing".into(),
        [first @ .., last] if paths.len() <= 3 && !first.is_empty() => format!("{} and {last}", first.join(", ")),
        [one] => (*one).to_owned(),
        [a, b, c, rest @ ..] => format!("{a}, {b}, {c} and {} other values", rest.len()),
        [a, b] => format!("{a} and {b}"),
    }
}

/// The value that is in force: what was given, or what the chart says by itself.
fn value<'v>(found: &'v ReleaseValues, path: &str) -> Option<&'v Json> {
    found.given.get(path).or_else(|| found.defaults.get(path))
}

fn other_platform(root: &Release, found: &ReleaseValues, settings: &Settings) -> Result<(), Hold> {
    let refused = |what: String, advice: String| {
        let message = format!("the release {}/{} is not the platform that is configured: {what}", root.namespace, root.name);
        Err(Hold::new("AdoptionRefused", message, format!("{advice}; nothing is touched")))
    };
    let (name, version) = (settings.release_name(), settings.text("platform.version"));
    if root.chart != name || root.chart_version != version {
        return refused(
            format!("its chart is {} {}, configured is {name} {version}", root.chart, root.chart_version),
            "configure what is deployed, take it over, and change it then".into(),
        );
    }
    let Ok(wanted) = values::values(settings, &any_machine()) else { return Ok(()) };
    let differs = |path: &&String| values::is_identity(path) && !same(value(found, path), wanted.get(path));
    if let Some(path) = wanted.paths().find(differs) {
        let show = |value: Option<&Json>| value.map_or_else(|| "unset".to_owned(), ToString::to_string);
        let key = values::key_of_path(path).unwrap_or("storage.provider");
        return refused(
            format!("{path} is {}, and {key} makes it {}", show(value(found, path)), show(wanted.get(path))),
            format!("set {key} to what is deployed: its data is there"),
        );
    }
    Ok(())
}

/// What is deployed as far as it differs, what is wanted as far as it does not.
fn compare(found: &ReleaseValues, wanted: &Values) -> (Values, Vec<ValueChange>) {
    let mut kept = wanted.clone();
    for path in wanted.paths().chain(found.given.paths()) {
        // What only the chart says itself goes on saying it.
        let new = wanted.get(path).or_else(|| found.defaults.get(path));
        let old = value(found, path);
        if !same(old, new) {
            kept.set(path, old.cloned());
        }
    }
    let differences = kept.diff(wanted);
    (kept, differences)
}

/// Is it the same to the charts? Numbers and words in quotes are; unset is empty or false;
/// and the word "false" is true to a template.
#[must_use]
pub fn same(old: Option<&Json>, new: Option<&Json>) -> bool {
    let empty = |value: Option<&Json>| match value {
        None | Some(Json::Null | Json::Bool(false)) => true,
        Some(Json::String(text)) => text.is_empty(),
        Some(Json::Array(items)) => items.is_empty(),
        Some(Json::Object(map)) => map.is_empty(),
        Some(Json::Bool(true) | Json::Number(_)) => false,
    };
    let text = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match (old, new) {
        (Some(a), Some(b)) if a == b => true,
        (Some(Json::Bool(_)), Some(Json::String(word))) | (Some(Json::String(word)), Some(Json::Bool(_))) if word == "false" => {
            false
        }
        (Some(a), Some(b)) if text(a) == text(b) => true,
        // Networks: the script names an address twice when it is the API server's, too.
        (Some(Json::Array(a)), Some(Json::Array(b))) => {
            let set = |items: &[Json]| items.iter().map(text).collect::<std::collections::BTreeSet<_>>();
            set(a) == set(b)
        }
        _ => empty(old) && empty(new),
    }
}

/// What the deployment took from the machine, read back from its values, so that what is
/// computed from it comes out as it was.
fn machine_of(inputs: &Inputs<'_>, settings: &Settings, found: &ReleaseValues) -> Machine {
    let text = |path: &str| value(found, path).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    let number = |path: &str| text(path).and_then(|text| text.parse::<u64>().ok());
    let limits = ["pacs", "airflow", "opensearch"].map(|name| number(&format!("global.{name}_memory_limit")));
    let here = inputs.snapshot.system.last().map_or(0, |system| system.memory_mib);
    let domain = settings.text("platform.domain");
    let cidrs = value(found, "global.internalCidrs").and_then(Json::as_array).cloned().unwrap_or_default();
    let mut hosts = cidrs
        .iter()
        .filter_map(Json::as_str)
        .filter_map(|cidr| cidr.strip_suffix("/32").or_else(|| cidr.strip_suffix("/128")))
        .map(str::to_owned);
    let server_ip = hosts.next();
    let api_ip = hosts.find(|host| host != domain);
    Machine {
        memory_mib: memory_of_limits(settings, limits).unwrap_or(here),
        longhorn_nodes: number("global.replica_count").and_then(|count| u32::try_from(count).ok()).unwrap_or(0),
        gpu: text("global.gpu_support").as_deref() == Some("true"),
        node_name: text("global.main_node_name").or_else(|| inputs.node().map(|node| node.name.clone())).unwrap_or_default(),
        server_ip,
        api_ip,
        timestamp: text("global.deployment_timestamp").unwrap_or_default(),
        oidc_client_secret: text("global.oidc_client_secret").unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_the_charts_cannot_tell_apart_is_the_same() {
        for (a, b) in [(json!("80"), json!(80)), (json!("true"), json!(true)), (json!(""), Json::Null), (json!([]), json!(false))]
        {
            assert!(same(Some(&a), Some(&b)), "{a} {b}");
        }
        for (a, b) in
            [(json!("false"), json!(false)), (json!("80"), json!("81")), (json!(true), Json::Null), (json!(0), Json::Null)]
        {
            assert!(!same(Some(&a), Some(&b)), "{a} {b}");
        }
        assert!(same(None, Some(&json!(""))));
        let networks = json!(["10.1.0.0/16", "10.0.0.5/32", "10.0.0.5/32"]);
        assert!(same(Some(&networks), Some(&json!(["10.0.0.5/32", "10.1.0.0/16"]))));
        assert!(!same(Some(&networks), Some(&json!(["10.1.0.0/16"]))));
    }

    #[test]
    fn only_what_differs_is_kept_as_it_is() {
        let of = |value: Json| Values::of_nested(&value);
        let found = ReleaseValues {
            raw: Json::Null,
            given: of(json!({"global": {"http_port": 80, "smtp_host": "old", "extra": "x"}})),
            defaults: of(json!({"global": {"dicom_port": "11112", "extra": "y"}})),
        };
        let wanted = of(json!({"global": {"http_port": "80", "smtp_host": "new", "dicom_port": "11112"}}));
        let (kept, differences) = compare(&found, &wanted);
        assert_eq!(kept.get("global.http_port"), Some(&json!("80")));
        assert_eq!(kept.get("global.smtp_host"), Some(&json!("old")));
        assert_eq!(
            differences.iter().map(|change| change.path.as_str()).collect::<Vec<_>>(),
            ["global.extra", "global.smtp_host"]
        );
        assert_eq!(told(&differences), "global.extra and global.smtp_host");
    }
}
