//! What is said as an Event.

use crate::failure::Reason;

/// What is said as an Event.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Announcement {
    /// The Secret was created.
    Created,
    /// The Secret was written, and not by routine.
    Updated,
    /// The Secret was deleted with its ExternalSecret.
    Deleted,
    /// A Secret was deleted that the ExternalSecret names no more.
    OrphanDeleted,
    /// A refresh failed for this reason.
    Failed(Reason),
    /// The policy lets the credential die.
    PolicyNever,
    /// The interval is longer than the credential lives.
    IntervalTooLong,
    /// A generator has both forms of auth.
    BothAuth,
    /// Some sources are ours and some are not.
    MixedSources,
    /// Another controller writes the status too.
    AnotherController,
}

impl Announcement {
    /// Whether it is said once for each generation, or each time it happens.
    pub fn is_once(self) -> bool {
        !matches!(self, Self::Created | Self::Updated | Self::Deleted | Self::OrphanDeleted)
    }
}
