//! Which call it was, and what it carried: what a hint is made from.

use std::fmt;

use jiff::Timestamp;

use crate::arn::RoleArn;
use crate::plan::{Caller, Hop};
use crate::region::Region;
use crate::request::{Registry, RoleRequest, SessionTokenRequest};

/// Which call it was, and what it carried. Names only, never a value that could be secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CallFacts {
    /// The operation's name in the API.
    pub operation: &'static str,
    /// The role asked for.
    pub role: Option<RoleArn>,
    /// The registry asked for.
    pub registry: Option<Registry>,
    /// Where it was sent.
    pub region: Region,
    /// What signed it; nothing for a web identity.
    pub caller: Option<Caller>,
    /// The role whose session signed it, if an earlier hop made that session.
    pub caller_role: Option<RoleArn>,
    /// Where the first identity of the plan came from.
    pub origin: String,
    /// When that identity ended, by this machine's clock.
    pub origin_ended: Option<Timestamp>,
    /// The optional parts that were sent.
    pub sent: Vec<Part>,
    /// Issuer, audience, subject and expiry of the web identity token, for people.
    pub token_claims: Option<String>,
}

/// An optional part of a request that decides about refusals.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Part {
    /// An external ID.
    ExternalId,
    /// A session policy, inline or managed.
    Policy,
    /// A code of an MFA device.
    Mfa,
    /// Session tags.
    Tags,
    /// A source identity.
    SourceIdentity,
}

impl CallFacts {
    /// The facts of `hop`; the caller's are filled in by the one who makes the call.
    pub fn of(hop: &Hop, region: &Region, origin: &str) -> Self {
        Self {
            operation: hop.operation(),
            role: hop.role().cloned(),
            registry: match hop {
                Hop::RegistryToken(registry) => Some(*registry),
                _ => None,
            },
            region: region.clone(),
            caller: None,
            caller_role: None,
            origin: origin.to_owned(),
            origin_ended: None,
            sent: parts_of(hop),
            token_claims: None,
        }
    }

    pub(super) fn has(&self, part: Part) -> bool {
        self.sent.contains(&part)
    }
}

fn parts_of(hop: &Hop) -> Vec<Part> {
    let parts = match hop {
        Hop::AssumeRole(RoleRequest {
            external_id,
            source_identity,
            tags,
            policy,
            policy_arns,
            mfa,
            ..
        }) => vec![
            (Part::ExternalId, external_id.is_some()),
            (Part::Policy, policy.is_some() || !policy_arns.is_empty()),
            (Part::Mfa, mfa.is_some()),
            (Part::Tags, !tags.is_empty()),
            (Part::SourceIdentity, source_identity.is_some()),
        ],
        Hop::WebIdentity(request) => {
            vec![(Part::Policy, request.policy.is_some() || !request.policy_arns.is_empty())]
        }
        Hop::SessionToken(SessionTokenRequest { mfa, .. }) => vec![(Part::Mfa, mfa.is_some())],
        Hop::RegistryToken(_) => Vec::new(),
    };
    parts.into_iter().filter(|(_, is_sent)| *is_sent).map(|(part, _)| part).collect()
}

impl fmt::Display for CallFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.role, self.registry) {
            (Some(role), _) => write!(f, "assume {role}")?,
            (None, Some(Registry::Private)) => f.write_str("get a password for the registry")?,
            (None, Some(Registry::Public)) => f.write_str("get a password for public ECR")?,
            (None, None) => f.write_str("get a session token")?,
        }
        if self.caller.is_none() {
            f.write_str(" with a web identity")?;
        }
        if let Some(caller) = &self.caller_role {
            write!(f, " as {caller}")?;
        }
        Ok(())
    }
}
