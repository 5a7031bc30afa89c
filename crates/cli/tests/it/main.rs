//! Conversations: the shipped binary against the emulator, over a real socket.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails like the test itself")]

mod canned;
mod cases;
#[cfg(target_os = "linux")]
mod commands;
mod doors;
mod endpoints;
mod harness;
mod kinds;
mod manifests;
mod relay;
mod security;
mod serving;
mod sharing;
mod sources;
mod tidy;
