//! What a caller's own policies say, and what conditions may ask about a caller.

use jiff::Timestamp;

use crate::authenticate::Authenticated;
use crate::policy::Verdict;
use crate::policy::condition::Context;
use crate::session::Subject;
use crate::state::State;

/// The condition keys of the caller. `mfa_at` is when a second factor was given, if one was.
pub(crate) fn context(
    caller: &Authenticated,
    mfa_at: Option<Timestamp>,
    now: Timestamp,
) -> Context {
    let mut context = Context::default();
    let subject = &caller.subject;
    context.add("aws:PrincipalArn", subject.principal().as_str());
    context.add("aws:PrincipalAccount", subject.principal().account());
    context.add("aws:userid", subject.user_id());
    context.add("aws:CurrentTime", now.to_string());
    context.add("aws:EpochTime", now.as_second().to_string());
    context.add_some("aws:SourceIdentity", caller.baggage.source_identity.as_deref());
    match subject {
        Subject::User(arn) => {
            context.add("aws:username", arn.name());
            context.add("aws:PrincipalType", "User");
        }
        Subject::Role { .. } => context.add("aws:PrincipalType", "AssumedRole"),
    }
    // Absent for long-term keys without a second factor, `false` for sessions without one.
    if let Some(at) = mfa_at {
        context.add("aws:MultiFactorAuthPresent", "true");
        context.add("aws:MultiFactorAuthAge", now.duration_since(at).as_secs().to_string());
    } else if caller.is_temporary {
        context.add("aws:MultiFactorAuthPresent", "false");
    }
    for tag in &caller.baggage.tags {
        context.add(&format!("aws:PrincipalTag/{}", tag.key), tag.value.as_str());
    }
    context
}

/// What the caller's identity policies say. A caller without any in the world counts as allowed.
pub(crate) fn own_verdict(
    state: &State,
    caller: &Authenticated,
    action: &str,
    resource: &str,
    context: &Context,
) -> Verdict {
    let Some(policies) = state.world.identity_policies(caller.subject.principal()) else {
        return Verdict::Allowed;
    };
    let verdicts = policies
        .iter()
        .map(|policy| policy.judge(caller.subject.as_caller(), action, resource, context));
    verdicts.max().unwrap_or(Verdict::Silent)
}
