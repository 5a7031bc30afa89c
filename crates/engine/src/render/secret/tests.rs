//! The object that is written.
