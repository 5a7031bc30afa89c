//! Encoders decode back.
