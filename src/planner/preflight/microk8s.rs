//! Checks of MicroK8s: its files, units, API server and node. Pure.

use super::List;
use crate::config::Settings;
use crate::planner::Inputs;
use crate::planner::step::count;
use crate::state::{RuntimeState, Severity, Status, Tools, UnitState};

/// MicroK8s' units. Without one of the first two nothing runs; the others are switched
/// off on some sites for good reasons (another datastore, a stable address).
pub const UNITS: [&str; 4] = [
    "snap.microk8s.daemon-kubelite.service",
    "snap.microk8s.daemon-containerd.service",
    "snap.microk8s.daemon-k8s-dqlite.service",
    "snap.microk8s.daemon-apiserver-kicker.service",
];

/// The check whether the platform's ports can be had.
pub const NODE_PORTS: &str = "microk8s.node_ports";

/// How many of [`UNITS`] a deployment cannot do without.
const ESSENTIAL: usize = 2;

/// Whoever looks may not see it, which says nothing of the thing itself. The agent sees all.
fn denied(message: &str) -> bool {
    message.contains("Permission denied")
}

pub(super) fn runtime(inputs: &Inputs<'_>, list: &mut List) {
    let (id, severity) = ("microk8s.runtime", Severity::Critical);
    let observed = &inputs.snapshot.runtime;
    match observed.fresh() {
        None => list.unknown(id, severity, observed),
        Some(RuntimeState::Ready) => list.good(id, severity, "the container runtime and its network are ready"),
        Some(RuntimeState::NotReady { message }) => {
            let advice = "journalctl -u snap.microk8s.daemon-containerd; microk8s kubectl get pods -n kube-system";
            list.add(id, severity, Status::False, "NotReady", message, advice);
        }
        Some(RuntimeState::NotAnswering { message }) => {
            let advice = "systemctl status snap.microk8s.daemon-containerd; systemctl restart snap.microk8s.daemon-containerd \
                          (containers go on running)";
            list.add(id, severity, Status::False, "NotAnswering", message, advice);
        }
    }
}

pub(super) fn tools(inputs: &Inputs<'_>, list: &mut List) {
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
        Some(error) if denied(error) => {
            let message = format!("{}: {error}", kubeconfig.display());
            list.add("microk8s.credentials", Severity::Critical, Status::Unknown, "NotReadable", message, "");
        }
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

pub(super) fn services(inputs: &Inputs<'_>, list: &mut List) {
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

/// So many restarts within [`STORM`] are more than an accident.
const STORM_RESTARTS: usize = 3;

/// See [`STORM_RESTARTS`].
const STORM: jiff::SignedDuration = jiff::SignedDuration::from_mins(10);

/// Restarts that are recent enough to count.
fn recent<'u>(unit: &'u UnitState, now: jiff::Timestamp) -> impl Iterator<Item = jiff::Timestamp> + 'u {
    unit.restarts.iter().copied().filter(move |at| now.duration_since(*at) < STORM)
}

/// A unit that is started again and again looks active most of the time.
pub(super) fn restarts(inputs: &Inputs<'_>, list: &mut List) {
    let id = "microk8s.restarts";
    let Some(units) = inputs.snapshot.services.fresh() else {
        return list.unknown(id, Severity::Warning, &inputs.snapshot.services);
    };
    let storms: Vec<String> = units
        .iter()
        .filter_map(|(name, unit)| Some((name, recent(unit, inputs.now).count())).filter(|(_, count)| *count >= STORM_RESTARTS))
        .map(|(name, count)| format!("{name} was started again {count} times within {} minutes", STORM.as_mins()))
        .collect();
    if storms.is_empty() {
        return list.good(id, Severity::Warning, "no unit of MicroK8s is started again and again");
    }
    let advice = "journalctl -u with the unit's name tells why it ends; microk8s inspect";
    list.add(id, Severity::Warning, Status::False, "RestartStorm", storms.join("; "), advice);
}

