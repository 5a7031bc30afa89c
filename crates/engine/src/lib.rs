//! From a request to a plan, a live AWS session, and bytes: no I/O, no SDK, no Kubernetes client.
//!
//! ```text
//! flags, manifest, spec ─ a door parses ─▶ Plan { source, hops } ─ mint ─▶ Session ─ output ─▶ bytes
//! ```
//!
//! Modules in reading order, which is dependency order: a module uses only those above it.
//! What the engine asks of the world is in [`ports`]; the AWS SDK's side of them is the crate
//! `rolecall-aws`.
//!
//! ```
//! use rolecall_engine::request::{InvalidSessionDuration, SessionDuration};
//!
//! assert_eq!(SessionDuration::from_seconds(3_600)?.seconds(), 3_600);
//! assert!(SessionDuration::from_seconds(899).is_err());
//! # Ok::<(), InvalidSessionDuration>(())
//! ```

pub mod violation;

pub mod arn;

pub mod region;

pub mod request;

pub mod fields;

pub mod pattern;

pub mod template;

pub mod grant;

pub mod plan;

pub mod session;

pub mod guard;

pub mod token;

pub mod error;

pub mod ports;

pub mod flight;

pub mod mint;

pub mod render;

pub mod output;
