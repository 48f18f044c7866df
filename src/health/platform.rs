//! The health of everything that belongs to the platform.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Level, waits};
use crate::config::Settings;
use crate::state::{ClusterView, ObjectId, Pod, Release};

/// What proves that a release is of this platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ownership {
    /// Name of the root release.
    pub root: String,
    /// Namespace of the root release.
    pub namespace: String,
    /// `global.instance_uid`.
    pub instance_uid: String,
    /// `global.hostname`.
    pub hostname: String,
}

impl Ownership {
    /// That of the platform these settings describe.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        Self {
            root: settings.release_name().to_owned(),
            namespace: settings.helm_namespace(),
            instance_uid: settings.text("platform.instance_uid").to_owned(),
            hostname: settings.text("platform.domain").to_owned(),
        }
    }

    /// Is it the root release, by name and namespace? The ledger says whether that
    /// one was installed by the agent.
    #[must_use]
    pub fn is_root(&self, release: &Release) -> bool {
        release.name == self.root && release.namespace == self.namespace
    }

    /// Is it one of those a deployment brings, and not what people install later? By
    /// Kaapana 0.6: the root, its collections, the platform, what `init-extensions`
    /// installs, and the first project.
    #[must_use]
    pub fn is_essential(&self, release: &Release) -> bool {
        self.is_root(release)
            || release.chart.contains("extension-collection")
            || release.chart.ends_with("platform-chart")
            || ["kaapana-workflows-core", "code-server-chart"].contains(&release.chart.as_str())
            || release.name.ends_with("project-admin")
    }

    /// Was it installed by the platform itself: do its stored values carry the
    /// root release's name, the instance and the host name?
    #[must_use]
    pub fn is_inner(&self, release: &Release) -> bool {
        !self.is_root(release)
            && release.global_release_name.as_deref() == Some(&self.root)
            && release.global_instance_uid.as_deref().unwrap_or_default() == self.instance_uid
            && release.global_hostname.as_deref() == Some(&self.hostname)
    }

    /// Is it a namespace in which workflows run: one of a project, or of jobs?
    fn is_of_workflows(&self, namespace: &str, jobs: Option<&str>) -> bool {
        let name = match self.instance_uid.as_str() {
            "" => Some(namespace),
            uid => namespace.strip_prefix(uid).and_then(|rest| rest.strip_prefix('-')),
        };
        jobs == Some(namespace) || name.is_some_and(|name| name == "jobs" || name.starts_with("project-"))
    }

    /// Pods of workflows that have not ended: in the namespaces of projects and jobs,
    /// and not of a workload that a release of the platform brings. `jobs`: the namespace of
    /// jobs, in releases that have one.
    #[must_use]
    pub fn workflows<'c>(&self, cluster: &'c ClusterView, jobs: Option<&str>) -> Vec<&'c Pod> {
        let brought: BTreeSet<&ObjectId> =
            self.releases(cluster).into_iter().flat_map(|release| &release.objects).map(|object| &object.id).collect();
        let of_a_workload = |pod: &Pod| {
            pod.owner.as_ref().is_some_and(|owner| brought.contains(owner) || !matches!(owner.kind.as_str(), "Job" | "Pod"))
        };
        cluster
            .pods
            .values()
            .map(AsRef::as_ref)
            .filter(|pod| {
                pod.active && pod.deleting.is_none() && self.is_of_workflows(&pod.namespace, jobs) && !of_a_workload(pod)
            })
            .collect()
    }

    /// Releases, and pods of no release of the platform, in its namespaces: not ours.
    #[must_use]
    pub fn strangers(&self, cluster: &ClusterView, namespaces: &[String], leftovers: &BTreeSet<ObjectId>) -> Vec<String> {
        let ours = self.releases(cluster);
        let mut brought = BTreeSet::new();
        for release in &ours {
            brought.extend(release.objects.iter().map(|object| &object.id).chain(&release.hooks));
        }
        let releases = cluster
            .releases
            .values()
            .filter(|release| namespaces.contains(&release.namespace) && !self.is_inner(release) && !self.is_root(release))
            .map(|release| format!("release {}/{}", release.namespace, release.name));
        let pods = cluster
            .pods
            .values()
            .filter(|pod| pod.active && namespaces.contains(&pod.namespace))
            .filter(|pod| pod.owner.as_ref().is_none_or(|owner| !brought.contains(owner) && !leftovers.contains(owner)))
            .map(|pod| format!("Pod {}/{}", pod.namespace, pod.name));
        releases.chain(pods).collect()
    }

    /// The pods of workloads that the platform's releases bring, and those that are left
    /// of what was taken down.
    #[must_use]
    pub fn pods<'c>(&self, cluster: &'c ClusterView, leftovers: &BTreeSet<ObjectId>) -> Vec<&'c Pod> {
        let ours = self.releases(cluster);
        let brought: BTreeSet<&ObjectId> = ours.iter().flat_map(|release| &release.objects).map(|object| &object.id).collect();
        cluster
            .pods
            .values()
            .map(AsRef::as_ref)
            .filter(|pod| pod.owner.as_ref().is_some_and(|owner| brought.contains(owner) || leftovers.contains(owner)))
            .collect()
    }

    /// The platform's releases: inner ones in the order to take them down, the root last.
    #[must_use]
    pub fn releases<'c>(&self, cluster: &'c ClusterView) -> Vec<&'c Release> {
        let mut ours: Vec<&Release> =
            cluster.releases.values().map(AsRef::as_ref).filter(|r| self.is_inner(r) || self.is_root(r)).collect();
        // What was installed last goes first: projects and extensions, then the
        // platform, then collections, then the root.
        ours.sort_by_key(|release| {
            let rank = match (self.is_root(release), release.chart.as_str()) {
                (true, _) => 3,
                (false, chart) if chart.contains("extension-collection") => 2,
                (false, "kaapana-platform-chart") => 1,
                _ => 0,
            };
            (rank, release.name.clone())
        });
        ours
    }
}

