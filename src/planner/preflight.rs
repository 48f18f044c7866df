//! What every check says, as conditions, and which of them hold a job back. Pure.

use jiff::Timestamp;

use super::interlock::{self, Verdict};
use super::{Hold, Inputs, failure, release};
use crate::config::settings::{Auto, Settings};
use crate::config::values::UnsupportedVersion;
use crate::health::Level;
use crate::health::platform::PlatformHealth;
use crate::ledger::JobKind;
use crate::state::{Chart, Condition, Directory, Gpu, Observed, Severity, Status, Tools};

/// MicroK8s' units. Without one of the first two nothing runs; the others are switched
/// off on some sites for good reasons (another datastore, a stable address).
pub const UNITS: [&str; 4] = [
    "snap.microk8s.daemon-kubelite.service",
    "snap.microk8s.daemon-containerd.service",
    "snap.microk8s.daemon-k8s-dqlite.service",
    "snap.microk8s.daemon-apiserver-kicker.service",
];

/// How many of [`UNITS`] a deployment cannot do without.
const ESSENTIAL: usize = 2;

/// Checks that must not fail before a platform is taken down.
const UNDEPLOY_NEEDS: [&str; 3] = ["helm.binary", "microk8s.credentials", "microk8s.api"];

/// The failed or unknown checks that hold back a job of this kind.
#[must_use]
pub fn holds(kind: JobKind, conditions: &[Condition]) -> Vec<Hold> {
    conditions
        .iter()
        .filter(|condition| condition.status != Status::True)
        .filter(|condition| match kind {
            JobKind::Deploy => condition.severity == Severity::Critical,
            JobKind::Undeploy => UNDEPLOY_NEEDS.contains(&condition.id.as_str()),
        })
        .map(hold_of)
        .collect()
}

/// The hold of a check that failed or is not known.
#[must_use]
pub fn hold_of(condition: &Condition) -> Hold {
    Hold::new(&condition.id, format!("{}: {}", condition.reason, condition.message), condition.advice.clone())
}

/// What every check says. `since` is the time of the decision; whoever publishes
/// keeps the time of the last change.
#[must_use]
pub fn conditions(inputs: &Inputs<'_>, health: Option<&PlatformHealth>) -> Vec<Condition> {
    let mut list = List { now: inputs.now, conditions: Vec::new() };
    config(inputs, &mut list);
    if let Some(error) = &inputs.snapshot.ledger_error {
        let advice = "free space under /var/lib/kaapana-agent; the agent tries again by itself";
        list.add("agent.ledger", Severity::Critical, Status::False, "NotWritable", error.clone(), advice);
    }
    tools(inputs, &mut list);
    services(inputs, &mut list);
    api(inputs, &mut list);
    node(inputs, &mut list);
    system(inputs, &mut list);
    // While a job works, sensors look where it does.
    let looked_at = inputs.ledger.job.as_ref().map(|job| &job.settings).or(inputs.ledger.settings.as_ref());
    if let Some(settings) = looked_at {
        disks(inputs, settings, &mut list);
        gpu(inputs, settings, &mut list);
        chart(inputs, settings, &mut list);
        platform(inputs, health, &mut list);
    }
    list.conditions
}

struct List {
    now: Timestamp,
    conditions: Vec<Condition>,
}

impl List {
    fn add(
        &mut self,
        id: &str,
        severity: Severity,
        status: Status,
        reason: &str,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) {
        self.conditions.push(Condition {
            id: id.into(),
            status,
            severity,
            reason: reason.into(),
            message: message.into(),
            advice: advice.into(),
            since: self.now,
        });
    }

    fn good(&mut self, id: &str, severity: Severity, message: impl Into<String>) {
        self.add(id, severity, Status::True, "Good", message, "");
    }

    fn verdict(&mut self, id: &str, severity: Severity, verdict: Verdict) {
        self.add(id, severity, verdict.status, verdict.reason, verdict.message, verdict.advice);
    }

    fn unknown<T>(&mut self, id: &str, severity: Severity, observed: &Observed<T>) {
        let reason = if matches!(observed, Observed::Pending) { "Pending" } else { "NotObserved" };
        self.add(id, severity, Status::Unknown, reason, observed.reason(), "");
    }
}

