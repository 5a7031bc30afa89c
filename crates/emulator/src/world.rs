//! The world: which users, roles, providers and policies exist, as read from a YAML file.
//!
//! Valid by construction: [`World::parse`] notes every violation at once. The shape of the file is
//! in `docs/reference/world.md`; the compiled-in default is `worlds/default.yaml`.

pub(crate) mod mfa;
mod read;
pub(crate) mod reader;
mod token;

use std::fmt;

use crate::arn::Arn;
use crate::fault::FaultRule;
use crate::jwt::{PublicKey, TestKey};
use crate::policy::Policy;
use mfa::MfaDevice;

pub use token::{TokenError, TokenRequest};

/// Everything the emulator believes in.
///
/// Its `Debug` form shows no secret.
#[derive(Clone)]
pub struct World {
    pub(crate) region: String,
    pub(crate) lifetime_divisor: u32,
    pub(crate) ambient: Option<String>,
    pub(crate) users: Vec<User>,
    pub(crate) roles: Vec<Role>,
    pub(crate) providers: Vec<Provider>,
    pub(crate) policies: Vec<String>,
    pub(crate) faults: Vec<FaultRule>,
}

/// A user with long-term keys.
#[derive(Clone)]
pub(crate) struct User {
    pub(crate) arn: Arn,
    pub(crate) keys: Vec<AccessKey>,
    pub(crate) mfa_devices: Vec<MfaDevice>,
    /// Without them: allowed to call STS (E22).
    pub(crate) identity_policies: Option<Vec<Policy>>,
}

/// A long-term key.
#[derive(Clone)]
pub(crate) struct AccessKey {
    pub(crate) id: String,
    pub(crate) secret: String,
}

/// A role.
#[derive(Clone)]
pub(crate) struct Role {
    pub(crate) arn: Arn,
    /// Seconds, 3600..=43200.
    pub(crate) max_session_duration: u64,
    pub(crate) trust: Policy,
    /// Without them: allowed to call STS (E22).
    pub(crate) identity_policies: Option<Vec<Policy>>,
}

/// An OIDC provider.
#[derive(Clone)]
pub(crate) struct Provider {
    /// Absent for those that need not be created, such as `accounts.google.com` (E64a).
    pub(crate) arn: Option<Arn>,
    /// What `iss` must be, exactly (E69).
    pub(crate) url: String,
    pub(crate) client_ids: Vec<String>,
    pub(crate) keys: Vec<PublicKey>,
    pub(crate) test_key: Option<TestKey>,
}

impl Provider {
    /// The URL without its scheme: what condition keys begin with.
    pub(crate) fn name(&self) -> &str {
        self.url.strip_prefix("https://").unwrap_or(&self.url)
    }

    /// What a trust policy's `Federated` principal says to mean this provider.
    pub(crate) fn principal(&self) -> &str {
        self.arn.as_ref().map_or(self.name(), Arn::as_str)
    }
}

/// A world file that cannot be used. `Display` lists every violation, one per line, with its path.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{}", violations.join("\n"))]
pub struct WorldError {
    violations: Vec<String>,
}

impl WorldError {
    /// Every violation: `path: what is wrong`.
    pub fn violations(&self) -> &[String] {
        &self.violations
    }
}

/// A user, for printing. Holds a secret, if only of the emulated world; `Debug` hides it.
#[derive(Clone, Eq, PartialEq)]
pub struct UserSummary {
    /// The user's ARN.
    pub arn: String,
    /// The user's first key.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: String,
}

impl fmt::Debug for UserSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserSummary")
            .field("arn", &self.arn)
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

/// A role, for printing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RoleSummary {
    /// The role's ARN.
    pub arn: String,
    /// The longest session it allows, in seconds.
    pub max_session_duration: u64,
}

/// An OIDC provider, for printing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProviderSummary {
    /// The provider's ARN, if it has one.
    pub arn: Option<String>,
    /// The issuer.
    pub url: String,
    /// The audiences it admits.
    pub client_ids: Vec<String>,
    /// Whether [`World::sign_token`] can sign for it.
    pub can_sign: bool,
}

impl World {
    /// The compiled-in world, with a sentence on every entry.
    pub const DEFAULT_YAML: &'static str = include_str!("../worlds/default.yaml");

