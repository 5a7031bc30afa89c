//! The shipped controller on a real API server, under the role that `deploy/manifests` gives it.
//!
//! `cargo xtask e2e` starts the control plane and says where it is.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::needless_pass_by_value,
    clippy::too_many_lines,
    reason = "tests panic, say what ran, look at the clock, and have tables"
)]

mod admission;
mod bed;
mod compare;
mod manifests;
mod objects;
mod observer;
mod place;
mod replicas;
mod scenario;
mod scenarios;
mod scoped;
mod stock;
mod takeover;
mod wild;
