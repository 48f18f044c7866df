//! Is what is deployed what is wanted, and may it be changed? Pure.

use jiff::{SignedDuration, Timestamp};

use super::adoption::{self, Adoption};
use super::data::{self, Standing};
use super::failure::{Retry, failure_hold, failure_of, go_back, retry};
use super::step::{Hold, Plan, Step};
use super::{Inputs, preflight};
use crate::config::derived::Machine;
use crate::config::settings::{Settings, same_identity};
use crate::config::values::{self, UnsupportedVersion, ValueChange};
use crate::config::window;
use crate::health::Level;
use crate::health::platform::{Ownership, PlatformHealth};
use crate::ledger::{Deployed, Desired, Failure, Intent, Job, JobKind};
use crate::state::{Condition, Phase, Release};

/// A machine that stands for any: for what does not depend on one.
#[must_use]
pub fn any_machine() -> Machine {
    Machine {
        memory_mib: 0,
        gpu: false,
        longhorn_nodes: 0,
        node_name: String::new(),
        server_ip: None,
        api_ip: None,
        timestamp: String::new(),
        oidc_client_secret: String::new(),
    }
}

/// How much the clock of helm's times may differ from when its unit was seen.
const SLACK: SignedDuration = SignedDuration::from_secs(5);

/// A little after this time; a release's times are whatever its secret says.
pub(super) fn slack(at: Timestamp) -> Timestamp {
    at.saturating_add(SLACK).unwrap_or(Timestamp::MAX)
}

/// Is there no table of values for the configured version?
#[must_use]
pub fn unsupported(settings: &Settings) -> Option<UnsupportedVersion> {
    values::supported(settings).err()
}

/// Nothing is configured.
#[must_use]
pub fn unconfigured(inputs: &Inputs<'_>) -> Plan {
    match &inputs.snapshot.config.error {
        Some(refusal) => Plan::rest(Phase::Blocked, format!("the configuration is refused: {}", refusal.problems.join("; "))),
        None => Plan::rest(Phase::Unconfigured, "no platform is configured; write /etc/kaapana/config/*.toml"),
    }
}

/// Undeployed is wanted.
#[must_use]
pub fn toward_undeployed(inputs: &Inputs<'_>, conditions: &[Condition], health: Option<&PlatformHealth>) -> Plan {
    let Some(deployed) = &inputs.ledger.deployed else {
        return with_pause(inputs, Plan::rest(Phase::Undeployed, "undeployed, as wished"));
    };
    if let Some(hold) = foreign_root(inputs, deployed) {
        return held(inputs, health, vec![hold], Phase::NeedsOperator);
    }
    let step = Step::StartJob { kind: JobKind::Undeploy, reason: "the desired state is undeployed".into() };
    guarded(inputs, JobKind::Undeploy, None, step, conditions, health)
}

/// Deployed is wanted.
#[must_use]
pub fn toward_deployed(
    inputs: &Inputs<'_>,
    settings: &Settings,
    conditions: &[Condition],
    health: Option<&PlatformHealth>,
) -> Plan {
    let Some(chart) = inputs.chart(settings) else {
        let phase = running_phase(inputs, health).unwrap_or((Phase::Blocked, "looking at the node".into()));
        return with_pause(inputs, Plan::rest(phase.0, phase.1));
    };
    let wanted = Intent::new(settings, chart);
    match &inputs.ledger.deployed {
        None => {
            match adoption::look(inputs, settings) {
                Err(hold) => return held(inputs, health, vec![hold], Phase::NeedsOperator),
                Ok(Some(adoption)) => return adopt(inputs, &adoption, conditions, health),
                Ok(None) => {}
            }
            if let Some(hold) = adoption::not_tolerated(settings, None) {
                return held(inputs, health, vec![hold], Phase::Blocked);
            }
            if let Some(hold) = other_identity(inputs, settings) {
                return held(inputs, health, vec![hold], Phase::Blocked);
            }
            let kind = kind_of(inputs, settings);
            let step = Step::StartJob { kind, reason: "nothing is deployed".into() };
            guarded(inputs, kind, Some(&wanted), step, conditions, health)
        }
        Some(deployed) => converge(inputs, settings, &wanted, deployed, conditions, health),
    }
}

