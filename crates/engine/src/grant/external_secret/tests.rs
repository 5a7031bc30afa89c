//! Documents, and what is told about them.
