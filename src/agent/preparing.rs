//! What is brought in hand before anything is touched: the chart, its values, its images,
//! and the disks it will write to.

use std::sync::Arc;

use super::Agent;
use super::perform::{ACTION_LIMIT, Outcome};
use crate::actuators::{ActionError, cluster, disk, gpu, helm, images};
use crate::config::Settings;
use crate::config::derived::Machine;
use crate::config::values::{self, hex};
use crate::ledger::{Cause, Deployed, Intent, Job, JobResult};
use crate::paths::Paths;
use crate::planner::{Inputs, data};
use crate::sensors::storage;
use crate::state::{Gpu, Node, StorageProvider};

impl Agent {
    pub(super) fn begin_prepare(&mut self) -> bool {
        let Some(job) = &self.ledger.job else { return false };
        let inputs = Inputs { snapshot: &self.snapshot, ledger: &self.ledger, now: self.now() };
        let node = inputs.node().cloned();
        let disks = inputs.disks(&job.settings).map(|disks| [&disks.fast, &disks.slow]);
        let mut directories: Vec<_> =
            disks.into_iter().flatten().filter(|directory| directory.exists).map(|directory| directory.path.clone()).collect();
        directories.dedup();
        let data = inputs.disks(&job.settings).map(|disks| data::standing(&job.settings, &disks.fast, &self.ledger));
        let (Some(chart), Some(tools)) = (inputs.chart(&job.settings), self.snapshot.tools.last()) else {
            // Asked for while the first look is outstanding: the next one decides.
            return false;
        };
        let Some(helm) = tools.helm.clone() else {
            self.note_fault(
                JobResult::Failed,
                "HelmNotFound",
                format!(
                    "helm is at none of {}",
                    tools.helm_candidates.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
                ),
                Vec::new(),
                Cause::Interrupted,
            );
            return true;
        };
        let (job, chart) = (job.clone(), chart.clone());
        let intent = Intent::new(&job.settings, &chart);
        let secret = self.ledger.oidc_client_secret.clone().unwrap_or_else(random_secret);
        if !self.ledger_has(&intent, &secret) {
            let kept = self.commit(|ledger| {
                ledger.oidc_client_secret = Some(secret.clone());
                if let Some(job) = ledger.job.as_mut() {
                    job.intent = Some(intent);
                }
            });
            if kept.is_err() {
                return false;
            }
        }
        let machine = self.machine(node, secret);
        // The same chart is the way back to what was taken over without one.
        let same = |deployed: &&Deployed| {
            let version = |settings: &Settings| settings.text("platform.version").to_owned();
            deployed.adopted.is_some()
                && !deployed.is_in_hand()
                && deployed.settings.as_ref().map(version) == Some(version(&job.settings))
                && deployed.ownership.root == job.settings.release_name()
        };
        let adopted = self
            .ledger
            .deployed
            .as_ref()
            .filter(same)
            .and_then(|deployed| deployed.adopted.as_ref())
            .map(|adopted| adopted.given.clone());
        let from = data.as_ref().and_then(data::Standing::migrates_from);
        let version = self.snapshot.api.fresh().map(|api| api.version.clone()).unwrap_or_default();
        let (paths, connection) = (Arc::clone(&self.paths), self.connection.clone());
        self.act(async move {
            for (number, directory) in directories.iter().enumerate() {
                let id = format!("{}-{number}", job.id);
                if let Err(fault) = disk::try_writing(&connection, &paths, directory, &id).await {
                    return Outcome::Prepared(Err(ActionError::node("DiskNotWritable", &fault)));
                }
            }
            let prepared = async {
                let storage = look_at_storage(&paths, &job, &machine.node_name).await?;
                let longhorn = storage.as_ref().and_then(|provider| provider.longhorn.as_ref());
                let longhorn_nodes = longhorn.map_or(0, |longhorn| longhorn.schedulable);
                let machine = Machine { api_ip: cluster::api_address(&paths).await, longhorn_nodes, ..machine };
                let mut prepared = helm::prepare(&paths, &helm, &job, &chart, machine, &version, from).await?;
                prepared.storage = storage;
                prepared.gpu_operator = gpu::prepare(&paths, &job).await?;
                if let Some(values) = adopted {
                    prepared.aside = Some(helm::put_aside(&prepared.chart_file, &values).await?);
                }
                Ok(Box::new(prepared))
            };
            Outcome::Prepared(prepared.await)
        });
        false
    }

