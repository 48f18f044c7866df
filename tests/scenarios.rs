//! Plays the stories of `tests/scenarios/` against the planner and the ledger's
//! transitions. Nothing here is started or written: what actions would do is told
//! by the story.

#![allow(missing_docs)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use kaapana_agent::config::derived::Machine;
use kaapana_agent::config::{self, Fragments, values};
use kaapana_agent::health::{Health, Level};
use kaapana_agent::ledger::{
    Desired, ImageArchive, Intent, JobFailure, JobKind, Ledger, MigrationEnd, Pause, Prepared, PreparedMigration, StepKind,
};
use kaapana_agent::planner::preflight::UNITS;
use kaapana_agent::planner::{self, Inputs, Plan, Step};
use kaapana_agent::sensors::arguments;
use kaapana_agent::state::{
    ApiState, Beneath, Certificate, Chart, ClusterView, ConfigRefusal, Directory, DiskIdentity, Disks, Dns, Drifted, Gpu,
    GpuHost, Limits, Longhorn, LonghornDisk, LonghornNode, ManifestObject, Node, ObjectId, Observed, Page, Pod, RegistryHosting,
    RegistryState, Release, Resolved, RuntimeState, Snap, Snapshot, Status, StepResult, StepState, StepUnit, StorageProvider,
    System, Tools, UnitState, Volume, Workload,
};

struct Story {
    ledger: Ledger,
    snapshot: Snapshot,
    view: ClusterView,
    disks: Disks,
    wants: Vec<String>,
    /// Images of the chart, and those the container runtime has.
    images: Vec<String>,
    present: Vec<String>,
    brings_registry_hosting: bool,
    storage: Option<StorageProvider>,
    gpu_operator: Option<Result<PathBuf, String>>,
    now: Timestamp,
    out: String,
}

fn directory(path: &str) -> Directory {
    Directory {
        path: path.into(),
        resolved: path.into(),
        exists: true,
        hung: false,
        empty: Some(true),
        folder: None,
        version: None,
        missing_mounts: vec![],
        mount_point: path.into(),
        mount_id: None,
        source: "/dev/sdb1".into(),
        fs_type: "ext4".into(),
        read_only: false,
        rotational: Some(false),
        fs_errors: Some(0),
        on_root_disk: Some(false),
        identity: DiskIdentity {
            uuid: Some(format!("uuid-of-{}", path.trim_start_matches('/').replace('/', "-"))),
            fsid: None,
            marker: None,
        },
        total: 100 << 30,
        free: 80 << 30,
        inodes: Some((6_000_000, 5_000_000)),
        filling: 0,
        error: None,
    }
}

impl Story {
    fn new() -> Self {
        Self {
            ledger: Ledger::default(),
            snapshot: Snapshot::default(),
            view: ClusterView::default(),
            disks: Disks { fast: directory("/data/fast"), slow: directory("/data/slow"), monitored: vec![] },
            wants: vec!["apps/v1/Deployment".into()],
            images: vec![],
            present: vec![],
            brings_registry_hosting: false,
            storage: None,
            gpu_operator: None,
            now: "2026-11-23T10:00:00Z".parse().unwrap(),
            out: String::new(),
        }
    }

    fn see(&mut self) {
        if self.snapshot.cluster.fresh().is_none() {
            self.snapshot.cluster_since = Some(self.now);
        }
        self.snapshot.cluster = Observed::Fresh(Arc::new(self.view.clone()));
    }

    fn node_good(&mut self) {
        let unit = UnitState {
            load: "loaded".into(),
            active: "active".into(),
            sub: "running".into(),
            restarts: Vec::new(),
            since: None,
        };
        self.snapshot.services = Observed::Fresh(UNITS.iter().map(|name| ((*name).to_owned(), unit.clone())).collect());
        self.snapshot.api = Observed::Fresh(ApiState { ready: true, message: String::new(), version: "v1.33.1".into() });
        self.snapshot.kinds =
            Observed::Fresh(Arc::new(["apps/v1/Deployment", "v1/Service", "batch/v1/Job"].map(str::to_owned).into()));
        self.snapshot.tools = Observed::Fresh(Tools {
            helm: Some("/snap/microk8s/current/bin/helm".into()),
            helm_candidates: vec!["/snap/microk8s/current/bin/helm".into()],
            kubeconfig: "/var/snap/microk8s/current/credentials/client.config".into(),
            kubeconfig_error: None,
        });
        self.snapshot.gpu = Observed::Fresh(Gpu::NoLibrary);
        self.snapshot.system = Observed::Fresh(System {
            host_name: "node".into(),
            memory_mib: 64_000,
            available_mib: 32_000,
            processors: 8,
            load5_centi: 50,
        });
        self.snapshot.runtime = Observed::Fresh(RuntimeState::Ready);
        self.snapshot.drift = Observed::Fresh(Vec::new());
        self.snapshot.limits = Observed::Fresh(Limits { max_map_count: Some(262_144), inotify_instances: Some(10_000) });
        self.snapshot.arguments = Observed::Fresh(arguments::parse(
            "--service-node-port-range=80-32000\n--advertise-address=10.0.0.2\n--authorization-mode=RBAC,Node",
        ));
        self.snapshot.gpu_host = Observed::Fresh(GpuHost::default());
        self.snap("2100-01-01T00:00:00Z");
        self.snapshot.certificates = Observed::Fresh(Vec::new());
        self.certificate("server.crt", "2100-01-01T00:00:00Z");
        self.snapshot.disks = Observed::Fresh(self.disks.clone());
        self.snapshot.config.read = true;
        self.chart("one");
        let node = Node {
            name: "node".into(),
            ready: true,
            message: String::new(),
            pressure: Vec::new(),
            version: String::new(),
            address: Some("10.0.0.2".into()),
            role: Some("storage".into()),
            gpus: 0,
        };
        self.view.nodes.insert("node".into(), Arc::new(node));
        // With what a deployment of most stories writes into it.
        let line = "rewrite name exact kaapana.example.org. oauth2-proxy-service.admin.svc.cluster.local.";
        let dns = Dns { corefile: format!(".:53 {{\n{line}\nkubernetes\n}}\n"), restart_due: false, version: "1".into() };
        self.view.dns.get_or_insert(Arc::new(dns));
        self.see();
    }

