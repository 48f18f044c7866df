//! The transitions of a job and of what is deployed. Pure: whoever calls them writes
//! the ledger before anything counts.

use jiff::Timestamp;

use super::{
    Deployed, Desired, Failure, FinishedJob, HISTORY, Job, JobFailure, JobKind, JobOptions, JobResult, Ledger, Migration,
    MigrationEnd, PageTimes, Prepared, RunningStep, Stage, StepKind, StepRecord, TakeDown, Unfinished, WayBack,
};
use crate::config::Settings;
use crate::health::platform::Ownership;
use crate::state::ObjectId;

impl Ledger {
    /// A person says that what lies in the fast data directory is of the configured release, or
    /// no platform's.
    pub fn accept_data(&mut self, settings: &Settings) {
        self.data_versions.insert(settings.fast_dir(), settings.text("platform.version").to_owned());
    }

    /// Accepts a job. There must be none running.
    pub fn start_job(&mut self, kind: JobKind, reason: String, requester: Option<u32>, now: Timestamp) -> Option<&mut Job> {
        let settings = self.settings.clone()?;
        if self.job.is_some() {
            return None;
        }
        let id = self.next_job;
        self.next_job += 1;
        let no_hooks = settings.flag("deployment.no_hooks");
        // The agent's own next try is made as a person wanted the last one.
        let again = |failure: &&Failure| requester.is_none() && failure.kind == kind && failure.generation == self.generation;
        let options = self.failure.as_ref().filter(again).map(|failure| failure.options).unwrap_or_default();
        self.job = Some(Job {
            id,
            kind,
            reason,
            requester,
            session: String::new(),
            created: now,
            desired_before: self.desired,
            stage: Stage::Prepare,
            generation: self.generation,
            asked_generation: self.generation,
            settings,
            intent: None,
            prepared: None,
            in_hand: None,
            takedown: None,
            step: None,
            options: JobOptions { no_hooks: options.no_hooks || no_hooks, ..options },
            nuked: Vec::new(),
            retained: std::collections::BTreeMap::new(),
            waiting_since: None,
            pre_takedown_done: None,
            upgrade_from: None,
            canceled_by: None,
            fault: None,
            way_back: None,
            page: PageTimes::default(),
            steps: Vec::new(),
            units: 0,
            installing: false,
            lost: 0,
            last_unit: String::new(),
            labelled: false,
            archive: None,
            imported: false,
            arranged: std::collections::BTreeSet::new(),
            migrating: false,
            migration_end: None,
            healthy_since: None,
            failing_since: None,
        });
        self.job.as_mut()
    }

