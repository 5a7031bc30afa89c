//! The engine's ports over the AWS SDK for Rust: the only crate that names SDK types.
//!
//! [`StsClient`] makes the calls, [`Sources`] finds keys in the places where AWS tools put them,
//! [`SharedConfig`] reads what else the shared configuration says. No error of the SDK leaves this
//! crate: its debug form can hold live secret keys, so code and sentence are taken out and the rest
//! is dropped.

mod failure;
mod shared_config;
mod sources;
mod sts;

pub use shared_config::SharedConfig;
pub use sources::Sources;
pub use sts::{Endpoint, InvalidEndpoint, StsClient};
