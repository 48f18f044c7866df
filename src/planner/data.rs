//! Of which release the data in the fast data directory is, and what that means for a
//! deployment. Pure.
//!
//! Kaapana 0.5.3 and later write the version into the file `version` there, on every
//! deployment, so what was there before belongs into the ledger. Data of an older release
//! (major.minor) is migrated by the platform's own migration chart, when a person says so;
//! onto data of a newer one nothing older is ever deployed: the migration's code takes that
//! for "nothing to do", and the platform harms the data.

use crate::config::settings::Settings;
use crate::config::values::release_of;
use crate::ledger::{Deployed, Ledger, Migration};
use crate::planner::interlock::Verdict;
use crate::state::{Directory, Severity};

/// The first release, and version of it, that brings a migration.
const FIRST_MIGRATION: (u64, u64, u64) = (0, 5, 3);

/// What the data is, seen from the configured version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Nothing says that there is data.
    Unused,
    /// It is of the same release.
    Same {
        /// Its version.
        version: String,
    },
    /// It is older: it wants a migration.
    Older {
        /// Its version; `None`: nothing says which, and the migration finds out.
        from: Option<String>,
    },
    /// It is older, and no release brings a migration for that.
    TooOld {
        /// Its version.
        version: String,
    },
    /// It is newer.
    Newer {
        /// Its version.
        version: String,
    },
    /// A migration was begun and is not known to have ended well.
    Begun {
        /// What it was to be.
        migration: Migration,
    },
    /// A migration to another release was begun and is not known to have ended well.
    BegunToOther {
        /// What it was to be.
        migration: Migration,
    },
    /// A migration said that it wants a fresh deployment of the new release first.
    FreshDeployWanted {
        /// The version the data has.
        from: Option<String>,
    },
    /// That fresh deployment was accepted; the migration follows it.
    FreshDeployAccepted {
        /// What the migration is to be.
        migration: Migration,
    },
    /// The file says something that is no version.
    NotUnderstood {
        /// What it says.
        text: String,
    },
}

impl Standing {
    /// Does it want a migration that can be begun?
    #[must_use]
    pub fn wants_migration(&self) -> bool {
        matches!(self, Self::Older { .. } | Self::Begun { .. } | Self::FreshDeployAccepted { .. })
    }

    /// The version a migration starts from; `None`: it finds out, or there is none.
    #[must_use]
    pub fn migrates_from(&self) -> Option<String> {
        match self {
            Self::Older { from } => from.clone(),
            Self::Begun { migration } | Self::FreshDeployAccepted { migration } => migration.from.clone(),
            _ => None,
        }
    }
}

/// What the file `version` says: the version, and whether the migration left its wish for a
/// fresh deployment behind it (`0.5.3 - fresh deploy and redeploy-needed`).
fn read(line: &str) -> (&str, bool) {
    let word = line.split_whitespace().next().unwrap_or_default();
    (word.strip_suffix("-fresh").unwrap_or(word), line.contains("fresh deploy"))
}

/// The version in the file, without what a migration wrote behind it.
#[must_use]
pub fn written_version(directory: &Directory) -> Option<&str> {
    directory.version.as_deref().map(read).filter(|(_, fresh)| !fresh).map(|(version, _)| version)
}

/// Major, minor and patch; a part that is missing or no number counts as 0, but not the first
/// two: without those it is no version.
fn parts(version: &str) -> Option<(u64, u64, u64)> {
    let mut parts = version.split(['.', '-', '+']);
    let mut number = || parts.next()?.parse::<u64>().ok();
    Some((number()?, number()?, number().unwrap_or(0)))
}

fn older(a: &str, b: &str) -> bool {
    let release = |version| parts(version).map(|(major, minor, _)| (major, minor));
    matches!((release(a), release(b)), (Some(a), Some(b)) if a < b)
}

