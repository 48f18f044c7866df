//! The systemd units of a job: begun, closed, given up, forgotten.

use std::sync::Arc;
use std::time::Duration;

use super::Agent;
use super::perform::Outcome;
use crate::actuators::{ActionError, gpu, helm, images, migration, site_program, systemd};
use crate::ledger::{JobFailure, MigrationEnd, StepKind};
use crate::telemetry::id;

impl Agent {
    /// Starts the unit of a step: first it is in the ledger, then it is started.
    pub(super) fn begin_unit(&mut self, what: StepKind) -> bool {
        let Some(job) = &self.ledger.job else { return false };
        let helm = self.snapshot.tools.last().and_then(|tools| tools.helm.clone());
        let needs =
            !matches!(what, StepKind::ImportImages { .. } | StepKind::PreTakedown { .. } | StepKind::EnableGpu { chart: None });
        if needs && helm.is_none() {
            return false;
        }
        let helm = helm.unwrap_or_default();
        let order = match (&what, &job.prepared) {
            (StepKind::Install, Some(prepared)) => helm::install_order(&self.paths, &helm, job, prepared),
            (StepKind::Upgrade, Some(prepared)) => helm::upgrade_order(&self.paths, &helm, job, prepared),
            (StepKind::Migrate, Some(prepared)) => match &prepared.migration {
                Some(migration) => migration::order(&self.paths, &helm, job, migration),
                None => return false,
            },
            (StepKind::Install | StepKind::Upgrade | StepKind::Migrate, None) => return false,
            (StepKind::Uninstall { namespace, release, no_hooks }, _) => {
                helm::uninstall_order(&self.paths, &helm, job, namespace, release, *no_hooks)
            }
            (StepKind::ImportImages { archive }, _) => images::import_order(&self.paths, archive),
            (StepKind::EnableGpu { chart }, _) => gpu::order(&self.paths, &helm, job, chart.as_deref(), &gpu::proxies()),
            (StepKind::PreTakedown { program }, _) => {
                let runs = self.ledger.deployed.as_ref().and_then(|deployed| deployed.settings.as_ref());
                site_program::order(&self.paths, job, runs.unwrap_or(&job.settings), program)
            }
        };
        // Snap's wrappers and a site's own program become somebody else.
        let confined = !matches!(what, StepKind::PreTakedown { .. } | StepKind::EnableGpu { chart: None });
        let secrets = helm::secrets_of(job, self.ledger.deployed.as_ref().map(|deployed| &deployed.values));
        let (id, kind, name, now) = (job.id, job.kind, what.name(), self.now());
        let mut begun = None;
        if self.commit(|ledger| begun = ledger.begin_unit(what, now)).is_err() {
            return false;
        }
        let Some(unit) = begun else { return false };
        tracing::info!(
            message_id = id::JOB_STEP,
            job = id,
            job_type = kind.as_str(),
            step = name,
            unit_name = unit,
            "job {id}: {name} in {unit}"
        );
        let (paths, connection) = (Arc::clone(&self.paths), self.connection.clone());
        self.act(async move {
            let started = async {
                let (of, named) = (Arc::clone(&paths), unit.clone());
                let folder = tokio::task::spawn_blocking(move || helm::write_order(&of, &named, &order, &secrets))
                    .await
                    .unwrap_or_else(|fault| Err(std::io::Error::other(fault)))
                    .map_err(|fault| ActionError::node("StateNotWritable", &fault))?;
                let text = format!("Kaapana job {id}: {name}");
                systemd::start_step(&connection, id, &unit, &text, &paths.program, &folder, confined)
                    .await
                    .map_err(|fault| ActionError::node("UnitNotStarted", &fault))
            };
            Outcome::Started(started.await)
        });
        false
    }

