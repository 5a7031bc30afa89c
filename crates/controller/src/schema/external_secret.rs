//! `ExternalSecret.spec`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde_json::json;

use super::{Key, Name, rules};

/// Which generators' keys become one Secret, and when they are renewed.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase", extend("x-kubernetes-validations" = rules::external_secret()))]
pub struct ExternalSecretSpec {
    /// Entries that read a secret store. rolecall reads none: such an object is left to the
    /// controller that does.
    pub data: Option<Vec<Data>>,
    /// Where the keys come from, in order; later ones win.
    #[schemars(extend("maxItems" = 64))]
    pub data_from: Option<Vec<DataFrom>>,
    /// The longest time between two renewals, as a Go duration such as 30m. Credentials are renewed
    /// before they end whatever it says; zero or less renews never.
    #[schemars(extend("default" = "1h0m0s"))]
    pub refresh_interval: Option<String>,
    /// When to refresh: once (CreatedOnce), at the interval and before the end (Periodic, which is
    /// also what happens where nothing is said), or when this object changes (OnChange).
    #[schemars(extend("enum" = ["CreatedOnce", "Periodic", "OnChange"]))]
    pub refresh_policy: Option<String>,
    /// A store whose controller serves this object; only its class is looked at.
    pub secret_store_ref: Option<StoreRef>,
    /// When periodic refreshes may happen, in UTC. A closed window never lets a credential end.
    pub sync_windows: Option<SyncWindows>,
    /// The Secret that is written.
    #[schemars(extend("default" = json!({"creationPolicy": "Owner", "deletionPolicy": "Retain"})))]
    pub target: Option<Target>,
}

/// An entry that reads a secret store.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct Data {
    /// The key of the Secret.
    pub secret_key: Key,
    /// What is read.
    pub remote_ref: RemoteRef,
    /// The store, where it is another one.
    pub source_ref: Option<SourceRef>,
}

/// What is read of a secret store.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct RemoteRef {
    /// How names are made legal.
    #[schemars(extend("enum" = ["Default", "Unicode"]))]
    pub conversion_strategy: Option<String>,
    /// How values are decoded.
    #[schemars(extend("enum" = ["Auto", "Base64", "Base64URL", "None"]))]
    pub decoding_strategy: Option<String>,
    /// Its name in the store.
    pub key: String,
    /// Whether its metadata is read too.
    #[schemars(extend("enum" = ["None", "Fetch"]))]
    pub metadata_policy: Option<String>,
    /// What becomes of null bytes.
    #[schemars(extend("enum" = ["Ignore", "Fail"]))]
    pub null_byte_policy: Option<String>,
    /// A part of it.
    pub property: Option<String>,
    /// A version of it.
    pub version: Option<String>,
}

/// One source of keys.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase", extend("x-kubernetes-validations" = rules::data_from()))]
pub struct DataFrom {
    /// All keys of one entry of a store.
    pub extract: Option<RemoteRef>,
    /// Entries of a store that are searched for.
    pub find: Option<Find>,
    /// How keys are renamed, step by step.
    pub rewrite: Option<Vec<Rewrite>>,
    /// The generator, or the store, that gives the keys.
    pub source_ref: Option<SourceRef>,
}

/// Entries of a store that are searched for.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct Find {
    /// How names are made legal.
    #[schemars(extend("enum" = ["Default", "Unicode"]))]
    pub conversion_strategy: Option<String>,
    /// How values are decoded.
    #[schemars(extend("enum" = ["Auto", "Base64", "Base64URL", "None"]))]
    pub decoding_strategy: Option<String>,
    /// By name.
    pub name: Option<FindName>,
    /// What becomes of null bytes.
    #[schemars(extend("enum" = ["Ignore", "Fail"]))]
    pub null_byte_policy: Option<String>,
    /// Below this path.
    pub path: Option<String>,
    /// By tags.
    pub tags: Option<BTreeMap<String, String>>,
}

/// A name that is searched for.
#[derive(Debug, JsonSchema)]
pub struct FindName {
    /// A regular expression.
    pub regexp: Option<String>,
}

