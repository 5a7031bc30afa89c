//! From requests to a plan: who asks, and one STS call after the other.
//!
//! Pure. What only the machine can tell (whether a default chain yields temporary keys) is judged
//! again by [`Plan::check_caller`] once it is known, before the call that it would spoil.
//! Role chaining: <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html#iam-term-role-chaining>.

use std::fmt;
use std::path::PathBuf;

use crate::arn::RoleArn;
use crate::grant::{KeysRef, ServiceAccountRef};
use crate::region::Region;
use crate::request::{
    PolicyArn, RoleRequest, SessionDuration, SessionName, SessionPolicy, SessionTokenRequest,
};

/// What will be called, in order, and as whom. Holds names and paths, never a secret.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Plan {
    /// Where every hop is signed for and sent.
    pub region: Region,
    /// Who we are before the first hop.
    pub source: SourceSpec,
    /// The calls before the last one; their sessions may be shared.
    pub prefix: Vec<Hop>,
    /// The call whose session is delivered; always made anew.
    pub last: Hop,
}

/// Who we are before the first hop.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum SourceSpec {
    /// Keys in a Secret of a namespace.
    Secret {
        /// The grant's namespace.
        namespace: String,
        /// Where the parts of the key are.
        keys: KeysRef,
    },
    /// A web identity token, from a file.
    Token {
        /// Where the token is; read anew at each use.
        file: PathBuf,
        /// The service account that it stands for, where a grant names one.
        account: Option<ServiceAccountRef>,
    },
    /// A named profile of the shared configuration.
    Profile(String),
    /// The default chain: environment, profile, web identity, container, instance.
    Ambient,
}

impl fmt::Display for SourceSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret { namespace, keys } => {
                write!(f, "Secret {namespace}/{}", keys.access_key_id.name)
            }
            Self::Token { file, account: Some(account) } => {
                write!(f, "token of ServiceAccount {} in {}", account.name, file.display())
            }
            Self::Token { file, account: None } => write!(f, "token in {}", file.display()),
            Self::Profile(name) => write!(f, "profile {name}"),
            Self::Ambient => f.write_str("default chain"),
        }
    }
}

/// One STS call of a plan.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Hop {
    /// AssumeRole, signed by the caller before it.
    AssumeRole(RoleRequest),
    /// AssumeRoleWithWebIdentity, which nobody signs: always the first hop.
    WebIdentity(WebIdentityRequest),
    /// GetSessionToken, with long-term keys only.
    SessionToken(SessionTokenRequest),
}

impl Hop {
    /// The role of this hop.
    pub fn role(&self) -> Option<&RoleArn> {
        match self {
            Self::AssumeRole(request) => Some(&request.role),
            Self::WebIdentity(request) => Some(&request.role),
            Self::SessionToken(_) => None,
        }
    }

    /// The operation's name in the STS API.
    pub fn operation(&self) -> &'static str {
        match self {
            Self::AssumeRole(_) => "AssumeRole",
            Self::WebIdentity(_) => "AssumeRoleWithWebIdentity",
            Self::SessionToken(_) => "GetSessionToken",
        }
    }

    /// Checks this hop against the kind of caller that it has.
    ///
    /// # Errors
    ///
    /// [`PlanError`] when STS would refuse the call whatever the policies say.
    pub fn check_caller(&self, caller: Caller) -> Result<(), PlanError> {
        match (self, caller) {
            (
                Self::AssumeRole(RoleRequest { role, duration: Some(asked), .. }),
                Caller::Temporary,
            ) if *asked > SessionDuration::MAX_CHAINED => {
                Err(PlanError::DurationOverChainingCap { role: role.clone(), asked: *asked })
            }
            (Self::SessionToken(_), Caller::Temporary) => Err(PlanError::SessionTokenOfSession),
            _ => Ok(()),
        }
    }
}

/// AssumeRoleWithWebIdentity, with the parameters that this call has and no other.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct WebIdentityRequest {
    /// The role to assume.
    pub role: RoleArn,
    /// The name of the session.
    pub session_name: SessionName,
    /// How long the session shall last.
    pub duration: Option<SessionDuration>,
    /// An inline session policy.
    pub policy: Option<SessionPolicy>,
    /// Managed session policies.
    pub policy_arns: Vec<PolicyArn>,
}