/// A deployment, or before it the migration of the data, where the site has that done without
/// being asked. Of which version the data is must be known then.
#[must_use]
pub fn kind_of(inputs: &Inputs<'_>, settings: &Settings) -> JobKind {
    let older = || {
        let disks = inputs.disks(settings)?;
        Some(matches!(data::standing(settings, &disks.fast, inputs.ledger), Standing::Older { from: Some(_) }))
    };
    let auto = settings.text("deployment.migration") == "auto" && inputs.ledger.migration.is_none();
    // What runs on the data already has not waited for it.
    let runs = inputs.ledger.deployed.as_ref().and_then(|deployed| deployed.settings.as_ref());
    let same = runs.is_some_and(|runs| {
        values::release_of(runs.text("platform.version")) == values::release_of(settings.text("platform.version"))
    });
    match auto && !same && older() == Some(true) {
        true => JobKind::Migrate,
        false => JobKind::Deploy,
    }
}

/// Somebody else deployed what is configured: it is taken over when nothing differs, and
/// else when a person says so.
fn adopt(inputs: &Inputs<'_>, adoption: &Adoption, conditions: &[Condition], health: Option<&PlatformHealth>) -> Plan {
    if !adoption.differences.is_empty() {
        return held(inputs, health, vec![adoption::hold(adoption)], Phase::NeedsOperator);
    }
    let holds = adoption::holds(conditions);
    if !holds.is_empty() {
        return held(inputs, health, holds, Phase::Blocked).would(vec![Step::Adopt]);
    }
    with_pause(inputs, Plan::rest(Phase::Progressing, "what is deployed is what is configured").steps(vec![Step::Adopt]))
}

/// Is exactly what these settings want deployed, and was it healthy?
#[must_use]
pub fn is_as_wished(inputs: &Inputs<'_>, settings: &Settings) -> bool {
    let (Some(deployed), Some(chart)) = (&inputs.ledger.deployed, inputs.chart(settings)) else { return false };
    deployed.healthy
        && adopted_differences(settings, deployed).is_empty()
        && difference(inputs, settings, &Intent::new(settings, chart), deployed).is_none()
}

/// In which values what was taken over still is as somebody else deployed it.
fn adopted_differences(settings: &Settings, deployed: &Deployed) -> Vec<ValueChange> {
    match (&deployed.adopted, values::values(settings, &deployed.machine)) {
        (Some(_), Ok(values)) => deployed.values.diff(&values),
        _ => Vec::new(),
    }
}

/// In what the deployed differs from what is wanted.
fn difference(inputs: &Inputs<'_>, settings: &Settings, wanted: &Intent, deployed: &Deployed) -> Option<String> {
    if !deployed.installed {
        Some("the last installation did not end well".to_owned())
    } else if deployed.partial {
        Some("a part of it was taken down".to_owned())
    } else if root_is_gone(inputs, deployed) {
        Some("the root release is gone".to_owned())
    } else {
        changed(settings, wanted, deployed)
    }
}

fn converge(
    inputs: &Inputs<'_>,
    settings: &Settings,
    wanted: &Intent,
    deployed: &Deployed,
    conditions: &[Condition],
    health: Option<&PlatformHealth>,
) -> Plan {
    if let Some(hold) = foreign_root(inputs, deployed) {
        return held(inputs, health, vec![hold], Phase::NeedsOperator);
    }
    if let Some(hold) = other_identity(inputs, settings) {
        return held(inputs, health, vec![hold], Phase::Blocked);
    }
    // The old one may become healthy after its job gave up, whatever is wished now.
    if deployed.installed
        && !deployed.healthy
        && !deployed.partial
        && health.is_some_and(|health| {
            // What people installed in a platform of somebody else's may be broken for long.
            let level = if deployed.adopted.is_some() { health.essential } else { health.level() };
            level <= Level::Suspended && health.releases.total > 0
        })
    {
        let (phase, summary) = running_phase(inputs, health).unwrap_or((Phase::Progressing, String::new()));
        return with_pause(inputs, Plan::rest(phase, summary).steps(vec![Step::NoteRecovered]));
    }
    let Some(difference) = difference(inputs, settings, wanted, deployed) else {
        if let Some(step) = mark_disks(inputs, deployed) {
            let (phase, summary) = running_phase(inputs, health).unwrap_or((Phase::Degraded, String::new()));
            return with_pause(inputs, Plan::rest(phase, summary).steps(vec![step]));
        }
        return settled(inputs, deployed, health);
    };
    let kind = kind_of(inputs, settings);
    let step = Step::StartJob { kind, reason: difference.clone() };
    // What failed is not offered as if it were new.
    let failed = failure_of(inputs, kind, Some(wanted)).is_some_and(|failure| retry(inputs, failure) == Retry::Never);
    if failed {
        return guarded(inputs, kind, Some(wanted), step, conditions, health);
    }
    let whole = deployed.installed && !deployed.partial;
    if settings.text("agent.on_change") == "plan" && whole {
        let hold = Hold::new(
            "ChangePlanned",
            format!("{difference}; agent.on_change is \"plan\""),
            "kaapanactl plan shows it, kaapanactl deploy does it",
        );
        let (phase, summary) = running_phase(inputs, health).unwrap_or((Phase::Degraded, String::new()));
        let would = outlook(inputs, kind, step);
        return with_pause(inputs, Plan::rest(phase, summary).holds(vec![hold]).would(would));
    }
    if let Some((hold, opens)) = outside_window(inputs, settings) {
        let hold = Hold { message: format!("{difference}; {}", hold.message), ..hold };
        let (phase, summary) = running_phase(inputs, health).unwrap_or((Phase::Degraded, String::new()));
        let would = outlook(inputs, kind, step);
        return with_pause(inputs, Plan::rest(phase, summary).holds(vec![hold]).would(would).wake(opens));
    }
    guarded(inputs, kind, Some(wanted), step, conditions, health)
}

