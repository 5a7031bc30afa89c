//! The target of `cargo xtask fuzz`: the same function that the property tests call.
#![no_main]

#[path = "../../crates/engine/tests/it/target.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| target::render(bytes));
