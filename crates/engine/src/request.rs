//! What is asked of AWS, in types that cannot be wrong.
//!
//! Each value is checked once, here, against the bounds of the STS service model; no later stage
//! checks again. What only STS can know (a role's own maximum, the packed size of policies and
//! tags) is not here.
//!
//! Bounds: <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html> and
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html>.

mod duration;
mod mfa;
mod names;
mod policy;
mod registry;
mod tags;

pub use duration::{
    InvalidDurationText, InvalidSessionDuration, InvalidSessionTokenDuration, SessionDuration,
    SessionTokenDuration, seconds_from_text,
};
pub use mfa::{Mfa, MfaCode, MfaSerial};
pub use names::{ExternalId, InvalidSourceIdentity, SessionName, SourceIdentity};
pub use policy::{InvalidPolicy, PolicyArn, SessionPolicy};
pub use registry::Registry;
pub use tags::{InvalidTags, SessionTag, SessionTags};

use crate::arn::RoleArn;

/// One AssumeRole.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct RoleRequest {
    /// The role to assume.
    pub role: RoleArn,
    /// The name of the session, as it stands in CloudTrail.
    pub session_name: SessionName,
    /// How long the session shall last; absent means [`SessionDuration::DEFAULT`].
    pub duration: Option<SessionDuration>,
    /// What the role's trust policy may ask for.
    pub external_id: Option<ExternalId>,
    /// Sticks to every later hop.
    pub source_identity: Option<SourceIdentity>,
    /// Session tags, and which of them are transitive.
    pub tags: SessionTags,
    /// An inline session policy.
    pub policy: Option<SessionPolicy>,
    /// Managed session policies, at most 10.
    pub policy_arns: Vec<PolicyArn>,
    /// The second factor of the user who signs.
    pub mfa: Option<Mfa>,
}

impl RoleRequest {
    /// A request with nothing but what STS demands.
    pub fn new(role: RoleArn, session_name: SessionName) -> Self {
        Self {
            role,
            session_name,
            duration: None,
            external_id: None,
            source_identity: None,
            tags: SessionTags::default(),
            policy: None,
            policy_arns: Vec::new(),
            mfa: None,
        }
    }

    /// The names of the parameters that AssumeRoleWithWebIdentity does not have.
    pub fn parameters_beyond_web_identity(&self) -> Vec<&'static str> {
        let mut names = Vec::new();
        if self.external_id.is_some() {
            names.push("externalID");
        }
        if !self.tags.is_empty() {
            names.push("tags");
        }
        if self.source_identity.is_some() {
            names.push("sourceIdentity");
        }
        if self.mfa.is_some() {
            names.push("mfa");
        }
        names
    }
}

/// One GetSessionToken.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct SessionTokenRequest {
    /// How long the session shall last; absent is not sent, and STS then takes 12 h.
    pub duration: Option<SessionTokenDuration>,
    /// The second factor of the user who signs.
    pub mfa: Option<Mfa>,
}