/// A platform that runs is changed in a maintenance window only, when the site
/// wants it so. With the time at which the next one opens.
#[must_use]
pub fn outside_window(inputs: &Inputs<'_>, settings: &Settings) -> Option<(Hold, Option<Timestamp>)> {
    // What is down already is not spared by waiting.
    let runs = inputs
        .ledger
        .deployed
        .as_ref()
        .is_some_and(|deployed| deployed.installed && !deployed.partial && !root_is_gone(inputs, deployed));
    if !runs || settings.text("agent.on_change") != "window" {
        return None;
    }
    let next = window::opening(&settings.windows(), inputs.now);
    if next.as_ref().is_some_and(|opening| opening.from <= inputs.now) {
        return None;
    }
    let message = match &next {
        Some(opening) => format!("waits for the maintenance window that opens {}", opening.told),
        None => "no maintenance window opens within eight days".to_owned(),
    };
    Some((Hold::new("OutsideWindow", message, "kaapanactl deploy --now does it at once"), next.map(|opening| opening.from)))
}

/// What differs between what is wanted and what is deployed, if Helm would be
/// given anything else.
#[must_use]
fn changed(settings: &Settings, wanted: &Intent, deployed: &Deployed) -> Option<String> {
    if wanted.matches(&deployed.intent) {
        return None;
    }
    if !wanted.same_chart(&deployed.intent) {
        return Some(format!("the chart differs: {}", wanted.chart));
    }
    // With the machine of the deployment, so that only the configuration counts.
    let values = values::values(settings, &deployed.machine).ok()?;
    let mut changes = deployed.reference().diff(&values);
    // The configuration says what is deployed: nothing is to be changed.
    changes.retain(|change| !adoption::same(deployed.values.get(&change.path), values.get(&change.path)));
    // Another version of the agent may compute them otherwise; only an edit is a change.
    if let Some(then) = deployed.settings.as_ref().and_then(|settings| values::values(settings, &deployed.machine).ok()) {
        let edits = then.diff(&values);
        changes.retain(|change| edits.iter().any(|edit| edit.path == change.path));
    }
    match changes.as_slice() {
        [] => None,
        [one] => Some(format!("{} differs", one.path)),
        [one, two] => Some(format!("{} and {} differ", one.path, two.path)),
        [one, rest @ ..] => Some(format!("{} and {} other values differ", one.path, rest.len())),
    }
}

/// Was the root release of what is deployed taken down by someone else?
#[must_use]
pub fn root_is_gone(inputs: &Inputs<'_>, deployed: &Deployed) -> bool {
    let Some(cluster) = inputs.snapshot.cluster.fresh() else { return false };
    let key = (deployed.ownership.namespace.clone(), deployed.ownership.root.clone());
    !cluster.releases.contains_key(&key)
}

