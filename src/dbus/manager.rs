//! The manager: the state as a whole, and requests.

use std::collections::HashMap;

use tokio::sync::oneshot;
use zbus::message::Header;
use zbus::object_server::SignalEmitter;
use zbus::{Connection, OwnedObjectPath, OwnedVariant};

use super::auth::{Action, authorize};
use super::error::CallError;
use super::{Loop, check_path, job_path, microseconds};
use crate::agent::requests::{DeployOptions, MigrateOptions, Request, UndeployOptions};

/// Further arguments by name; an unknown name is refused.
type Options = HashMap<String, OwnedVariant>;

/// A check in a list: id, status, reason, message, object.
type CheckRow = (String, String, String, String, OwnedObjectPath);

/// The object of the agent itself.
pub struct Manager {
    of: Loop,
}

impl Manager {
    /// The object that speaks for the loop.
    #[must_use]
    pub fn new(of: Loop) -> Self {
        Self { of }
    }

    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Result<T, CallError> {
        let (reply, answer) = oneshot::channel();
        self.of.requests.send(request(reply)).await.map_err(|_| CallError::stopping())?;
        answer.await.map_err(|_| CallError::stopping())
    }
}

fn path(text: String) -> Result<OwnedObjectPath, CallError> {
    OwnedObjectPath::try_from(text).map_err(|error| CallError::own("Internal", error.to_string()))
}

/// Takes the known options out; what is left over is unknown.
fn finish(options: &Options, known: &[&str]) -> Result<(), CallError> {
    match options.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) if known.is_empty() => {
            Err(CallError::own("InvalidArgument", format!("unknown option {key:?}; this call has none")))
        }
        Some(key) => {
            Err(CallError::own("InvalidArgument", format!("unknown option {key:?}, expected one of {}", known.join(", "))))
        }
    }
}

fn flag(options: &Options, key: &str) -> Result<bool, CallError> {
    let Some(value) = options.get(key) else { return Ok(false) };
    bool::try_from(value).map_err(|_| CallError::own("InvalidArgument", format!("the option {key} wants a boolean")))
}

fn text(options: &Options, key: &str) -> Result<String, CallError> {
    let Some(value) = options.get(key) else { return Ok(String::new()) };
    let text =
        <&str>::try_from(value).map_err(|_| CallError::own("InvalidArgument", format!("the option {key} wants a string")))?;
    plain(key, text)
}

fn plain(what: &str, text: &str) -> Result<String, CallError> {
    if text.chars().count() > 500 || text.chars().any(char::is_control) {
        return Err(CallError::own("InvalidArgument", format!("{what} wants up to 500 characters without control characters")));
    }
    Ok(text.to_owned())
}

/// The agent: what the platform is in, and what may be asked of it. Reading is
/// free; polkit decides about everything else.
#[zbus::interface(name = "ai.kaapana.Agent1.Manager")]
impl Manager {
    /// Everything that is published, as a JSON document: phase, conditions, holds,
    /// the running job, finished jobs, health.
    #[zbus(out_args("document"))]
    fn describe(&self) -> Result<String, CallError> {
        serde_json::to_string(&*self.of.now()).map_err(|error| CallError::own("Internal", error.to_string()))
    }

    /// What would be done next and what is held back and why, as a JSON document:
    /// steps, holds, would (the steps that holds keep from being taken), because (keys
    /// that differ from what is installed, and what each forces), values that would
    /// change (secrets masked).
    #[zbus(out_args("document"))]
    async fn plan(&self, options: Options) -> Result<String, CallError> {
        finish(&options, &[])?;
        self.ask(|reply| Request::Plan { reply }).await
    }

    /// The values that Helm would be given for what is configured, as a JSON document: path
    /// to value, secrets masked. Those that depend on the machine are of the machine of the
    /// deployment that runs; a new one takes this one's.
    /// Errors: NotConfigured, Blocked.
    #[zbus(out_args("document"))]
    async fn values(&self, options: Options) -> Result<String, CallError> {
        finish(&options, &[])?;
        Ok(self.ask(|reply| Request::Values { reply }).await??)
    }

