//! What a person may ask for about the data's release: migrate it, say that it was restored, or
//! accept what is not known. Pure.

use super::data::{self, Standing};
use super::job::migrate;
use super::{Hold, Inputs, preflight, release};
use crate::config::Settings;
use crate::config::values::release_of;
use crate::ledger::{JobKind, Migration};

/// Why what was asked for is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// It is so already.
    NothingToDo(String),
    /// It cannot be now.
    Blocked(String),
    /// These hold it.
    Held(Vec<Hold>),
    /// What was accepted is not there.
    NotMeant(String),
}

/// May the data be migrated now? `now`: outside of a maintenance window, too.
///
/// # Errors
///
/// Why not.
pub fn migrate(inputs: &Inputs<'_>, settings: &Settings, now: bool) -> Result<(), Refused> {
    let path = settings.fast_dir();
    if let Some(other) = inputs.ledger.migration.as_ref().filter(|known| known.directory != path) {
        let of = other.directory.display();
        return Err(Refused::Blocked(format!(
            "the migration of {of} is not known to have ended well; end that first (data.fast_dir), or kaapanactl migrate --restored"
        )));
    }
    match standing(inputs, settings)? {
        Standing::Older { from } => runs_already(inputs, settings, from.as_deref())?,
        standing if standing.wants_migration() => {}
        Standing::Same { version } => {
            return Err(Refused::NothingToDo(format!("the data under {} is of version {version}", path.display())));
        }
        Standing::Unused => {
            return Err(Refused::NothingToDo(format!("there is no data under {} to migrate", path.display())));
        }
        _ => return Err(told(inputs, settings)),
    }
    let mut holds = preflight::holds(JobKind::Migrate, &preflight::conditions(inputs, inputs.health().as_ref()));
    holds.extend(release::refusal(inputs, settings, false));
    holds.extend(release::outside_window(inputs, settings).filter(|_| !now).map(|(hold, _)| hold));
    if holds.is_empty() { Ok(()) } else { Err(Refused::Held(holds)) }
}

/// A platform of the wanted release was healthy on this data: only the file says that it is
/// older, and a migration would run over data that is migrated.
fn runs_already(inputs: &Inputs<'_>, settings: &Settings, from: Option<&str>) -> Result<(), Refused> {
    let version = settings.text("platform.version");
    let good = inputs.ledger.deployed.as_ref().filter(|deployed| deployed.installed && deployed.healthy);
    let runs = good.and_then(|deployed| deployed.settings.as_ref()).filter(|of| of.fast_dir() == settings.fast_dir());
    if runs.is_none_or(|of| release_of(of.text("platform.version")) != release_of(version)) {
        return Ok(());
    }
    let file = settings.fast_dir().join("version");
    Err(Refused::Blocked(format!(
        "version {} is deployed on this data and was healthy, and only {} says {}; when the data is of {version}: echo {version} >{}; \
         when older data was restored meanwhile: kaapanactl undeploy, then kaapanactl migrate",
        runs.map_or("", |of| of.text("platform.version")),
        file.display(),
        from.unwrap_or("nothing"),
        file.display()
    )))
}

/// Is it not known of which version the data is, so that a person may say that it fits?
///
/// # Errors
///
/// Why there is nothing to accept.
pub fn unknown_data(inputs: &Inputs<'_>, settings: &Settings) -> Result<(), Refused> {
    let unwritten = inputs.disks(settings).is_some_and(|disks| disks.fast.version.is_none());
    match standing(inputs, settings)? {
        // Also what was migrated by hand, before there was a file that says so.
        Standing::Older { .. } | Standing::TooOld { .. } if unwritten => Ok(()),
        _ => Err(Refused::NotMeant("there is no data of an unknown version".into())),
    }
}

/// The migration that a fresh deployment precedes, as it is to be remembered.
///
/// # Errors
///
/// Why there is none, or that one is at work.
pub fn fresh_deploy(inputs: &Inputs<'_>, settings: &Settings) -> Result<Migration, Refused> {
    let wanted = match standing(inputs, settings)? {
        Standing::FreshDeployWanted { from } => from,
        Standing::FreshDeployAccepted { migration } => return Ok(migration),
        _ => return Err(Refused::NotMeant("no migration wants a fresh deployment".into())),
    };
    if let Some(work) = migrate::at_work(inputs, settings) {
        return Err(Refused::Blocked(format!("a migration is at work: {work}")));
    }
    let new = Migration {
        job: 0,
        description: String::new(),
        from: wanted,
        to: settings.text("platform.version").to_owned(),
        directory: settings.fast_dir(),
        begun: None,
        seen: None,
        failed: false,
        fresh: true,
        after_fresh: false,
    };
    // It stays the one that was begun, wherever it is to lead now.
    let known = inputs.ledger.migration.as_ref().filter(|known| known.directory == new.directory).cloned();
    Ok(match known {
        Some(known) => Migration { from: new.from, to: new.to, fresh: true, ..known },
        None => new,
    })
}

/// The migration that a person may say was undone by restoring the data.
///
/// # Errors
///
/// That there is none, or that it is or may be at work.
pub fn restored<'l>(inputs: &Inputs<'l>) -> Result<&'l Migration, Refused> {
    let work = inputs.ledger.settings.as_ref().and_then(|settings| migrate::at_work(inputs, settings));
    if let Some(work) = work {
        return Err(Refused::Blocked(format!("the migration is at work: {work}; nothing is restored beside it")));
    }
    if inputs.snapshot.cluster.fresh().is_none() {
        return Err(Refused::Blocked("the cluster cannot be seen, so whether the migration is at work is not known".into()));
    }
    inputs.ledger.migration.as_ref().ok_or_else(|| Refused::NothingToDo("no migration is known that was begun".into()))
}

/// What the data is, seen from these settings.
fn standing(inputs: &Inputs<'_>, settings: &Settings) -> Result<Standing, Refused> {
    let unseen = || Refused::Blocked("the data directories were not looked at yet; ask again in a moment".into());
    inputs.disks(settings).map(|disks| data::standing(settings, &disks.fast, inputs.ledger)).ok_or_else(unseen)
}

/// Why the data is not migrated, in the words of its check.
fn told(inputs: &Inputs<'_>, settings: &Settings) -> Refused {
    let verdict = inputs.disks(settings).and_then(|disks| data::verdict(settings, &disks.fast, inputs.ledger));
    Refused::Blocked(
        verdict.map_or_else(String::new, |(verdict, _)| format!("{}: {} ({})", verdict.reason, verdict.message, verdict.advice)),
    )
}
