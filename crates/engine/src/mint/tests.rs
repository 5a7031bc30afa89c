//! Plans run against scripted ports.