    pub(super) fn pull_image(&mut self, image: String) -> bool {
        let Some(job) = &self.ledger.job else { return false };
        let (paths, settings) = (Arc::clone(&self.paths), job.settings.clone());
        self.act_within(images::PULL_LIMIT + ACTION_LIMIT, async move {
            let pulled = images::pull(&paths, &settings, &image).await;
            Outcome::ImagePulled(image, pulled)
        });
        false
    }

    fn ledger_has(&self, intent: &Intent, secret: &str) -> bool {
        self.ledger.oidc_client_secret.as_deref() == Some(secret)
            && self.ledger.job.as_ref().is_some_and(|job| job.intent.as_ref() == Some(intent))
    }

    /// What a deployment takes from the machine, as it is now.
    pub(super) fn machine(&self, node: Option<Node>, oidc_client_secret: String) -> Machine {
        Machine {
            memory_mib: self.snapshot.system.last().map_or(0, |system| system.memory_mib),
            gpu: matches!(self.snapshot.gpu.last(), Some(Gpu::Devices { .. })),
            // Seen when a deployment is prepared.
            longhorn_nodes: 0,
            node_name: node.as_ref().map(|node| node.name.clone()).unwrap_or_default(),
            server_ip: node.and_then(|node| node.address.clone()),
            api_ip: None,
            timestamp: self.now().strftime("%Y-%m-%d-%H-%M").to_string(),
            oidc_client_secret,
        }
    }

    pub(super) fn begin_mark(&mut self, path: std::path::PathBuf) -> bool {
        let Some(disks) = self.snapshot.disks.fresh() else { return false };
        let seen = [&disks.fast, &disks.slow].into_iter().find(|directory| directory.path == path);
        let Some(mut identity) = seen.map(|directory| directory.identity.clone()) else { return false };
        let (paths, connection) = (Arc::clone(&self.paths), self.connection.clone());
        self.act(async move {
            if identity.marker.is_none() {
                let id: String = random_secret().chars().take(32).collect();
                match disk::mark(&connection, &paths, &path, &id).await {
                    Ok(()) => identity.marker = Some(id),
                    Err(fault) => {
                        let error = crate::error::chain(&fault);
                        tracing::warn!(
                            path = %path.display(),
                            error,
                            "{} gets no marker and is recognised by its file system alone: {error}",
                            path.display()
                        );
                    }
                }
            }
            Outcome::Marked { path, identity }
        });
        false
    }
}

/// The provider of volumes, where the release has a choice of one.
async fn look_at_storage(paths: &Paths, job: &Job, node: &str) -> Result<Option<StorageProvider>, ActionError> {
    if !values::has_key(&job.settings, "storage.volume_slow_data") {
        return Ok(None);
    }
    storage::look(&paths.kubeconfig, &job.settings, node).await.map(Some).map_err(|unseen| ActionError {
        reason: "StorageNotSeen",
        message: unseen.to_string(),
        tail: Vec::new(),
        cause: if matches!(unseen, storage::Unseen::Api(_)) { Cause::Api } else { Cause::Interrupted },
    })
}

/// 256 bits, hexadecimal.
fn random_secret() -> String {
    let mut bytes = [0_u8; 32];
    // Without randomness no secret can be made, and there is no other source.
    getrandom::fill(&mut bytes).expect("the kernel gives random bytes");
    hex(&bytes)
}