fn config(inputs: &Inputs<'_>, list: &mut List) {
    let id = "config.valid";
    let state = &inputs.snapshot.config;
    let generation = inputs.ledger.generation;
    match (&state.error, state.read) {
        (Some(refusal), _) => {
            let stays = if refusal.reason == "NotKept" {
                "free space under /var/lib/kaapana-agent; it is read again by itself".to_owned()
            } else if generation > 0 {
                format!("generation {generation} stays in force; mend the file, it is read again by itself")
            } else {
                "mend the file, it is read again by itself".to_owned()
            };
            list.add(id, Severity::Warning, Status::False, &refusal.reason, refusal.problems.join("; "), stays);
        }
        (None, false) => list.add(id, Severity::Warning, Status::Unknown, "Pending", "the configuration was not read yet", ""),
        (None, true) if !state.warnings.is_empty() => {
            list.add(id, Severity::Warning, Status::True, "Warnings", state.warnings.join("; "), "");
        }
        (None, true) if generation == 0 => {
            list.add(id, Severity::Warning, Status::True, "Unconfigured", "there is no [platform] table in any fragment", "");
        }
        (None, true) => list.good(id, Severity::Warning, format!("generation {generation} is in force")),
    }
}

fn tools(inputs: &Inputs<'_>, list: &mut List) {
    let observed = &inputs.snapshot.tools;
    let Some(Tools { helm, helm_candidates, kubeconfig, kubeconfig_error }) = observed.fresh() else {
        list.unknown("helm.binary", Severity::Critical, observed);
        list.unknown("microk8s.credentials", Severity::Critical, observed);
        return;
    };
    match helm {
        Some(path) => list.good("helm.binary", Severity::Critical, format!("{} is used", path.display())),
        None => {
            let looked = helm_candidates.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
            list.add(
                "helm.binary",
                Severity::Critical,
                Status::False,
                "NotFound",
                format!("there is no helm binary; looked for {looked}"),
                "install MicroK8s, which contains helm: snap install microk8s --classic",
            );
        }
    }
    match kubeconfig_error {
        None => list.good("microk8s.credentials", Severity::Critical, format!("{} is used", kubeconfig.display())),
        Some(error) => list.add(
            "microk8s.credentials",
            Severity::Critical,
            Status::False,
            "NotUsable",
            format!("{}: {error}", kubeconfig.display()),
            "install and start MicroK8s: snap install microk8s --classic; microk8s start",
        ),
    }
}

fn services(inputs: &Inputs<'_>, list: &mut List) {
    let id = "microk8s.services";
    let observed = &inputs.snapshot.services;
    let Some(units) = observed.fresh() else {
        return list.unknown(id, Severity::Critical, observed);
    };
    if units.values().all(|unit| unit.load == "not-found") {
        let advice = "install it: snap install microk8s --classic";
        return list.add(id, Severity::Critical, Status::False, "NotInstalled", "MicroK8s is not installed", advice);
    }
    let down = |names: &[&str]| -> Vec<String> {
        let states = names.iter().filter_map(|name| Some((*name, units.get(*name)?)));
        states
            .filter(|(_, unit)| unit.active != "active" && unit.load != "not-found")
            .map(|(name, unit)| format!("{name} is {} ({})", unit.active, unit.sub))
            .collect()
    };
    let auxiliary = down(&UNITS[ESSENTIAL..]);
    if auxiliary.is_empty() {
        list.good("microk8s.auxiliary", Severity::Warning, "the further units of MicroK8s are active");
    } else {
        let advice = "nothing, if it was switched off on purpose; else look at journalctl -u with the unit's name";
        list.add("microk8s.auxiliary", Severity::Warning, Status::False, "NotActive", auxiliary.join("; "), advice);
    }
    let down = down(&UNITS[..ESSENTIAL]);
    if down.is_empty() {
        list.good(id, Severity::Critical, "the units of MicroK8s are active");
    } else {
        let advice = "look at journalctl -u with the unit's name; microk8s start";
        list.add(id, Severity::Critical, Status::False, "NotActive", down.join("; "), advice);
    }
}

fn api(inputs: &Inputs<'_>, list: &mut List) {
    let id = "microk8s.api";
    let observed = &inputs.snapshot.api;
    match observed.fresh() {
        None => list.unknown(id, Severity::Critical, observed),
        Some(api) if !api.ready => list.add(
            id,
            Severity::Critical,
            Status::False,
            "NotReady",
            api.message.clone(),
            "microk8s inspect; journalctl -u snap.microk8s.daemon-kubelite",
        ),
        Some(_) if inputs.snapshot.cluster.fresh().is_none() => {
            list.add(id, Severity::Critical, Status::Unknown, "Syncing", inputs.snapshot.cluster.reason(), "");
        }
        Some(api) => list.good(id, Severity::Critical, format!("the API server is ready ({})", api.version)),
    }
}