    /// Ends the running job. A failure counts its attempts with the same intent; a job
    /// that was canceled before it touched anything leaves no wish behind.
    pub fn finish_job(
        &mut self,
        result: JobResult,
        failure: Option<JobFailure>,
        report: String,
        now: Timestamp,
    ) -> Option<FinishedJob> {
        let job = self.job.take()?;
        let error = failure.as_ref().map(|failure| format!("{}: {}", failure.reason, failure.message)).unwrap_or_default();
        // A wish that was withdrawn before anything was touched says nothing of another job.
        let wish = if job.kind == JobKind::Undeploy { Desired::Undeployed } else { Desired::Deployed };
        let asked = job.kind == JobKind::Migrate && job.settings.text("deployment.migration") != "auto";
        let withdrawn = result == JobResult::Canceled && !job.has_touched() && (job.desired_before != wish || asked);
        match failure {
            Some(_) if withdrawn => {}
            // It says nothing of a deployment, but what a deployment misses may be there now.
            failure if job.kind == JobKind::ImportImages && (failure.is_none() || job.imported) => {
                self.failure = self.failure.take().filter(|failure| failure.cause != super::Cause::Images);
            }
            Some(_) if job.kind == JobKind::ImportImages => {}
            None if result == JobResult::Skipped => {}
            Some(failure) => {
                let intent = job.way_back.as_ref().map_or(&job.intent, |way| &way.intent).clone();
                let same = |known: &&Failure| known.kind == job.kind && known.intent == intent;
                let attempts = self.failure.as_ref().filter(same).map_or(0, |known| known.attempts) + 1;
                self.failure = Some(Failure {
                    job: job.id,
                    kind: job.kind,
                    intent,
                    reason: failure.reason,
                    message: failure.message,
                    tail: failure.tail,
                    cause: failure.cause,
                    attempts,
                    generation: job.asked_generation,
                    options: job.options,
                    turned_back: job.way_back.is_some(),
                    at: now,
                });
            }
            None => self.failure = None,
        }
        if result == JobResult::Canceled && !job.has_touched() {
            // What was accepted for this job alone is not accepted any more.
            if job.kind == JobKind::Deploy && self.deployed.is_none() {
                self.migration = self.migration.take().filter(|migration| migration.begun.is_some());
                self.migration.iter_mut().for_each(|migration| migration.fresh = false);
            }
            self.desired = job.desired_before;
        }
        // Also the last good one, when it is back.
        let healthy = job.stage == Stage::Follow && job.healthy_since.is_some();
        if let Some(deployed) = self.deployed.as_mut().filter(|_| healthy) {
            deployed.healthy = true;
        }
        if (job.kind, result) == (JobKind::Undeploy, JobResult::Done) {
            self.deployed = None;
            self.previous = None;
            self.leftovers.clear();
            self.hooks.clear();
        }
        if job.step.is_some() {
            self.end_unfinished(now);
        }
        let finished = FinishedJob {
            id: job.id,
            kind: job.kind,
            reason: job.reason,
            requester: job.requester,
            session: job.session,
            created: job.created,
            finished: now,
            stage: job.stage,
            result,
            error,
            report,
            unit: job.last_unit,
            generation: job.asked_generation,
            put_back: job.way_back.as_ref().filter(|_| healthy).map(|way| way.generation),
            page: job.page,
            steps: job.steps,
        };
        self.history.push(finished.clone());
        let surplus = self.history.len().saturating_sub(HISTORY);
        self.history.drain(..surplus);
        Some(finished)
    }

    /// What somebody else deployed is the agent's from here on, as it is. The login
    /// service's secret is reused.
    pub fn adopt(&mut self, deployed: Deployed) {
        self.identity = Some(deployed.identity.clone());
        let secret = &deployed.machine.oidc_client_secret;
        if !secret.is_empty() {
            self.oidc_client_secret = Some(secret.clone());
        }
        self.desired = Desired::Deployed;
        self.failure = None;
        if let Some(settings) = &deployed.settings {
            self.accept_data(settings);
        }
        self.deployed = Some(deployed);
    }

    /// A chart and its values are in hand. The same chart is the way back to what was taken
    /// over without one.
    pub fn prepared(&mut self, prepared: Prepared) {
        if let (Some(file), Some(deployed)) = (prepared.aside.clone(), self.deployed.as_mut()) {
            // It is a way back from here on, also when it never was wholly healthy.
            deployed.chart_file = file;
            deployed.chart_digest.clone_from(&prepared.chart_digest);
            deployed.kinds.clone_from(&prepared.kinds);
            deployed.images.clone_from(&prepared.images);
            deployed.registry_hosting = prepared.registry_hosting;
        }
        if let Some(job) = self.job.as_mut() {
            job.prepared = Some(prepared);
        }
    }

    /// Something around the releases was arranged.
    pub fn arranged(&mut self, what: &str) {
        let Some(job) = self.job.as_mut() else { return };
        job.arranged.insert(what.to_owned());
        if what == "configure-dns" {
            self.resolved = Some(job.settings.text("platform.domain").to_owned());
        }
    }

    /// Notes what is to be taken down.
    pub fn begin_take_down(
        &mut self,
        releases: Vec<(String, String)>,
        objects: Vec<ObjectId>,
        hooks: Vec<ObjectId>,
        now: Timestamp,
    ) {
        self.leftovers.extend(objects.iter().cloned());
        self.hooks.extend(hooks.iter().cloned());
        if let Some(job) = self.job.as_mut() {
            let (since, known) = (Some(now), job.takedown.take().unwrap_or_default());
            job.takedown = Some(TakeDown { releases, objects, hooks, since, ..known });
        }
    }