/// The migration of this directory that was begun, or is wanted.
fn known<'l>(ledger: &'l Ledger, directory: &Directory) -> Option<&'l Migration> {
    ledger.migration.as_ref().filter(|known| known.directory == directory.path)
}

/// The version that was deployed last onto the directory.
fn last_version<'l>(ledger: &'l Ledger, directory: &Directory) -> Option<&'l str> {
    let here = |settings: &&'l Settings| settings.fast_dir() == directory.path;
    let of = |deployed: &'l Deployed| deployed.settings.as_ref().filter(here).map(|settings| settings.text("platform.version"));
    let known = ledger.data_versions.get(&directory.path).map(String::as_str);
    known.or_else(|| ledger.deployed.as_ref().and_then(of)).or_else(|| ledger.previous.as_ref().and_then(of))
}

/// The version of the data that lies there, as far as file and ledger say it.
fn version_of<'d>(ledger: &'d Ledger, directory: &'d Directory) -> Option<&'d str> {
    match directory.version.as_deref().map(|line| read(line).0) {
        Some(file) => Some(file),
        // Before 0.5.3 Kaapana wrote no version: what was deployed onto it says it as well.
        None if directory.empty != Some(true) => last_version(ledger, directory),
        None => None,
    }
}

/// What the data is, seen from the configured version.
#[must_use]
pub fn standing(settings: &Settings, directory: &Directory, ledger: &Ledger) -> Standing {
    let wanted = settings.text("platform.version");
    let file = directory.version.as_deref().map(read);
    // It is a wish of the way to a newer release only.
    let fresh = file.is_some_and(|(version, fresh)| fresh && older(version, wanted));
    if let Some(migration) = known(ledger, directory) {
        // A way of several releases goes on where the last one was reached.
        let reached = file.map(|(version, _)| version).filter(|version| older(version, &migration.to));
        let from = reached.map(str::to_owned).or_else(|| migration.from.clone());
        let migration = Migration { from, ..migration.clone() };
        if release_of(&migration.to) != release_of(wanted) {
            return Standing::BegunToOther { migration };
        }
        return match (migration.fresh, fresh) {
            (true, _) => Standing::FreshDeployAccepted { migration },
            (false, true) => Standing::FreshDeployWanted { from: migration.from },
            (false, false) => Standing::Begun { migration },
        };
    }
    let Some(found) = version_of(ledger, directory) else {
        // Whose data it is that this agent never deployed onto, only the migration can tell.
        let unknown = directory.folder.is_some() && parts(wanted).is_some_and(|wanted| wanted >= FIRST_MIGRATION);
        return if unknown { Standing::Older { from: None } } else { Standing::Unused };
    };
    let version = found.to_owned();
    if fresh {
        return Standing::FreshDeployWanted { from: Some(version) };
    }
    if release_of(found) == release_of(wanted) {
        return Standing::Same { version };
    }
    if parts(found).is_none() {
        return Standing::NotUnderstood { text: version };
    }
    match older(found, wanted) {
        true if parts(wanted).is_some_and(|wanted| wanted < FIRST_MIGRATION) => Standing::TooOld { version },
        true => Standing::Older { from: Some(version) },
        false => Standing::Newer { version },
    }
}

/// The version of the data that lies there, or may, when it is of another release than this
/// version: what is put back onto it would harm it.
#[must_use]
pub fn other_release(ledger: &Ledger, directory: &Directory, version: &str) -> Option<String> {
    if let Some(migration) = known(ledger, directory)
        && release_of(&migration.to) != release_of(version)
    {
        return Some(format!("{}, or on the way to it,", migration.to));
    }
    version_of(ledger, directory).filter(|found| release_of(found) != release_of(version)).map(str::to_owned)
}

