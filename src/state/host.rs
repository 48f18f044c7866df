//! What is seen of the machine's kernel, and of the files MicroK8s is run with.

use std::collections::BTreeSet;
use std::net::IpAddr;

use jiff::Timestamp;

/// Limits of the kernel that a platform needs to be high enough (`sysctl(8)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// `vm.max_map_count`; `None`: cannot be read.
    pub max_map_count: Option<u64>,
    /// `fs.inotify.max_user_instances`; `None`: cannot be read.
    pub inotify_instances: Option<u64>,
}

/// What MicroK8s' API server is told to do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ApiArguments {
    /// When the file was changed last; `None`: not known.
    pub changed: Option<Timestamp>,
    /// First and last port of `--service-node-port-range`, or Kubernetes' default.
    pub node_ports: Option<(u16, u16)>,
    /// `--advertise-address`.
    pub advertise_address: Option<String>,
    /// `--authorization-mode`.
    pub authorization: Vec<String>,
}

/// A certificate in a file of MicroK8s.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Name of the file, such as `server.crt`.
    pub name: String,
    /// When it ends; or why that is not known.
    pub expires: Result<Timestamp, String>,
}

/// The container runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuntimeState {
    /// It answers, and says that it and its network are ready.
    Ready,
    /// It answers, and says what is not ready.
    NotReady {
        /// Each condition that does not hold, with reason and message.
        message: String,
    },
    /// It does not answer at its socket.
    NotAnswering {
        /// Why.
        message: String,
    },
}

/// The registry and the configured chart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryState {
    /// Reference and version of the chart.
    pub chart: String,
    /// Why it would not be given: one `CamelCase` word and a sentence without secrets.
    pub problem: Option<(String, String)>,
}

/// Where a name leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The name.
    pub name: String,
    /// Its addresses; or why there are none.
    pub addresses: Result<BTreeSet<IpAddr>, String>,
}
