//! `ExternalSecret.status`.

use schemars::JsonSchema;

/// What became of the object.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct ExternalSecretStatus {
    /// The Secret that is written (servicebinding.io).
    pub binding: Option<Binding>,
    /// Ready says whether the Secret is what is asked for and will be for a while, Refreshing whether
    /// the last renewal worked.
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Option<Vec<Condition>>,
    /// When the first of the stored credentials ends, as AWS said.
    #[schemars(extend("format" = "date-time"))]
    pub expiration_time: Option<String>,
    /// The failure that stands.
    pub last_error: Option<LastError>,
    /// When the next try is, retries included.
    #[schemars(extend("format" = "date-time"))]
    pub next_refresh_time: Option<String>,
    /// The generation that this status is of.
    #[schemars(extend("format" = "int64"))]
    pub observed_generation: Option<i64>,
    /// A digest of what is asked of AWS.
    pub plan_hash: Option<String>,
    /// When the last refresh that worked began.
    #[schemars(extend("format" = "date-time", "x-may-be-null" = true))]
    pub refresh_time: Option<String>,
    /// When the stored credentials are to be renewed; a failed try does not move it.
    #[schemars(extend("format" = "date-time"))]
    pub renewal_time: Option<String>,
    /// What the object was at the last refresh that worked: its generation, and a hash of its labels
    /// and annotations.
    pub synced_resource_version: Option<String>,
}

/// The Secret that is written.
#[derive(Debug, JsonSchema)]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct Binding {
    /// Its name.
    #[schemars(extend("default" = ""))]
    pub name: Option<String>,
}

/// One condition.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct Condition {
    /// When its status changed last.
    #[schemars(extend("format" = "date-time"))]
    pub last_transition_time: Option<String>,
    /// A sentence.
    pub message: Option<String>,
    /// The generation that it is of.
    #[schemars(extend("format" = "int64"))]
    pub observed_generation: Option<i64>,
    /// A word for machines.
    pub reason: Option<String>,
    /// True, False or Unknown.
    pub status: String,
    /// Which condition.
    #[schemars(rename = "type", extend("enum" = ["Ready", "Deleted", "Refreshing"]))]
    pub type_: String,
}

/// A failure that stands.
#[derive(Debug, JsonSchema)]
pub struct LastError {
    /// How many tries in a row failed so.
    #[schemars(extend("format" = "int64"))]
    pub attempts: Option<i64>,
    /// The reason of the condition Refreshing.
    pub class: Option<String>,
    /// The code of AWS or Kubernetes, or ours.
    pub code: Option<String>,
    /// A sentence.
    pub message: Option<String>,
    /// When the first of them was.
    #[schemars(extend("format" = "date-time"))]
    pub since: Option<String>,
}
