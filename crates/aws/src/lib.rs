//! The engine's ports over the AWS SDK for Rust: the only crate that names SDK types.
//!
//! [`AwsClient`] makes the calls, [`Machine`] finds keys in the places where AWS tools put them,
//! [`SharedConfig`] reads the AWS config files. No error of the SDK leaves this
//! crate: its debug form can hold live secret keys, so code and sentence are taken out and the rest
//! is dropped.

mod client;
mod clock_offset;
pub mod command;
mod container;
mod ecr;
mod endpoint;
mod failure;
mod files;
mod instance;
mod key_document;
mod network;
mod observer;
mod shared_config;
mod sources;
mod sts;
mod trust;
mod whole;

pub use client::AwsClient;
pub use ecr::PUBLIC_ECR_REGION;
pub use endpoint::{Destination, Endpoint, InvalidEndpoint, PlainHttp};
pub use network::{Network, Retries, is_proxy};
pub use shared_config::{
    ChainOptions, ConfigFiles, CredentialKind, Endpoints, Profile, ProfileChain, ProfileSettings,
    SharedConfig,
};
pub use sources::{Machine, PROCESS_MARKER};
pub use trust::{CaBundle, InvalidCaBundle};
