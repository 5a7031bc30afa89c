//! The grant language: what a manifest asks for, as values that are right.
//!
//! Reads documents that were already parsed from YAML or JSON. The shape is ESO's, with the
//! optional fields that rolecall adds; where the grant runs and who asks is the door's business.

mod auth;
mod external_secret;
mod generator_ref;
mod object_names;
mod parameters;
mod placeholder;
mod registry_token;
mod rewrite;
mod secret_template;
mod session_token;

use serde_json::Value;

pub use auth::{Auth, KeyRef, KeysRef, ServiceAccountRef};
pub use external_secret::{CreationPolicy, DeletionPolicy, Entry, ExternalSecret, Target};
pub use generator_ref::{GeneratorKind, GeneratorRef};
pub use object_names::check_name;
pub(crate) use object_names::{is_data_key, is_label_value, is_qualified_name};
pub use parameters::{Parameters, check_policy_arn_count};
pub use placeholder::placeholder_in;
pub use registry_token::RegistryTokenSpec;
pub use rewrite::Rewrite;
pub use secret_template::{
    Decoding, MergePolicy, SecretTemplate, TemplateFrom, TemplateItem, TemplateRef, TemplateScope,
    TemplateTarget,
};
pub(crate) use secret_template::{RESERVED, parse_hint};
pub use session_token::SessionTokenSpec;

use crate::arn::{Dialect, RoleArn};
use crate::fields::Fields;
use crate::region::Region;
use crate::request::{Registry, RoleRequest, SessionName};
use crate::violation::{Violations, shown};

/// The API group and version of the generators.
pub const GENERATORS_API_VERSION: &str = "generators.external-secrets.io/v1alpha1";

const SESSION_KEYS: &[&str] =
    &["access_key_id", "secret_access_key", "session_token", "expiration"];
const REGISTRY_KEYS: &[&str] = &["username", "password", "proxy_endpoint", "expires_at"];

