//! AWS's protocols: forms in and XML out, or JSON both ways.

pub(crate) mod form;
pub(crate) mod json;
pub(crate) mod refusal;
pub(crate) mod xml;