/// One step of renaming: exactly one of its forms.
#[derive(Debug, JsonSchema)]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub struct Rewrite {
    /// Merges values that are JSON objects: none of AWS's generators gives such.
    pub merge: Option<Merge>,
    /// Replaces by a regular expression.
    pub regexp: Option<Regexp>,
    /// Renames by a template over .value.
    pub transform: Option<Transform>,
}

/// How values that are JSON objects are merged.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct Merge {
    /// What becomes of equal keys.
    #[schemars(extend("enum" = ["Ignore", "Error"], "default" = "Error"))]
    pub conflict_policy: Option<String>,
    /// The key of the result.
    #[schemars(extend("default" = ""))]
    pub into: Option<String>,
    /// Whose keys win.
    pub priority: Option<Vec<String>>,
    /// Whether all of them must be there.
    #[schemars(extend("enum" = ["IgnoreNotFound", "Strict"], "default" = "Strict"))]
    pub priority_policy: Option<String>,
    /// What the result is.
    #[schemars(extend("enum" = ["Extract", "JSON"], "default" = "Extract"))]
    pub strategy: Option<String>,
}

/// A replacement in every key.
#[derive(Debug, JsonSchema)]
pub struct Regexp {
    /// The regular expression, in RE2's syntax.
    pub source: String,
    /// What each match becomes; $1 is the first group.
    pub target: String,
}

/// A template that gives the new key.
#[derive(Debug, JsonSchema)]
pub struct Transform {
    /// The template; .value is the key.
    pub template: String,
}

/// A generator or a store, not both.
#[derive(Debug, JsonSchema)]
#[schemars(
    rename_all = "camelCase",
    extend("maxProperties" = 1, "x-kubernetes-validations" = rules::source_ref())
)]
pub struct SourceRef {
    /// The generator that is run.
    pub generator_ref: Option<GeneratorRef>,
    /// The store that is read; not by rolecall.
    pub store_ref: Option<StoreRef>,
}

/// A generator of this namespace, or a ClusterGenerator.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct GeneratorRef {
    /// The group and version of the generator.
    #[schemars(extend("default" = "generators.external-secrets.io/v1alpha1"))]
    pub api_version: Option<String>,
    /// The kind of the generator. rolecall runs STSAssumeRoleToken, STSSessionToken and
    /// ECRAuthorizationToken, and a ClusterGenerator around one of them.
    #[schemars(extend("enum" = kinds(true)))]
    pub kind: String,
    /// Its name.
    pub name: Name,
}

/// A store, of which only the class of its controller is looked at.
#[derive(Debug, JsonSchema)]
pub struct StoreRef {
    /// SecretStore, which is also what is meant where nothing is said, or ClusterSecretStore.
    #[schemars(extend("enum" = ["SecretStore", "ClusterSecretStore"]))]
    pub kind: Option<String>,
    /// Its name.
    pub name: Option<Name>,
}

/// When periodic refreshes may happen.
#[derive(Debug, JsonSchema)]
pub struct SyncWindows {
    /// Whether they may happen inside of the windows (allow) or outside of them (deny).
    #[schemars(extend("enum" = ["allow", "deny"]))]
    pub kind: String,
    /// The windows.
    #[schemars(length(min = 1))]
    pub windows: Vec<SyncWindow>,
}

/// One window.
#[derive(Debug, JsonSchema)]
pub struct SyncWindow {
    /// How long it lasts, as a Go duration such as 2h.
    pub duration: String,
    /// When it begins: five fields of cron, a shorthand such as @daily, or @every 1h; in UTC.
    #[schemars(
        length(min = 1),
        regex(
            pattern = r"^(@(annually|yearly|monthly|weekly|daily|midnight|hourly)|@every [^\s]+.*|[^\s]+( [^\s]+){4})$"
        )
    )]
    pub schedule: String,
}

/// The Secret that is written.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct Target {
    /// How it comes to be: owned by this object (Owner), by nobody (Orphan), only filled where it is
    /// there (Merge), not at all (None), or created like Orphan and filled like Merge.
    #[schemars(extend(
        "enum" = ["Owner", "Orphan", "Merge", "None", "CreateOrMerge"],
        "default" = "Owner"
    ))]
    pub creation_policy: Option<String>,
    /// What becomes of it without data, or with this object's end.
    #[schemars(extend("enum" = ["Delete", "Merge", "Retain"], "default" = "Retain"))]
    pub deletion_policy: Option<String>,
    /// Whether it is written once and then locked: its credentials end and are not renewed.
    pub immutable: Option<bool>,
    /// Another kind of target; rolecall writes Secrets alone.
    pub manifest: Option<Manifest>,
    /// Its name; this object's own where nothing is said.
    pub name: Option<Name>,
    /// What it is made of, where that is not the generators' keys as they are.
    pub template: Option<Template>,
}