/// How far the platform is and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PlatformHealth {
    /// Releases in status `deployed`, of how many.
    pub releases: Count,
    /// Healthy workloads (a completed or vanished Job with a TTL counts), of how many.
    pub workloads: Count,
    /// Completed Jobs among the workloads, of how many.
    #[serde(default)]
    pub jobs: Count,
    /// Ready or completed pods, of how many.
    pub pods: Count,
    /// What is not as it should be, worst first.
    pub findings: Vec<Finding>,
    /// Jobs that failed and will not become healthy by waiting, of what is essential.
    pub failed_jobs: Vec<ObjectId>,
    /// The worst level of what is essential ([`Ownership::is_essential`]); what people
    /// install beside it says nothing of a deployment.
    #[serde(default)]
    pub essential: Level,
}

/// Done of how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Count {
    /// Done.
    pub done: u32,
    /// Of how many.
    pub total: u32,
}

impl Count {
    fn add(&mut self, done: bool) {
        self.total += 1;
        self.done += u32::from(done);
    }
}

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// Which object.
    pub object: String,
    /// One `CamelCase` word.
    pub reason: String,
    /// A sentence for a person.
    pub message: String,
}

impl PlatformHealth {
    fn find(&mut self, finding: Finding, essential: bool) {
        if essential {
            self.essential = self.essential.max(finding.level);
        }
        self.findings.push(finding);
    }

    /// The worst level of all parts. Without any release it is Missing.
    #[must_use]
    pub fn level(&self) -> Level {
        if self.releases.total == 0 {
            return Level::Missing;
        }
        self.findings.iter().map(|finding| finding.level).max().unwrap_or(Level::Healthy)
    }
}

/// Looks at every release of the platform, every workload of their manifests and
/// every pod of those workloads. `settled`: it was all there once, so a Job that is
/// gone now was done.
#[must_use]
pub fn assess(ownership: &Ownership, cluster: &ClusterView, settled: bool) -> PlatformHealth {
    let mut health = PlatformHealth::default();
    let mut workloads = BTreeSet::new();
    let releases = ownership.releases(cluster);
    let essential: BTreeSet<&ObjectId> = releases
        .iter()
        .filter(|release| ownership.is_essential(release))
        .flat_map(|release| release.objects.iter().map(|object| &object.id))
        .collect();
    for release in releases {
        let deployed = release.status == "deployed";
        health.releases.add(deployed);
        if !deployed {
            let level = if release.status == "failed" { Level::Degraded } else { Level::Progressing };
            let finding = Finding {
                level,
                object: format!("release {}/{}", release.namespace, release.name),
                reason: "ReleaseNotDeployed".into(),
                message: format!("its status is {}", release.status),
            };
            health.find(finding, ownership.is_essential(release));
        }
        for object in &release.objects {
            if !workloads.insert(&object.id) {
                continue;
            }
            let may_be_gone = object.has_ttl || (settled && object.id.kind == "Job");
            assess_workload(&mut health, cluster, &object.id, may_be_gone, essential.contains(&object.id));
        }
    }
    for pod in cluster.pods.values() {
        let ours = pod.owner.as_ref().is_some_and(|owner| workloads.contains(owner));
        if !ours {
            continue;
        }
        let of_a_job = pod.owner.as_ref().is_some_and(|owner| owner.kind == "Job");
        let owner = pod.owner.as_ref().and_then(|owner| cluster.workloads.get(owner));
        let owner_is_healthy = owner.is_none_or(|owner| owner.health.level == Level::Healthy);
        // The failed attempt of a Job that succeeded since, and the evicted pod whose
        // replacement runs, are remains and say nothing of the platform.
        if pod.health.level > Level::Progressing && owner_is_healthy {
            continue;
        }
        health.pods.add(pod.health.level == Level::Healthy);
        if pod.health.level > Level::Progressing {
            let finding = Finding {
                level: if of_a_job { Level::Progressing } else { pod.health.level },
                object: format!("Pod {}/{}", pod.namespace, pod.name),
                reason: pod.health.reason.clone(),
                message: pod.health.message.clone(),
            };
            health.find(finding, pod.owner.as_ref().is_some_and(|owner| essential.contains(owner)));
        }
    }
    health.findings.sort_by(|a, b| b.level.cmp(&a.level).then_with(|| a.object.cmp(&b.object)));
    health
}