/// When what is said of restarts changes by itself.
#[must_use]
pub fn restarts_change(inputs: &Inputs<'_>) -> Option<jiff::Timestamp> {
    let units = inputs.snapshot.services.fresh()?;
    units.values().filter_map(|unit| recent(unit, inputs.now).min()).min().map(|first| first + STORM)
}

pub(super) fn api(inputs: &Inputs<'_>, list: &mut List) {
    let id = "microk8s.api";
    let observed = &inputs.snapshot.api;
    match observed.fresh() {
        None => list.unknown(id, Severity::Critical, observed),
        Some(api) if denied(&api.message) => {
            list.add(id, Severity::Critical, Status::Unknown, "NotReadable", api.message.clone(), "");
        }
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

pub(super) fn node(inputs: &Inputs<'_>, list: &mut List) {
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
        let version = |node: &crate::state::Node| match node.version.as_str() {
            "" => node.name.clone(),
            version => format!("{} ({version})", node.name),
        };
        let names = cluster.nodes.values().map(|node| version(node)).collect::<Vec<_>>().join(", ");
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

/// A node that is short of something ends pods and takes no new ones.
pub(super) fn pressure(inputs: &Inputs<'_>, list: &mut List) {
    let id = "microk8s.pressure";
    let Some(cluster) = inputs.snapshot.cluster.fresh() else {
        return list.unknown(id, Severity::Warning, &inputs.snapshot.cluster);
    };
    let short = |node: &crate::state::Node| node.pressure.iter().map(|what| format!("{}: {what}", node.name)).collect::<Vec<_>>();
    let short: Vec<String> = cluster.nodes.values().flat_map(|node| short(node)).collect();
    if short.is_empty() {
        return list.good(id, Severity::Critical, "no node is short of memory, disk or processes");
    }
    let advice = "df -h /var/snap/microk8s; free -h; microk8s kubectl describe node";
    list.add(id, Severity::Critical, Status::False, "UnderPressure", short.join("; "), advice);
}

/// Services of a platform are reached on ports of the node, which the API server gives from a
/// range: Helm fails at one outside of it, after the old platform was taken down.
pub(super) fn node_ports(inputs: &Inputs<'_>, settings: &Settings, list: &mut List) {
    let id = NODE_PORTS;
    let observed = &inputs.snapshot.arguments;
    let Some(arguments) = observed.fresh() else {
        return list.unknown(id, Severity::Warning, observed);
    };
    let advice = "set --service-node-port-range=80-32000 in /var/snap/microk8s/current/args/kube-apiserver, then microk8s stop; microk8s start";
    let Some((first, last)) = arguments.node_ports else {
        let message = "--service-node-port-range of the API server is not understood";
        return list.add(id, Severity::Warning, Status::Unknown, "NotUnderstood", message, advice);
    };
    // What the platform that runs has, the API server gives.
    let has = |settings: &Settings| PORTS.map(|key| settings.integer(key));
    let runs = inputs.ledger.deployed.as_ref().filter(|deployed| deployed.installed && !deployed.partial);
    let given = runs.and_then(|deployed| deployed.settings.as_ref()).map(has).unwrap_or_default();
    let wanted: Vec<&str> = PORTS.into_iter().filter(|key| !given.contains(&settings.integer(key))).collect();
    let is_outside = |key: &&&str| !(i64::from(first)..=i64::from(last)).contains(&settings.integer(key));
    let outside: Vec<String> =
        wanted.iter().filter(is_outside).map(|key| format!("{key} is {}", settings.integer(key))).collect();
    let range = format!("the API server gives the ports from {first} to {last}");
    if !outside.is_empty() {
        let message = format!("{}, and {range}", outside.join(", "));
        let advice = format!("{advice}; or choose other ports in [network]");
        return list.add(id, Severity::Critical, Status::False, "OutsideRange", message, advice);
    }
    let started = inputs.snapshot.services.fresh().and_then(|units| units.get(UNITS[0])?.since);
    let newer = arguments.changed.zip(started).is_some_and(|(changed, started)| changed > started);
    if newer && !wanted.is_empty() {
        let message = "the API server's arguments were changed after it was started: which ports it gives is not known";
        let advice = "microk8s stop; microk8s start";
        return list.add(id, Severity::Critical, Status::Unknown, "NotInForce", message, advice);
    }
    list.good(id, Severity::Critical, range);
}

/// Keys of the ports that a platform is reached at.
const PORTS: [&str; 3] = ["network.http_port", "network.https_port", "network.dicom_port"];

/// Without it MicroK8s makes new certificates and starts every pod again when any interface of
/// the machine gets an address.
pub(super) fn advertise_address(inputs: &Inputs<'_>, list: &mut List) {
    let id = "microk8s.advertise_address";
    let observed = &inputs.snapshot.arguments;
    match observed.fresh().map(|arguments| &arguments.advertise_address) {
        None => list.unknown(id, Severity::Info, observed),
        Some(Some(address)) => list.good(id, Severity::Info, format!("the API server says that it is at {address}")),
        Some(None) => list.add(
            id,
            Severity::Info,
            Status::False,
            "NotSet",
            "the API server is not told its address: when any network interface gets another one, MicroK8s makes new certificates and every pod starts again",
            "add --advertise-address=ADDRESS of this server to /var/snap/microk8s/current/args/kube-apiserver, then microk8s stop; microk8s start in a maintenance window",
        ),
    }
}

pub(super) fn certificates(inputs: &Inputs<'_>, list: &mut List) {
    let id = "microk8s.certificates";
    let observed = &inputs.snapshot.certificates;
    let Some(all) = observed.fresh() else {
        return list.unknown(id, Severity::Warning, observed);
    };
    let broken: Vec<String> =
        all.iter().filter_map(|one| Some(format!("{}: {}", one.name, one.expires.as_ref().err()?))).collect();
    let mut ends: Vec<_> = all.iter().filter_map(|one| Some((*one.expires.as_ref().ok()?, one.name.as_str()))).collect();
    ends.sort();
    let Some((first, name)) = ends.first().copied() else {
        let message = if broken.is_empty() { "there is no certificate".to_owned() } else { broken.join("; ") };
        return list.add(id, Severity::Warning, Status::Unknown, "NotReadable", message, "");
    };
    let soon: Vec<&str> = ends.iter().filter(|(end, _)| *end < inputs.now + day(EXPIRES_DAYS)).map(|(_, name)| *name).collect();
    let which = if soon.len() > 1 { format!("{}: the first", soon.join(", ")) } else { name.to_owned() };
    if let Some((severity, reason, when)) = expiry(first, inputs.now) {
        let renew = match name {
            "server.crt" | "front-proxy-client.crt" => format!("microk8s refresh-certs -e {name}, which starts MicroK8s again"),
            _ => "microk8s refresh-certs -e ca.crt, which makes all certificates anew; further nodes must join again".to_owned(),
        };
        let message = std::iter::once(format!("{which} {when}")).chain(broken).collect::<Vec<_>>().join("; ");
        return list.add(id, severity, Status::False, reason, message, format!("in a maintenance window: {renew}"));
    }
    if !broken.is_empty() {
        return list.add(id, Severity::Warning, Status::Unknown, "NotReadable", broken.join("; "), "");
    }
    list.good(id, Severity::Warning, format!("the first one, {name}, ends on {}", first.strftime("%F")));
}

/// So many days before its end a certificate is worth a word.
const EXPIRES_DAYS: i64 = 30;

/// What is to be said of a certificate that ends then: how bad it is, in a word, in a sentence.
pub(super) fn expiry(end: jiff::Timestamp, now: jiff::Timestamp) -> Option<(Severity, &'static str, String)> {
    let date = end.strftime("%F");
    let days = end.duration_since(now).as_secs().div_euclid(DAY);
    let told = format!("ends on {date}, in {}", count(usize::try_from(days).unwrap_or(0), "day"));
    match days {
        ..0 => Some((Severity::Warning, "Expired", format!("ended on {date}"))),
        0..3 => Some((Severity::Warning, "ExpiresNow", told)),
        3..14 => Some((Severity::Warning, "ExpiresSoon", told)),
        14..EXPIRES_DAYS => Some((Severity::Info, "Expires", told)),
        _ => None,
    }
}

fn day(days: i64) -> jiff::SignedDuration {
    jiff::SignedDuration::from_hours(24 * days)
}

/// When what is said of certificates changes by itself: with each day of the first to end, from
/// the first one that is worth a word.
#[must_use]
pub fn certificates_change(inputs: &Inputs<'_>) -> Option<jiff::Timestamp> {
    let files = inputs.snapshot.certificates.fresh().into_iter().flatten();
    let page = inputs.snapshot.page.fresh().and_then(|page| page.certificate);
    let change = |end: jiff::Timestamp| {
        let left = end.duration_since(inputs.now);
        // Told anew with every day that passes; one that has ended says nothing new.
        let days = left.as_secs().div_euclid(DAY).min(EXPIRES_DAYS);
        (days >= 0).then(|| end - day(days) + jiff::SignedDuration::from_secs(1))
    };
    files.filter_map(|one| one.expires.as_ref().ok().copied()).chain(page).filter_map(change).min()
}

/// Seconds of a day.
const DAY: i64 = 86_400;

/// Without a hold snapd refreshes MicroK8s by itself, and the cluster is started again with it.
pub(super) fn refresh(inputs: &Inputs<'_>, list: &mut List) {
    let id = "microk8s.refresh";
    let observed = &inputs.snapshot.snap;
    let Some(snap) = observed.fresh() else {
        return list.unknown(id, Severity::Info, observed);
    };
    let what = format!("MicroK8s {} of the channel {}", snap.version, snap.channel);
    match snap.hold.filter(|until| *until > inputs.now) {
        Some(until) => {
            list.good(id, Severity::Info, format!("{what} is not refreshed by itself before {}", until.strftime("%F")))
        }
        None => list.add(
            id,
            Severity::Info,
            Status::False,
            "NoHold",
            format!("{what} is refreshed by itself at any time, and the whole cluster is started again with it"),
            "snap refresh --hold microk8s; refresh it in a maintenance window",
        ),
    }
}

/// When what is said of the hold changes by itself.
#[must_use]
pub fn refresh_change(inputs: &Inputs<'_>) -> Option<jiff::Timestamp> {
    inputs.snapshot.snap.fresh()?.hold.filter(|until| *until > inputs.now)
}

/// What Kaapana needs of MicroK8s' add-ons: its names are resolved, and its accounts may not do
/// everything.
pub(super) fn addons(inputs: &Inputs<'_>, list: &mut List) {
    let id = "microk8s.dns";
    match inputs.snapshot.cluster.fresh() {
        None => list.unknown(id, Severity::Warning, &inputs.snapshot.cluster),
        Some(cluster) if cluster.dns.is_some() => list.good(id, Severity::Warning, "the add-on dns is enabled"),
        Some(_) => {
            let message = "there is no CoreDNS in kube-system: no workload finds another one";
            list.add(id, Severity::Warning, Status::False, "NotEnabled", message, "microk8s enable dns");
        }
    }
    let id = "microk8s.rbac";
    match inputs.snapshot.arguments.fresh().map(|arguments| &arguments.authorization) {
        None => list.unknown(id, Severity::Info, &inputs.snapshot.arguments),
        Some(modes) if modes.iter().any(|mode| mode == "RBAC") => {
            list.good(id, Severity::Info, "the API server asks for roles (RBAC)");
        }
        Some(_) => {
            let message = "the API server lets every workload do everything: its authorization mode is not RBAC";
            list.add(id, Severity::Info, Status::False, "NotEnabled", message, "microk8s enable rbac, in a maintenance window");
        }
    }
}
