//! How a job of the agent's own begins, turns around and ends.

use crate::ledger::{JobFailure, JobKind, JobResult};
use crate::telemetry::id;

use super::Agent;

impl Agent {
    pub(super) fn start_job(&mut self, kind: JobKind, reason: String) -> bool {
        let now = self.now();
        let text = reason.clone();
        let kept = self.commit(|ledger| {
            ledger.start_job(kind, reason, None, now);
        });
        if kept.is_err() {
            return false;
        }
        let job = self.ledger.job.as_ref().map_or(0, |job| job.id);
        tracing::info!(
            message_id = id::JOB_ACCEPTED,
            job,
            job_type = kind.as_str(),
            reason = text,
            "job {job}: {} ({text})",
            kind.as_str()
        );
        true
    }

    pub(super) fn start_way_back(&mut self, reason: String) -> bool {
        let (now, text) = (self.now(), reason.clone());
        if self.commit(|ledger| ledger.start_way_back(reason, now)).is_err() {
            return false;
        }
        let Some((job, way)) = self.ledger.job.as_ref().and_then(|job| Some((job.id, job.way_back.as_ref()?))) else {
            return true;
        };
        let generation = way.generation;
        tracing::info!(message_id = id::JOB_ACCEPTED, job, job_type = "deploy", reason = text, "job {job}: deploy ({text})");
        tracing::warn!(
            message_id = id::WAY_BACK,
            job,
            generation,
            reason = text,
            "job {job}: generation {generation} is put back"
        );
        true
    }

    pub(super) fn finish_job(&mut self, result: JobResult, failure: Option<JobFailure>, report: String) -> bool {
        let (now, invocation) = (self.now(), self.invocation());
        let unit = self.ledger.job.as_ref().and_then(|job| job.step.as_ref()).map(|step| step.unit.clone());
        let stage = self.ledger.job.as_ref().map_or("", |job| job.stage.as_str());
        let Some((job, kind)) = self.ledger.job.as_ref().map(|job| (job.id, job.kind)) else { return true };
        let reason = failure.as_ref().map(|failure| format!("{}: {}", failure.reason, failure.message)).unwrap_or_default();
        let said = report.clone();
        let kept = self.commit(|ledger| {
            if unit.is_some() {
                ledger.record_unit(&invocation, now);
            }
            ledger.finish_job(result, failure, report, now);
        });
        if kept.is_err() {
            return false;
        }
        if matches!(result, JobResult::Done | JobResult::Skipped) {
            tracing::info!(
                message_id = id::JOB_DONE,
                job,
                job_type = kind.as_str(),
                result = result.as_str(),
                reason = said,
                "job {job} ({}) is {}{}{said}",
                kind.as_str(),
                result.as_str(),
                if said.is_empty() { "" } else { ": " }
            );
        } else {
            tracing::error!(
                message_id = id::JOB_FAILED,
                job,
                job_type = kind.as_str(),
                result = result.as_str(),
                stage,
                reason,
                unit_name = unit.clone().unwrap_or_default(),
                "job {job} ({}) {}: {reason}",
                kind.as_str(),
                result.as_str()
            );
        }
        self.prune();
        self.step_is_over(unit)
    }

    /// Removes folders of deployments that nothing refers to any more.
    fn prune(&self) {
        let kept: Vec<std::path::PathBuf> = [&self.ledger.deployed, &self.ledger.previous]
            .into_iter()
            .flatten()
            .map(|deployed| deployed.chart_file.clone())
            .collect();
        // A new job has a number of its own, and so a folder that is not looked at here.
        let next = self.ledger.next_job;
        let folder = self.paths.state.join("deployments");
        tokio::task::spawn_blocking(move || {
            let Ok(entries) = std::fs::read_dir(folder) else { return };
            for entry in entries.flatten() {
                let number = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok());
                if number.is_some_and(|number| number < next) && !kept.iter().any(|file| file.starts_with(entry.path())) {
                    std::fs::remove_dir_all(entry.path()).ok();
                }
            }
        });
    }
}