fn node(inputs: &Inputs<'_>, list: &mut List) {
    let id = "microk8s.node";
    let observed = &inputs.snapshot.cluster;
    let Some(cluster) = observed.fresh() else {
        return list.unknown(id, Severity::Critical, observed);
    };
    if cluster.nodes.is_empty() {
        return list.add(
            id,
            Severity::Critical,
            Status::False,
            "NoNode",
            "the cluster has no node",
            "microk8s status; journalctl -u snap.microk8s.daemon-kubelite",
        );
    }
    let unready: Vec<String> =
        cluster.nodes.values().filter(|node| !node.ready).map(|node| format!("{}: {}", node.name, node.message)).collect();
    if unready.is_empty() {
        let names = cluster.nodes.keys().cloned().collect::<Vec<_>>().join(", ");
        list.good(id, Severity::Critical, format!("ready: {names}"));
    } else {
        list.add(
            id,
            Severity::Critical,
            Status::False,
            "NotReady",
            unready.join("; "),
            "kubectl describe node; journalctl -u snap.microk8s.daemon-kubelite",
        );
    }
}

fn system(inputs: &Inputs<'_>, list: &mut List) {
    let observed = &inputs.snapshot.system;
    let Some(system) = observed.fresh() else {
        list.unknown("system.memory", Severity::Warning, observed);
        list.unknown("system.cpu", Severity::Warning, observed);
        return;
    };
    let text = format!("{} MiB of {} MiB of memory are available", system.available_mib, system.memory_mib);
    if system.available_mib * 20 < system.memory_mib {
        list.add("system.memory", Severity::Warning, Status::False, "Low", text, "find what uses it: ps aux --sort -rss | head");
    } else {
        list.good("system.memory", Severity::Warning, text);
    }
    let load = system.load5_centi;
    let text = format!("load {}.{:02} on {} processors over 5 minutes", load / 100, load % 100, system.processors);
    if load > 400 * system.processors as u64 {
        list.add("system.cpu", Severity::Warning, Status::False, "Overloaded", text, "find what uses it: top");
    } else {
        list.good("system.cpu", Severity::Warning, text);
    }
}

fn disks(inputs: &Inputs<'_>, settings: &Settings, list: &mut List) {
    let observed = &inputs.snapshot.disks;
    for name in ["fast", "slow"] {
        let id = |what: &str| format!("disk.{name}.{what}");
        let Some(disks) = inputs.disks(settings) else {
            for what in ["mounted", "identity", "writable", "space"] {
                match observed.fresh() {
                    // What was seen is of other settings.
                    Some(_) => list.unknown::<()>(&id(what), Severity::Critical, &Observed::Pending),
                    None => list.unknown(&id(what), Severity::Critical, observed),
                }
            }
            continue;
        };
        let directory: &Directory = if name == "fast" { &disks.fast } else { &disks.slow };
        list.verdict(&id("mounted"), Severity::Critical, interlock::mounted(settings, directory));
        let cluster = inputs.snapshot.cluster.fresh().map(AsRef::as_ref);
        list.verdict(&id("identity"), Severity::Critical, interlock::identity(inputs.ledger, directory, cluster));
        list.verdict(&id("writable"), Severity::Critical, interlock::writable(directory));
        if name == "fast"
            && let Some(verdict) = interlock::version(settings, directory, last_version(inputs))
        {
            list.verdict("disk.fast.version", Severity::Critical, verdict);
        }
        let (verdict, critical) = interlock::space(settings, directory);
        let severity = if critical || verdict.status == Status::Unknown { Severity::Critical } else { Severity::Warning };
        list.verdict(&id("space"), severity, verdict);
    }
}

