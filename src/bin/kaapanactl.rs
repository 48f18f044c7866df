//! The command line: a thin client of the agent's D-Bus interface.

use std::process::ExitCode;

use clap::Parser as _;
use kaapana_agent::cli::{Arguments, exit, run};

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            error.print().ok();
            let asked_for = !error.use_stderr();
            return ExitCode::from(if asked_for { exit::DONE } else { exit::USAGE });
        }
    };
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => ExitCode::from(runtime.block_on(run::run(arguments.command))),
        Err(error) => {
            eprintln!("kaapanactl: no runtime: {error}");
            ExitCode::from(exit::FAILED)
        }
    }
}