/// Under the root release's name stands something that cannot be shown to be what
/// the agent installed. Helm's word for a release that is `deployed` is the one it
/// was given at the installation; while it fails or goes away it says its own.
#[must_use]
pub fn foreign_root(inputs: &Inputs<'_>, deployed: &Deployed) -> Option<Hold> {
    let cluster = inputs.snapshot.cluster.fresh()?;
    let root = cluster.releases.get(&(deployed.ownership.namespace.clone(), deployed.ownership.root.clone()))?;
    if !root.readable {
        let message = format!("the release {}/{} is there and cannot be read", root.namespace, root.name);
        return Some(Hold::new("ReleaseNotReadable", message, "a newer kaapana-agent may read it; nothing is touched"));
    }
    // While an upgrade is under way the release still is what it was before.
    let before = inputs.ledger.job.as_ref().and_then(|job| job.upgrade_from.as_ref());
    let previous = inputs.ledger.previous.as_ref();
    // The agent's own word is nobody else's; helm's is that of any installation, and the time
    // it was made tells it.
    let says = |description: &String, made: Option<(Timestamp, Option<Timestamp>)>| {
        let own = description.starts_with(Job::DESCRIPTION);
        let same = made.is_some() && made.map(|(from, _)| from) == root.made;
        *description == root.description && (own || same)
    };
    let known = [Some(&deployed.description), before, deployed.replaces.as_ref()];
    let is_known = known.into_iter().flatten().any(|description| says(description, deployed.made))
        || previous.is_some_and(|previous| says(&previous.description, previous.made));
    let ours = match (root.status.as_str(), deployed.made, root.made) {
        ("deployed", ..) => is_known,
        // Helm says its own then; when it was made tells it from another's.
        (_, Some((from, until)), Some(made)) => slack(made) >= from && until.is_none_or(|until| made <= slack(until)),
        _ => true,
    };
    (!ours).then(|| not_ours(root))
}

pub(super) fn not_ours(release: &Release) -> Hold {
    Hold::new(
        "ReleaseNotOurs",
        format!(
            "the release {}/{} (chart {} {}, {}) is there and was not installed by this agent",
            release.namespace, release.name, release.chart, release.chart_version, release.status
        ),
        "nothing is touched; undeploy it the way it was deployed, then the agent deploys",
    )
}

/// What forbids a deployment that a person asks for.
#[must_use]
pub fn refusal(inputs: &Inputs<'_>, settings: &Settings, accept_identity_change: bool) -> Option<Hold> {
    let foreign = match &inputs.ledger.deployed {
        None => match adoption::look(inputs, settings) {
            Err(hold) => Some(hold),
            Ok(adoption) => adoption.as_ref().map(adoption::hold).or_else(|| adoption::not_tolerated(settings, None)),
        },
        Some(deployed) => foreign_root(inputs, deployed),
    };
    foreign.or_else(|| changed_identity(inputs, settings).filter(|_| !accept_identity_change))
}

/// Another identity that nobody has accepted. A person's word holds for the tries that
/// follow by themselves.
fn other_identity(inputs: &Inputs<'_>, settings: &Settings) -> Option<Hold> {
    let accepted = |failure: &Failure| failure.options.accept_identity_change && failure.generation == inputs.ledger.generation;
    changed_identity(inputs, settings).filter(|_| !inputs.ledger.failure.as_ref().is_some_and(accepted))
}

fn changed_identity(inputs: &Inputs<'_>, settings: &Settings) -> Option<Hold> {
    let recorded = inputs.ledger.identity.as_ref()?;
    let wanted = settings.identity();
    let mut changes: Vec<String> = wanted
        .iter()
        .filter_map(|(key, new)| {
            let old = recorded.get(key)?;
            (old != new).then(|| format!("{key} from {old:?} to {new:?}"))
        })
        .collect();
    // A value that follows such a key may have been given by itself.
    let given = |deployed: &Deployed| {
        let values = values::values(settings, &deployed.machine).ok()?;
        let of = |path: &&String| values::decided_by(path).is_some() && changes.is_empty();
        let path = values.paths().filter(of).find(|path| {
            let old = deployed.values.get(path);
            old.is_some() && !adoption::same(old, values.get(path))
        })?;
        Some(format!("the value {path} from {} to {}", deployed.values.get(path)?, values.get(path)?))
    };
    changes.extend(inputs.ledger.deployed.as_ref().and_then(given));
    if changes.is_empty() {
        return None;
    }
    Some(Hold::new(
        "IdentityChange",
        format!("{} would start a second, empty platform beside the data of the first", changes.join(", ")),
        "put the old values back, or run kaapanactl deploy --accept-identity-change",
    ))
}

