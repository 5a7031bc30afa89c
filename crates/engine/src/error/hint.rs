//! What to do after a refusal, from what was sent and what was said.

use std::fmt;

use super::{CallFailure, Class};
use crate::arn::RoleArn;
use crate::plan::{Caller, Hop};
use crate::region::Region;

/// Which call it was, and what it carried. Names only, never a value that could be secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CallFacts {
    /// The operation in the STS API.
    pub operation: &'static str,
    /// The role asked for.
    pub role: Option<RoleArn>,
    /// Where it was sent.
    pub region: Region,
    /// What signed it; nothing for a web identity.
    pub caller: Option<Caller>,
    /// The role whose session signed it, if an earlier hop made that session.
    pub caller_role: Option<RoleArn>,
    /// Where the first identity of the plan came from.
    pub origin: String,
    /// Whether an external ID was sent.
    pub has_external_id: bool,
    /// Whether a session policy was sent.
    pub has_policy: bool,
    /// Whether an MFA code was sent.
    pub has_mfa: bool,
    /// Issuer, audience, subject and expiry of the web identity token, for people.
    pub token_claims: Option<String>,
}

impl CallFacts {
    /// The facts of `hop`; the caller's are filled in by the one who makes the call.
    pub fn of(hop: &Hop, region: &Region, origin: &str) -> Self {
        let (has_external_id, has_policy, has_mfa) = match hop {
            Hop::AssumeRole(request) => (
                request.external_id.is_some(),
                request.policy.is_some() || !request.policy_arns.is_empty(),
                request.mfa.is_some(),
            ),
            Hop::WebIdentity(request) => {
                (false, request.policy.is_some() || !request.policy_arns.is_empty(), false)
            }
            Hop::SessionToken(request) => (false, false, request.mfa.is_some()),
            Hop::RegistryToken(_) => (false, false, false),
        };
        Self {
            operation: hop.operation(),
            role: hop.role().cloned(),
            region: region.clone(),
            caller: None,
            caller_role: None,
            origin: origin.to_owned(),
            has_external_id,
            has_policy,
            has_mfa,
            token_claims: None,
        }
    }

    pub(super) fn hint(&self, failure: &CallFailure) -> String {
        match failure {
            CallFailure::Refused { code, message, .. } => {
                self.after_refusal(code, message, failure.class())
            }
            CallFailure::NoAnswer { .. } => {
                format!("check the network, and that STS can be reached in {}", self.region)
            }
            CallFailure::Unreadable { .. } => {
                "check that the endpoint is one of STS and that no proxy answers in its place"
                    .to_owned()
            }
            CallFailure::NotSendable { .. } => "check the region and the endpoint".to_owned(),
        }
    }

    fn after_refusal(&self, code: &str, message: &str, class: Class) -> String {
        match (class, code) {
            (Class::Throttled, _) => {
                "try again later: the quota is shared by all STS calls of the account".to_owned()
            }
            (Class::Unavailable, _) => "try again later".to_owned(),
            (Class::Configuration, "MalformedPolicyDocument") if !self.has_policy => {
                format!(
                    "no policy was sent, so this server may mean the key: check {}",
                    self.origin
                )
            }
            (Class::Configuration, "PackedPolicyTooLarge") => {
                "send a shorter policy, fewer policy ARNs or fewer tags".to_owned()
            }
            (Class::Configuration, _) if message.contains("MaxSessionDuration") => {
                "ask for less, or raise the role's maximum session duration in IAM".to_owned()
            }
            (Class::Denied, "RegionDisabledException") => {
                format!("enable {} for the account, or use another region", self.region)
            }
            (Class::Denied, "AccessDenied") => self.after_denial(message),
            (Class::ExpiredCaller | Class::Token | Class::Denied, _) if self.caller.is_none() => {
                let claims = self.token_claims.as_deref().unwrap_or("it is no readable JWT");
                format!("check the {}: {claims}", self.origin)
            }
            (Class::ExpiredCaller, _) => {
                format!("the credentials from {} have ended: get fresh ones", self.origin)
            }
            (Class::Clock, _) => "set this machine's clock: it is over 15 minutes off".to_owned(),
            (Class::BaseKey, _) => format!(
                "check the access key and its secret from {}, and that they are of the partition of {}",
                self.origin, self.region
            ),
            (Class::Configuration, _) => "correct what STS names, then run it again".to_owned(),
            _ => format!("check what {} may do, and the request", self.origin),
        }
    }

    /// AWS names the action that was refused and not the reason; what was sent narrows it down.
    fn after_denial(&self, message: &str) -> String {
        let Some(role) = &self.role else {
            let hint = if self.has_mfa {
                "check the MFA device and take a new code: each works once"
            } else {
                "GetSessionToken needs a user's own keys, and no policy can allow or deny it"
            };
            return hint.to_owned();
        };
        if message.contains("sts:TagSession") {
            return format!("the trust policy of {role} must also allow sts:TagSession");
        }
        if message.contains("sts:SetSourceIdentity") {
            return format!("the trust policy of {role} must also allow sts:SetSourceIdentity");
        }
        if self.caller.is_none() {
            let claims = self.token_claims.as_deref().unwrap_or("it is no readable JWT");
            return format!(
                "the trust policy of {role} must admit the provider and this token: {claims}"
            );
        }
        let caller = match &self.caller_role {
            Some(caller) => format!("the caller's role {caller}"),
            None => format!("the caller (credentials from {})", self.origin),
        };
        let external_id = if self.has_external_id {
            "the external ID must be the one it asks for"
        } else {
            "no external ID was sent, if it asks for one"
        };
        format!(
            "the trust policy of {role} must admit {caller}, and the caller's own policies must \
             allow sts:AssumeRole on it; {external_id}"
        )
    }
}

impl fmt::Display for CallFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.role {
            Some(role) => write!(f, "assume {role}")?,
            None => f.write_str("get a session token")?,
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