    /// Deploys what is configured. Returns the job at once; a deployment that runs
    /// already and does the same is returned. Options: reason (s), again (b): also
    /// when nothing differs, now (b): also outside of the maintenance windows,
    /// stop-workflows (b): running workflows are not waited for, unlock (b): releases
    /// that are stuck at their first revision are given up, accept-identity-change
    /// (b): another platform than before is meant, accept-disk-change (b): other data
    /// disks than before are meant, accept-fresh-deploy (b): a migration wants the version
    /// deployed afresh before it goes on, accept-unknown-data (b): what lies in the fast data
    /// directory is no platform's data.
    /// Errors: NotConfigured, JobConflict, NothingToDo, Blocked, InvalidArgument, NotKept.
    #[zbus(out_args("job"))]
    async fn deploy(
        &self,
        options: Options,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<OwnedObjectPath, CallError> {
        finish(
            &options,
            &[
                "reason",
                "again",
                "now",
                "stop-workflows",
                "unlock",
                "accept-identity-change",
                "accept-disk-change",
                "accept-fresh-deploy",
                "accept-unknown-data",
            ],
        )?;
        let options = DeployOptions {
            reason: text(&options, "reason")?,
            again: flag(&options, "again")?,
            now: flag(&options, "now")?,
            stop_workflows: flag(&options, "stop-workflows")?,
            unlock: flag(&options, "unlock")?,
            accept_identity_change: flag(&options, "accept-identity-change")?,
            accept_disk_change: flag(&options, "accept-disk-change")?,
            accept_unknown_data: flag(&options, "accept-unknown-data")?,
            accept_fresh_deploy: flag(&options, "accept-fresh-deploy")?,
        };
        let requester = authorize(connection, &header, Action::Deploy).await?;
        let job = self.ask(|reply| Request::Deploy { requester, options, reply }).await??;
        path(job_path(job))
    }

    /// Takes over the platform that somebody else deployed, as it is: nothing on the node
    /// is changed. Returns a sentence. Values that differ from the configuration stay until
    /// it changes or someone deploys.
    /// Errors: NotConfigured, JobConflict, NothingToDo, Blocked, NotKept.
    #[zbus(out_args("means"))]
    async fn adopt(
        &self,
        options: Options,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<String, CallError> {
        finish(&options, &[])?;
        let requester = authorize(connection, &header, Action::Deploy).await?;
        Ok(self.ask(|reply| Request::Adopt { requester, reply }).await??)
    }

    /// Takes down what runs and migrates the data to the configured version, which cannot be
    /// undone: whoever calls it has a backup. A deployment follows by itself. Returns the job
    /// at once. Options: reason (s), now (b), unlock (b): as Deploy.
    /// Errors: NotConfigured, JobConflict, NothingToDo, Blocked, InvalidArgument, NotKept.
    #[zbus(out_args("job"))]
    async fn migrate(
        &self,
        options: Options,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<OwnedObjectPath, CallError> {
        finish(&options, &["reason", "now", "unlock"])?;
        let options =
            MigrateOptions { reason: text(&options, "reason")?, now: flag(&options, "now")?, unlock: flag(&options, "unlock")? };
        let requester = authorize(connection, &header, Action::Deploy).await?;
        let job = self.ask(|reply| Request::Migrate { requester, options, reply }).await??;
        path(job_path(job))
    }

    /// Has the container runtime import an archive of images, as docker save and ctr images
    /// export write them. It is looked into first; one that is cut off or something else is
    /// refused before anything is imported. archive: an absolute path. Returns the job at once;
    /// it touches nothing that runs. Options: reason (s).
    /// Errors: NotConfigured, JobConflict, InvalidArgument, NotKept.
    #[zbus(out_args("job"))]
    async fn import_images(
        &self,
        archive: String,
        options: Options,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<OwnedObjectPath, CallError> {
        finish(&options, &["reason"])?;
        let reason = text(&options, "reason")?;
        let requester = authorize(connection, &header, Action::Deploy).await?;
        let archive = archive.into();
        let job = self.ask(|reply| Request::ImportImages { requester, archive, reason, reply }).await??;
        path(job_path(job))
    }

    /// Forgets a migration that was begun, because the data was restored from a backup:
    /// from here on what lies there counts. Changes nothing on the node. Returns a sentence.
    /// Errors: JobConflict, NothingToDo, NotKept.
    #[zbus(out_args("means"))]
    async fn forget_migration(
        &self,
        options: Options,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<String, CallError> {
        finish(&options, &[])?;
        let requester = authorize(connection, &header, Action::Deploy).await?;
        Ok(self.ask(|reply| Request::ForgetMigration { requester, reply }).await??)
    }

    /// Takes the platform down; its data stays, and that it is down is remembered.
    /// Returns the job at once. Options: reason (s), no-hooks (b): without the
    /// charts' hooks, nuke-pods (b): what pods are left of the platform is deleted by
    /// force, stop-workflows (b), unlock (b): as Deploy. Errors: as Deploy.
    #[zbus(out_args("job"))]
    async fn undeploy(
        &self,
        options: Options,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<OwnedObjectPath, CallError> {
        finish(&options, &["reason", "no-hooks", "nuke-pods", "stop-workflows", "unlock"])?;
        let options = UndeployOptions {
            reason: text(&options, "reason")?,
            no_hooks: flag(&options, "no-hooks")?,
            nuke_pods: flag(&options, "nuke-pods")?,
            stop_workflows: flag(&options, "stop-workflows")?,
            unlock: flag(&options, "unlock")?,
        };
        let requester = authorize(connection, &header, Action::Undeploy).await?;
        let job = self.ask(|reply| Request::Undeploy { requester, options, reply }).await??;
        path(job_path(job))
    }

    /// Ends the running job where it can be ended, and returns what that means in a
    /// sentence; it is the job's CancelMeans of that moment. Errors: NoSuchJob,
    /// NothingToDo, JobConflict, NotKept.
    #[zbus(out_args("means"))]
    async fn cancel_job(
        &self,
        id: u32,
        options: Options,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<String, CallError> {
        finish(&options, &[])?;
        let requester = authorize(connection, &header, Action::ManageJobs).await?;
        Ok(self.ask(|reply| Request::Cancel { requester, job: id, reply }).await??)
    }

    /// The agent starts nothing by itself any more; a job that has begun to change the
    /// platform goes on to its end. reason is shown to everybody. until: when it goes on by itself, in
    /// microseconds since the epoch; 0: when someone resumes.
    async fn pause(
        &self,
        reason: String,
        until: u64,
        options: Options,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<(), CallError> {
        finish(&options, &[])?;
        let reason = plain("reason", &reason)?;
        let until = match until {
            0 => None,
            time => Some(
                i64::try_from(time)
                    .ok()
                    .and_then(|time| jiff::Timestamp::from_microsecond(time).ok())
                    .ok_or_else(|| CallError::own("InvalidArgument", "until is not a time"))?,
            ),
        };
        let requester = authorize(connection, &header, Action::Configure).await?.uid;
        Ok(self.ask(|reply| Request::Pause { requester, reason, until, reply }).await??)
    }

    /// Ends a pause. Error: NothingToDo.
    async fn resume(
        &self,
        options: Options,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<(), CallError> {
        finish(&options, &[])?;
        authorize(connection, &header, Action::Configure).await?;
        Ok(self.ask(|reply| Request::Resume { reply }).await??)
    }

    /// Reads the configuration now instead of after the settle time. Returns the
    /// generation in force. Error: InvalidConfiguration with every problem in a
    /// line; the generation in force stays.
    #[zbus(out_args("generation"))]
    async fn reload(
        &self,
        options: Options,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<u64, CallError> {
        finish(&options, &[])?;
        authorize(connection, &header, Action::Configure).await?;
        self.ask(|reply| Request::Reload { reply }).await?.map_err(|problems| CallError::own("InvalidConfiguration", problems))
    }

    /// The job with this number. Error: NoSuchJob.
    #[zbus(out_args("job"))]
    fn get_job(&self, id: u32) -> Result<OwnedObjectPath, CallError> {
        let published = self.of.now();
        let known = published.job.as_ref().is_some_and(|job| job.id == id) || published.history.iter().any(|job| job.id == id);
        if known { path(job_path(id)) } else { Err(CallError::own("NoSuchJob", format!("there is no job {id}"))) }
    }

    /// Jobs, oldest first: number, type, result (empty while it runs), object.
    #[zbus(out_args("jobs"))]
    fn list_jobs(&self) -> Result<Vec<(u32, String, String, OwnedObjectPath)>, CallError> {
        let published = self.of.now();
        let finished = published.history.iter().map(|job| (job.id, job.kind.as_str().to_owned(), job.result.as_str().to_owned()));
        let running = published.job.iter().map(|job| (job.id, job.kind.to_owned(), String::new()));
        finished.chain(running).map(|(id, kind, result)| Ok((id, kind, result, path(job_path(id))?))).collect()
    }

    /// Checks: id, status, reason, message, object.
    #[zbus(out_args("checks"))]
    fn list_checks(&self) -> Result<Vec<CheckRow>, CallError> {
        let published = self.of.now();
        let conditions = published.conditions.iter();
        conditions
            .map(|c| {
                Ok((c.id.clone(), c.status.as_str().to_owned(), c.reason.clone(), c.message.clone(), path(check_path(&c.id))?))
            })
            .collect()
    }

    /// A job was accepted.
    #[zbus(signal)]
    pub async fn job_new(emitter: &SignalEmitter<'_>, id: u32, job: OwnedObjectPath) -> zbus::Result<()>;

    /// A job ended: done, failed, canceled, timeout or skipped. Its object stays.
    #[zbus(signal)]
    pub async fn job_removed(emitter: &SignalEmitter<'_>, id: u32, job: OwnedObjectPath, result: String) -> zbus::Result<()>;

    /// Version of the agent.
    #[zbus(property(emits_changed_signal = "const"))]
    fn version(&self) -> &str {
        env!("CARGO_PKG_VERSION")
    }

    /// What the platform is in: Unconfigured, Blocked, Undeployed, Deploying,
    /// Progressing, Healthy, Degraded, Repairing, Undeploying, NeedsOperator, Paused.
    #[zbus(property)]
    fn phase(&self) -> &str {
        self.of.now().phase.as_str()
    }

    /// The phase in a sentence.
    #[zbus(property)]
    fn summary(&self) -> String {
        self.of.now().summary.clone()
    }

    /// Number of the configuration in force; it grows with each accepted one. 0: none.
    #[zbus(property)]
    fn generation(&self) -> u64 {
        self.of.now().generation
    }

    /// What is wished: "deployed" or "undeployed".
    #[zbus(property)]
    fn desired_state(&self) -> String {
        self.of.now().desired_state.clone()
    }

    /// What is wrong with the configuration on disk, a problem a line; empty when
    /// nothing is. The generation in force is not touched by it.
    #[zbus(property)]
    fn configuration_error(&self) -> String {
        self.of.now().config_error.clone()
    }

    /// When a changed configuration is read, in microseconds since the epoch; 0: none changed.
    #[zbus(property)]
    fn settling_until(&self) -> u64 {
        microseconds(self.of.now().settling_until)
    }

    /// Why the agent is paused; empty when it is not.
    #[zbus(property)]
    fn pause_reason(&self) -> String {
        self.of.now().pause_reason.clone()
    }

    /// When a pause ends by itself, in microseconds since the epoch; 0: it does not.
    #[zbus(property)]
    fn paused_until(&self) -> u64 {
        microseconds(self.of.now().paused_until)
    }

    /// The job that runs; "/" when none does.
    #[zbus(property)]
    fn current_job(&self) -> Result<OwnedObjectPath, zbus::fdo::Error> {
        let text = self.of.now().job.as_ref().map_or_else(|| "/".to_owned(), |job| job_path(job.id));
        path(text).map_err(|error| zbus::fdo::Error::Failed(error.to_string()))
    }
}