/// The first good deployment records the disks.
fn mark_disks(inputs: &Inputs<'_>, deployed: &Deployed) -> Option<Step> {
    let disks = inputs.snapshot.disks.fresh()?;
    if !deployed.healthy {
        return None;
    }
    [&disks.fast, &disks.slow]
        .into_iter()
        .find(|directory| {
            directory.exists && directory.missing_mounts.is_empty() && !inputs.ledger.disks.contains_key(&directory.path)
        })
        .map(|directory| Step::MarkDisk { path: directory.path.clone() })
}

/// What is deployed is what is wanted.
fn settled(inputs: &Inputs<'_>, deployed: &Deployed, health: Option<&PlatformHealth>) -> Plan {
    let (phase, summary) =
        running_phase(inputs, health).unwrap_or((Phase::Degraded, format!("generation {} is installed", deployed.generation)));
    if !deployed.healthy
        && let Some(failure) = failure_of(inputs, JobKind::Deploy, Some(&deployed.intent))
    {
        let hold = failure_hold(inputs, failure);
        return with_pause(inputs, Plan::rest(Phase::NeedsOperator, failure.message.clone()).holds(vec![hold]));
    }
    let kept = inputs.ledger.settings.as_ref().map(|settings| adopted_differences(settings, deployed)).unwrap_or_default();
    let hold = (!kept.is_empty()).then(|| {
        Hold::new(
            "AdoptedAsItIs",
            format!("what was taken over still differs from the configuration in {}", adoption::told(&kept)),
            "kaapanactl plan shows it, kaapanactl deploy makes it so, which takes the platform down for a while",
        )
    });
    with_pause(inputs, Plan::rest(phase, summary).holds(hold.into_iter().collect()))
}

/// The phase of a platform that is installed, by its health.
fn running_phase(inputs: &Inputs<'_>, health: Option<&PlatformHealth>) -> Option<(Phase, String)> {
    let deployed = inputs.ledger.deployed.as_ref()?;
    if !deployed.installed {
        return None;
    }
    if deployed.partial {
        return Some((Phase::Degraded, format!("generation {} was taken down in part", deployed.generation)));
    }
    if inputs.snapshot.cluster == crate::state::Observed::Pending {
        return Some((Phase::Progressing, "looking at the node".into()));
    }
    let Some(health) = health else {
        return Some((Phase::Degraded, format!("the platform cannot be seen: {}", inputs.snapshot.cluster.reason())));
    };
    Some(match health.level() {
        Level::Healthy | Level::Suspended => {
            (Phase::Healthy, format!("generation {} is deployed and healthy", deployed.generation))
        }
        Level::Progressing => (Phase::Progressing, waiting_for(health)),
        _ => (Phase::Degraded, waiting_for(health)),
    })
}

/// The phase beside a job that does not touch the platform.
#[must_use]
pub fn phase_beside(inputs: &Inputs<'_>, health: Option<&PlatformHealth>) -> Phase {
    let idle = if inputs.ledger.desired == Desired::Undeployed { Phase::Undeployed } else { Phase::Blocked };
    running_phase(inputs, health).map_or(idle, |(phase, _)| phase)
}

/// What is not healthy, in one sentence.
#[must_use]
pub fn waiting_for(health: &PlatformHealth) -> String {
    match health.findings.as_slice() {
        [] => "everything is healthy".into(),
        [one] => format!("{}: {}", one.object, one.message),
        [one, rest @ ..] => format!("{}: {} (and {} more)", one.object, one.message, rest.len()),
    }
}