/// A grant with its name.
#[derive(Clone, Debug)]
pub struct Grant {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`, `default` where there is none.
    pub namespace: String,
    /// Whether it is a `ClusterGenerator`, which acts in the namespace of whoever names it.
    pub is_cluster_wide: bool,
    /// What is asked.
    pub ask: Ask,
    /// What a person should know though nothing is wrong.
    pub warnings: Vec<String>,
}

/// What a grant asks for.
#[derive(Clone, Debug)]
pub enum Ask {
    /// Kind `STSAssumeRoleToken`.
    AssumeRole(AssumeRoleSpec),
    /// Kind `STSSessionToken`.
    SessionToken(SessionTokenSpec),
    /// Kind `ECRAuthorizationToken`.
    RegistryToken(RegistryTokenSpec),
}

/// The spec of an `STSAssumeRoleToken`.
#[derive(Clone, Debug)]
pub struct AssumeRoleSpec {
    /// Absent where the manifest leaves it to the environment (`region: ""`).
    pub region: Option<Region>,
    /// Who asks; absent means the ambient identity.
    pub auth: Option<Auth>,
    /// Earlier hops, in order.
    pub via: Vec<ViaHop>,
    /// The role whose session is delivered.
    pub role: RoleArn,
    /// Its parameters.
    pub parameters: Parameters,
}

/// One earlier hop of a chain.
#[derive(Clone, Debug)]
pub struct ViaHop {
    /// The role to pass through.
    pub role: RoleArn,
    /// Its parameters, without a duration.
    pub parameters: Parameters,
}

impl Grant {
    /// Whether documents of this kind are grants.
    pub fn is_kind(kind: &str) -> bool {
        kind == CLUSTER_KIND || KINDS.contains(&kind)
    }

    /// Reads one document of a kind that [`Grant::is_kind`] knows.
    ///
    /// `status` is ignored: people paste what `kubectl get -o yaml` printed.
    ///
    /// # Errors
    ///
    /// Every violation of the document.
    pub fn read(document: &Value, dialect: Dialect) -> Result<Self, Violations> {
        let placeholders = placeholder::find(document);
        match Self::read_filled(document, dialect) {
            Ok(grant) if placeholders.is_empty() => Ok(grant),
            Ok(_) => Err(placeholders),
            Err(found) => Err(placeholders.and_elsewhere(found)),
        }
    }

    fn read_filled(document: &Value, dialect: Dialect) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let Some(mut top) = Fields::of(document, "", &mut violations) else {
            return Err(violations);
        };
        read_api_version(&mut top, &mut violations);
        let kind = top.text("kind", &mut violations).unwrap_or_default();
        let meta = read_metadata(&mut top, &mut violations);
        top.value("status");
        let mut warnings = Vec::new();
        let is_cluster_wide = kind == CLUSTER_KIND;
        let ask = match top.object("spec", &mut violations) {
            Some(spec) if is_cluster_wide => {
                Ask::read_wrapped(spec, dialect, &mut warnings, &mut violations)
            }
            Some(spec) => Ask::read(kind, spec, dialect, &mut warnings, &mut violations),
            None if top.has("spec") => None,
            None => {
                violations.push("spec", "is missing");
                None
            }
        };
        top.finish(&mut violations, |_| None);
        let grant = meta.zip(ask);
        violations.into_result(grant.map(|((name, namespace), ask)| Self {
            name,
            namespace,
            is_cluster_wide,
            ask,
            warnings,
        }))
    }

    /// Who asks; absent means the ambient identity.
    pub fn auth(&self) -> Option<&Auth> {
        match &self.ask {
            Ask::AssumeRole(spec) => spec.auth.as_ref(),
            Ask::SessionToken(spec) => spec.auth.as_ref(),
            Ask::RegistryToken(spec) => spec.auth.as_ref(),
        }
    }

    /// The region that the manifest names.
    pub fn region(&self) -> Option<&Region> {
        match &self.ask {
            Ask::AssumeRole(spec) => spec.region.as_ref(),
            Ask::SessionToken(spec) => spec.region.as_ref(),
            Ask::RegistryToken(spec) => spec.region.as_ref(),
        }
    }

    /// The name of the session where the manifest gives none: `namespace.name`.
    pub fn default_session_name(&self) -> SessionName {
        SessionName::made_from(&format!("{}.{}", self.namespace, self.name))
    }
}

impl Ask {
    fn read(
        kind: &str,
        spec: Fields<'_>,
        dialect: Dialect,
        warnings: &mut Vec<String>,
        violations: &mut Violations,
    ) -> Option<Self> {
        match kind {
            SESSION_TOKEN_KIND => {
                SessionTokenSpec::read(spec, warnings, violations).map(Self::SessionToken)
            }
            REGISTRY_TOKEN_KIND => RegistryTokenSpec::read(spec, dialect, warnings, violations)
                .map(Self::RegistryToken),
            _ => AssumeRoleSpec::read(spec, dialect, warnings, violations).map(Self::AssumeRole),
        }
    }

    /// The keys that it gives, as ESO names them.
    pub fn output_keys(&self) -> &'static [&'static str] {
        match self {
            Self::AssumeRole(_) | Self::SessionToken(_) => SESSION_KEYS,
            Self::RegistryToken(RegistryTokenSpec { registry: Registry::Private, .. }) => {
                REGISTRY_KEYS
            }
            Self::RegistryToken(RegistryTokenSpec { registry: Registry::Public, .. }) => {
                &["username", "password", "expires_at"]
            }
        }
    }

    /// Reads the generator inside of a `ClusterGenerator`: `kind`, and the member that fits it.
    fn read_wrapped(
        mut spec: Fields<'_>,
        dialect: Dialect,
        warnings: &mut Vec<String>,
        violations: &mut Violations,
    ) -> Option<Self> {
        let kind = spec.required_text("kind", violations);
        let kind_path = spec.path_of("kind");
        let generator = spec.object("generator", violations);
        if !spec.has("generator") {
            violations.push(spec.path_of("generator"), "is missing");
        }
        spec.finish(violations, |_| None);
        let (kind, mut generator) = kind.zip(generator)?;
        let Some(member) = KINDS.iter().zip(MEMBERS).find(|(known, _)| **known == kind) else {
            let hint = format!("it is one of {}", KINDS.join(", "));
            let problem = format_args!("'{}' is no kind of generator here", shown(kind));
            violations.push_with_hint(kind_path, problem, hint);
            return None;
        };
        let member = member.1;
        if !generator.has(member) {
            let problem = format_args!("is missing: it is what kind {kind} names");
            violations.push(generator.path_of(member), problem);
        }
        let inner = generator.object(member, violations);
        let ask = inner.and_then(|spec| Self::read(kind, spec, dialect, warnings, violations));
        generator.finish(violations, |_| Some(format!("kind {kind} wants {member} alone")));
        ask
    }
}

impl AssumeRoleSpec {
    fn read(
        mut spec: Fields<'_>,
        dialect: Dialect,
        warnings: &mut Vec<String>,
        violations: &mut Violations,
    ) -> Option<Self> {
        let region = read_region(&mut spec, violations);
        let role = read_role(&mut spec, dialect, violations);
        let auth = Auth::read_in(&mut spec, warnings, violations);
        let via = read_via(&mut spec, dialect, violations);
        let parameters = Parameters::read_in(&mut spec, violations);
        spec.finish(violations, words_of_stores);
        Some(Self { region: region?, auth: auth?, via, role: role?, parameters })
    }

    /// The hops of this grant as requests; `default_name` names those that have no name.
    pub fn requests(&self, default_name: &SessionName) -> (Vec<RoleRequest>, RoleRequest) {
        let via = self.via.iter().map(|hop| hop.request(default_name)).collect();
        (via, self.parameters.request(self.role.clone(), default_name))
    }
}

impl ViaHop {
    /// Reads `{role, requestParameters}`; used for `via[]` and for the flag `--via`.
    pub fn read(
        value: &Value,
        path: &str,
        dialect: Dialect,
        violations: &mut Violations,
    ) -> Option<Self> {
        let mut fields = Fields::of(value, path, violations)?;
        let role = read_role(&mut fields, dialect, violations);
        let parameters = Parameters::read_hop(&mut fields, violations);
        fields.finish(violations, words_of_stores);
        Some(Self { role: role?, parameters })
    }

    /// This hop as a request.
    pub fn request(&self, default_name: &SessionName) -> RoleRequest {
        self.parameters.request(self.role.clone(), default_name)
    }
}

fn read_api_version(top: &mut Fields<'_>, violations: &mut Violations) {
    match top.required_text("apiVersion", violations) {
        Some(version) if version != GENERATORS_API_VERSION => {
            let problem = format_args!("must be {GENERATORS_API_VERSION} for this kind");
            violations.push("apiVersion", problem);
        }
        _ => {}
    }
}

/// `metadata.name` and `metadata.namespace`; what else stands there is Kubernetes' own.
fn read_metadata(top: &mut Fields<'_>, violations: &mut Violations) -> Option<(String, String)> {
    if !top.has("metadata") {
        let hint = "write metadata: {name: NAME}";
        violations.push_with_hint("metadata.name", "is missing", hint);
    }
    let mut metadata = top.object("metadata", violations)?;
    let name = metadata.required_text("name", violations);
    let namespace = metadata.text("namespace", violations).unwrap_or("default");
    check_name("metadata.name", name, violations);
    check_name("metadata.namespace", Some(namespace), violations);
    if namespace.len() > 63 || namespace.contains('.') {
        violations.push("metadata.namespace", "must be at most 63 characters without a dot");
    }
    Some((name?.to_owned(), namespace.to_owned()))
}

/// Required, but `""` leaves it to the environment.
#[expect(clippy::option_option, reason = "not readable, left to the environment, or a region")]
fn read_region(spec: &mut Fields<'_>, violations: &mut Violations) -> Option<Option<Region>> {
    let text = spec.required_text("region", violations)?;
    if text.is_empty() {
        return Some(None);
    }
    violations.keep(&spec.path_of("region"), Region::parse(text)).map(Some)
}

fn read_role(
    fields: &mut Fields<'_>,
    dialect: Dialect,
    violations: &mut Violations,
) -> Option<RoleArn> {
    let text = fields.required_text("role", violations)?;
    violations.keep(&fields.path_of("role"), RoleArn::parse(text, dialect))
}

fn read_via(spec: &mut Fields<'_>, dialect: Dialect, violations: &mut Violations) -> Vec<ViaHop> {
    let items = spec.list("via", violations).unwrap_or_default();
    check_via_count(&spec.path_of("via"), items.len(), violations);
    items.iter().filter_map(|(path, item)| ViaHop::read(item, path, dialect, violations)).collect()
}

/// A chain has at most eight earlier hops.
pub fn check_via_count(path: &str, count: usize, violations: &mut Violations) {
    const MAX: usize = 8;
    if count > MAX {
        violations.push(path, format_args!("must have at most {MAX} entries, has {count}"));
    }
}

/// The words of ESO's stores for the same things.
fn words_of_stores(word: &str) -> Option<String> {
    let ours = match word {
        "additionalRoles" => "via",
        "sessionTags" => "requestParameters.tags",
        "transitiveTagKeys" => "requestParameters.transitiveTagKeys",
        "externalID" | "externalId" => "requestParameters.externalID",
        "sessionDuration" | "duration" => "requestParameters.sessionDuration",
        "roleArn" | "roleARN" => "role",
        _ => return None,
    };
    Some(format!("the word here is {ours}"))
}

const ASSUME_ROLE_KIND: &str = "STSAssumeRoleToken";
const SESSION_TOKEN_KIND: &str = "STSSessionToken";
const REGISTRY_TOKEN_KIND: &str = "ECRAuthorizationToken";
const CLUSTER_KIND: &str = "ClusterGenerator";
/// The kinds of generators, and the members of a `ClusterGenerator` that hold their specs.
const KINDS: [&str; 3] = [ASSUME_ROLE_KIND, SESSION_TOKEN_KIND, REGISTRY_TOKEN_KIND];
const MEMBERS: [&str; 3] =
    ["stsAssumeRoleTokenSpec", "stsSessionTokenSpec", "ecrAuthorizationTokenSpec"];

#[cfg(test)]
mod tests;
