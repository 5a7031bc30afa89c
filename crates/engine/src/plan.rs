//! From requests to a plan: who asks, and one call after the other.
//!
//! Pure. What only the machine can tell (whether a default chain yields temporary keys) is judged
//! again by [`Plan::check_caller`] once it is known, before the call that it would spoil.
//! Role chaining: <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html#iam-term-role-chaining>.

mod check;
mod digest;
mod mfa;
mod source;

pub use check::PlanError;
pub use mfa::{codes_needed, share_mfa};
pub use source::{SourceSpec, Start, TokenFrom};

use crate::arn::RoleArn;
use crate::grant::Parameters;
use crate::region::Region;
use crate::request::{
    PolicyArn, Registry, RoleRequest, SessionDuration, SessionName, SessionPolicy,
    SessionTokenRequest,
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

/// One call of a plan.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Hop {
    /// AssumeRole, signed by the caller before it.
    AssumeRole(RoleRequest),
    /// AssumeRoleWithWebIdentity, which nobody signs: always the first hop.
    WebIdentity(WebIdentityRequest),
    /// GetSessionToken, with long-term keys only.
    SessionToken(SessionTokenRequest),
    /// ECR's GetAuthorizationToken: always the last hop.
    RegistryToken(Registry),
}

impl Hop {
    /// The role of this hop.
    pub fn role(&self) -> Option<&RoleArn> {
        match self {
            Self::AssumeRole(request) => Some(&request.role),
            Self::WebIdentity(request) => Some(&request.role),
            Self::SessionToken(_) | Self::RegistryToken(_) => None,
        }
    }

    /// The operation's name in the STS API.
    pub fn operation(&self) -> &'static str {
        match self {
            Self::AssumeRole(_) => "AssumeRole",
            Self::WebIdentity(_) => "AssumeRoleWithWebIdentity",
            Self::SessionToken(_) => "GetSessionToken",
            Self::RegistryToken(_) => "GetAuthorizationToken",
        }
    }

    /// Puts what was asked for in place of what the hop had; what was not asked for stays.
    ///
    /// # Errors
    ///
    /// [`PlanError::NotWithWebIdentity`] for parameters that a token's call has not.
    pub fn prefer(&mut self, asked: &Parameters) -> Result<(), PlanError> {
        match self {
            Self::AssumeRole(hop) => {
                let asked = asked.request(hop.role.clone(), &hop.session_name);
                let tags = if asked.tags.is_empty() { hop.tags.clone() } else { asked.tags };
                *hop = RoleRequest {
                    duration: asked.duration.or(hop.duration),
                    external_id: asked.external_id.or_else(|| hop.external_id.clone()),
                    source_identity: asked.source_identity.or_else(|| hop.source_identity.clone()),
                    mfa: hop.mfa.clone(),
                    tags,
                    ..asked
                };
                Ok(())
            }
            Self::WebIdentity(hop) => {
                let asked = asked.request(hop.role.clone(), &hop.session_name);
                let duration = asked.duration.or(hop.duration);
                *hop = WebIdentityRequest { duration, ..asked.try_into()? };
                Ok(())
            }
            Self::SessionToken(_) | Self::RegistryToken(_) => Ok(()),
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

impl WebIdentityRequest {
    /// A service account's own role, under the session name that ESO gives it, since trust policies
    /// may name it.
    pub fn of_account(role: RoleArn) -> Self {
        Self {
            role,
            session_name: SessionName::made_from(WEB_IDENTITY_SESSION_NAME),
            duration: None,
            policy: None,
            policy_arns: Vec::new(),
        }
    }
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
    /// A start asks for a role, through earlier hops.
    ///
    /// Where a token's role *is* the role asked for, and nothing is asked that web identity lacks,
    /// one call does, with the request's own duration and name: few roles trust themselves.
    pub fn assume_role(
        region: Region,
        start: impl Into<Start>,
        via: Vec<RoleRequest>,
        last: RoleRequest,
    ) -> Self {
        let Start { source, hops } = start.into();
        if let ([Hop::WebIdentity(own)], []) = (hops.as_slice(), via.as_slice())
            && own.role == last.role
            && let Ok(request) = WebIdentityRequest::try_from(last.clone())
        {
            return Self { region, source, prefix: Vec::new(), last: Hop::WebIdentity(request) };
        }
        let prefix = hops.into_iter().chain(via.into_iter().map(Hop::AssumeRole)).collect();
        Self { region, source, prefix, last: Hop::AssumeRole(last) }
    }

    /// A start asks for nothing but what its own last hop gives: a profile's role, say.
    ///
    /// Nothing where it has no hop.
    pub fn of_start(region: Region, start: Start) -> Option<Self> {
        let Start { source, hops: mut prefix } = start;
        let last = prefix.pop()?;
        Some(Self { region, source, prefix, last })
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
    pub fn session_token(
        region: Region,
        start: impl Into<Start>,
        request: SessionTokenRequest,
    ) -> Self {
        let Start { source, hops: prefix } = start.into();
        Self { region, source, prefix, last: Hop::SessionToken(request) }
    }

    /// Keys ask for a token of a registry.
    pub fn registry_token(region: Region, start: impl Into<Start>, registry: Registry) -> Self {
        let Start { source, hops: prefix } = start.into();
        Self { region, source, prefix, last: Hop::RegistryToken(registry) }
    }

    /// The session of this plan asks for a token of a registry.
    #[must_use]
    pub fn then_registry_token(mut self, registry: Registry) -> Self {
        self.prefix.push(std::mem::replace(&mut self.last, Hop::RegistryToken(registry)));
        self
    }

    /// Every call, in order.
    pub fn hops(&self) -> impl Iterator<Item = &Hop> {
        self.prefix.iter().chain(std::iter::once(&self.last))
    }
}

/// What ESO calls the session of a service account's own role.
const WEB_IDENTITY_SESSION_NAME: &str = "external-secrets-provider-aws";

#[cfg(test)]
mod tests;