/// May this version be deployed onto the data? `None`: there is nothing to say.
#[must_use]
pub fn verdict(settings: &Settings, directory: &Directory, ledger: &Ledger) -> Option<(Verdict, Severity)> {
    let (wanted, path) = (settings.text("platform.version"), directory.path.display());
    let bad = |reason, message: String, advice: &str| Some((Verdict::bad(reason, message, advice), Severity::Critical));
    match standing(settings, directory, ledger) {
        Standing::Unused => None,
        Standing::Same { version } => {
            Some((Verdict::good(format!("the data under {path} is of version {version}")), Severity::Critical))
        }
        Standing::Older { from: Some(version) } => bad(
            "MigrationNeeded",
            format!("the data under {path} is of version {version}, and {wanted} is configured"),
            "make a backup, then kaapanactl migrate; or set platform.version to a version of the data's release",
        ),
        Standing::Older { from: None } => bad(
            "MigrationNeeded",
            format!(
                "{path} holds {}, and nothing says of which version it is; {wanted} is configured",
                directory.folder.as_deref().unwrap_or("data")
            ),
            "make a backup, then kaapanactl migrate, which finds out; when it is no platform's data, or of the configured release already: kaapanactl deploy --accept-unknown-data",
        ),
        Standing::TooOld { version } => bad(
            "OtherRelease",
            format!("the data under {path} is of version {version}, and {wanted} is configured"),
            "Kaapana migrates data to 0.5.3 and later only; set platform.version to a version of the data's release",
        ),
        Standing::Newer { version } => bad(
            "OtherRelease",
            format!("the data under {path} is of version {version}, and the older {wanted} is configured, which would harm it"),
            "set platform.version to a version of the data's release, or restore a backup of the older data",
        ),
        Standing::Begun { migration } => bad(
            "MigrationUnfinished",
            format!("the migration of {path} to {} was begun and is not known to have ended well", migration.to),
            "kaapanactl migrate goes on with it; when the data was restored from a backup, kaapanactl migrate --restored",
        ),
        Standing::BegunToOther { migration } => bad(
            "MigrationUnfinished",
            format!(
                "the migration of {path} to {} was begun and is not known to have ended well; {wanted} is configured",
                migration.to
            ),
            "set platform.version to what it leads to, then kaapanactl migrate; when the data was restored from a backup, kaapanactl migrate --restored",
        ),
        Standing::FreshDeployWanted { from } => bad(
            "FreshDeployNeeded",
            format!(
                "the migration of {path} from {} wants {wanted} deployed afresh before it can go on",
                from.as_deref().unwrap_or("an unknown version")
            ),
            "kaapanactl deploy --accept-fresh-deploy, and kaapanactl migrate when it is healthy",
        ),
        Standing::FreshDeployAccepted { migration } => Some((
            Verdict::bad(
                "MigrationPending",
                format!(
                    "the data under {path} is to be migrated from {} once {wanted} was deployed afresh",
                    migration.from.as_deref().unwrap_or("an unknown version")
                ),
                "when the platform is healthy: kaapanactl migrate",
            ),
            Severity::Warning,
        )),
        Standing::NotUnderstood { text } => bad(
            "VersionNotUnderstood",
            format!("{path}/version says {text:?}, which is no version"),
            "look at who wrote it, and put the version of the data there",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_release() {
        assert!(older("0.5.3", "0.6.0") && older("0.9", "0.10.0-latest") && older("0.6.1", "1.0.0"));
        assert!(!older("0.6.0", "0.6.9") && !older("0.6.0", "0.5.3") && !older("x", "0.6.0"));
        assert_eq!(parts("0.6.1-rc.2"), Some((0, 6, 1)));
        assert_eq!(parts("0.6"), Some((0, 6, 0)));
        assert_eq!(parts("latest"), None);
        assert_eq!(read("0.5.3 - fresh deploy and redeploy-needed"), ("0.5.3", true));
        assert_eq!(read("0.5.3-fresh deploy and redeploy-needed"), ("0.5.3", true));
        assert_eq!(read("0.5.3"), ("0.5.3", false));
    }
}
