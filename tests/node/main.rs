//! The tests on the real node (`README.md` beside this file): real systemd, D-Bus,
//! polkit, journald, Kubernetes and helm, and the package installed with apt.
//!
//! They run one after the other, as root: `make test-node`, or
//! `cargo test --features node-tests --test node -- --test-threads=1 NAME`.

#![allow(missing_docs)]

mod adoption;
mod bad_input;
mod careless;
mod checks;
mod crash;
mod durability;
mod ends;
mod harness;
mod images;
mod kept;
mod life;
mod migration;
mod package;
mod providers;
mod registry;
mod rendering;
mod secrets;
mod surroundings;
mod undeploy;
mod upgrade;
mod way_back;