    /// Pods were deleted by force: what is left has its time from here on.
    pub fn pods_deleted(&mut self, uids: impl IntoIterator<Item = String>, now: Timestamp) {
        let Some(job) = self.job.as_mut() else { return };
        job.nuked.extend(uids);
        if let Some(down) = job.takedown.as_mut() {
            down.since = Some(now);
        }
    }

    /// The migration is at work; the job follows it from here on.
    pub fn migration_seen(&mut self, now: Timestamp) {
        if let Some(migration) = self.migration.as_mut() {
            migration.seen.get_or_insert(now);
        }
        if let Some(job) = self.job.as_mut() {
            job.migrating = true;
        }
    }

    /// A person asked for the migration: what is gone is gone, and whoever asks again has looked at
    /// the data. `there`: its release still is.
    pub fn migrate_again(&mut self, there: bool, unlock: bool) {
        if let Some(migration) = self.migration.as_mut().filter(|_| !there) {
            (migration.seen, migration.failed) = (None, true);
        }
        if let Some(job) = self.job.as_mut() {
            job.options.unlock = unlock;
        }
    }

    /// The data was restored to what it was before the migration. What it is its own file says,
    /// or what was known before.
    pub fn data_restored(&mut self) {
        let Some(migration) = self.migration.take() else { return };
        match migration.from {
            Some(from) => self.data_versions.insert(migration.directory, from),
            None => self.data_versions.remove(&migration.directory),
        };
        self.failure = self.failure.take().filter(|failure| failure.kind != JobKind::Migrate);
    }

    /// The migration has ended, and its log is kept.
    pub fn migration_ended(&mut self, end: MigrationEnd) {
        let fresh = self.migration.as_ref().is_some_and(|migration| migration.after_fresh);
        if let Some(migration) = self.migration.as_mut() {
            migration.failed = !end.succeeded;
        }
        if let Some(migration) = self.migration.take_if(|_| end.succeeded) {
            self.data_versions.insert(migration.directory, migration.to);
        }
        if let Some(job) = self.job.as_mut() {
            job.migration_end = Some(MigrationEnd { fresh, ..end });
        }
    }

    /// Volumes outlive their claims from now on.
    pub fn volumes_retained(&mut self, volumes: Vec<(String, String)>) {
        if let Some(job) = self.job.as_mut() {
            job.retained.extend(volumes);
        }
    }

    /// Jobs of hooks were deleted.
    pub fn hooks_deleted(&mut self, jobs: Vec<ObjectId>) {
        if let Some(down) = self.job.as_mut().and_then(|job| job.takedown.as_mut()) {
            down.ended.extend(jobs);
        }
    }

    /// A hook failed: what is left is taken down without them.
    pub fn skip_hooks(&mut self, invocation: &str, now: Timestamp) -> Option<String> {
        self.record_unit(invocation, now);
        self.end_unfinished(now);
        let job = self.job.as_mut()?;
        job.options.no_hooks = true;
        Some(job.step.take()?.unit)
    }

    /// The unit that worked last is known to have ended, not to have ended well.
    fn end_unfinished(&mut self, now: Timestamp) {
        for unfinished in self.unfinished.iter_mut().filter(|unfinished| unfinished.until.is_none()) {
            unfinished.until = Some(now);
        }
        if let Some(deployed) = self.deployed.as_mut()
            && let Some((_, until @ None)) = deployed.made.as_mut()
        {
            *until = Some(now);
        }
    }

    /// Goes on to an upgrade in place of what is there.
    pub fn begin_upgrade(&mut self, from: String) {
        if let Some(job) = self.job.as_mut() {
            job.upgrade_from = Some(from);
            job.stage = Stage::Install;
        }
    }

