//! The specs of the generators.

use schemars::JsonSchema;

use super::external_secret::kinds;
use super::{Key, Name, Namespace, rules};

/// A session of a role.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase", extend("x-kubernetes-validations" = rules::assume_role()))]
pub struct AssumeRoleSpec {
    /// Where STS is called; empty where the controller's environment decides.
    pub region: String,
    /// The ARN of the role whose session is delivered.
    #[schemars(length(min = 1, max = 2048))]
    pub role: String,
    /// Who asks; the controller's own identity where nothing is said.
    pub auth: Option<Auth>,
    /// Roles that are assumed before, in order, each by the session of the one before it.
    #[schemars(length(max = 8))]
    pub via: Option<Vec<ViaHop>>,
    /// The parameters of the role's session.
    pub request_parameters: Option<Parameters>,
    /// The same, by an older name.
    pub role_assumption_parameters: Option<DraftParameters>,
}

/// A role that is passed through.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct ViaHop {
    /// Its ARN.
    #[schemars(length(min = 1, max = 2048))]
    pub role: String,
    /// The parameters of its session.
    pub request_parameters: Option<HopParameters>,
}

/// The parameters of a session.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct Parameters {
    /// How long the session lasts, in seconds; an hour where nothing is said, which is also the most
    /// that a role assumed by temporary credentials may have.
    #[schemars(range(min = 900, max = 43200))]
    pub session_duration: Option<i32>,
    /// The rest.
    #[schemars(flatten)]
    pub hop: HopParameters,
}

/// The parameters of a session, without its duration.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct HopParameters {
    /// What the role's trust policy may demand of a third party.
    #[schemars(
        rename = "externalID",
        length(min = 2, max = 1224),
        regex(pattern = r"^[\w+=,.@:\/-]*$")
    )]
    pub external_id: Option<String>,
    /// The session's name; made of the namespace and name of the ExternalSecret where nothing is
    /// said.
    #[schemars(length(min = 2, max = 64), regex(pattern = r"^[\w+=,.@-]*$"))]
    pub role_session_name: Option<String>,
    /// Who stands behind the session, in CloudTrail.
    #[schemars(length(min = 2, max = 64), regex(pattern = r"^[\w+=,.@-]*$"))]
    pub source_identity: Option<String>,
    /// Session tags.
    #[schemars(length(max = 50))]
    pub tags: Option<Vec<Tag>>,
    /// Keys of tags that later sessions of the chain keep.
    #[schemars(length(max = 50))]
    pub transitive_tag_keys: Option<Vec<String>>,
    /// A session policy as JSON, which takes away from what the role may do.
    #[schemars(length(min = 1, max = 2048))]
    pub policy: Option<String>,
    /// ARNs of managed policies that do the same.
    #[schemars(rename = "policyARNs", length(max = 10))]
    pub policy_arns: Option<Vec<String>>,
}

/// One session tag.
#[derive(Debug, JsonSchema)]
pub struct Tag {
    /// Its key.
    #[schemars(length(min = 1, max = 128))]
    pub key: String,
    /// Its value.
    #[schemars(length(max = 256))]
    pub value: String,
}

/// The parameters by the names that an earlier draft of the generator had.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct DraftParameters {
    /// How long the session lasts, in seconds.
    #[schemars(range(min = 900, max = 43200))]
    pub session_duration: Option<i32>,
    /// What the role's trust policy may demand of a third party.
    #[schemars(length(min = 2, max = 1224), regex(pattern = r"^[\w+=,.@:\/-]*$"))]
    pub external_id: Option<String>,
    /// The session's name.
    #[schemars(length(min = 2, max = 64), regex(pattern = r"^[\w+=,.@-]*$"))]
    pub role_session_name: Option<String>,
}

/// A session of a user's own.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase", extend("x-kubernetes-validations" = rules::session_token()))]
pub struct SessionTokenSpec {
    /// Where STS is called; empty where the controller's environment decides.
    pub region: String,
    /// Who asks: keys of a user, since AWS gives no session of a session.
    pub auth: Option<Auth>,
    /// Cannot work here: STSAssumeRoleToken is the generator for a role.
    pub role: Option<String>,
    /// The parameters of the session.
    pub request_parameters: Option<SessionTokenParameters>,
}