fn assess_workload(health: &mut PlatformHealth, cluster: &ClusterView, id: &ObjectId, may_be_gone: bool, essential: bool) {
    let (level, reason, message) = match cluster.workloads.get(id) {
        Some(workload) => (workload.health.level, workload.health.reason.clone(), workload.health.message.clone()),
        None if may_be_gone => (Level::Healthy, String::new(), String::new()),
        None => (Level::Missing, "Missing".into(), "is in the release's manifest and not in the cluster".into()),
    };
    health.workloads.add(level <= Level::Suspended);
    if id.kind == "Job" {
        health.jobs.add(level <= Level::Suspended);
    }
    if level == Level::Degraded && id.kind == "Job" && essential {
        health.failed_jobs.push(id.clone());
    }
    if level > Level::Suspended {
        let why = waits::why(cluster, id);
        let message = if why.is_empty() { message } else { format!("{message}; {why}") };
        health.find(Finding { level, object: id.to_string(), reason, message }, essential);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn release(name: &str, uid: Option<&str>, host: &str) -> Release {
        Release {
            name: "inner".into(),
            namespace: "admin".into(),
            revision: 1,
            status: "deployed".into(),
            changed: None,
            made: None,
            description: String::new(),
            chart: "x".into(),
            chart_version: "1".into(),
            values: None,
            global_release_name: Some(name.into()),
            global_instance_uid: uid.map(str::to_owned),
            global_hostname: Some(host.into()),
            objects: Vec::new(),
            hooks: Vec::new(),
            namespaces: Vec::new(),
            readable: true,
        }
    }

    fn ownership(uid: &str) -> Ownership {
        Ownership { root: "root".into(), namespace: "default".into(), instance_uid: uid.into(), hostname: "host".into() }
    }

    #[test]
    fn each_of_the_three_globals_tells_another_platform() {
        let (one, first) = (ownership("one"), ownership(""));
        assert!(one.is_inner(&release("root", Some("one"), "host")));
        assert!(!one.is_inner(&release("other", Some("one"), "host")), "another root");
        assert!(!one.is_inner(&release("root", Some("two"), "host")), "another instance");
        assert!(!one.is_inner(&release("root", None, "host")), "the one without an instance");
        assert!(!one.is_inner(&release("root", Some("one"), "elsewhere")), "another host");
        assert!(first.is_inner(&release("root", None, "host")) && first.is_inner(&release("root", Some(""), "host")));
        assert!(!first.is_inner(&release("root", Some("one"), "host")), "an instance is not the first platform's");
    }

    #[test]
    fn workflows_are_those_of_the_instance() {
        let pod = |namespace: &str| {
            let health = crate::health::Health { level: Level::Healthy, reason: String::new(), message: String::new() };
            Arc::new(Pod {
                namespace: namespace.into(),
                name: "w".into(),
                owner: None,
                uid: String::new(),
                active: true,
                health,
                deleting: None,
                finalizers: Vec::new(),
                claims: Vec::new(),
                created: None,
            })
        };
        let mut cluster = ClusterView::default();
        for namespace in ["project-a", "jobs", "work", "two-project-a", "two-jobs", "services"] {
            cluster.pods.insert((namespace.into(), "w".into()), pod(namespace));
        }
        let of = |ownership: &Ownership, jobs: Option<&str>| {
            ownership.workflows(&cluster, jobs).into_iter().map(|pod| pod.namespace.clone()).collect::<Vec<_>>()
        };
        assert_eq!(of(&ownership(""), None), ["jobs", "project-a"]);
        assert_eq!(of(&ownership(""), Some("work")), ["jobs", "project-a", "work"]);
        assert_eq!(of(&ownership("two"), None), ["two-jobs", "two-project-a"]);
    }
}