    /// Until when MicroK8s is not refreshed.
    fn snap(&mut self, hold: &str) {
        self.snapshot.snap =
            Observed::Fresh(Snap { version: "v1.33.1".into(), channel: "1.33/stable".into(), hold: hold.parse().ok() });
    }

    /// A certificate of MicroK8s and when it ends.
    fn certificate(&mut self, name: &str, ends: &str) {
        let Observed::Fresh(all) = &mut self.snapshot.certificates else { panic!("node good comes first") };
        all.retain(|known| known.name != name);
        all.push(Certificate { name: name.into(), expires: ends.parse().map_err(|error: jiff::Error| error.to_string()) });
    }

    fn chart(&mut self, digest: &str) {
        let digest =
            if digest == "missing" { Err("cannot be read: No such file or directory".to_owned()) } else { Ok(digest.to_owned()) };
        let settings = self.ledger.settings.as_ref();
        if let Some(settings) = settings.filter(|settings| settings.uses_registry()) {
            let (reference, version) = (settings.chart_reference(), settings.text("platform.version").to_owned());
            self.snapshot.chart = Observed::Fresh(Chart::Registry { reference, version });
            return;
        }
        let path = settings.map_or("/srv/kaapana-admin-chart-0.6.0.tgz", |settings| settings.text("deployment.chart_path"));
        self.snapshot.chart = Observed::Fresh(Chart::File { path: path.into(), digest });
    }

    fn plan(&mut self) -> Plan {
        let plan = planner::plan(&Inputs { snapshot: &self.snapshot, ledger: &self.ledger, now: self.now });
        writeln!(self.out, "  {} - {}", plan.phase.as_str(), plan.summary).unwrap();
        for (number, step) in plan.steps.iter().enumerate() {
            writeln!(self.out, "  {} {step}", if number == 0 { "step" } else { "then" }).unwrap();
        }
        for step in &plan.would {
            writeln!(self.out, "  would {step}").unwrap();
        }
        for hold in &plan.holds {
            writeln!(self.out, "  hold {}: {}", hold.reason, hold.message).unwrap();
            if !hold.advice.is_empty() {
                writeln!(self.out, "       -> {}", hold.advice).unwrap();
            }
        }
        // Further away are only the ends of certificates.
        if let Some(at) = plan.wake_at.filter(|at| at.duration_since(self.now) < SignedDuration::from_hours(24 * 365)) {
            writeln!(self.out, "  wake in {} s", at.duration_since(self.now).as_secs()).unwrap();
        }
        plan
    }