/// What kind of credentials signs a call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Caller {
    /// A user's own keys.
    LongTerm,
    /// Keys with a session token, of whatever origin: what AWS calls role chaining.
    Temporary,
}

impl TryFrom<RoleRequest> for WebIdentityRequest {
    type Error = PlanError;

    /// Fails when the request has parameters that this call has not.
    fn try_from(request: RoleRequest) -> Result<Self, PlanError> {
        let parameters = request.parameters_beyond_web_identity();
        if !parameters.is_empty() {
            return Err(PlanError::NotWithWebIdentity { role: request.role, parameters });
        }
        Ok(Self {
            role: request.role,
            session_name: request.session_name,
            duration: request.duration,
            policy: request.policy,
            policy_arns: request.policy_arns,
        })
    }
}

impl Plan {
    /// Keys ask for a role, through earlier hops.
    pub fn assume_role(
        region: Region,
        source: SourceSpec,
        via: Vec<RoleRequest>,
        last: RoleRequest,
    ) -> Self {
        let prefix = via.into_iter().map(Hop::AssumeRole).collect();
        Self { region, source, prefix, last: Hop::AssumeRole(last) }
    }

    /// A service account, whose own role is `account_role`, asks for a role.
    ///
    /// Where the account's role *is* the role asked for, and nothing is asked that web identity
    /// lacks, one hop does, with the request's own duration and name. Else the account's role
    /// comes first, under the session name that ESO gives it, since trust policies may name it.
    pub fn assume_role_with_web_identity(
        region: Region,
        source: SourceSpec,
        account_role: &RoleArn,
        via: Vec<RoleRequest>,
        last: RoleRequest,
    ) -> Self {
        if via.is_empty()
            && last.role == *account_role
            && let Ok(request) = WebIdentityRequest::try_from(last.clone())
        {
            let last = Hop::WebIdentity(request);
            return Self { region, source, prefix: Vec::new(), last };
        }
        let base = Hop::WebIdentity(WebIdentityRequest {
            role: account_role.clone(),
            session_name: SessionName::made_from(WEB_IDENTITY_SESSION_NAME),
            duration: None,
            policy: None,
            policy_arns: Vec::new(),
        });
        let prefix = std::iter::once(base).chain(via.into_iter().map(Hop::AssumeRole)).collect();
        Self { region, source, prefix, last: Hop::AssumeRole(last) }
    }

    /// A token asks for the first role of a chain, and that role's session for the next.
    ///
    /// # Errors
    ///
    /// [`PlanError::NotWithWebIdentity`] when the first request has parameters that only a signed
    /// call has.
    pub fn assume_role_with_token(
        region: Region,
        source: SourceSpec,
        via: Vec<RoleRequest>,
        last: RoleRequest,
    ) -> Result<Self, PlanError> {
        let mut via = via.into_iter();
        let Some(first) = via.next() else {
            let last = Hop::WebIdentity(last.try_into()?);
            return Ok(Self { region, source, prefix: Vec::new(), last });
        };
        let first = Hop::WebIdentity(first.try_into()?);
        let prefix = std::iter::once(first).chain(via.map(Hop::AssumeRole)).collect();
        Ok(Self { region, source, prefix, last: Hop::AssumeRole(last) })
    }

    /// Keys ask for a session of their own user.
    pub fn session_token(region: Region, source: SourceSpec, request: SessionTokenRequest) -> Self {
        Self { region, source, prefix: Vec::new(), last: Hop::SessionToken(request) }
    }

    /// Every call, in order.
    pub fn hops(&self) -> impl Iterator<Item = &Hop> {
        self.prefix.iter().chain(std::iter::once(&self.last))
    }

