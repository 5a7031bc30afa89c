//! The shipped controller on a real API server, under the role that `deploy/manifests` gives it.
//!
//! `cargo xtask e2e` starts the control plane and says where it is.

mod bed;
mod compare;
mod objects;
mod scenario;
mod scenarios;
