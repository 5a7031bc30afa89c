//! Conversations: the shipped binary against the emulator, over a real socket.

mod canned;
mod cases;
mod doors;
mod harness;
mod manifests;
mod sharing;
mod tidy;