    /// What the agent writes into the ledger for a step, and what its action would do.
    fn take(&mut self, step: Step) {
        let now = self.now;
        match step {
            Step::StartJob { kind, reason } => {
                self.ledger.start_job(kind, reason, None, now).unwrap();
            }
            Step::Prepare => {
                let chart = self.snapshot.chart.last().unwrap().clone();
                let machine = Machine {
                    memory_mib: self.snapshot.system.last().unwrap().memory_mib,
                    gpu: matches!(self.snapshot.gpu.last(), Some(Gpu::Devices { .. })),
                    longhorn_nodes: self
                        .storage
                        .as_ref()
                        .and_then(|storage| storage.longhorn.as_ref())
                        .map_or(0, |longhorn| longhorn.schedulable),
                    node_name: "node".into(),
                    server_ip: self.view.nodes["node"].address.clone(),
                    api_ip: None,
                    timestamp: now.to_string(),
                    oidc_client_secret: "s".into(),
                };
                let settings = &self.ledger.job.as_ref().unwrap().settings;
                let from = planner::data::standing(settings, &self.disks.fast, &self.ledger).migrates_from();
                let job = self.ledger.job.as_mut().unwrap();
                job.intent = Some(Intent::new(&job.settings, &chart));
                job.prepared = Some(Prepared {
                    chart_digest: chart.digest().unwrap_or_default().into(),
                    chart_file: "/state/chart.tgz".into(),
                    values: values::values(&job.settings, &machine).unwrap(),
                    machine,
                    kinds: self.wants.clone(),
                    images: self.images.clone(),
                    import: None,
                    registry_hosting: self.brings_registry_hosting,
                    aside: None,
                    storage: self.storage.clone(),
                    gpu_operator: self.gpu_operator.clone(),
                    migration: (job.kind == JobKind::Migrate).then(|| PreparedMigration {
                        chart_file: "/state/migration/chart.tgz".into(),
                        from,
                        to: job.settings.text("platform.version").to_owned(),
                    }),
                    missing_images: self.images.iter().filter(|image| !self.present.contains(image)).cloned().collect(),
                });
            }
            Step::CheckArchive { archive } => {
                let images = vec!["r/a:1".to_owned(), "r/b:1".to_owned()];
                self.ledger.job.as_mut().unwrap().archive =
                    Some(ImageArchive { path: archive, images, bytes: 1 << 30, missing: None });
            }
            Step::CheckImages { images } => {
                let missing = images.into_iter().filter(|image| !self.present.contains(image)).collect();
                self.ledger.job.as_mut().unwrap().archive.as_mut().unwrap().missing = Some(missing);
            }
            Step::ImportImages { archive } => self.begin_unit(StepKind::ImportImages { archive }),
            Step::PullImage { image } => {
                self.ledger.image_pulled(&image, now);
                self.present.push(image);
            }
            Step::BeginTakeDown { releases, objects, hooks } => self.ledger.begin_take_down(releases, objects, hooks, now),
            // The API server says so with the next `claim`, as the watch does.
            Step::RetainVolumes { volumes } => self.ledger.volumes_retained(volumes),
            Step::DeleteHooks { jobs } => self.ledger.hooks_deleted(jobs),
            Step::Uninstall { namespace, release, no_hooks } => {
                self.begin_unit(StepKind::Uninstall { namespace, release, no_hooks })
            }
            Step::Migrate => self.begin_unit(StepKind::Migrate),
            Step::NoteMigration => self.ledger.migration_seen(now),
            Step::KeepMigrationLog { pods, succeeded, message } => {
                let log = "/state/migrations/N.log".into();
                let end = MigrationEnd { succeeded, message, log, pods, at: now, removed: false, fresh: false };
                self.ledger.migration_ended(end);
            }
            Step::Install => self.begin_unit(StepKind::Install),
            Step::Upgrade => self.begin_unit(StepKind::Upgrade),
            Step::RunSiteProgram { program } => self.begin_unit(StepKind::PreTakedown { program }),
            Step::BeginUpgrade { from } => self.ledger.begin_upgrade(from),
            Step::DeletePods { pods } => {
                self.ledger.pods_deleted(pods.into_iter().map(|(_, _, uid)| uid), now);
            }
            Step::TurnBack { failure } => self.ledger.turn_back(failure, now),
            Step::NoteWaiting(since) => self.ledger.note_waiting(since, now),
            Step::NoteFault(fault) => self.ledger.note_fault(fault, now),
            Step::SkipHooks => drop(self.ledger.skip_hooks("", now)),
            Step::StartWayBack { reason } => self.ledger.start_way_back(reason, now),
            Step::NotePage(page) => self.ledger.job.as_mut().unwrap().page = page,
            Step::EnableGpu { chart } => self.begin_unit(StepKind::EnableGpu { chart }),
            Step::ConfigureLonghorn { .. } => self.ledger.arranged("configure-longhorn"),
            Step::LabelNode { .. } => {
                let node = Arc::make_mut(self.view.nodes.get_mut("node").unwrap());
                node.role = Some("storage".into());
                self.see();
            }
            Step::ConfigureDns { corefile, version } => {
                self.view.dns = Some(Arc::new(Dns { corefile, version, restart_due: false }));
                self.ledger.arranged("configure-dns");
                self.see();
            }
            Step::RemoveRegistryHosting { .. } => {
                self.view.registry_hosting = None;
                self.ledger.arranged("remove-registry-hosting");
                self.see();
            }
            Step::CloseStep { result } => drop(self.ledger.close_unit(result.success(), "", now)),
            Step::ForgetStep => self.ledger.forget_unit(now),
            Step::Advance { stage } => self.ledger.advance(stage, now),
            Step::NoteHealthy(since) => self.ledger.job.as_mut().unwrap().healthy_since = since,
            Step::NoteFailing(since) => self.ledger.job.as_mut().unwrap().failing_since = since,
            Step::NoteRecovered => self.ledger.recovered(),
            Step::FinishJob { result, reason, message, cause, tail } => {
                let report = if reason.is_empty() { message.clone() } else { String::new() };
                let failure = JobFailure::of(result, reason, message, tail, cause);
                self.ledger.finish_job(result, failure, report, now);
            }
            Step::Adopt => {
                let settings = self.ledger.settings.clone().unwrap();
                let inputs = Inputs { snapshot: &self.snapshot, ledger: &self.ledger, now };
                let adoption = planner::adoption::look(&inputs, &settings).unwrap().unwrap();
                self.ledger.adopt(adoption.deployed);
            }
            Step::LookBeneath { path, mount_id, .. } => {
                self.snapshot.beneath.insert(path, Beneath { mount_id, at: now, found: Ok((Vec::new(), 0)) });
            }
            Step::MarkDisk { path } => {
                let seen = if path == self.disks.fast.path { &mut self.disks.fast } else { &mut self.disks.slow };
                seen.identity.marker = Some("mark".into());
                self.ledger.disks.insert(path, seen.identity.clone());
                self.snapshot.disks = Observed::Fresh(self.disks.clone());
            }
        }
    }

