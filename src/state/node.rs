//! What is seen of this machine: units, programs, disks, the GPU, the page.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A systemd unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitState {
    /// `LoadState`, such as `loaded`, `not-found`.
    pub load: String,
    /// `ActiveState`, such as `active`, `failed`.
    pub active: String,
    /// `SubState`, such as `running`.
    pub sub: String,
    /// When systemd was seen to have started it again by itself, the last few times.
    pub restarts: Vec<Timestamp>,
    /// Since when it is active; `None`: it is not, or that is not known.
    pub since: Option<Timestamp>,
}

/// What the API server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiState {
    /// `/readyz` answered 200.
    pub ready: bool,
    /// What it said when it did not.
    pub message: String,
    /// Its version, such as `v1.33.1`.
    pub version: String,
}

/// A file or directory of MicroK8s the agent needs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tools {
    /// The helm binary, when one was found.
    pub helm: Option<PathBuf>,
    /// Where it was looked for.
    pub helm_candidates: Vec<PathBuf>,
    /// The credentials file, and whether it can be read.
    pub kubeconfig: PathBuf,
    /// Why the credentials file cannot be used.
    pub kubeconfig_error: Option<String>,
}

/// The chart the configuration names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chart {
    /// An archive on this machine.
    File {
        /// Its path.
        path: PathBuf,
        /// SHA-256 of the archive, hexadecimal; or why it cannot be read.
        digest: Result<String, String>,
    },
    /// In a registry; its digest is known once it was pulled.
    Registry {
        /// `oci://host/path/name`.
        reference: String,
        /// The version.
        version: String,
    },
}

impl Chart {
    /// Where it comes from, as it is kept with a deployment.
    #[must_use]
    pub fn source(&self) -> String {
        match self {
            Self::File { path, .. } => path.display().to_string(),
            Self::Registry { reference, version } => format!("{reference}:{version}"),
        }
    }

    /// Its digest, when it is known.
    #[must_use]
    pub fn digest(&self) -> Option<&str> {
        match self {
            Self::File { digest: Ok(digest), .. } => Some(digest),
            _ => None,
        }
    }
}

/// The transient unit of a step, and what it left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepUnit {
    /// Its name.
    pub unit: String,
    /// Running, ended or not there.
    pub state: StepState,
    /// systemd's id of this run, for the journal.
    pub invocation: String,
}

/// What a step's unit does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepState {
    /// It runs.
    Running,
    /// It ended and said how.
    Ended(StepResult),
    /// There is no such unit and no result: never started, or lost with a reboot.
    Absent,
}

/// How a step's program ended; it is written to disk by the step itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepResult {
    /// Exit status; `None`: killed by a signal or not started.
    pub status: Option<i32>,
    /// It ran past its time limit and was ended.
    pub timed_out: bool,
    /// The last lines it printed, secrets removed.
    pub tail: Vec<String>,
}

/// How far the streamed input of a step is; it is written to disk by the step itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StepProgress {
    /// Bytes that were taken.
    pub bytes: u64,
    /// Of so many.
    pub total: u64,
}

/// How far an import of images is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ImportProgress {
    /// Bytes of the archive that were read.
    pub bytes: u64,
    /// Of so many; 0: not known yet.
    pub total: u64,
    /// Images that the container runtime has.
    pub images: usize,
    /// Of so many.
    pub of: usize,
}

impl StepResult {
    /// Ended with exit status 0.
    #[must_use]
    pub fn success(&self) -> bool {
        self.status == Some(0) && !self.timed_out
    }
}

/// What the platform's web page does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Its address.
    pub url: String,
    /// It answers with a status below 500.
    pub answers: bool,
    /// What it said.
    pub message: String,
    /// When its certificate ends, when it showed one.
    pub certificate: Option<Timestamp>,
}

/// Memory and processors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct System {
    /// Name of this machine.
    pub host_name: String,
    /// Total memory in MiB.
    pub memory_mib: u64,
    /// Memory available to programs in MiB.
    pub available_mib: u64,
    /// Number of processors.
    pub processors: usize,
    /// Load average of 5 minutes, in hundredths.
    pub load5_centi: u64,
}

/// The GPU, seen through NVML. No driver, no library and no GPU are states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gpu {
    /// NVML lists these.
    Devices {
        /// Names of the devices, by index.
        names: Vec<String>,
        /// Version of the driver.
        driver: String,
    },
    /// The library is there, the driver is not loaded (NVML code 9).
    NoDriver,
    /// There is no `libnvidia-ml.so`.
    NoLibrary,
    /// The driver is loaded and lists nothing.
    NoDevice,
    /// NVML answered with an error.
    Failed(String),
}

