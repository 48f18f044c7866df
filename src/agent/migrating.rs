//! Requests about the migration of the data: what the planner says is remembered and told.

use super::Agent;
use super::requests::{MigrateOptions, Refusal, Requester, blocked, conflict};
use crate::error;
use crate::ledger::JobKind;
use crate::planner::Inputs;
use crate::planner::job::migrate;
use crate::planner::migration::{self, Refused};
use crate::state::Observed;
use crate::telemetry::id;

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::NothingToDo(message) => Self::NothingToDo(message),
            Refused::Blocked(message) => Self::Blocked(message),
            Refused::Held(holds) => blocked(&holds),
            Refused::NotMeant(message) => Self::InvalidArgument(message),
        }
    }
}

impl Agent {
    pub(super) fn accept_migrate(&mut self, requester: Requester, options: MigrateOptions) -> Result<u32, Refusal> {
        let Some(settings) = self.ledger.settings.clone() else { return Err(Refusal::NotConfigured) };
        if let Some(job) = &self.ledger.job {
            let same = job.kind == JobKind::Migrate
                && job.generation == self.ledger.generation
                && job.way_back.is_none()
                && job.canceled_by.is_none()
                && (job.options.unlock || !options.unlock);
            return if same { self.join(job.id, requester, false, false) } else { Err(conflict(job)) };
        }
        let inputs = Inputs { snapshot: &self.snapshot, ledger: &self.ledger, now: self.now() };
        migration::migrate(&inputs, &settings, options.now)?;
        let there = migrate::release(&inputs, &settings).is_some();
        let reason = if options.reason.is_empty() { "asked for".to_owned() } else { options.reason };
        self.accept_job(JobKind::Migrate, reason, requester, |ledger| ledger.migrate_again(there, options.unlock))
    }

    pub(super) fn accept_forget_migration(&mut self, requester: &Requester) -> Result<String, Refusal> {
        if let Some(job) = &self.ledger.job {
            return Err(conflict(job));
        }
        let inputs = Inputs { snapshot: &self.snapshot, ledger: &self.ledger, now: self.now() };
        let forgotten = migration::restored(&inputs)?.clone();
        self.commit(|ledger| ledger.data_restored()).map_err(|fault| Refusal::NotKept(error::chain(&fault)))?;
        // What was seen of the directories may be older than the restored data.
        self.snapshot.disks = Observed::Pending;
        self.touch_disks();
        let from = forgotten.from.as_deref().unwrap_or("an unknown version");
        let (path, to, uid) = (forgotten.directory.display().to_string(), forgotten.to, requester.uid);
        tracing::warn!(
            message_id = id::MIGRATION_FORGOTTEN,
            requester = uid,
            session = requester.session,
            path,
            "the migration of {path} from {from} to {to} is forgotten: uid {uid} says that the data was restored"
        );
        Ok(format!("the migration of {path} from {from} to {to} is forgotten; what lies there counts as restored"))
    }
}