    fn begin_unit(&mut self, what: StepKind) {
        self.ledger.begin_unit(what, self.now).unwrap();
        self.snapshot.step = Observed::Pending;
    }

    fn tick(&mut self) -> bool {
        let plan = self.plan();
        match plan.steps.into_iter().next() {
            Some(step) => {
                self.take(step);
                true
            }
            None => false,
        }
    }

    fn release(&mut self, name: &str, status: &str, description: &str, ours: bool) {
        let root = name == "kaapana-admin-chart";
        let namespace = match name {
            "gpu-operator" => "gpu-operator-resources",
            _ if root || name == "kaapana-migration" => "default",
            _ => "admin",
        };
        let description = match (description, &self.ledger.job) {
            ("mine", Some(job)) => job.description(),
            ("first", _) => self.ledger.migration.as_ref().unwrap().description.clone(),
            ("mine", None) => self.ledger.deployed.as_ref().unwrap().description.clone(),
            (other, _) => other.to_owned(),
        };
        let migrates = || vec![ManifestObject { id: ObjectId::new("Job", "services", "migration"), has_ttl: false, keep: false }];
        let objects = if name == "kaapana-migration" { migrates() } else { vec![] };
        let objects = self.view.releases.get(&(namespace.into(), name.into())).map_or(objects, |known| known.objects.clone());
        let release = Release {
            name: name.into(),
            namespace: namespace.into(),
            revision: 1,
            status: status.into(),
            changed: Some(self.now),
            made: Some(self.view.releases.get(&(namespace.into(), name.into())).and_then(|known| known.made).unwrap_or(self.now)),
            description,
            chart: name.into(),
            chart_version: "0.6.0".into(),
            global_release_name: ours.then(|| "kaapana-admin-chart".into()),
            global_instance_uid: ours.then(String::new),
            global_hostname: ours.then(|| "kaapana.example.org".into()),
            objects,
            hooks: vec![],
            namespaces: vec![],
            values: None,
            readable: true,
        };
        self.view.releases.insert((namespace.into(), name.into()), Arc::new(release));
        self.see();
    }

    fn workload(&mut self, words: &[&str]) {
        let (kind, name) = words[1].split_once('/').unwrap();
        let id = ObjectId::new(kind, "services", name);
        let key = ("default".to_owned(), "kaapana-admin-chart".to_owned());
        if let Some(release) = self.view.releases.get_mut(&key) {
            let release = Arc::make_mut(release);
            if release.objects.iter().all(|object| object.id != id) {
                release.objects.push(ManifestObject { id: id.clone(), has_ttl: name.contains("ttl"), keep: false });
            }
        }
        let message = words[3..].join(" ");
        let health = match words[2] {
            "healthy" => Health::healthy(),
            "progressing" => Health::new(Level::Progressing, "NotReady", message),
            "degraded" => Health::new(Level::Degraded, "Failed", message),
            "suspended" => Health::new(Level::Suspended, "Suspended", message),
            "absent" => {
                self.view.workloads.remove(&id);
                return self.see();
            }
            other => panic!("no level {other}"),
        };
        self.view.workloads.insert(id.clone(), Arc::new(Workload { id, health, deleting: false, finalizers: vec![] }));
        self.see();
    }

    /// `pod NAMESPACE/NAME OWNER|none running|deleting|held|done`
    fn pod(&mut self, words: &[&str]) {
        let (namespace, name) = words[1].split_once('/').unwrap();
        let owner = words[2].split_once('/').map(|(kind, name)| ObjectId::new(kind, "services", name));
        let pod = Pod {
            namespace: namespace.into(),
            name: name.into(),
            owner,
            uid: format!("uid-of-{name}"),
            active: words[3] != "done",
            health: Health::healthy(),
            deleting: matches!(words[3], "deleting" | "held").then(|| self.now + SignedDuration::from_secs(30)),
            finalizers: if words[3] == "held" { vec!["example.org/hold".into()] } else { vec![] },
            claims: Vec::new(),
            created: None,
        };
        self.view.pods.insert((namespace.into(), name.into()), Arc::new(pod));
        self.see();
    }

    fn step(&mut self, words: &[&str]) {
        let step = self.ledger.job.as_ref().and_then(|job| job.step.as_ref());
        let Some(unit) = step.map(|step| step.unit.clone()) else {
            return writeln!(self.out, "  NO STEP RUNS").unwrap();
        };
        let ended = |status, tail: Vec<String>| StepState::Ended(StepResult { status, timed_out: false, tail });
        let state = match words[1] {
            "running" => StepState::Running,
            "ok" => ended(Some(0), vec![]),
            "fail" => ended(words[2].parse().ok(), vec![words[3..].join(" ")]),
            "killed" => ended(None, vec![]),
            "absent" => StepState::Absent,
            other => panic!("no state {other}"),
        };
        self.snapshot.step = Observed::Fresh(StepUnit { unit, state, invocation: String::new() });
    }

