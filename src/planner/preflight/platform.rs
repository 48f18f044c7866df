//! Checks of the chart and of the platform. Pure.

use std::net::IpAddr;

use super::{List, microk8s};
use crate::config::settings::Settings;
use crate::config::values::UnsupportedVersion;
use crate::health::Level;
use crate::health::platform::PlatformHealth;
use crate::planner::{Inputs, failure, release};
use crate::state::{Chart, Observed, Page, Severity, Status};

pub(super) fn chart(inputs: &Inputs<'_>, settings: &Settings, list: &mut List) {
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

pub(super) fn platform(inputs: &Inputs<'_>, health: Option<&PlatformHealth>, list: &mut List) {
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

/// Do the objects of the platform say what their releases say? While a job works they come and go.
pub(super) fn drift(inputs: &Inputs<'_>, list: &mut List) {
    let installed = inputs.ledger.deployed.as_ref().is_some_and(|deployed| deployed.installed && !deployed.partial);
    if inputs.ledger.job.is_some() || !installed {
        return;
    }
    let (id, severity) = ("platform.drift", Severity::Info);
    let observed = &inputs.snapshot.drift;
    // The doctor, which looks once, does not ask for it.
    if matches!(observed, Observed::Pending) {
        return;
    }
    let Some(drifted) = observed.fresh() else { return list.unknown(id, severity, observed) };
    if drifted.is_empty() {
        return list.good(id, severity, "every object is as its release says");
    }
    let shown: Vec<String> = drifted.iter().take(5).map(|one| format!("{} of {} {}", one.object, one.release, one.how)).collect();
    let more = drifted.len().saturating_sub(shown.len());
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    let advice = "kaapanactl deploy --again brings everything back to what its release says, with a down time; or kubectl puts that object back";
    list.add(id, severity, Status::False, "Changed", format!("{}{more}", shown.join("; ")), advice);
}

/// The page as users reach it, and its certificate. While a job works it comes and goes.
pub(super) fn page(inputs: &Inputs<'_>, list: &mut List) {
    let installed = inputs.ledger.deployed.as_ref().is_some_and(|deployed| deployed.installed && !deployed.partial);
    if inputs.ledger.job.is_some() || !installed {
        return;
    }
    let observed = &inputs.snapshot.page;
    let Some(page) = observed.fresh() else {
        return list.unknown("platform.page", Severity::Warning, observed);
    };
    let Page { url, message, .. } = page;
    if page.answers {
        list.good("platform.page", Severity::Warning, format!("{url} answers: {message}"));
    } else {
        let advice = "kaapanactl status names what is not healthy; oauth2-proxy and traefik serve the page";
        list.add("platform.page", Severity::Warning, Status::False, "NotAnswering", format!("{url}: {message}"), advice);
    }
    let Some(end) = page.certificate else { return };
    let id = "platform.certificate";
    match microk8s::expiry(end, inputs.now) {
        None => list.good(id, Severity::Warning, format!("the certificate of {url} ends on {}", end.strftime("%F"))),
        Some((severity, reason, when)) => {
            let advice = "put a new one into the secret certificate of the namespaces admin and services, and restart oauth2-proxy and keycloak";
            list.add(id, severity, Status::False, reason, format!("the certificate of {url} {when}"), advice);
        }
    }
}

/// Where the platform's name leads, as this machine sees it. Users may have another view.
pub(super) fn name(inputs: &Inputs<'_>, settings: &Settings, list: &mut List) {
    let Some(resolved) = inputs.snapshot.name.fresh().filter(|seen| settings.name_in_dns() == Some(&seen.name)) else { return };
    let (id, severity) = ("platform.name", Severity::Info);
    let name = &resolved.name;
    let address = inputs.node().and_then(|node| node.address.as_ref()?.parse::<IpAddr>().ok());
    match &resolved.addresses {
        Err(error) => {
            let message = format!("{name} leads nowhere, as this machine sees it: {error}");
            let advice = "have the name entered in the site's DNS, or in /etc/hosts of those who use the platform";
            list.add(id, severity, Status::False, "NotResolved", message, advice);
        }
        Ok(addresses) => {
            let shown = addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let elsewhere = address.filter(|address| !addresses.contains(address) && !addresses.iter().any(IpAddr::is_loopback));
            let beside = elsewhere
                .map(|address| format!("; this node has {address}, so something in between hands on"))
                .unwrap_or_default();
            list.good(id, severity, format!("{name} leads to {shown}{beside}"));
        }
    }
}

/// Would the registry give the configured chart?
pub(super) fn registry(inputs: &Inputs<'_>, settings: &Settings, list: &mut List) {
    let wanted = format!("{}:{}", settings.chart_reference(), settings.text("platform.version"));
    let Some(seen) = inputs.snapshot.registry.fresh().filter(|seen| settings.uses_registry() && seen.chart == wanted) else {
        return;
    };
    let (id, severity) = ("registry.chart", Severity::Warning);
    match &seen.problem {
        None => list.good(id, severity, format!("{} is there", seen.chart)),
        Some((reason, message)) => {
            let advice = failure::advice_of(reason).unwrap_or_default();
            list.add(id, severity, Status::False, reason, message, advice);
        }
    }
}
