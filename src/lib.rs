//! x
pub mod config;
pub mod health;
pub mod ledger;
pub mod planner;
pub mod state;
pub mod command;
pub mod paths;
pub mod systemd;
pub mod sensors;
pub mod actuators;
pub mod error;
pub mod job_step;