    fn disk(&mut self, words: &[&str]) {
        let disk = if words[1] == "fast" { &mut self.disks.fast } else { &mut self.disks.slow };
        match words[2] {
            "mounted" => {
                *disk = Directory { identity: disk.identity.clone(), empty: disk.empty, ..directory(disk.path.to_str().unwrap()) }
            }
            "unmounted" => {
                disk.missing_mounts = vec![disk.path.clone()];
                disk.mount_point = "/".into();
            }
            "missing" => (disk.exists, disk.empty) = (false, None),
            "there" => (disk.exists, disk.empty) = (true, Some(true)),
            "link" => disk.resolved = words[3].into(),
            "readonly" => disk.read_only = true,
            "empty" => disk.empty = Some(true),
            "used" => disk.empty = Some(false),
            "free" => disk.free = disk.total / 100 * words[3].parse::<u64>().unwrap(),
            "folder" => (disk.empty, disk.folder) = (Some(false), Some(words[3].into())),
            "version" => disk.version = (words[3] != "none").then(|| words[3..].join(" ")),
            "uuid" => disk.identity.uuid = Some(words[3].into()),
            "hung" => {
                *disk =
                    Directory { hung: true, error: Some("no answer for 5 s".into()), exists: false, empty: None, ..disk.clone() }
            }
            "inodes" => disk.inodes = Some((100_000, words[3].parse().unwrap())),
            "errors" => disk.fs_errors = words[3].parse().ok(),
            "turns" => disk.rotational = Some(true),
            "root" => disk.on_root_disk = Some(true),
            // GiB an hour.
            "filling" => disk.filling = words[3].parse::<u64>().unwrap() << 30,
            "marker" => disk.identity.marker = (words[3] != "none").then(|| words[3].into()),
            other => panic!("no such thing of a disk: {other}"),
        }
        self.snapshot.disks = Observed::Fresh(self.disks.clone());
    }

