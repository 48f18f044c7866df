//! What sensors look at only while somebody wants to know: a page, an import, the registry, the
//! objects of a platform at rest.

use std::sync::Arc;

use super::Agent;
use crate::config::Settings;
use crate::ledger::{Job, RunningStep, Stage, StepKind};
use crate::sensors::drift;
use crate::sensors::import::ImportQuestion;
use crate::sensors::page::{self, Question};

impl Agent {
    /// What sensors look at only while somebody wants to know.
    pub(super) fn ask_sensors(&self) {
        send_if_changed(&self.outbox.kinds_wanted, self.wants_kinds());
        let pending =
            self.snapshot.cluster.fresh().is_some_and(|view| view.releases.values().any(|release| release.is_pending()));
        send_if_changed(&self.outbox.helms_wanted, pending);
        send_if_changed(&self.outbox.page_wanted, self.page_question());
        send_if_changed(&self.outbox.import_wanted, self.import_question());
        send_if_changed(&self.outbox.registry_wanted, self.registry_question());
        send_if_changed(&self.outbox.drift_wanted, self.drift_question());
        let name = self.ledger.settings.as_ref().and_then(Settings::name_in_dns).map(str::to_owned);
        send_if_changed(&self.outbox.name_wanted, name);
    }

    /// The releases of a platform at rest.
    fn drift_question(&self) -> Option<drift::Question> {
        let deployed = self.ledger.deployed.as_ref().filter(|deployed| deployed.installed && !deployed.partial)?;
        let cluster = self.snapshot.cluster.fresh().filter(|_| self.ledger.job.is_none())?;
        let releases = deployed.ownership.releases(cluster);
        // Whose root is gone is no platform any more.
        releases.iter().find(|release| deployed.ownership.is_root(release))?;
        let releases = releases.into_iter().filter(|release| release.status == "deployed");
        Some(releases.map(|release| (release.namespace.clone(), release.name.clone(), release.revision)).collect())
    }

    /// The settings whose chart the registry should have, while no job asks for it and none has just
    /// failed at it: a password that is wrong is not tried once more.
    fn registry_question(&self) -> Option<Arc<Settings>> {
        let settings = self.ledger.settings.as_ref().filter(|settings| settings.uses_registry())?;
        let told = self.ledger.failure.as_ref().is_some_and(|failure| {
            failure.generation == self.ledger.generation && crate::registry::REASONS.contains(&failure.reason.as_str())
        });
        let runs = self.ledger.deployed.as_ref().is_some_and(|deployed| deployed.installed);
        if self.ledger.job.is_some() || told || !runs {
            return None;
        }
        // The same settings are the same question.
        let known = self.outbox.registry_wanted.borrow().clone();
        known.filter(|known| known.as_ref() == settings).or_else(|| Some(Arc::new(settings.clone())))
    }

    /// The page of what runs, or of what is to run.
    fn page_question(&self) -> Option<Question> {
        let deployed = self.ledger.deployed.as_ref();
        let runs = deployed.and_then(|deployed| deployed.settings.as_ref());
        let (settings, period) = match &self.ledger.job {
            Some(job) => (runs.unwrap_or(&job.settings), page::PERIOD_JOB),
            None => (runs.filter(|_| deployed.is_some_and(|deployed| deployed.installed))?, page::PERIOD),
        };
        let inputs = crate::planner::Inputs { snapshot: &self.snapshot, ledger: &self.ledger, now: self.now() };
        Question::of(inputs.node()?, settings, period)
    }

    /// The step that imports images, while it runs.
    pub(super) fn import_step(&self) -> Option<(&Job, &RunningStep)> {
        let job = self.ledger.job.as_ref()?;
        let step = job.step.as_ref().filter(|step| matches!(step.what, StepKind::ImportImages { .. }))?;
        Some((job, step))
    }

    /// The import that runs, and what it is to bring.
    fn import_question(&self) -> Option<ImportQuestion> {
        let (job, step) = self.import_step()?;
        let archive = job.archive.as_ref().map(|archive| archive.images.clone());
        let images = archive.or_else(|| Some(job.prepared.as_ref()?.missing_images.clone()))?;
        Some(ImportQuestion { folder: self.paths.step(&step.unit), images })
    }

    /// Does a deployment wait for a kind to be served?
    fn wants_kinds(&self) -> bool {
        let failed = self.ledger.failure.as_ref().is_some_and(|failure| matches!(failure.cause, crate::ledger::Cause::Kinds(_)));
        failed || self.ledger.job.as_ref().is_some_and(|job| job.stage == Stage::Prepare)
    }
}

/// Tells a sensor what is wanted, when that is something else than before.
fn send_if_changed<T: PartialEq>(to: &tokio::sync::watch::Sender<T>, wanted: T) {
    to.send_if_modified(|known| {
        let changed = *known != wanted;
        *known = wanted;
        changed
    });
}