/// The parameters of a session of a user's own.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct SessionTokenParameters {
    /// The serial number or ARN of the user's MFA device.
    pub serial_number: Option<String>,
    /// How long the session lasts, in seconds; twelve hours where nothing is said.
    #[schemars(range(min = 900, max = 129_600))]
    pub session_duration: Option<i32>,
    /// A code of the device, which works once.
    pub token_code: Option<String>,
}

/// A token for a registry of ECR.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct RegistryTokenSpec {
    /// Where ECR is called; empty where the controller's environment decides.
    pub region: String,
    /// Who asks; the controller's own identity where nothing is said.
    pub auth: Option<Auth>,
    /// A role that is assumed before ECR is called.
    pub role: Option<String>,
    /// Exactly "public" is ECR Public; anything else is the account's own registry.
    pub scope: Option<String>,
}

/// A generator that every namespace may use; keys and service accounts are still those of the
/// ExternalSecret's namespace.
#[derive(Debug, JsonSchema)]
#[schemars(extend("x-kubernetes-validations" = rules::cluster_generator()))]
pub struct ClusterGeneratorSpec {
    /// The kind of the generator.
    #[schemars(extend("enum" = kinds(false)))]
    pub kind: String,
    /// Its spec, under the name that fits the kind.
    pub generator: ClusterGeneratorMember,
}

/// The spec of a generator, under the name that fits its kind.
#[derive(Debug, JsonSchema)]
#[schemars(
    rename_all = "camelCase",
    extend(
        "minProperties" = 1,
        "maxProperties" = 1,
        "x-kubernetes-preserve-unknown-fields" = true
    )
)]
pub struct ClusterGeneratorMember {
    /// Of kind ECRAuthorizationToken.
    pub ecr_authorization_token_spec: Option<RegistryTokenSpec>,
    /// Of kind STSAssumeRoleToken.
    pub sts_assume_role_token_spec: Option<AssumeRoleSpec>,
    /// Of kind STSSessionToken.
    pub sts_session_token_spec: Option<SessionTokenSpec>,
}

/// Who asks: keys in a Secret, or a service account. With both the keys are used.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase", extend("x-kubernetes-validations" = rules::auth()))]
pub struct Auth {
    /// A service account whose annotation names its role (IRSA).
    pub jwt: Option<Jwt>,
    /// Keys in Secrets.
    pub secret_ref: Option<SecretRef>,
}

/// A service account.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "camelCase", extend("x-kubernetes-validations" = rules::jwt()))]
pub struct Jwt {
    /// The account.
    pub service_account_ref: Option<ServiceAccountRef>,
}

/// A service account of the ExternalSecret's namespace.
#[derive(Debug, JsonSchema)]
pub struct ServiceAccountRef {
    /// Audiences of its token, beside the one that its annotation names.
    pub audiences: Option<Vec<String>>,
    /// Its name.
    pub name: Name,
    /// Read and not used: it is always that of the ExternalSecret.
    pub namespace: Option<Namespace>,
}

/// Where the parts of a key are.
#[derive(Debug, JsonSchema)]
#[schemars(extend("x-kubernetes-validations" = rules::secret_ref()))]
pub struct SecretRef {
    /// The access key ID.
    #[schemars(rename = "accessKeyIDSecretRef")]
    pub access_key_id: Option<KeyRef>,
    /// The secret access key.
    #[schemars(rename = "secretAccessKeySecretRef")]
    pub secret_access_key: Option<KeyRef>,
    /// The session token, where the key is a temporary one.
    #[schemars(rename = "sessionTokenSecretRef")]
    pub session_token: Option<KeyRef>,
}

/// One key of a Secret of the ExternalSecret's namespace.
#[derive(Debug, JsonSchema)]
pub struct KeyRef {
    /// The key.
    pub key: Option<Key>,
    /// The Secret's name.
    pub name: Option<Name>,
    /// Read and not used: it is always that of the ExternalSecret.
    pub namespace: Option<Namespace>,
}
