//! The shipped controller on a real API server, under the role that `deploy/manifests` gives it.
//!
//! `cargo xtask e2e` starts the control plane and says where it is.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test panics, and says what ran"
)]

mod admission;
mod bed;
mod compare;
mod manifests;
mod objects;
mod observer;
mod place;
mod scenario;
mod scenarios;
