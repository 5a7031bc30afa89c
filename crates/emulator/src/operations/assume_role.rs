//! `AssumeRole`.

use jiff::Timestamp;

use crate::authenticate::Authenticated;
use crate::fields;
use crate::policy::Verdict;
use crate::policy::condition::Context;
use crate::session::Baggage;
use crate::state::State;
use crate::tags::{self, Tag};
use crate::wire::form::Form;
use crate::wire::refusal::Refusal;
use crate::world::Role;

use super::shared::{self, RoleRequest};
use super::{Answer, caller, mfa};

/// E62: what chaining allows, whatever the role's maximum.
const MOST_CHAINED_SECONDS: u64 = 3600;

/// A session of the role, for a caller whom it trusts.
pub(super) fn assume_role(
    state: &State,
    form: &Form,
    caller: &Authenticated,
    now: Timestamp,
) -> Result<Answer, Refusal> {
    let request = RoleRequest::read(form, |checks| {
        checks.optional("ExternalId", fields::EXTERNAL_ID);
        checks.optional("SourceIdentity", fields::SESSION_NAME);
        checks.optional("SerialNumber", fields::SERIAL_NUMBER);
        checks.optional("TokenCode", fields::TOKEN_CODE);
        checks.tags();
    })?;
    let mut asked = Asked::read(form, caller)?;
    asked.baggage.mfa_at = mfa::proven_at(state, form, caller, now)?;
    let role = check_trust(state, form, caller, &request, &asked, now)?;
    // E62.
    if caller.is_temporary && request.seconds > MOST_CHAINED_SECONDS {
        return Err(Refusal::validation(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by \
             role chaining.",
        ));
    }
    request.check_limits(state, role)?;
    let packed = request.packed_size(&asked.baggage.tags)?;
    let source_identity = asked.baggage.source_identity.clone();
    let session = request.mint(state, asked.baggage, now)?;
    let rest = shared::assumed_role_user(&session.subject)
        .optional("PackedPolicySize", packed.map(|size| size.to_string()).as_deref())
        .optional("SourceIdentity", source_identity.as_deref());
    Ok(Answer { operation: "AssumeRole", credentials: Some(session), rest })
}

/// Tags and source identity: of the request, and of the session it will make.
struct Asked {
    /// Those of the request alone.
    tags: Vec<Tag>,
    /// Those keys of the request alone.
    transitive: Vec<String>,
    /// What the new session carries: the request's, and what rides along.
    baggage: Baggage,
}

impl Asked {
    fn read(form: &Form, caller: &Authenticated) -> Result<Self, Refusal> {
        let (tags, transitive) = tags::of_form(form);
        tags::check(&tags, &transitive, &caller.baggage.transitive)?;
        let source_identity = form.get("SourceIdentity");
        // E38.
        if source_identity.is_some_and(|text| text.to_ascii_lowercase().starts_with("aws:")) {
            return Err(Refusal::validation("SourceIdentity must not begin with aws:."));
        }
        let inherited = &caller.baggage;
        let baggage = Baggage {
            tags: inherited.transitive_tags().chain(&tags).cloned().collect(),
            transitive: inherited.transitive.iter().chain(&transitive).cloned().collect(),
            source_identity: source_identity
                .map(str::to_owned)
                .or_else(|| inherited.source_identity.clone()),
            mfa_at: None,
        };
        Ok(Self { tags, transitive, baggage })
    }
}

/// The role, when it and the caller's own policies allow everything that is asked for.
fn check_trust<'s>(
    state: &'s State,
    form: &Form,
    caller: &Authenticated,
    request: &RoleRequest<'_>,
    asked: &Asked,
    now: Timestamp,
) -> Result<&'s Role, Refusal> {
    let refuse =
        |action| Err(Refusal::not_authorized(caller.subject.arn(), action, request.role.as_str()));
    // E30.
    let Some(role) = state.world.role(request.role.as_str()) else {
        return refuse("sts:AssumeRole");
    };
    let context = context(form, caller, request, asked, now);
    let mut actions = vec!["sts:AssumeRole"];
    // E44: inherited transitive tags count too.
    if !asked.baggage.tags.is_empty() {
        actions.push("sts:TagSession");
    }
    if asked.baggage.source_identity.is_some() {
        actions.push("sts:SetSourceIdentity");
    }
    for action in actions {
        if !is_allowed(state, role, caller, action, &context) {
            return refuse(action);
        }
    }
    // E38: what was set once stays.
    let inherited = caller.baggage.source_identity.as_ref();
    if inherited.is_some() && inherited != asked.baggage.source_identity.as_ref() {
        return refuse("sts:SetSourceIdentity");
    }
    Ok(role)
}

/// E22: the trust policy, and where it names a whole account or crosses accounts, the caller's own
/// policies too.
fn is_allowed(
    state: &State,
    role: &Role,
    caller: &Authenticated,
    action: &str,
    context: &Context,
) -> bool {
    let (who, resource) = (caller.subject.as_caller(), role.arn.as_str());
    let trust = role.trust.judge(who, action, resource, context);
    let principal = caller.subject.principal();
    let own = caller::own_verdict(state, caller, action, resource, context);
    let is_same_account = principal.account() == role.arn.account();
    match (trust, own) {
        (Verdict::Denied | Verdict::Silent, _) | (_, Verdict::Denied) => false,
        (Verdict::Allowed, _) if is_same_account => true,
        (_, own) => own == Verdict::Allowed,
    }
}

/// What conditions may ask about.
fn context(
    form: &Form,
    caller: &Authenticated,
    request: &RoleRequest<'_>,
    asked: &Asked,
    now: Timestamp,
) -> Context {
    let mfa_at = asked.baggage.mfa_at.or(caller.baggage.mfa_at);
    let mut context = caller::context(caller, mfa_at, now);
    context.add("sts:RoleSessionName", request.session_name);
    context.add("sts:DurationSeconds", request.seconds.to_string());
    context.add_some("sts:ExternalId", form.get("ExternalId"));
    context.add_some("sts:SourceIdentity", asked.baggage.source_identity.as_deref());
    for tag in &asked.tags {
        context.add(&format!("aws:RequestTag/{}", tag.key), tag.value.as_str());
        context.add("aws:TagKeys", tag.key.as_str());
    }
    for key in &asked.transitive {
        context.add("sts:TransitiveTagKeys", key.as_str());
    }
    context
}