fn gpu(inputs: &Inputs<'_>, settings: &Settings, list: &mut List) {
    let id = "gpu.device";
    let observed = &inputs.snapshot.gpu;
    let Some(gpu) = observed.fresh() else {
        return list.unknown(id, Severity::Warning, observed);
    };
    let (found, reason, text) = match gpu {
        Gpu::Devices { names, driver } => (true, "Good", format!("{} with driver {driver}", names.join(", "))),
        Gpu::NoDriver => (false, "NoDriver", "the NVIDIA library is there, the driver is not loaded".to_owned()),
        Gpu::NoLibrary => (false, "NoLibrary", "there is no NVIDIA library, so no NVIDIA GPU is used".to_owned()),
        Gpu::NoDevice => (false, "NoDevice", "the NVIDIA driver is loaded and lists no GPU".to_owned()),
        Gpu::Failed(error) => (false, "Failed", format!("NVML: {error}")),
    };
    match settings.auto("deployment.gpu_support") {
        Auto::Yes if !found => {
            let advice = "install the driver (ubuntu-drivers install), or set deployment.gpu_support = false";
            list.add(id, Severity::Warning, Status::False, reason, format!("deployment.gpu_support is true, but {text}"), advice);
        }
        Auto::No if found => {
            list.add(
                id,
                Severity::Info,
                Status::True,
                "NotUsed",
                format!("deployment.gpu_support is false, though there is {text}"),
                "",
            );
        }
        _ => list.add(id, Severity::Info, Status::True, reason, text, ""),
    }
}

/// The version of what was deployed last.
fn last_version<'l>(inputs: &Inputs<'l>) -> Option<&'l str> {
    let settings = |deployed: &'l crate::ledger::Deployed| deployed.settings.as_ref();
    let last =
        inputs.ledger.deployed.as_ref().and_then(settings).or_else(|| inputs.ledger.previous.as_ref().and_then(settings))?;
    Some(last.text("platform.version"))
}

fn chart(inputs: &Inputs<'_>, settings: &Settings, list: &mut List) {
    let id = "chart.available";
    if let Some(UnsupportedVersion { version, supported }) = release::unsupported(settings) {
        let message = format!("version {version} is not supported, expected one of the releases {}", supported.join(", "));
        return list.add(
            id,
            Severity::Critical,
            Status::False,
            "UnsupportedVersion",
            message,
            "set platform.version, or install a newer kaapana-agent",
        );
    }
    let observed = &inputs.snapshot.chart;
    match inputs.chart(settings) {
        None if observed.fresh().is_some() => list.unknown::<()>(id, Severity::Critical, &Observed::Pending),
        None => list.unknown(id, Severity::Critical, observed),
        Some(Chart::File { path, digest: Err(error) }) => list.add(
            id,
            Severity::Critical,
            Status::False,
            "NotFound",
            format!("{}: {error}", path.display()),
            "put the archive there, or correct deployment.chart_path",
        ),
        Some(Chart::File { path, .. }) => list.good(id, Severity::Critical, format!("{} is in hand", path.display())),
        Some(Chart::Registry { reference, version }) => {
            list.good(id, Severity::Critical, format!("{reference}:{version} is pulled when needed"))
        }
    }
}

fn platform(inputs: &Inputs<'_>, health: Option<&PlatformHealth>, list: &mut List) {
    if let Some(failure) = &inputs.ledger.failure {
        let tail = if failure.tail.is_empty() { String::new() } else { format!("; last lines: {}", failure.tail.join(" | ")) };
        list.add(
            "platform.deployment",
            Severity::Info,
            Status::False,
            &failure.reason,
            format!("{}{tail}", failure::failure_told(failure)),
            failure::failure_advice(inputs, failure),
        );
    } else if inputs.ledger.deployed.as_ref().is_some_and(|deployed| deployed.healthy) {
        list.good("platform.deployment", Severity::Info, "the last job did what it was asked");
    }
    if inputs.ledger.deployed.is_none() {
        return;
    }
    let id = "platform.workloads";
    let Some(health) = health else {
        return list.unknown(id, Severity::Info, &inputs.snapshot.cluster);
    };
    let counts = format!(
        "{}/{} releases, {}/{} workloads, {}/{} pods",
        health.releases.done,
        health.releases.total,
        health.workloads.done,
        health.workloads.total,
        health.pods.done,
        health.pods.total
    );
    match health.level() {
        Level::Healthy => list.good(id, Severity::Info, counts),
        level => {
            let reason = if level == Level::Progressing { "Progressing" } else { "NotHealthy" };
            let shown: Vec<String> = health
                .findings
                .iter()
                .take(5)
                .map(|finding| format!("{}: {} {}", finding.object, finding.reason, finding.message))
                .collect();
            let more = health.findings.len().saturating_sub(5);
            let more = if more > 0 { format!("; and {more} more") } else { String::new() };
            list.add(
                id,
                Severity::Info,
                Status::False,
                reason,
                format!("{}{more}", [vec![counts], shown].concat().join("; ")),
                "",
            );
        }
    }
}
