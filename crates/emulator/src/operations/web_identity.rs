//! `AssumeRoleWithWebIdentity`: no signature, a token of an OIDC provider instead (E64-E71).

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::fields;
use crate::jwt::Jwt;
use crate::policy::condition::Context;
use crate::policy::{Caller, Verdict};
use crate::session::Baggage;
use crate::state::State;
use crate::tags::{self, Tag};
use crate::wire::form::Form;
use crate::wire::refusal::Refusal;
use crate::world::{Provider, Role};

use super::Answer;
use super::shared::{self, RoleRequest};

const ACTION: &str = "sts:AssumeRoleWithWebIdentity";
const TAGS: &str = "https://aws.amazon.com/tags";
const SOURCE_IDENTITY: &str = "https://aws.amazon.com/source_identity";
/// A provider's clock may run ahead of ours by this.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// A session of the role, for the bearer of a token that it trusts.
pub(super) fn assume_role_with_web_identity(
    state: &State,
    form: &Form,
    now: Timestamp,
) -> Result<Answer, Refusal> {
    let mut token = "";
    let request = RoleRequest::read(form, |checks| {
        token = checks.required("WebIdentityToken", fields::WEB_IDENTITY_TOKEN);
        checks.optional("ProviderId", fields::PROVIDER_ID);
    })?;
    let jwt = Jwt::parse(token).ok_or_else(|| {
        // E65.
        invalid(
            "The ID Token provided is not a valid JWT. (You may see this error if you sent an \
             Access Token)",
        )
    })?;
    let (provider, identity) = verify(state, &jwt, request.role.account(), now)?;
    let baggage = baggage(&jwt)?;
    let role = check_trust(state, &request, provider, &identity, &baggage)?;
    request.check_limits(state, role)?;
    let packed = request.packed_size(&baggage.tags)?;
    let source_identity = baggage.source_identity.clone();
    let session = request.mint(state, baggage, now)?;
    let rest = shared::assumed_role_user(&session.subject)
        .leaf("SubjectFromWebIdentityToken", identity.subject)
        .leaf("Audience", identity.audience)
        .leaf("Provider", provider.principal())
        .optional("PackedPolicySize", packed.map(|size| size.to_string()).as_deref())
        .optional("SourceIdentity", source_identity.as_deref());
    Ok(Answer { operation: "AssumeRoleWithWebIdentity", credentials: Some(session), rest })
}

/// What a verified token says.
struct Identity<'a> {
    subject: &'a str,
    /// The one audience that the provider admits.
    audience: &'a str,
}

/// Issuer, signature, time, audience: in this order.
fn verify<'w, 'j>(
    state: &'w State,
    jwt: &'j Jwt<'_>,
    account: &str,
    now: Timestamp,
) -> Result<(&'w Provider, Identity<'j>), Refusal> {
    let missing = |claim: &str| invalid(&format!("Missing a required claim: {claim}"));
    let issuer = jwt.text("iss").ok_or_else(|| missing("iss"))?;
    // E69: exact, and of the role's account; those without an ARN are everybody's (E64a).
    let is_meant = |provider: &&Provider| {
        let own = provider.arn.as_ref().is_none_or(|arn| arn.account() == account);
        own && (provider.url == issuer || (provider.arn.is_none() && provider.name() == issuer))
    };
    let provider = state.world.providers.iter().find(is_meant).ok_or_else(|| {
        invalid(&format!("No OpenIDConnect provider found in your account for {issuer}"))
    })?;
    // E66.
    let keys = jwt.candidates(&provider.keys);
    if keys.is_empty() {
        return Err(invalid(
            "Couldn't retrieve verification key from your identity provider,  please reference \
             AssumeRoleWithWebIdentity documentation for requirements",
        ));
    }
    if !keys.iter().any(|key| jwt.is_signed_by(key)) {
        return Err(invalid("The signature of the provided token is invalid"));
    }
    check_time(jwt, now)?;
    let subject = jwt.text("sub").ok_or_else(|| missing("sub"))?;
    // E68.
    let audience = audiences(jwt)
        .into_iter()
        .find(|audience| provider.client_ids.iter().any(|id| id == audience))
        .ok_or_else(|| invalid("Incorrect token audience"))?;
    Ok((provider, Identity { subject, audience }))
}