/// What else the machine says of its NVIDIA GPUs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GpuHost {
    /// GPUs on the PCI bus, by address, such as `0000:01:00.0`.
    pub devices: Vec<String>,
    /// Version of the driver that is loaded.
    pub driver: Option<String>,
    /// Version of the library that is installed, which programs start with from now on.
    pub library: Option<String>,
}

/// How snapd keeps MicroK8s.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snap {
    /// Version of the snap, such as `v1.33.1`.
    pub version: String,
    /// What it is refreshed from, such as `1.33/stable`.
    pub channel: String,
    /// Until when it is not refreshed by itself, of its own or with all snaps.
    pub hold: Option<Timestamp>,
}

/// The two data directories; they may be the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disks {
    /// Of databases and working data.
    pub fast: Directory,
    /// Of images and archives.
    pub slow: Directory,
    /// Further mount points that the site wants to be looked at.
    pub monitored: Vec<Directory>,
}

/// A data directory and the file system under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    /// Its path.
    pub path: PathBuf,
    /// The path with its links followed, as far as it exists.
    pub resolved: PathBuf,
    /// Does it exist as a directory?
    pub exists: bool,
    /// The file system has not answered in time: only what the mount table says is known.
    pub hung: bool,
    /// Nothing in it but `lost+found` and the agent's marker; `None`: could not be read.
    pub empty: Option<bool>,
    /// A folder in it, as a platform makes them: not hidden, and neither `lost+found` nor the
    /// `snap` of a home directory.
    pub folder: Option<String>,
    /// First line of the file `version`, which the platform writes: its release.
    pub version: Option<String>,
    /// Mount points at or above the directory which fstab or a mount unit declares
    /// and which are not mounted.
    pub missing_mounts: Vec<PathBuf>,
    /// The mount point the directory lies on now.
    pub mount_point: PathBuf,
    /// The kernel's number of that mount.
    pub mount_id: Option<u64>,
    /// Source of that mount, such as `/dev/sdb1`.
    pub source: String,
    /// Its file system type.
    pub fs_type: String,
    /// Mounted read-only.
    pub read_only: bool,
    /// The disk turns; `None`: not known.
    pub rotational: Option<bool>,
    /// Errors that the file system has counted; `None`: it counts none.
    pub fs_errors: Option<u64>,
    /// It is on the same disk as the root file system; `None`: not known.
    pub on_root_disk: Option<bool>,
    /// What identifies the file system.
    pub identity: DiskIdentity,
    /// Bytes in all.
    pub total: u64,
    /// Bytes that can still be written by the platform.
    pub free: u64,
    /// Files that can be there in all, and still be made; `None`: the file system knows no limit.
    pub inodes: Option<(u64, u64)>,
    /// Bytes an hour by which the free space grew less lately; 0: not, or not known yet.
    pub filling: u64,
    /// Why space or contents are not known, when they are not.
    pub error: Option<String>,
}

/// What identifies a disk: what is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DiskIdentity {
    /// UUID of the file system.
    pub uuid: Option<String>,
    /// `f_fsid` of `statfs(2)` where the file system derives it from its UUID (ext4, btrfs).
    pub fsid: Option<String>,
    /// The id in the agent's marker file.
    pub marker: Option<String>,
}

impl Directory {
    /// One of which nothing is known.
    #[must_use]
    pub fn unseen(path: PathBuf) -> Self {
        Self {
            resolved: path.clone(),
            path,
            exists: false,
            hung: false,
            empty: None,
            folder: None,
            version: None,
            missing_mounts: Vec::new(),
            mount_point: PathBuf::new(),
            mount_id: None,
            source: String::new(),
            fs_type: String::new(),
            read_only: false,
            rotational: None,
            fs_errors: None,
            on_root_disk: None,
            identity: DiskIdentity::default(),
            total: 0,
            free: 0,
            inodes: None,
            filling: 0,
            error: None,
        }
    }
}

/// What lies beneath the mount point of a data directory, at its place: written while the disk
/// was away, and hidden by it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beneath {
    /// The mount that hides it.
    pub mount_id: u64,
    /// When it was looked at.
    pub at: Timestamp,
    /// The first names, and how many there are; or why nobody can tell.
    pub found: Result<(Vec<String>, u64), String>,
}
