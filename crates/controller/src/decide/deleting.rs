//! What becomes of an object that is being deleted, and of its Secret.

use jiff::Timestamp;
use rolecall_engine::grant::DeletionPolicy;

use super::{RETRY_WRITE, Step, is_announced};
use crate::schedule::after;
use crate::seen::{Announcement, Owner, PassFailure, Seen, Spec, Target, TargetFacts, Wanted};

/// The Secret goes first where it is to go, and the finalizer last.
pub(super) fn step(seen: &Seen, now: Timestamp) -> Step {
    let is_ours = matches!(seen.wanted, Wanted::Secret(_) | Wanted::Invalid { .. });
    if !is_ours || !seen.object.has_finalizer {
        return Step::Never;
    }
    if let Some(PassFailure { failure, .. }) = &seen.pass.failure {
        let next = failure.next_try(&seen.seed(0), true);
        return Step::WakeAt(next.unwrap_or(after(now, RETRY_WRITE)));
    }
    if let Wanted::Secret(Spec { deletion: DeletionPolicy::Delete, .. }) = &seen.wanted
        && !seen.pass.has_deleted
    {
        match &seen.target {
            Target::Unread => return Step::ReadTarget,
            Target::Present(TargetFacts { owner: Owner::Us, .. }) => return Step::DeleteSecret,
            Target::Unreadable(_) => return Step::WakeAt(after(now, RETRY_WRITE)),
            Target::Present(_) | Target::Absent => {}
        }
    }
    if seen.pass.has_deleted && !is_announced(seen, Announcement::Deleted) {
        return Step::Announce(Announcement::Deleted);
    }
    Step::RemoveFinalizer
}
