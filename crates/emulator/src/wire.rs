//! AWS's query protocol: forms in, XML out.

pub(crate) mod form;
pub(crate) mod refusal;
pub(crate) mod xml;