fn audiences<'j>(jwt: &'j Jwt<'_>) -> Vec<&'j str> {
    match jwt.claims.get("aud") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// E67, by whole seconds; timestamps must be integers.
fn check_time(jwt: &Jwt<'_>, now: Timestamp) -> Result<(), Refusal> {
    let seconds = |claim: &str| match jwt.claims.get(claim) {
        None => Ok(None),
        Some(value) => match value.as_i64() {
            Some(seconds) => Ok(Some(seconds)),
            None => Err(invalid(&format!("The claim {claim} must be an integer"))),
        },
    };
    let end = seconds("exp")?.ok_or_else(|| invalid("Missing a required claim: exp"))?;
    let now = now.as_second();
    if now >= end {
        return Err(Refusal::bad(
            "ExpiredTokenException",
            format!(
                "Token expired: current date/time {now} must be before the expiration date/time \
                 {end}"
            ),
        ));
    }
    let latest = now.saturating_add(SKEW.as_secs());
    for claim in ["nbf", "iat"] {
        if seconds(claim)?.is_some_and(|start| start > latest) {
            return Err(invalid("The token is not yet valid"));
        }
    }
    Ok(())
}

/// E64a: tags and source identity come as claims.
fn baggage(jwt: &Jwt<'_>) -> Result<Baggage, Refusal> {
    let claim = jwt.claims.get(TAGS).and_then(Value::as_object);
    let part = |name: &str| claim.and_then(|claim| claim.get(name));
    let mut list = Vec::new();
    for (key, value) in part("principal_tags").and_then(Value::as_object).into_iter().flatten() {
        // A list of one value, or the value itself.
        let value = value.as_array().map_or(Some(value), |list| list.first());
        let value = value.and_then(Value::as_str).unwrap_or_default().to_owned();
        list.push(Tag { key: key.clone(), value });
    }
    let keys = part("transitive_tag_keys").and_then(Value::as_array);
    let keys = keys.into_iter().flatten().filter_map(Value::as_str);
    let transitive: Vec<String> = keys.map(str::to_owned).collect();
    tags::check(&list, &transitive, &[])?;
    let source_identity = jwt.text(SOURCE_IDENTITY).map(str::to_owned);
    Ok(Baggage { tags: list, transitive, source_identity, mfa_at: None })
}

/// E70: the role, when it trusts this token with everything that is in it.
fn check_trust<'s>(
    state: &'s State,
    request: &RoleRequest<'_>,
    provider: &Provider,
    identity: &Identity<'_>,
    baggage: &Baggage,
) -> Result<&'s Role, Refusal> {
    let refusal = |action| Refusal::denied(format!("Not authorized to perform {action}"));
    let role = state.world.role(request.role.as_str()).ok_or_else(|| refusal(ACTION))?;
    let mut context = Context::default();
    context.add(&format!("{}:sub", provider.name()), identity.subject);
    context.add(&format!("{}:aud", provider.name()), identity.audience);
    context.add("sts:RoleSessionName", request.session_name);
    context.add("sts:DurationSeconds", request.seconds.to_string());
    context.add_some("sts:SourceIdentity", baggage.source_identity.as_deref());
    for tag in &baggage.tags {
        context.add(&format!("aws:RequestTag/{}", tag.key), tag.value.as_str());
        context.add("aws:TagKeys", tag.key.as_str());
    }
    for key in &baggage.transitive {
        context.add("sts:TransitiveTagKeys", key.as_str());
    }
    let caller = Caller::Federated(provider.principal());
    let tags = (!baggage.tags.is_empty()).then_some("sts:TagSession");
    let source = baggage.source_identity.as_ref().map(|_| "sts:SetSourceIdentity");
    for action in [Some(ACTION), tags, source].into_iter().flatten() {
        if role.trust.judge(caller, action, role.arn.as_str(), &context) != Verdict::Allowed {
            return Err(refusal(action));
        }
    }
    Ok(role)
}

fn invalid(text: &str) -> Refusal {
    Refusal::bad("InvalidIdentityToken", text)
}

#[cfg(test)]
mod tests;
