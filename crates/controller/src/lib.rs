//! The controller that keeps the Secrets of ExternalSecrets fresh.
//!
//! ```text
//! watches ─▶ world ─▶ loop { seen = act(decide(&seen, now)) } ─▶ Secret, status, Events, metrics
//! ```
//!
//! Modules in reading order. [`decide`] is pure and total, and the only judge of freshness;
//! [`reconcile`] does what it says and chooses nothing; [`progress`] is what each step leaves behind.

pub mod schedule;

pub mod failure;

pub mod window;

pub mod seen;

pub mod decide;

pub mod progress;

pub mod status;

pub mod schema;

pub mod object;

pub mod world;

pub mod planner;

pub mod api_error;

pub mod identity;

pub mod pace;

pub mod permits;

pub mod events;

pub mod state;

pub mod scope;

pub mod served;

pub mod lease;

pub mod metrics;

pub mod calls;

pub mod reconcile;

pub mod watch;

pub mod settings;

pub mod args;

pub mod probes;

pub mod run;

pub mod release;
