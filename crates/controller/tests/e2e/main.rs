//! The shipped controller on a real API server, under the role that `deploy/manifests` gives it.
//!
//! `cargo xtask e2e` starts the control plane and says where it is.

mod admission;
mod bed;
mod compare;
mod manifests;
mod objects;
mod observer;
mod place;
mod scenario;
mod scenarios;