/// Takes a step that starts a job unless something holds it back.
fn guarded(
    inputs: &Inputs<'_>,
    kind: JobKind,
    wanted: Option<&Intent>,
    step: Step,
    conditions: &[Condition],
    health: Option<&PlatformHealth>,
) -> Plan {
    let mut holds = preflight::holds(kind, conditions);
    let mut wake = None;
    let mut phase = Phase::Blocked;
    // It matters as long as the data wants to be migrated.
    let wants = kind == JobKind::Deploy && holds.iter().any(|hold| hold.reason == preflight::DATA_VERSION);
    let of_migration = || failure_of(inputs, JobKind::Migrate, wanted).filter(|_| wants);
    if let Some(failure) = failure_of(inputs, kind, wanted).or_else(of_migration) {
        match retry(inputs, failure) {
            Retry::Now => {}
            Retry::At(at) => {
                wake = Some(at);
                holds.push(failure_hold(inputs, failure));
            }
            Retry::WhenCauseIsGone => holds.push(failure_hold(inputs, failure)),
            Retry::Never => {
                phase = Phase::NeedsOperator;
                holds.push(failure_hold(inputs, failure));
            }
        }
    }
    if holds.is_empty() {
        let paused = inputs.ledger.paused(inputs.now);
        if paused.is_none() {
            let phase = if kind == JobKind::Undeploy { Phase::Undeploying } else { Phase::Deploying };
            let outlook = outlook(inputs, kind, step);
            return Plan::rest(phase, "starting").steps(outlook);
        }
        let what = format!("{} is not started: {}", kind.as_str(), step);
        let until = paused.and_then(|pause| pause.until).map(|until| format!("; the pause ends by itself at {until}"));
        let hold = Hold::new("Paused", what, format!("kaapanactl resume{}", until.unwrap_or_default()));
        let base = running_phase(inputs, health).unwrap_or((Phase::Blocked, "paused".into()));
        let would = outlook(inputs, kind, step);
        return with_pause(inputs, Plan::rest(base.0, base.1).holds(vec![hold]).would(would));
    }
    if let Some(plan) = go_back(inputs, kind, &holds) {
        return plan;
    }
    let would = outlook(inputs, kind, step);
    let plan = held(inputs, health, holds, phase).would(would);
    let wake = [plan.wake_at, wake].into_iter().flatten().min();
    plan.wake(wake)
}

/// The steps a job takes, as far as they can be foreseen.
fn outlook(inputs: &Inputs<'_>, kind: JobKind, start: Step) -> Vec<Step> {
    let mut steps = vec![start];
    if kind != JobKind::Undeploy {
        steps.push(Step::Prepare);
    }
    let settings = inputs.ledger.settings.as_ref();
    let no_hooks = settings.is_some_and(|settings| settings.flag("deployment.no_hooks"));
    let runs = inputs.ledger.deployed.as_ref().is_some_and(|deployed| !root_is_gone(inputs, deployed));
    let program = settings.map(|settings| settings.text("deployment.pre_takedown")).unwrap_or_default();
    if (runs || kind == JobKind::Migrate) && !program.is_empty() {
        steps.push(Step::RunSiteProgram { program: program.into() });
    }
    let same = |settings: &&Settings| {
        let last = inputs.ledger.deployed.as_ref();
        last.is_some_and(|last| {
            !last.partial && last.ownership == Ownership::of(settings) && same_identity(&last.identity, &settings.identity())
        })
    };
    let upgrades = settings.filter(same).is_some_and(|settings| settings.text("deployment.strategy") == "upgrade");
    if kind == JobKind::Deploy && runs && upgrades {
        steps.push(Step::Upgrade);
        return steps;
    }
    if inputs.ledger.deployed.is_some()
        && let (Some(cluster), Some(ownership)) = (inputs.snapshot.cluster.fresh(), inputs.ownership())
    {
        steps.extend(ownership.releases(cluster).into_iter().map(|release| Step::Uninstall {
            namespace: release.namespace.clone(),
            release: release.name.clone(),
            no_hooks,
        }));
    }
    match kind {
        JobKind::Deploy => steps.push(Step::Install),
        JobKind::Migrate => steps.push(Step::Migrate),
        JobKind::Undeploy | JobKind::ImportImages => {}
    }
    steps
}

fn held(inputs: &Inputs<'_>, health: Option<&PlatformHealth>, holds: Vec<Hold>, phase: Phase) -> Plan {
    let looking = holds.iter().all(|hold| hold.message.starts_with("Pending: "));
    let summary = match holds.first() {
        Some(hold) if !looking => hold.message.clone(),
        _ => "looking at the node".into(),
    };
    // A platform that runs as it was wished last is not made to look broken by a
    // pending look at the node; it is when what is wished now cannot be reached.
    let starting = inputs.snapshot.cluster == crate::state::Observed::Pending;
    if starting && let Some((phase, summary)) = running_phase(inputs, health) {
        return with_pause(inputs, Plan::rest(phase, summary).holds(holds));
    }
    with_pause(inputs, Plan::rest(phase, summary).holds(holds))
}

/// While paused the phase says so, and the agent wakes when the pause ends.
fn with_pause(inputs: &Inputs<'_>, mut plan: Plan) -> Plan {
    let Some(pause) = inputs.ledger.paused(inputs.now) else { return plan };
    plan.summary = format!("paused: {}; {}", pause.reason, plan.summary);
    plan.phase = Phase::Paused;
    plan.steps.retain(|step| matches!(step, Step::NoteRecovered));
    plan.wake_at = [plan.wake_at, pause.until].into_iter().flatten().min();
    plan
}
