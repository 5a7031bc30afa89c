//! Grants as text, and what is told about them.
