//! `kaapanactl`: arguments → calls over D-Bus → text or JSON. No logic of its own.
//!
//! * this module: the arguments and the exit statuses;
//! * [`run`]: what each command calls; [`follow`]: live progress;
//! * [`import`]: moving in from the deploy script, without the agent;
//! * [`mod@doctor`]: what every check says, with or without the agent;
//! * [`text`]: how things look.

pub mod doctor;
pub mod follow;
pub mod import;
pub mod run;
pub mod text;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Exit statuses; scripts depend on them.
pub mod exit {
    /// Done; with `status`: healthy, or undeployed as wished.
    pub const DONE: u8 = 0;
    /// Failed; with `status`: anything that wants attention.
    pub const FAILED: u8 = 1;
    /// There was nothing to do.
    pub const NOTHING_TO_DO: u8 = 2;
    /// The agent cannot be reached.
    pub const UNREACHABLE: u8 = 3;
    /// Not authorized.
    pub const NOT_AUTHORIZED: u8 = 4;
    /// With `status`: in progress or paused.
    pub const IN_PROGRESS: u8 = 5;
    /// Wrong usage (EX_USAGE of sysexits.h).
    pub const USAGE: u8 = 64;
}

/// Control the Kaapana node agent
#[derive(Debug, Parser)]
#[command(
    name = "kaapanactl",
    version,
    after_help = "Exit status: 0 done, 1 failed, 2 nothing to do, 3 the agent cannot be reached, 4 not authorized, 64 wrong usage,\n\
                  130 a job goes on that is not followed any more (Ctrl-C).\n\
                  Of status: 0 healthy or undeployed as wished, 5 in progress or paused, 1 anything else.\n\
                  Of doctor: 0 nothing hinders a deployment, 1 something wants attention, 2 a deployment would be held."
)]
pub struct Arguments {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the platform, its checks and what is under way
    Status {
        /// Print the whole state as JSON
        #[arg(long)]
        json: bool,
        /// Go on showing what changes, until Ctrl-C
        #[arg(long, short)]
        watch: bool,
        /// Show every check, not only those that fail
        #[arg(long, short)]
        all: bool,
    },
    /// Show what the agent would do next, and what is held back and why
    Plan {
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// Show the values that Helm would be given, secrets masked
    Values {
        /// Print them as JSON
        #[arg(long)]
        json: bool,
    },
    /// Deploy what is configured, and follow it until it is healthy
    Deploy {
        /// Also when nothing differs from what is deployed
        #[arg(long)]
        again: bool,
        /// Also outside of the maintenance windows
        #[arg(long)]
        now: bool,
        /// Do not wait for running workflows, which lose the platform under them
        #[arg(long)]
        stop_workflows: bool,
        /// Give up releases that are stuck at their first revision
        #[arg(long)]
        unlock: bool,
        /// Accept that another platform than the one before is meant: it starts empty
        #[arg(long)]
        accept_identity_change: bool,
        /// Accept that the data directories lie on other disks than were recorded
        #[arg(long)]
        accept_disk_change: bool,
        /// Accept that what lies in the fast data directory is no platform's data
        #[arg(long)]
        accept_unknown_data: bool,
        /// Deploy afresh onto data whose migration asks for that before it can go on
        #[arg(long)]
        accept_fresh_deploy: bool,
        /// How the job is asked for
        #[command(flatten)]
        how: How,
    },
    /// Migrate the data of an older Kaapana to the configured version, which cannot be undone
    ///
    /// Says from which version to which, asks for a backup, takes down what runs, and follows the migration to its end,
    /// which may take hours. A deployment of the configured version follows by itself. The log of the migration is
    /// kept in /var/lib/kaapana-agent/migrations.
    Migrate {
        /// Do not ask: there is a backup
        #[arg(long, short)]
        yes: bool,
        /// The data was restored from a backup: forget the migration that was begun, and migrate nothing
        #[arg(long, conflicts_with_all = ["now", "unlock", "reason", "no_wait"])]
        restored: bool,
        /// Also outside of the maintenance windows
        #[arg(long)]
        now: bool,
        /// Give up releases that are stuck at their first revision
        #[arg(long)]
        unlock: bool,
        /// How the job is asked for
        #[command(flatten)]
        how: How,
    },
    /// Take over a platform that the deploy script or someone else deployed, as it is
    Adopt {
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// Take the platform down; its data stays
    Undeploy {
        /// Without the hooks of the charts: when these hang because an image cannot be pulled
        #[arg(long)]
        no_hooks: bool,
        /// Delete by force what pods are left of the platform; what they have not written is lost
        #[arg(long)]
        nuke_pods: bool,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
        /// Do not wait for running workflows, which lose the platform under them
        #[arg(long)]
        stop_workflows: bool,
        /// Give up releases that are stuck at their first revision
        #[arg(long)]
        unlock: bool,
        /// How the job is asked for
        #[command(flatten)]
        how: How,
    },
    /// Have the agent start nothing by itself; a job that has begun to change the platform goes on to its end
    Pause {
        /// Why, for the next person who looks
        reason: String,
        /// For how long, such as 90m or 2h; without it until someone resumes
        #[arg(long = "for", value_name = "SPAN", value_parser = text::parse_span)]
        span: Option<std::time::Duration>,
    },
    /// End a pause
    Resume,
    /// Read the configuration now
    Reload,
    /// Wait until the platform is as wished, showing what changes; for scripts
    Wait {
        /// Give up after this time, such as 90m or 2h
        #[arg(long, value_name = "SPAN", default_value = "2h", value_parser = text::parse_span)]
        timeout: std::time::Duration,
    },
    /// Explain the last decision: why the agent does what it does, or does nothing
    Why,
    /// End the running job where it can be ended; says before what that means
    Cancel {
        /// Number of the job; without it the one that runs
        job: Option<u32>,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// List the jobs that ran and the one that runs
    History {
        /// Print them as JSON
        #[arg(long)]
        json: bool,
    },
    /// Show a job: who asked, what ran, how it ended, how long the page was gone
    Job {
        /// Its number
        job: u32,
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// Show the agent's journal, or that of a job
    Logs {
        /// Number of a job
        job: Option<u32>,
        /// Go on showing what is written, until Ctrl-C
        #[arg(long, short)]
        follow: bool,
    },
    /// Look at everything a deployment needs, and say what to do about what is wrong
    ///
    /// Asks the agent when it runs, and looks itself when it does not; without MicroK8s and without root, too: what cannot be
    /// seen is said. Nothing is changed. Exit status: 0 nothing hinders a deployment, 1 something wants attention,
    /// 2 a deployment would be held, or it cannot be told.
    Doctor {
        /// The agent's program (for tests)
        #[arg(long, default_value = "/usr/sbin/kaapana-agent", hide = true)]
        program: PathBuf,
        /// How it is shown
        #[command(flatten)]
        options: doctor::Options,
    },
    /// Make a fragment of the settings in Kaapana's deploy script; needs no agent
    ///
    /// Reads a deploy_platform.sh or kaapanactl.sh of Kaapana 0.2 to 0.6, or lines KEY=value. Nothing of it is run.
    /// The fragment goes to standard output and holds the passwords of the script; what was carried over, what was
    /// not, and what to look at is said on standard error. Exit status 1: something that a deployment needs is missing.
    Import {
        /// The script; - reads standard input
        file: PathBuf,
        /// Install the fragment as 10-imported.toml instead of printing it; the agent then acts on it
        #[arg(long)]
        write: bool,
        /// Directory to install it into, instead of /etc/kaapana/config
        #[arg(long, value_name = "DIR", requires = "write")]
        directory: Option<PathBuf>,
    },
    /// Work on the images of the container runtime
    Images {
        /// What to do with them
        #[command(subcommand)]
        command: ImagesCommand,
    },
    /// Look at configuration files
    Config {
        /// What to do with them
        #[command(subcommand)]
        command: ConfigCommand,
    },
}

/// How a job is asked for.
#[derive(Debug, clap::Args)]
pub struct How {
    /// Why, for the history
    #[arg(long, default_value = "")]
    pub reason: String,
    /// Do not wait for the end of the job
    #[arg(long)]
    pub no_wait: bool,
}

/// Commands about images.
#[derive(Debug, Subcommand)]
pub enum ImagesCommand {
    /// Import an archive of images, for a server without a registry
    ///
    /// The archive is looked into first: one that was cut off or is something else is refused before anything is
    /// imported. The job goes on when this command or the agent is stopped. Nothing that runs is touched.
    Import {
        /// The archive, as docker save or ctr images export write it
        archive: PathBuf,
        /// How the job is asked for
        #[command(flatten)]
        how: How,
    },
}

/// Commands about configuration files.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Check the configuration, or a fragment or directory alone; needs no agent
    Check {
        /// Which
        #[command(flatten)]
        which: Which,
    },
    /// Show every key that has a value, secrets masked; needs no agent
    Show {
        /// Also where each value comes from: file and line, default, credential or password file
        #[arg(long)]
        origin: bool,
        /// Which
        #[command(flatten)]
        which: Which,
    },
}

/// Which configuration is meant.
#[derive(Debug, clap::Args)]
pub struct Which {
    /// A *.toml file or a directory of them, which is taken for the whole configuration, without
    /// passwords that stand in no fragment; by default all that the agent reads
    pub path: Option<PathBuf>,
    /// Look for every file below this directory instead of / (for tests)
    #[arg(long, default_value = "/", hide = true)]
    pub root: PathBuf,
}