    /// Notes a unit before it is started, and returns its name. What is about to be
    /// installed counts as ours from here on, however the installation ends.
    pub fn begin_unit(&mut self, what: StepKind, now: Timestamp) -> Option<String> {
        let job = self.job.as_mut()?;
        let name = what.name();
        job.units += 1;
        let unit = format!("kaapana-job-{}-{name}-{}.service", job.id, job.units);
        let begun = match what {
            StepKind::Install | StepKind::Upgrade => {
                job.installing = true;
                let mut deployed = installing(job, now)?;
                if what == StepKind::Upgrade {
                    deployed.made = self.deployed.as_ref().and_then(|before| before.made);
                    deployed.replaces.clone_from(&job.upgrade_from);
                }
                Some(deployed)
            }
            _ => None,
        };
        if let Some(release) = release_of(job, &what) {
            self.unfinished.retain(|known| known.release != release);
            self.unfinished.push(Unfinished { release, from: now, until: None });
        }
        job.steps.push(StepRecord {
            unit: unit.clone(),
            what: what.to_string(),
            invocation: String::new(),
            started: now,
            finished: None,
        });
        job.last_unit.clone_from(&unit);
        let migration = (what == StepKind::Migrate).then(|| migrating(job, now)).flatten();
        let uninstalls = matches!(what, StepKind::Uninstall { .. });
        job.step = Some(RunningStep { unit: unit.clone(), what, started: now });
        if let Some(deployed) = self.deployed.as_mut().filter(|_| uninstalls) {
            deployed.partial = true;
        }
        if let Some(migration) = migration {
            let after_fresh = self.migration.as_ref().is_some_and(|known| known.fresh || known.after_fresh);
            self.migration = Some(Migration { after_fresh, ..migration });
            // Nothing of before is ever put back onto data that may be changed from here on.
            (self.deployed, self.previous) = (None, None);
        }
        if let Some(begun) = begun {
            self.identity = Some(begun.identity.clone());
            if let Some(settings) = &begun.settings {
                self.data_versions.insert(settings.fast_dir(), settings.text("platform.version").to_owned());
            }
            // What an upgrade replaces is the way back.
            self.forget_deployed();
            self.deployed = Some(begun);
        }
        Some(unit)
    }

    /// Notes how a unit ended, and returns its name.
    pub fn close_unit(&mut self, success: bool, invocation: &str, now: Timestamp) -> Option<String> {
        self.record_unit(invocation, now);
        let job = self.job.as_mut()?;
        let step = job.step.take()?;
        let release = release_of(job, &step.what);
        self.unfinished.retain(|known| Some(&known.release) != release.as_ref());
        match step.what {
            StepKind::Install | StepKind::Upgrade if success => {
                job.stage = Stage::Follow;
                self.note_installed(now);
            }
            StepKind::Install | StepKind::Upgrade | StepKind::Migrate => {}
            // What the runtime has now is asked anew.
            StepKind::ImportImages { .. } => {
                job.imported = success;
                job.in_hand = Some(now);
                job.prepared = None;
            }
            StepKind::EnableGpu { .. } => {
                job.arranged.insert("enable-gpu".to_owned());
                job.in_hand = Some(now);
            }
            StepKind::PreTakedown { program } => {
                job.pre_takedown_done = success.then_some(program);
                job.in_hand = Some(now);
            }
            // What is left of the migration's release is no reason to take back what it did.
            StepKind::Uninstall { .. } if job.migration_end.is_some() && job.stage == Stage::Migrate => {
                job.migration_end.iter_mut().for_each(|end| end.removed = true);
            }
            StepKind::Uninstall { namespace, release, .. } => {
                if let Some(down) = job.takedown.as_mut() {
                    down.uninstalled.push((namespace, release));
                    // What is left has its time from the last uninstallation on.
                    down.since = Some(now);
                }
            }
        }
        Some(step.unit)
    }

    /// Notes the run of the unit that ended.
    pub fn record_unit(&mut self, invocation: &str, now: Timestamp) {
        if let Some(record) = self.job.as_mut().and_then(|job| job.steps.last_mut()) {
            record.finished = Some(now);
            invocation.clone_into(&mut record.invocation);
        }
    }

    /// A unit vanished without a result.
    pub fn forget_unit(&mut self, now: Timestamp) {
        self.end_unfinished(now);
        if let Some(job) = self.job.as_mut() {
            job.step = None;
            job.lost += 1;
        }
    }

