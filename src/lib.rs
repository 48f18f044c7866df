//! kaapana-agent: deploys the Kaapana platform on a MicroK8s server and watches it.
//!
//! Observation, decision and action are apart; the map, in the order of the data:
//!
//! ```text
//!  config/   *.toml -> Fragments -> Settings -> Values ----+
//!  sensors/  units, API, cluster, disks, GPU, ... ---------+-> Snapshot -> planner::plan() -> Plan
//!  ledger/   generation, desired state, jobs, disks -------+                                   |
//!                 ^                                                                    the first step
//!                 +------------------------- agent/ <----------- actuators/ <------------------+
//!                                              |
//!                                 dbus/, telemetry, service
//! ```
//!
//! * [`agent`]: the loop. It looks, plans, does one step, looks again; a restart in
//!   the middle of anything is an ordinary start.
//! * [`planner`]: the one place that decides; pure.
//! * [`health`]: the rules of health by kind; pure. [`state`]: what is known of the node.
//! * [`config`]: from files to typed settings to Helm values.
//! * [`ledger`]: what must survive; an accepted request is in it before its answer.
//! * [`sensors`]: push what they see, never change anything.
//! * [`actuators`]: alone change things. What takes long runs in transient units
//!   ([`job_step`]), so that the agent can be killed or upgraded meanwhile.
//! * [`command`]: the one place that starts processes. [`systemd`]: its D-Bus interface.
//!   [`runtime`]: the container runtime's interface. [`registry`]: where charts come from.
//! * [`dbus`]: the interface `ai.kaapana.Agent1`. [`cli`]: `kaapanactl`, its client.
//!   [`doctor`]: the same look at a node on which no agent runs.
//! * [`telemetry`], [`service`]: what the journal and systemd are told.
//! * [`paths`]: every path, movable for tests. [`error`]: how errors are told.
//! * [`documents`]: what is generated from the program. [`fault`]: where tests end it.
//!
//! Never: a namespace, claim, volume or file of a data directory deleted; anything
//! touched that cannot be shown to be this platform's; a deployment onto a disk that
//! is not the expected one; an act on what is not known.

pub mod actuators;
pub mod agent;
pub mod cli;
pub mod command;
pub mod config;
pub mod dbus;
pub mod doctor;
pub mod documents;
pub mod error;
pub mod fault;
pub mod health;
pub mod job_step;
pub mod ledger;
pub mod paths;
pub mod planner;
pub mod registry;
pub mod runtime;
pub mod sensors;
pub mod service;
pub mod state;
pub mod systemd;
pub mod telemetry;
