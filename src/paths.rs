//! Every path the agent uses, in one place, so that tests can move all of them.

use std::path::{Path, PathBuf};

use crate::config::Directories;

/// The paths of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// Directories of the configuration.
    pub config: Directories,
    /// The agent's state, mode 0700.
    pub state: PathBuf,
    /// What can be fetched again, mode 0700.
    pub cache: PathBuf,
    /// MicroK8s' credentials file.
    pub kubeconfig: PathBuf,
    /// Where a helm binary may be, best first. Snap's wrappers do not work under
    /// `NoNewPrivileges`, so these are the binaries themselves.
    pub helm: Vec<PathBuf>,
    /// Where the container runtime's client may be, best first.
    pub ctr: Vec<PathBuf>,
    /// The socket of MicroK8s' container runtime.
    pub runtime: PathBuf,
    /// The settings of MicroK8s' container runtime.
    pub runtime_settings: PathBuf,
    /// What MicroK8s' API server is told to do.
    pub api_arguments: PathBuf,
    /// MicroK8s' certificates.
    pub certificates: PathBuf,
    /// The kernel's parameters.
    pub sysctl: PathBuf,
    /// What the kernel tells of devices.
    pub sysfs: PathBuf,
    /// snapd's socket.
    pub snapd: PathBuf,
    /// Where distributions put the NVIDIA library.
    pub libraries: Vec<PathBuf>,
    /// The command `microk8s`.
    pub microk8s: PathBuf,
    /// The host's mount table: `/proc/1/mountinfo`, whatever the sandbox sees.
    pub mountinfo: PathBuf,
    /// `fstab(5)`.
    pub fstab: PathBuf,
    /// Directories of unit files, for mount units.
    pub units: Vec<PathBuf>,
    /// udev's database of block devices.
    pub udev: PathBuf,
    /// Links from UUIDs to block devices.
    pub by_uuid: PathBuf,
    /// The agent's own program, for the units it starts.
    pub program: PathBuf,
}

impl Paths {
    /// The paths below `root`, which is `/` but in tests.
    #[must_use]
    pub fn below(root: &Path) -> Self {
        Self {
            config: Directories::below(root),
            state: root.join("var/lib/kaapana-agent"),
            cache: root.join("var/cache/kaapana-agent"),
            kubeconfig: root.join("var/snap/microk8s/current/credentials/client.config"),
            helm: ["snap/microk8s/current/bin/helm", "snap/microk8s/current/helm", "snap/helm/current/helm"]
                .iter()
                .map(|path| root.join(path))
                .collect(),
            ctr: ["snap/microk8s/current/bin/ctr", "usr/bin/ctr"].iter().map(|path| root.join(path)).collect(),
            runtime: root.join("var/snap/microk8s/common/run/containerd.sock"),
            runtime_settings: root.join("var/snap/microk8s/current/args/containerd.toml"),
            api_arguments: root.join("var/snap/microk8s/current/args/kube-apiserver"),
            certificates: root.join("var/snap/microk8s/current/certs"),
            sysctl: root.join("proc/sys"),
            sysfs: root.join("sys"),
            snapd: root.join("run/snapd.socket"),
            libraries: ["usr/lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu", "usr/lib64", "usr/lib"]
                .iter()
                .map(|path| root.join(path))
                .collect(),
            microk8s: root.join("snap/bin/microk8s"),
            mountinfo: root.join("proc/1/mountinfo"),
            fstab: root.join("etc/fstab"),
            units: [
                "etc/systemd/system",
                "run/systemd/system",
                "run/systemd/generator",
                "usr/lib/systemd/system",
                "lib/systemd/system",
            ]
            .iter()
            .map(|path| root.join(path))
            .collect(),
            udev: root.join("run/udev/data"),
            by_uuid: root.join("dev/disk/by-uuid"),
            program: PathBuf::from("/usr/sbin/kaapana-agent"),
        }
    }

    /// Folder of a deployment's chart and values.
    #[must_use]
    pub fn deployment(&self, job: u32) -> PathBuf {
        self.state.join("deployments").join(job.to_string())
    }

    /// Folder of a step of a job.
    #[must_use]
    pub fn step(&self, unit: &str) -> PathBuf {
        self.state.join("steps").join(unit)
    }

    /// The log of the migration of a job.
    #[must_use]
    pub fn migration_log(&self, job: u32) -> PathBuf {
        self.state.join("migrations").join(format!("{job}.log"))
    }

    /// Folder of the charts that were pulled, by digest.
    #[must_use]
    pub fn charts(&self) -> PathBuf {
        self.cache.join("charts")
    }

    /// Folder helm keeps its own files in.
    #[must_use]
    pub fn helm_home(&self) -> PathBuf {
        self.state.join("helm")
    }
}