    /// The last good deployment is to be put back: the job goes on with its chart,
    /// values and settings, and takes down what failed first.
    pub fn turn_back(&mut self, failure: JobFailure, now: Timestamp) {
        self.end_unfinished(now);
        // What was taken down in part, or to its end, was good before.
        if let Some(good) = self.deployed.as_ref().filter(|deployed| deployed.partial && deployed.healthy) {
            self.previous = Some(Deployed { partial: false, ..good.clone() });
        }
        let (Some(job), Some(previous)) = (self.job.as_mut(), &self.previous) else { return };
        let Some(settings) = &previous.settings else { return };
        let known = job.way_back.take();
        let attempts = known.as_ref().map_or(0, |way| way.attempts) + 1;
        let (failure, intent) = known.map_or((failure, job.intent.clone()), |way| (way.failure, way.intent));
        job.way_back = Some(WayBack { failure, intent, generation: previous.generation, attempts });
        // How the agent works is as the site wants it now.
        job.settings = settings.with_agent_keys(&job.settings);
        job.intent = Some(previous.intent.clone());
        job.generation = previous.generation;
        job.prepared = Some(Prepared {
            chart_digest: previous.chart_digest.clone(),
            chart_file: previous.chart_file.clone(),
            values: previous.values.clone(),
            machine: previous.machine.clone(),
            kinds: previous.kinds.clone(),
            images: previous.images.clone(),
            registry_hosting: previous.registry_hosting,
            missing_images: Vec::new(),
            import: None,
            aside: None,
            migration: None,
            storage: None,
            gpu_operator: None,
        });
        job.stage = Stage::TakeDown;
        // The platform may have had another name.
        job.arranged.clear();
        job.in_hand = Some(now);
        (job.takedown, job.step, job.upgrade_from, job.fault) = (None, None, None, None);
        // What was canceled is canceled; the way back is another thing.
        job.canceled_by = None;
        (job.healthy_since, job.failing_since) = (None, None);
        (job.installing, job.lost) = (false, 0);
        job.pre_takedown_done = None;
    }

    /// A job of the agent's own that puts the last good deployment back, because the try
    /// that was to follow a failure cannot be made.
    pub fn start_way_back(&mut self, reason: String, now: Timestamp) {
        let Some(failure) = self.failure.clone() else { return };
        let Some(job) = self.start_job(JobKind::Deploy, reason, None, now) else { return };
        job.intent.clone_from(&failure.intent);
        let Failure { reason, message, tail, cause, .. } = failure;
        self.turn_back(JobFailure { result: JobResult::Failed, reason, message, tail, cause }, now);
    }

    /// Workflows are waited for, or no longer: the job's time counts anew then.
    pub fn note_waiting(&mut self, since: Option<Timestamp>, now: Timestamp) {
        if let Some(job) = self.job.as_mut() {
            job.waiting_since = since;
            job.in_hand = Some(now);
        }
    }

    /// An action of the running job failed.
    pub fn note_fault(&mut self, fault: JobFailure, now: Timestamp) {
        self.end_unfinished(now);
        if let Some(job) = self.job.as_mut() {
            job.in_hand = Some(now);
            job.fault = Some(fault);
        }
    }

    /// Notes that an image was brought in hand.
    pub fn image_pulled(&mut self, image: &str, now: Timestamp) {
        let Some(job) = self.job.as_mut() else { return };
        job.in_hand = Some(now);
        if let Some(prepared) = job.prepared.as_mut() {
            prepared.missing_images.retain(|missing| missing != image);
        }
    }

    /// Goes on to a stage of the running job.
    pub fn advance(&mut self, stage: Stage, now: Timestamp) {
        let Some(job) = self.job.as_mut() else { return };
        job.stage = stage;
        match stage {
            Stage::TakeDown => job.in_hand = Some(now),
            // The take-down is over: what was there is the way back.
            Stage::Install | Stage::Migrate => {
                self.leftovers.clear();
                self.hooks.clear();
                self.forget_deployed();
            }
            // The installation ended while the agent was away.
            Stage::Follow => self.note_installed(now),
            Stage::Prepare => {}
        }
    }