    /// Checks what the plan alone shows: caps of chained hops, the partition of each role, and what
    /// a chain inherits.
    ///
    /// # Errors
    ///
    /// Every [`PlanError`], in the order of the hops.
    pub fn check(&self) -> Result<(), Vec<PlanError>> {
        let mut errors = Vec::new();
        for (index, hop) in self.hops().enumerate() {
            if index > 0 {
                errors.extend(hop.check_caller(Caller::Temporary).err());
            }
            let role = hop.role();
            let partitions = role.and_then(RoleArn::partition).zip(self.region.partition());
            if let Some((role, (of_role, of_region))) = role.zip(partitions)
                && of_role != of_region
            {
                errors.push(PlanError::OtherPartition {
                    role: role.clone(),
                    region: self.region.clone(),
                    partition: of_region,
                });
            }
        }
        errors.extend(self.inherited_conflicts());
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    /// STS keeps a source identity and transitive tags for the whole chain, and refuses another
    /// value at a later hop.
    fn inherited_conflicts(&self) -> Vec<PlanError> {
        let mut errors = Vec::new();
        let mut identity = None;
        let mut inherited: Vec<String> = Vec::new();
        for hop in self.hops() {
            let Hop::AssumeRole(RoleRequest { role, source_identity, tags, .. }) = hop else {
                continue;
            };
            match (identity, source_identity) {
                (Some(first), Some(later)) if first != later => {
                    errors.push(PlanError::SourceIdentityChanged { role: role.clone() });
                }
                (None, Some(_)) => identity = source_identity.as_ref(),
                _ => {}
            }
            for tag in tags.tags() {
                if inherited.contains(&tag.key().to_lowercase()) {
                    let (role, key) = (role.clone(), tag.key().to_owned());
                    errors.push(PlanError::TagInherited { role, key });
                }
            }
            inherited.extend(tags.transitive_keys().iter().map(|key| key.to_lowercase()));
        }
        errors
    }

    /// Checks the first hop against the keys that the source turned out to have.
    ///
    /// # Errors
    ///
    /// [`PlanError`] when STS would refuse the plan, now or at a later hop.
    pub fn check_caller(&self, caller: Caller) -> Result<(), PlanError> {
        match self.prefix.first() {
            Some(first) => first.check_caller(caller),
            None => self.last.check_caller(caller),
        }
    }
}

/// A plan that STS would refuse.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// A chained hop asks for more than an hour.
    #[error(
        "asks {} s of {role}, but role chaining allows at most 3600 s: the caller holds temporary credentials",
        asked.seconds()
    )]
    DurationOverChainingCap {
        /// The role asked for.
        role: RoleArn,
        /// The duration asked for.
        asked: SessionDuration,
    },
    /// GetSessionToken with temporary keys.
    #[error("cannot call GetSessionToken with temporary credentials: it needs a user's own keys")]
    SessionTokenOfSession,
    /// A web identity cannot carry what is asked.
    #[error("asks {} of {role}, which a web identity cannot carry", parameters.join(", "))]
    NotWithWebIdentity {
        /// The role of the first hop.
        role: RoleArn,
        /// The parameters that the call has not.
        parameters: Vec<&'static str>,
    },
    /// A later hop sets another source identity than an earlier one.
    #[error("sets another source identity for {role} than an earlier hop: a chain keeps the first")]
    SourceIdentityChanged {
        /// The role of the later hop.
        role: RoleArn,
    },
    /// A hop passes a tag that an earlier one made transitive.
    #[error("passes the tag '{key}' to {role}, which inherits it from an earlier hop")]
    TagInherited {
        /// The role of the later hop.
        role: RoleArn,
        /// The tag's key.
        key: String,
    },
    /// The role is in another partition than the region.
    #[error("{role} is of another partition than the region {region} (partition {partition})")]
    OtherPartition {
        /// The role asked for.
        role: RoleArn,
        /// The region of the plan.
        region: Region,
        /// The region's partition.
        partition: &'static str,
    },
}

impl PlanError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::DurationOverChainingCap { .. } => {
                "ask for 3600 s or less, or assume the role from a user's own keys or by web identity"
            }
            Self::SessionTokenOfSession => {
                "use kind STSAssumeRoleToken to go from temporary credentials to a role"
            }
            Self::NotWithWebIdentity { .. } => {
                "leave them out, or give them to a later hop; a token's claims bring its own tags and source identity"
            }
            Self::SourceIdentityChanged { .. } => "set the source identity on the first hop only",
            Self::TagInherited { .. } => "leave the tag out of the later hop",
            Self::OtherPartition { .. } => "name a region of the role's own partition",
        }
    }
}

/// What ESO calls the session of a service account's own role.
const WEB_IDENTITY_SESSION_NAME: &str = "external-secrets-provider-aws";

#[cfg(test)]
mod tests;
