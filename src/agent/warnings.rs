//! The cluster's warnings about the platform go to the journal: MicroK8s forgets its events after
//! five minutes, and with them why something happened.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::Agent;
use crate::command::Redactor;
use crate::config::Settings;
use crate::health::platform::Ownership;
use crate::state::{ObjectId, Trouble};
use crate::telemetry::id;

/// The same of the same object is told once in this time.
const PAUSE: SignedDuration = SignedDuration::from_mins(10);

/// By so many characters of their beginning two messages are told apart; what follows has counts and
/// names in it.
const BEGIN: usize = 16;

/// When each warning was told last, by object, reason and the beginning of its message.
#[derive(Debug, Default)]
pub(super) struct Told(BTreeMap<(ObjectId, String), Timestamp>);

impl Told {
    /// Is it to be told?
    fn note(&mut self, trouble: &Trouble, now: Timestamp) -> bool {
        self.0.retain(|_, at| now.duration_since(*at) < PAUSE);
        // Of one reason are several: `Failed` is a pull, and that its pod therefore fails.
        let begin: String = trouble.message.chars().take(BEGIN).collect();
        let key = (trouble.about.clone(), format!("{} {begin}", trouble.reason));
        let new = !self.0.contains_key(&key);
        if new {
            self.0.insert(key, now);
        }
        new
    }
}

impl Agent {
    /// Tells those in the namespaces of the platform.
    pub(super) fn tell_warnings(&mut self, warnings: &[Arc<Trouble>]) {
        let settings = self.ledger.job.as_ref().map(|job| &job.settings).or(self.ledger.settings.as_ref());
        let deployed = self.ledger.deployed.as_ref();
        let ownership = deployed.map(|deployed| deployed.ownership.clone()).or_else(|| settings.map(Ownership::of));
        let (Some(ownership), Some(cluster)) = (ownership, self.snapshot.cluster.last()) else { return };
        let namespaces: BTreeSet<&str> = ownership
            .releases(cluster)
            .into_iter()
            .flat_map(|release| {
                release.objects.iter().map(|object| object.id.namespace.as_str()).chain([release.namespace.as_str()])
            })
            .collect();
        // Of what runs, too: pods quote what they were given.
        let of_settings = [settings, self.ledger.settings.as_ref(), deployed.and_then(|deployed| deployed.settings.as_ref())];
        let secrets = of_settings.into_iter().flatten().flat_map(Settings::secrets);
        let secrets = secrets.chain(deployed.iter().flat_map(|deployed| deployed.values.secrets()));
        let redactor = Redactor::new(secrets.collect());
        let now = (self.clock)();
        for warning in warnings.iter().filter(|warning| namespaces.contains(warning.about.namespace.as_str())) {
            if !self.told.note(warning, now) {
                continue;
            }
            let Trouble { about, reason, message, .. } = warning.as_ref();
            let message = redactor.redact(message).split_whitespace().collect::<Vec<_>>().join(" ");
            let message: String = message.chars().take(1000).collect();
            tracing::info!(
                message_id = id::CLUSTER_WARNING,
                object = %about,
                reason = reason.as_str(),
                "the cluster warns of {about}: {reason}: {message}"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_told_once_in_ten_minutes() {
        let of = |name: &str, reason: &str| Trouble {
            about: ObjectId::new("Pod", "services", name),
            uid: String::new(),
            reason: reason.into(),
            message: "Back-off restarting failed container".into(),
            at: Timestamp::UNIX_EPOCH,
        };
        let (mut told, start) = (Told::default(), Timestamp::UNIX_EPOCH);
        let at = |minutes: i64| start + SignedDuration::from_mins(minutes);
        assert!(told.note(&of("a", "BackOff"), at(0)));
        assert!(!told.note(&of("a", "BackOff"), at(9)));
        assert!(told.note(&of("a", "Unhealthy"), at(9)) && told.note(&of("b", "BackOff"), at(9)));
        assert!(told.note(&of("a", "BackOff"), at(10)));
        let pull = Trouble { message: "Failed to pull image r/x:1".into(), ..of("a", "Failed") };
        let fails = Trouble { message: "Error: ErrImagePull".into(), ..of("a", "Failed") };
        assert!(told.note(&fails, at(10)) && told.note(&pull, at(10)) && !told.note(&pull, at(11)));
    }
}