    fn note_installed(&mut self, now: Timestamp) {
        if let Some(deployed) = self.deployed.as_mut() {
            deployed.installed = true;
            if let Some((_, until @ None)) = deployed.made.as_mut() {
                *until = Some(now);
            }
        }
    }

    /// The platform became healthy after its job had given up.
    pub fn recovered(&mut self) {
        let Some(deployed) = self.deployed.as_mut() else { return };
        deployed.healthy = true;
        // What failed with another intent has failed all the same.
        let other = |failure: &mut Failure| failure.intent.as_ref().is_some_and(|intent| !intent.matches(&deployed.intent));
        self.failure = self.failure.take_if(other);
    }

    /// What was installed is down; it stays as the way back when it was healthy once.
    fn forget_deployed(&mut self) {
        if let Some(mut deployed) = self.deployed.take()
            && (deployed.healthy || deployed.adopted.is_some())
        {
            deployed.partial = false;
            self.previous = Some(deployed);
        }
    }
}

/// The release a unit of the job works on, by namespace and name; the site's program on none.
fn release_of(job: &Job, what: &StepKind) -> Option<(String, String)> {
    match what {
        StepKind::PreTakedown { .. } | StepKind::ImportImages { .. } => None,
        StepKind::EnableGpu { .. } => Some((super::GPU_OPERATOR_NAMESPACE.to_owned(), super::GPU_OPERATOR.to_owned())),
        StepKind::Uninstall { .. } => what.release(),
        StepKind::Migrate => Some((job.settings.helm_namespace(), super::MIGRATION_RELEASE.to_owned())),
        StepKind::Install | StepKind::Upgrade => Some((job.settings.helm_namespace(), job.settings.release_name().to_owned())),
    }
}

/// The migration that is about to be begun, as it is remembered.
fn migrating(job: &Job, at: Timestamp) -> Option<Migration> {
    let prepared = job.prepared.as_ref()?.migration.as_ref()?;
    Some(Migration {
        job: job.id,
        description: job.description(),
        from: prepared.from.clone(),
        to: prepared.to.clone(),
        directory: job.settings.fast_dir(),
        begun: Some(at),
        seen: None,
        failed: false,
        fresh: false,
        after_fresh: false,
    })
}

/// What is about to be installed, as it is remembered.
fn installing(job: &Job, at: Timestamp) -> Option<Deployed> {
    let prepared = job.prepared.as_ref()?;
    let mut intent = job.intent.clone()?;
    intent.digest = Some(prepared.chart_digest.clone());
    Some(Deployed {
        job: job.id,
        description: job.description(),
        generation: job.generation,
        settings: Some(job.settings.clone()),
        intent,
        identity: job.settings.identity(),
        ownership: Ownership::of(&job.settings),
        chart_digest: prepared.chart_digest.clone(),
        chart_file: prepared.chart_file.clone(),
        values: prepared.values.clone(),
        adopted: None,
        machine: prepared.machine.clone(),
        kinds: prepared.kinds.clone(),
        images: prepared.images.clone(),
        registry_hosting: prepared.registry_hosting,
        installed: false,
        healthy: false,
        partial: false,
        replaces: None,
        made: Some((at, None)),
        at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sites_program_says_nothing_of_an_unfinished_release() {
        let mut ledger = Ledger { settings: Some(crate::ledger::tests::settings("deployed")), ..Ledger::default() };
        let now = Timestamp::UNIX_EPOCH;
        let root = ("default".to_owned(), "kaapana-admin-chart".to_owned());
        ledger.unfinished.push(Unfinished { release: root.clone(), from: now, until: Some(now) });
        ledger.start_job(JobKind::Undeploy, "test".into(), None, now).unwrap();
        ledger.begin_unit(StepKind::PreTakedown { program: "/bin/true".into() }, now).unwrap();
        ledger.close_unit(true, "", now).unwrap();
        assert_eq!(ledger.unfinished.len(), 1, "what helm left is still known");
        let down = StepKind::Uninstall { namespace: root.0, release: root.1, no_hooks: false };
        ledger.begin_unit(down, now).unwrap();
        ledger.close_unit(true, "", now).unwrap();
        assert!(ledger.unfinished.is_empty(), "until it is seen to end");
    }
}