    fn command(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let rest = |from: usize| words[from..].join(" ");
        match words[0] {
            "broken" => {
                self.snapshot.config.error =
                    Some(ConfigRefusal { reason: "Invalid".into(), file: String::new(), problems: vec![rest(1)] });
            }
            "node" => self.node_good(),
            "helm" => {
                let Observed::Fresh(tools) = &mut self.snapshot.tools else { panic!("node good comes first") };
                tools.helm = (words[1] == "there").then(|| "/snap/microk8s/current/bin/helm".into());
            }
            "unit" => {
                let Observed::Fresh(units) = &mut self.snapshot.services else { panic!("node good comes first") };
                let (_, unit) = units.iter_mut().find(|(name, _)| name.contains(words[1])).expect("a unit");
                unit.active = words[2].into();
                unit.sub = if words[2] == "active" { "running".into() } else { "dead".into() };
            }
            "api" if words[1] == "down" => {
                self.snapshot.api =
                    Observed::Fresh(ApiState { ready: false, message: "connection refused".into(), version: String::new() });
                self.snapshot.cluster = std::mem::take(&mut self.snapshot.cluster).into_stale("connection refused");
            }
            "api" => {
                self.snapshot.api = Observed::Fresh(ApiState { ready: true, message: String::new(), version: "v1.33.1".into() });
                self.see();
            }
            "snap" => self.snap(words[1]),
            "gpu-host" => {
                let version = |word: &str| (word != "none").then(|| word.to_owned());
                self.snapshot.gpu_host = Observed::Fresh(GpuHost {
                    driver: version(words[1]),
                    library: version(words[2]),
                    devices: words[3..].iter().map(|device| (*device).to_owned()).collect(),
                });
            }
            "page-certificate" => {
                let Observed::Fresh(page) = &mut self.snapshot.page else { panic!("page up comes first") };
                page.certificate = words[1].parse().ok();
            }
            "arguments" => self.snapshot.arguments = Observed::Fresh(arguments::parse(&rest(1).replace(' ', "\n"))),
            "certificate" => self.certificate(words[1], words[2]),
            "beneath" => {
                let names: Vec<String> = words[2..].iter().map(|&word| word.to_owned()).collect();
                let Observed::Fresh(disks) = &mut self.snapshot.disks else { panic!("node good comes first") };
                let disk = if words[1] == "fast" { &mut disks.fast } else { &mut disks.slow };
                disk.mount_id = Some(7);
                let own = if words[1] == "fast" { &mut self.disks.fast } else { &mut self.disks.slow };
                own.mount_id = Some(7);
                let found = Ok((names.clone(), names.len() as u64));
                self.snapshot.beneath.insert(disk.path.clone(), Beneath { mount_id: 7, at: self.now, found });
            }
            "drift" => {
                let one = |words: &[&str]| {
                    let (kind, name) = words[0].split_once('/').unwrap();
                    let object = ObjectId::new(kind, "services", name);
                    Drifted { object, release: "kaapana-platform-chart".into(), how: words[1..].join(" ") }
                };
                self.snapshot.drift = Observed::Fresh(if words[1] == "none" { Vec::new() } else { vec![one(&words[1..])] });
            }
            "registry" => {
                let settings = self.ledger.settings.as_ref().unwrap();
                let chart = format!("{}:{}", settings.chart_reference(), settings.text("platform.version"));
                let problem = (words[1] != "there").then(|| (words[1].to_owned(), words[2..].join(" ")));
                self.snapshot.registry = Observed::Fresh(RegistryState { chart, problem });
            }
            "name" => {
                let name = words[1].to_owned();
                let addresses = words[2..].iter().map(|word| word.parse().map_err(|_| words[2..].join(" "))).collect();
                self.snapshot.name = Observed::Fresh(Resolved { name, addresses });
            }
            "runtime" => {
                let message = words[2..].join(" ");
                self.snapshot.runtime = Observed::Fresh(match words[1] {
                    "ready" => RuntimeState::Ready,
                    "unready" => RuntimeState::NotReady { message },
                    _ => RuntimeState::NotAnswering { message },
                });
            }
            "limits" => {
                let number = |word: &str| word.parse().ok();
                self.snapshot.limits =
                    Observed::Fresh(Limits { max_map_count: number(words[1]), inotify_instances: number(words[2]) });
            }
            "arguments-changed" => {
                let Observed::Fresh(arguments) = &mut self.snapshot.arguments else { panic!("node good comes first") };
                arguments.changed = Some(self.now);
            }
            "started" => {
                let now = self.now;
                let Observed::Fresh(units) = &mut self.snapshot.services else { panic!("node good comes first") };
                let (_, unit) = units.iter_mut().find(|(name, _)| name.contains(words[1])).expect("a unit");
                unit.since = Some(now);
            }
            "restarted" => {
                let now = self.now;
                let Observed::Fresh(units) = &mut self.snapshot.services else { panic!("node good comes first") };
                let (_, unit) = units.iter_mut().find(|(name, _)| name.contains(words[1])).expect("a unit");
                unit.restarts.push(now);
            }
            "pressure" => {
                let what = rest(1);
                let node = Arc::make_mut(self.view.nodes.get_mut("node").unwrap());
                node.pressure = (what != "none").then_some(what).into_iter().collect();
                self.see();
            }
            "chart" => self.chart(words[1]),
            "disk" => self.disk(&words),
            "volumes" => {
                for number in 0..words[1].parse::<u32>().unwrap() {
                    let name = format!("pv-{number}");
                    let volume =
                        Volume { name: name.clone(), path: Some(format!("/data/fast/{name}")), claim: None, erased: true };
                    self.view.volumes.insert(name, Arc::new(volume));
                }
                self.see();
            }
            // machine MEMORY ADDRESS: in MiB; what a deployment takes from the machine.
            "machine" => {
                let Observed::Fresh(system) = &mut self.snapshot.system else { panic!("node good comes first") };
                system.memory_mib = words[1].parse().unwrap();
                let node = Arc::make_mut(self.view.nodes.get_mut("node").unwrap());
                node.address = Some(words[2].into());
                self.see();
            }
            // dns there|TEXT: the Corefile, line ends as ';'.
            "dns" => {
                let text = if words[1] == "there" {
                    ".:53 {;    errors;    kubernetes cluster.local {;    };};".into()
                } else {
                    rest(1)
                };
                self.view.dns =
                    Some(Arc::new(Dns { corefile: text.replace(';', "\n"), restart_due: false, version: "1".into() }));
                self.see();
            }
            // hosting none|NAMESPACE/RELEASE: kube-public/local-registry-hosting is there, and whose.
            "hosting" => {
                let release = words[1].split_once('/').map(|(namespace, name)| (namespace.to_owned(), name.to_owned()));
                self.view.registry_hosting = Some(Arc::new(RegistryHosting { uid: "hosting".into(), release }));
                self.see();
            }
            // provider missing: the cluster has no provider of volumes.
            "provider" => {
                let shown_by = "StorageClass microk8s-hostpath".into();
                self.storage = Some(StorageProvider { shown_by, present: words[1] == "there", longhorn: None });
            }
            // longhorn NODES OVER MINIMAL FAST SLOW [NAME=PATH@FILESYSTEM#TAG,TAG…]
            "longhorn" => {
                let disk = |word: &&str| {
                    let (name, rest) = word.split_once('=').unwrap();
                    let (path, rest) = rest.split_once('@').unwrap();
                    let (filesystem, tags) = rest.split_once('#').unwrap();
                    let tags = tags.split(',').filter(|tag| !tag.is_empty()).map(str::to_owned).collect();
                    let disk = LonghornDisk { path: path.into(), tags, filesystem: filesystem.parse().ok() };
                    (name.to_owned(), disk)
                };
                let longhorn = Longhorn {
                    node: (words[1] != "unknown")
                        .then(|| LonghornNode { name: "node".into(), disks: words[6..].iter().map(disk).collect() }),
                    schedulable: words[1].parse().unwrap_or(0),
                    over_provisioning: words[2].into(),
                    minimal_available: words[3].into(),
                    filesystems: [words[4], words[5]].map(|word| word.parse().unwrap()),
                };
                let shown_by = "CSIDriver driver.longhorn.io".into();
                self.storage = Some(StorageProvider { shown_by, present: true, longhorn: Some(longhorn) });
            }
            "gpu-operator" => self.gpu_operator = Some(Ok(words[1].into())),
            // gpus N: how many the node gives to pods.
            "gpus" => {
                Arc::make_mut(self.view.nodes.get_mut("node").unwrap()).gpus = words[1].parse().unwrap();
                self.see();
            }
            "brings-hosting" => self.brings_registry_hosting = true,
            // values PATH: the value that helm is given.
            "values" => {
                let prepared = self.ledger.job.as_ref().and_then(|job| job.prepared.as_ref()).unwrap();
                writeln!(self.out, "  {} {}", words[1], prepared.values.get(words[1]).unwrap()).unwrap();
            }
            // given PATH VALUE: what is deployed was given this.
            "given" => {
                let deployed = self.ledger.deployed.as_mut().unwrap();
                let mut nested = deployed.values.nested();
                let pointer = format!("/{}", words[1].replace('.', "/"));
                *nested.pointer_mut(&pointer).unwrap() = words[2].into();
                deployed.values = values::Values::of_nested(&nested);
            }
            "show-dns" => {
                let text = self.view.dns.as_ref().map(|dns| dns.corefile.clone()).unwrap_or_default();
                for line in text.lines() {
                    writeln!(self.out, "  | {line}").unwrap();
                }
            }
            // claim RELEASE NAME erased|retained: it goes with the release, and its data with it or not.
            "claim" => {
                let id = ObjectId::new("PersistentVolumeClaim", "services", words[2]);
                let of = self.view.releases.values_mut().find(|release| release.name == words[1]).expect("a release");
                let release = Arc::make_mut(of);
                if release.objects.iter().all(|object| object.id != id) {
                    release.objects.push(ManifestObject { id, has_ttl: false, keep: false });
                }
                let name = format!("pv-{}", words[2]);
                let path = Some(format!("/data/fast/{name}"));
                let claim = Some(("services".to_owned(), words[2].to_owned()));
                let volume = Volume { name: name.clone(), path, claim, erased: words[3] == "erased" };
                self.view.volumes.insert(name, Arc::new(volume));
                let id = ObjectId::new("PersistentVolumeClaim", "services", words[2]);
                let health = Health { level: Level::Healthy, reason: String::new(), message: String::new() };
                let workload = Workload { id: id.clone(), health, deleting: false, finalizers: Vec::new() };
                self.view.workloads.insert(id, Arc::new(workload));
                self.see();
            }
            "gpu" => {
                self.snapshot.gpu = Observed::Fresh(match words[1] {
                    "none" => Gpu::NoLibrary,
                    name => Gpu::Devices { names: vec![name.into()], driver: "570".into() },
                });
            }
            "memory" => {
                let memory_mib = words[1].parse().unwrap();
                self.snapshot.system = Observed::Fresh(System {
                    host_name: "node".into(),
                    memory_mib,
                    available_mib: memory_mib / 2,
                    processors: 8,
                    load5_centi: 50,
                });
            }
            "kinds" => {
                self.snapshot.kinds = Observed::Fresh(Arc::new(words[1..].iter().map(|kind| (*kind).to_owned()).collect()))
            }
            "wants" => self.wants = words[1..].iter().map(|kind| (*kind).to_owned()).collect(),
            "images" => self.images = words[1..].iter().map(|image| (*image).to_owned()).collect(),
            "present" => self.present = words[1..].iter().map(|image| (*image).to_owned()).collect(),
            "release" => self.release(words[1], words[2], &rest(3), true),
            "foreign" => self.release(words[1], words[2], "", false),
            "gone" => {
                let gone: Vec<_> = self.view.releases.values().filter(|release| release.name == words[1]).cloned().collect();
                for release in gone {
                    release.objects.iter().for_each(|object| drop(self.view.workloads.remove(&object.id)));
                    self.view.releases.remove(&(release.namespace.clone(), release.name.clone()));
                }
                self.see();
            }
            "workload" => self.workload(&words),
            "pod" => self.pod(&words),
            "nopod" => {
                let (namespace, name) = words[1].split_once('/').unwrap();
                self.view.pods.remove(&(namespace.into(), name.into()));
                self.see();
            }
            "page" => {
                let answers = words[1] == "up";
                self.snapshot.page = Observed::Fresh(Page {
                    url: "https://kaapana.example.org/".into(),
                    answers,
                    message: String::new(),
                    certificate: None,
                });
            }
            "helms" => {
                self.snapshot.helms = Observed::Fresh(words[1..].iter().filter_map(|word| word.parse().ok()).collect());
            }
            "cancel" => {
                let job = self.ledger.job.as_ref().expect("a job runs");
                match planner::job::cancel_means(job, &self.ledger) {
                    Ok(means) => {
                        writeln!(self.out, "  means {means}").unwrap();
                        self.ledger.job.as_mut().unwrap().canceled_by = Some(0);
                    }
                    Err(why) => writeln!(self.out, "  refused {why}").unwrap(),
                }
            }
            "history" => {
                for job in &self.ledger.history {
                    let page = job.page.down_time().map(|span| format!(" (down for {} s)", span.as_secs())).unwrap_or_default();
                    let said = if job.error.is_empty() { &job.report } else { &job.error };
                    writeln!(self.out, "  job {} {} {}{page} {said}", job.id, job.kind.as_str(), job.result.as_str()).unwrap();
                }
                writeln!(self.out, "  wished {}", self.ledger.desired.as_str()).unwrap();
            }
            "step" => self.step(&words),
            "pause" => self.ledger.pause = Some(Pause { reason: rest(1), until: None, since: self.now, requester: 0 }),
            "resume" => self.ledger.pause = None,
            "ask" => {
                let kind = match words[1] {
                    "deploy" => JobKind::Deploy,
                    "migrate" => JobKind::Migrate,
                    "import-images" => JobKind::ImportImages,
                    _ => JobKind::Undeploy,
                };
                let job = self.ledger.start_job(kind, "asked for".into(), Some(0), self.now).expect("no job runs");
                job.options.no_hooks |= words.contains(&"no-hooks");
                job.options.nuke_pods = words.contains(&"nuke-pods");
                job.options.unlock = words.contains(&"unlock");
                job.options.stop_workflows = words.contains(&"stop-workflows");
                if kind == JobKind::ImportImages {
                    job.archive = Some(ImageArchive { path: words[2].into(), images: vec![], bytes: 0, missing: None });
                } else {
                    self.ledger.desired = if kind == JobKind::Undeploy { Desired::Undeployed } else { Desired::Deployed };
                }
            }
            // As kaapanactl deploy --accept-fresh-deploy and kaapanactl migrate --restored write it.
            "accept-unknown" | "accept-fresh" | "restored" | "may" => {
                let settings = self.ledger.settings.clone().unwrap();
                let inputs = Inputs { snapshot: &self.snapshot, ledger: &self.ledger, now: self.now };
                let answer = match *words.get(1).unwrap_or(&words[0]) {
                    "migrate" => planner::migration::migrate(&inputs, &settings, false),
                    "accept-unknown" => planner::migration::unknown_data(&inputs, &settings).map(|()| {
                        if words[0] == "accept-unknown" {
                            self.ledger.accept_data(&settings);
                        }
                    }),
                    "accept-fresh" => planner::migration::fresh_deploy(&inputs, &settings).map(|migration| {
                        if words[0] == "accept-fresh" {
                            self.ledger.migration = Some(migration);
                        }
                    }),
                    _ => planner::migration::restored(&inputs).map(drop).inspect(|()| {
                        if words[0] == "restored" {
                            self.ledger.data_restored();
                        }
                    }),
                };
                match answer {
                    Ok(()) => writeln!(self.out, "  yes").unwrap(),
                    Err(planner::migration::Refused::Held(holds)) => {
                        holds.iter().for_each(|hold| writeln!(self.out, "  held {}: {}", hold.reason, hold.message).unwrap());
                    }
                    Err(refused) => writeln!(self.out, "  no: {refused:?}").unwrap(),
                }
            }
            "restart" => {
                let config = self.snapshot.config.clone();
                self.snapshot = Snapshot { config, ..Snapshot::default() };
            }
            "now" => {
                let span: SignedDuration = words[1].trim_start_matches('+').parse().unwrap();
                self.now += span;
            }
            // The start of many stories, told in full in deploy.story.
            "deployed" => {
                let told = std::mem::take(&mut self.out);
                let lines = "node good\nsettle\ntick\nrelease kaapana-admin-chart deployed mine\nworkload Deployment/a healthy\n\
                             disk fast used\ndisk slow used\nstep ok\nsettle\nnow +5s\nsettle";
                lines.lines().for_each(|line| self.command(line));
                self.out = told;
            }
            "plan" => drop(self.plan()),
            "tick" => drop(self.tick()),
            "settle" => {
                let mut ticks = 0;
                while self.tick() {
                    ticks += 1;
                    assert!(ticks < 20, "it never rests:\n{}", self.out);
                }
            }
            "checks" => {
                let plan = planner::plan(&Inputs { snapshot: &self.snapshot, ledger: &self.ledger, now: self.now });
                for c in plan.conditions.iter().filter(|condition| condition.status != Status::True) {
                    writeln!(self.out, "  check {} {} {}: {}", c.id, c.status.as_str(), c.reason, c.message).unwrap();
                }
            }
            other => panic!("no command {other}"),
        }
    }

