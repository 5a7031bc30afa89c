//! What to do after a refusal, from what was sent and what was said.

use super::facts::{CallFacts, Part};
use super::{CallFailure, Class};
use crate::arn::RoleArn;
use crate::plan::Caller;
use crate::request::Registry;

impl CallFacts {
    pub(super) fn hint(&self, failure: &CallFailure) -> String {
        match failure {
            CallFailure::Refused { code, message, .. } => {
                self.after_refusal(code, message, failure.class())
            }
            CallFailure::NoAnswer { silence, .. } => silence.hint().to_owned(),
            CallFailure::Unreadable { service, .. } => format!(
                "check that the endpoint is one of {service} and that no proxy answers in its place"
            ),
            CallFailure::NotSendable { .. } => "check the region and the endpoint".to_owned(),
        }
    }

    fn after_refusal(&self, code: &str, message: &str, class: Class) -> String {
        let blames_keys = matches!(class, Class::ExpiredCaller | Class::BaseKey);
        if let (true, Some(ended)) = (blames_keys && self.caller_role.is_none(), self.origin_ended)
        {
            return format!(
                "the credentials from {} ended at {ended}: get fresh ones",
                self.origin
            );
        }
        match (class, code) {
            (Class::Throttled, _) => {
                "try again later: the quota is shared by all calls of the account".to_owned()
            }
            (Class::Unavailable, _) => "try again later".to_owned(),
            (Class::Configuration, "MalformedPolicyDocument") if !self.has(Part::Policy) => {
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
            (Class::Denied, "AccessDenied" | "AccessDeniedException") => self.after_denial(message),
            (Class::ExpiredCaller | Class::Token | Class::Denied, _) if self.caller.is_none() => {
                self.about_token(message)
            }
            (Class::ExpiredCaller, _) => {
                format!("the credentials from {} have ended: get fresh ones", self.origin)
            }
            (Class::Clock, _) => "set this machine's clock: it is over 15 minutes off".to_owned(),
            (Class::BaseKey, _) => self.about_key(),
            (Class::Configuration, _) => "correct what it names, then run it again".to_owned(),
            _ => format!(
                "check the request, and what the caller (credentials from {}) may do",
                self.origin
            ),
        }
    }

    fn about_key(&self) -> String {
        let parts = match self.caller {
            Some(Caller::Temporary) => {
                "the access key, its secret and the session token that belongs to them"
            }
            _ => "the access key and its secret",
        };
        let partition = match self.region.partition() {
            Some(partition) => {
                format!("; a key of another partition than {partition} is not known here")
            }
            None => String::new(),
        };
        format!("check {parts} from {}{partition}", self.origin)
    }

    fn about_token(&self, message: &str) -> String {
        let claims = self.token_claims.as_deref().unwrap_or("it is no readable JWT");
        let advice = if message.contains("audience") {
            "its aud must be one of the provider's client IDs, letter by letter (with or without \
             https://)"
        } else if message.contains("No OpenIDConnect provider") {
            "its iss must be the URL of an OIDC provider in the role's account: create it there, or \
             name a role of the right account"
        } else if message.contains("expired") {
            "it has ended: get a fresh one"
        } else if message.contains("not yet valid") {
            "it begins later: the clock of this machine or of its issuer is off"
        } else if message.contains("signature") || message.contains("verification key") {
            "it must be signed by a key that the provider publishes, with RS256, RS384, RS512, ES256, \
             ES384 or ES512"
        } else if message.contains("must be an integer") {
            "its times must be whole numbers of seconds"
        } else {
            "check it against the role's trust policy"
        };
        format!("{advice}; the {}: {claims}", self.origin)
    }

    /// AWS names the action that was refused and not the reason; what was sent narrows it down.
    fn after_denial(&self, message: &str) -> String {
        if message.contains("MultiFactorAuthentication failed") {
            return "check the device's ARN, that it is the caller's own, and take a new code: each \
                    works once"
                .to_owned();
        }
        if let Some(registry) = self.registry {
            return about_registry(registry, &self.who(message));
        }
        let Some(role) = &self.role else {
            return if self.has(Part::Mfa) {
                "check the MFA device and take a new code: each works once".to_owned()
            } else {
                "GetSessionToken needs a user's own keys, and no policy can allow or deny it"
                    .to_owned()
            };
        };
        if message.contains("sts:TagSession") {
            let inherited = "session tags of an earlier hop or of the source ride along";
            return self.about_extra(role, "sts:TagSession", inherited, Part::Tags);
        }
        if message.contains("sts:SetSourceIdentity") {
            let inherited = "a source identity of an earlier hop or of the source rides along";
            let action = "sts:SetSourceIdentity";
            return self.about_extra(role, action, inherited, Part::SourceIdentity);
        }
        if self.caller.is_none() {
            let claims = self.token_claims.as_deref().unwrap_or("it is no readable JWT");
            return format!(
                "the trust policy of {role} must admit the provider and this token: {claims}"
            );
        }
        self.about_trust(role, message)
    }

    /// What rides along needs to be allowed at every hop, even where nothing of it was sent.
    fn about_extra(&self, role: &RoleArn, action: &str, inherited: &str, part: Part) -> String {
        let why = if self.has(part) { String::new() } else { format!(": {inherited}") };
        format!("the trust policy of {role} must also allow {action}{why}")
    }

    fn about_trust(&self, role: &RoleArn, message: &str) -> String {
        let who = self.who(message);
        // Then trust was not the reason, and an external ID neither.
        if message.contains("identity-based policy") {
            return format!("the policies of {who} must allow sts:AssumeRole on {role}");
        }
        let external_id = if self.has(Part::ExternalId) {
            "the external ID must be the one it asks for"
        } else {
            "no external ID was sent, if it asks for one"
        };
        let mfa = match (self.caller, self.has(Part::Mfa)) {
            (Some(Caller::LongTerm), false) => "; no MFA code was sent, if it asks for one",
            _ => "",
        };
        format!(
            "the trust policy of {role} must admit {who}, and the caller's own policies must allow \
             sts:AssumeRole on it; {external_id}{mfa}"
        )
    }

    /// The caller, as a trust policy names it.
    fn who(&self, message: &str) -> String {
        if let Some(caller) = &self.caller_role {
            return format!("the caller's role {caller}");
        }
        match principal_in(message) {
            Some(Principal::Named(arn)) => format!("the caller {arn}"),
            Some(Principal::Session { role }) => {
                format!("the caller's role {role} (with its path, if it has one)")
            }
            None => format!("the caller (credentials from {})", self.origin),
        }
    }
}

fn about_registry(registry: Registry, who: &str) -> String {
    match registry {
        Registry::Private => format!(
            "the policies of {who} must allow ecr:GetAuthorizationToken on Resource \"*\": this \
             action knows no single repository"
        ),
        Registry::Public => format!(
            "the policies of {who} must allow ecr-public:GetAuthorizationToken and \
             sts:GetServiceBearerToken, both on Resource \"*\""
        ),
    }
}

/// Who was refused, as STS says it.
enum Principal {
    Named(String),
    /// A session: STS leaves out the path of its role.
    Session {
        role: String,
    },
}

/// STS begins a denial with `User: ARN is not authorized`.
fn principal_in(message: &str) -> Option<Principal> {
    let arn = message.strip_prefix("User: ")?.split(' ').next()?;
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", partition, service, _, account, resource] = parts.as_slice() else { return None };
    match (*service, resource.split('/').collect::<Vec<_>>().as_slice()) {
        ("sts", ["assumed-role", role, _]) => {
            Some(Principal::Session { role: format!("arn:{partition}:iam::{account}:role/{role}") })
        }
        ("iam" | "sts", _) => Some(Principal::Named(arn.to_owned())),
        _ => None,
    }
}