    /// Reads a world file.
    ///
    /// # Errors
    ///
    /// [`WorldError`] with every violation: unknown keys, bad ARNs, unknown condition operators.
    ///
    /// # Examples
    ///
    /// ```
    /// let error = rolecall_emulator::World::parse("rolls: []\nregion: 7").unwrap_err();
    /// assert_eq!(error.violations().len(), 2);
    /// ```
    pub fn parse(yaml: &str) -> Result<Self, WorldError> {
        let value = parse_yaml(yaml)?;
        let violations = reader::Violations::default();
        let world = read::world(&reader::Node::root(&value, "", &violations));
        let violations = violations.into_list();
        match world {
            Some(world) if violations.is_empty() => Ok(world),
            _ => Err(WorldError { violations }),
        }
    }

    /// The compiled-in world, parsed.
    ///
    /// # Errors
    ///
    /// None, as a test proves; the type says what [`World::parse`] says.
    pub fn builtin() -> Result<Self, WorldError> {
        Self::parse(Self::DEFAULT_YAML)
    }

    /// The ARN of the `ambient:` caller, a user or a role: who a default credential chain finds.
    pub fn ambient(&self) -> Option<&str> {
        self.ambient.as_deref()
    }

    /// The region to tell users; any region's signature is accepted.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The users that have a key, each with its first one.
    pub fn users(&self) -> Vec<UserSummary> {
        let summary = |user: &User| {
            let key = user.keys.first()?;
            Some(UserSummary {
                arn: user.arn.to_string(),
                access_key_id: key.id.clone(),
                secret_access_key: key.secret.clone(),
            })
        };
        self.users.iter().filter_map(summary).collect()
    }

    /// The roles.
    pub fn roles(&self) -> Vec<RoleSummary> {
        self.roles
            .iter()
            .map(|role| RoleSummary {
                arn: role.arn.to_string(),
                max_session_duration: role.max_session_duration,
            })
            .collect()
    }

    /// The OIDC providers.
    pub fn providers(&self) -> Vec<ProviderSummary> {
        self.providers
            .iter()
            .map(|provider| ProviderSummary {
                arn: provider.arn.as_ref().map(Arn::to_string),
                url: provider.url.clone(),
                client_ids: provider.client_ids.clone(),
                can_sign: provider.test_key.is_some(),
            })
            .collect()
    }

    pub(crate) fn role(&self, arn: &str) -> Option<&Role> {
        self.roles.iter().find(|role| role.arn.as_str() == arn)
    }

    /// A long-term key and its user.
    pub(crate) fn long_term_key(&self, id: &str) -> Option<(&User, &AccessKey)> {
        self.users.iter().find_map(|user| {
            let key = user.keys.iter().find(|key| key.id == id)?;
            Some((user, key))
        })
    }

    /// The identity policies of a user or role.
    pub(crate) fn identity_policies(&self, arn: &Arn) -> Option<&[Policy]> {
        let user = self.users.iter().find(|user| user.arn == *arn);
        let role = self.roles.iter().find(|role| role.arn == *arn);
        user.map_or_else(
            || role.and_then(|role| role.identity_policies.as_deref()),
            |user| user.identity_policies.as_deref(),
        )
    }

    /// E48: whether a managed policy exists. AWS's own always do.
    pub(crate) fn has_managed_policy(&self, arn: &Arn) -> bool {
        let is_policy = arn.iam_path("policy").is_some();
        is_policy && (arn.account() == "aws" || self.policies.iter().any(|it| it == arn.as_str()))
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("region", &self.region)
            .field("users", &self.users())
            .field("roles", &self.roles())
            .field("providers", &self.providers())
            .finish_non_exhaustive()
    }
}

/// Any YAML document. The parser's own message is not shown: it quotes the text, keys included.
fn parse_yaml(yaml: &str) -> Result<serde_json::Value, WorldError> {
    let options = serde_saphyr::options! { with_snippet: false };
    serde_saphyr::from_str_with_options(yaml, options).map_err(|error| {
        let what = match error.without_snippet() {
            serde_saphyr::Error::DuplicateMappingKey { .. } => "has a key twice",
            serde_saphyr::Error::Budget { .. } => "is nested too deep or grows too large",
            _ => "is not one YAML document",
        };
        let place = error.location().map_or_else(String::new, |location| {
            format!(" (line {}, column {})", location.line(), location.column())
        });
        WorldError { violations: vec![format!("world: {what}{place}")] }
    })
}

#[cfg(test)]
mod tests;
