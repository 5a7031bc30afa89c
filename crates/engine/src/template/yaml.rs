//! YAML 1.1 as ESO reads and writes it (`sigs.k8s.io/yaml` over go-yaml 2): `yes` is true, `010` is 8.
//!
//! The syntax is read by `granit-parser`; what a plain scalar stands for, and which scalar needs
//! quotes to be read back by such a reader, are YAML 1.1's and stand here.

mod read;
mod resolve;
mod scalar;
mod write;

pub(super) use read::{read, string_map};
pub(super) use write::write;
