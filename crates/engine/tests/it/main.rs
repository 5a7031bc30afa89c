//! What others answer: Go's libraries, and External Secrets Operator on a cluster; and what no
//! template may do.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails like the test itself")]

mod go;
mod hashes;
mod leaks;
mod observed;
mod properties;
mod target;