/// Another kind of target.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct Manifest {
    /// Its group and version.
    #[schemars(length(min = 1))]
    pub api_version: String,
    /// Its kind.
    #[schemars(length(min = 1))]
    pub kind: String,
}

/// What the Secret is made of.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase", extend("x-kubernetes-validations" = rules::template()))]
pub struct Template {
    /// Values by key, as templates over the generators' keys.
    pub data: Option<BTreeMap<String, String>>,
    /// The language of the templates.
    #[schemars(extend("enum" = ["v2"], "default" = "v2"))]
    pub engine_version: Option<String>,
    /// Whether the generators' keys are left out (Replace) or kept beside the rendered ones (Merge).
    #[schemars(extend("enum" = ["Replace", "Merge"], "default" = "Replace"))]
    pub merge_policy: Option<String>,
    /// Labels, annotations and finalizers of the Secret.
    pub metadata: Option<TemplateMetadata>,
    /// Templates from elsewhere, in order.
    #[schemars(extend("maxItems" = 64))]
    pub template_from: Option<Vec<TemplateFrom>>,
    /// The type of the Secret.
    #[schemars(rename = "type")]
    pub type_: Option<String>,
}

/// Metadata of the Secret; values are templates too.
#[derive(Debug, JsonSchema)]
pub struct TemplateMetadata {
    /// Annotations.
    pub annotations: Option<BTreeMap<String, String>>,
    /// Finalizers.
    pub finalizers: Option<Vec<String>>,
    /// Labels.
    pub labels: Option<BTreeMap<String, String>>,
}

/// One template from elsewhere.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase", extend("x-kubernetes-validations" = rules::template_from()))]
pub struct TemplateFrom {
    /// Keys of a ConfigMap of this namespace.
    pub config_map: Option<TemplateRef>,
    /// A text that renders a map.
    pub literal: Option<String>,
    /// Keys of a Secret of this namespace.
    pub secret: Option<TemplateRef>,
    /// What is filled: Data, Annotations or Labels.
    #[schemars(length(max = 253), extend("default" = "Data"))]
    pub target: Option<String>,
    /// How the rendered values are decoded.
    #[schemars(extend("enum" = ["Auto", "Base64", "Base64URL", "None"]))]
    pub values_decoding_strategy: Option<String>,
}

/// Keys of an object that hold templates.
#[derive(Debug, JsonSchema)]
pub struct TemplateRef {
    /// The keys.
    pub items: Vec<TemplateItem>,
    /// The object's name.
    pub name: Name,
}

/// One key that holds a template.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct TemplateItem {
    /// The key.
    pub key: Key,
    /// Whether it renders one value, or a map of them.
    #[schemars(extend("enum" = ["Values", "KeysAndValues"], "default" = "Values"))]
    pub template_as: Option<String>,
}

/// The kinds of generators that a reference may name: ESO's, and ours.
pub(super) fn kinds(with_cluster_generator: bool) -> Vec<&'static str> {
    const KINDS: [&str; 19] = [
        "ACRAccessToken",
        "BeyondtrustWorkloadCredentialsDynamicSecret",
        "ClusterGenerator",
        "CloudsmithAccessToken",
        "ECRAuthorizationToken",
        "Fake",
        "GCRAccessToken",
        "GithubAccessToken",
        "GitlabDeployToken",
        "QuayAccessToken",
        "Password",
        "SSHKey",
        "STSAssumeRoleToken",
        "STSSessionToken",
        "UUID",
        "VaultDynamicSecret",
        "Webhook",
        "Grafana",
        "MFA",
    ];
    let is_kept = |kind: &&str| with_cluster_generator || *kind != "ClusterGenerator";
    KINDS.into_iter().filter(is_kept).collect()
}
