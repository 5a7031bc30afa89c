//! The CustomResourceDefinitions: their types, whose comments are what `kubectl explain` prints.
//!
//! Supersets of ESO's: every object that its schemas admit is admitted by these, unless a rule of its
//! webhook, or a bound of AWS, refuses it. Objects are read by the engine, field by field and with
//! every fault at once; these types only describe them.

mod crds;
pub mod external_secret;
pub mod generators;
mod rules;
pub mod status;

pub use crds::{crds, crds_yaml};
pub use external_secret::ExternalSecretSpec;
pub use generators::{AssumeRoleSpec, ClusterGeneratorSpec, RegistryTokenSpec, SessionTokenSpec};
pub use status::ExternalSecretStatus;

use schemars::JsonSchema;

/// A name of a Kubernetes object.
#[derive(Debug, JsonSchema)]
#[schemars(transparent)]
pub struct Name(
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
    )]
    pub String,
);

/// A namespace.
#[derive(Debug, JsonSchema)]
#[schemars(transparent)]
pub struct Namespace(
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub  String,
);

/// A key of a Secret or a ConfigMap.
#[derive(Debug, JsonSchema)]
#[schemars(transparent)]
pub struct Key(
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[-._a-zA-Z0-9]+$"))] pub String,
);