    /// The unit ended: what it did goes into the ledger, then systemd forgets it.
    pub(super) fn close_step(&mut self, success: bool) -> bool {
        let (mut unit, now, invocation) = (None, self.now(), self.invocation());
        self.commit(|ledger| unit = ledger.close_unit(success, &invocation, now)).is_ok() && self.step_is_over(unit)
    }

    pub(super) fn forget_step(&mut self) -> bool {
        let unit = self.ledger.job.as_ref().and_then(|job| job.step.as_ref()).map(|step| step.unit.clone());
        let now = self.now();
        self.commit(|ledger| ledger.forget_unit(now)).is_ok() && self.step_is_over(unit)
    }

    /// Stops watching a unit and has systemd forget it. Looks again at once when
    /// there is nothing to forget.
    pub(super) fn step_is_over(&mut self, unit: Option<String>) -> bool {
        self.watch_step();
        let Some(unit) = unit else { return true };
        let connection = self.connection.clone();
        let folder = self.paths.step(&unit);
        self.act_within(Duration::MAX, async move {
            systemd::forget_for_sure(&connection, &unit).await;
            // What it was told to redact holds secrets; what it did is in the ledger.
            tokio::fs::remove_dir_all(&folder).await.ok();
            Outcome::Forgotten
        });
        false
    }

    pub(super) fn skip_hooks(&mut self) -> bool {
        let (mut unit, now, invocation) = (None, self.now(), self.invocation());
        let step = self.ledger.job.as_ref().and_then(|job| job.step.as_ref());
        let what = step.map(|step| step.what.to_string()).unwrap_or_default();
        if self.commit(|ledger| unit = ledger.skip_hooks(&invocation, now)).is_err() {
            return false;
        }
        let job = self.ledger.job.as_ref().map_or(0, |job| job.id);
        let unit_name = unit.clone().unwrap_or_default();
        tracing::warn!(
            job,
            unit_name,
            "job {job}: {what} failed or hung at a hook; the take-down goes on without hooks (journalctl -u {unit_name})"
        );
        self.step_is_over(unit)
    }

    pub(super) fn turn_back(&mut self, failure: JobFailure) -> bool {
        let reason = format!("{}: {}", failure.reason, failure.message);
        let (now, invocation) = (self.now(), self.invocation());
        let unit = self.ledger.job.as_ref().and_then(|job| job.step.as_ref()).map(|step| step.unit.clone());
        let kept = self.commit(|ledger| {
            if unit.is_some() {
                ledger.record_unit(&invocation, now);
            }
            ledger.turn_back(failure, now);
        });
        if kept.is_err() {
            return false;
        }
        if let Some((job, way)) = self.ledger.job.as_ref().and_then(|job| Some((job.id, job.way_back.as_ref()?))) {
            tracing::warn!(
                message_id = id::WAY_BACK,
                job,
                generation = way.generation,
                reason,
                "job {job}: {reason}; generation {} is put back",
                way.generation
            );
        }
        self.step_is_over(unit)
    }

    /// Reads what the migration said and keeps it, before its pods go with its release.
    pub(super) fn keep_migration_log(&mut self, pods: Vec<(String, String)>, succeeded: bool, message: String) -> bool {
        let Some(job) = &self.ledger.job else { return false };
        let (paths, id, at) = (Arc::clone(&self.paths), job.id, self.now());
        let secrets = helm::secrets_of(job, None);
        self.act(async move {
            let log = migration::keep_log(&paths, id, &pods, &secrets).await;
            Outcome::MigrationEnded(Box::new(MigrationEnd { succeeded, message, log, pods, at, removed: false, fresh: false }))
        });
        false
    }

    /// systemd's id of the run of the unit that is watched.
    pub(super) fn invocation(&self) -> String {
        let unit = self.ledger.job.as_ref().and_then(|job| job.step.as_ref()).map(|step| &step.unit);
        self.snapshot.step.last().filter(|seen| Some(&seen.unit) == unit).map(|seen| seen.invocation.clone()).unwrap_or_default()
    }
}