    fn play(mut self, text: &str) -> String {
        let mut config: Option<String> = None;
        for line in text.lines() {
            if let Some(toml) = config.as_mut() {
                if line == "end" {
                    let mut fragments = Fragments::default();
                    fragments.merge_text(Path::new("10.toml"), toml).unwrap();
                    let settings = config::validate_leniently(&fragments).unwrap().expect("a platform");
                    self.ledger.accept(settings);
                    self.snapshot.config.error = None;
                    config = None;
                } else {
                    writeln!(toml, "{line}").unwrap();
                }
            } else if line == "config" {
                config = Some(String::new());
            } else if !line.trim().is_empty() && !line.starts_with('#') {
                writeln!(self.out, "{line}").unwrap();
                self.command(line);
            } else if line.starts_with('#') {
                writeln!(self.out, "{line}").unwrap();
            }
        }
        self.out
    }
}

#[test]
fn every_story_ends_as_its_golden_file_says() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut stories: BTreeMap<String, PathBuf> = BTreeMap::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "story") {
            stories.insert(path.file_stem().unwrap().to_string_lossy().into_owned(), path);
        }
    }
    assert!(stories.len() >= 10, "the stories are gone");
    let mut wrong = Vec::new();
    for (name, path) in stories {
        // Seen when the story panics.
        println!("{name}");
        let played = Story::new().play(&std::fs::read_to_string(&path).unwrap());
        let golden = path.with_extension("golden");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&golden, &played).unwrap();
        } else if std::fs::read_to_string(&golden).unwrap_or_default() != played {
            wrong.push(format!("--- {name}: played\n{played}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
