//! An emulator of AWS STS: answers its calls as AWS would, from a small world file.
//!
//! It verifies signatures, judges trust policies, checks every field limit and makes sessions that
//! end. It shares no code with any client, so that it can judge one. Time is an input, and what
//! goes wrong goes wrong on cue ([`Fault`]). The rules it follows are numbered (E1, E2, ...) in
//! the AWS reference, and the code cites the numbers.
//!
//! Beside STS it answers `GetAuthorizationToken` of the container registries, on the same port.
//!
//! No credential it issues can be taken for real: key ids begin `ASIAEMULATED`, registry passwords
//! `EMULATED`.
//!
//! ```
//! use std::sync::Arc;
//!
//! use rolecall_emulator::{Emulator, Options, Transport, World};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let now: jiff::Timestamp = "2026-01-01T00:00:00Z".parse()?;
//! let options = Options {
//!     listen: ([127, 0, 0, 1], 0).into(),
//!     transport: Transport::Http,
//!     clock: Arc::new(move || now),
//! };
//! let emulator = Emulator::start(World::builtin()?, options).await?;
//!
//! // Point any AWS client at the URL, with the credentials of the world's ambient caller.
//! assert!(emulator.sts_url().starts_with("http://127.0.0.1:"));
//! let credentials = emulator.ambient_credentials().ok_or("the world has an ambient caller")?;
//! assert_eq!(credentials.access_key_id, "AKIAEMULATEDALICE001");
//!
//! emulator.inject("times=1 operation=AssumeRole throttle".parse()?);
//! emulator.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod arn;
mod authenticate;
mod control;
mod ecr;
mod emulator;
mod fault;
mod fields;
mod issued;
mod jwt;
mod mfa;
mod operations;
mod policy;
mod random;
mod record;
mod server;
mod service;
mod session;
mod sigv4;
mod state;
mod tags;
mod tls;
mod totp;
mod wire;
mod world;

pub use emulator::{AmbientCredentials, Emulator, Options, Transport};
pub use fault::{Fault, FaultRule, InvalidFault};
pub use issued::IssuedSecrets;
pub use record::RequestRecord;
pub use state::Clock;
pub use world::{
    ProviderSummary, RoleSummary, TokenError, TokenRequest, UserSummary, World, WorldError,
};
