//! What flags and grants do alike with a plan: put it together, and hold it against what it shows.

use rolecall_engine::plan::{Caller, Hop, Plan, PlanError, SourceSpec, Start};
use rolecall_engine::region::Region;
use rolecall_engine::request::RoleRequest;
use rolecall_engine::violation::Violations;

/// Where the parts of a request are written, for messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paths<'a> {
    pub(crate) duration: &'a str,
    pub(crate) role: &'a str,
    /// What names the source's keys.
    pub(crate) auth: &'a str,
    /// Where each hop of the start is written.
    pub(crate) hops: &'a [String],
}

/// What the plan shows to be refused, and the caller where it is known, at the paths of a door.
pub(crate) fn check_plan(
    plan: &Plan,
    caller: Option<Caller>,
    paths: Paths<'_>,
    violations: &mut Violations,
) {
    let by_caller = caller.and_then(|caller| plan.check_caller(caller).err());
    // A call that was put before the start to take a code is none that anybody wrote.
    let added = usize::from(matches!(plan.prefix.first(), Some(Hop::SessionToken(_))));
    let errors = plan.check().err().into_iter().flatten();
    for (hop, error) in errors.chain(by_caller.map(|error| (plan.prefix.len() + added, error))) {
        let of_start = hop.checked_sub(added).and_then(|hop| paths.hops.get(hop));
        let path = match (&error, of_start) {
            (PlanError::SessionTokenOfSession, _) => paths.auth,
            (_, Some(place)) => place,
            (PlanError::DurationOverChainingCap { .. }, None) => paths.duration,
            (_, None) => paths.role,
        };
        let is_behind_a_code =
            added == 1 && matches!(error, PlanError::DurationOverChainingCap { .. });
        let hint = if is_behind_a_code {
            "one MFA code serves several grants by a session of the user, behind which roles last \
             an hour at most: run them one by one"
        } else {
            error.hint()
        };
        violations.push_with_hint(path, &error, hint);
    }
}

/// One or several hops from where `start` begins; a plan that cannot be is a violation.
pub(crate) fn plan_hops(
    region: Region,
    start: Start,
    via: Vec<RoleRequest>,
    last: RoleRequest,
    role_path: &str,
    violations: &mut Violations,
) -> Option<Plan> {
    if !matches!(start.source, SourceSpec::Token { .. }) || !start.hops.is_empty() {
        return Some(Plan::assume_role(region, start, via, last));
    }
    Plan::assume_role_with_token(region, start.source, via, last)
        .map_err(|error| violations.push_with_hint(role_path, &error, error.hint()))
        .ok()
}
