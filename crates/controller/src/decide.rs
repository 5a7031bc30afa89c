//! What to do next for one ExternalSecret: pure, total, and the only judge of freshness.
//!
//! A pass is a loop: a step is decided and done, what it brought is seen, and the next one is
//! decided, until the step is to wait.

mod deleting;
mod due;
mod failing;

use jiff::{SignedDuration, Timestamp};
use rolecall_engine::grant::{CreationPolicy, DeletionPolicy};

use self::due::Due;
use crate::failure::{Failure, Reason};
use crate::schedule::{after, share};
use crate::seen::{
    Announcement, Inputs, Owner, Ready, Refreshing, Seen, Spec, Target, TargetFacts, Wanted, Write,
};

/// One step of a pass.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Step {
    /// Puts the finalizer on the object, so that its Secret can be deleted with it.
    AddFinalizer,
    /// Takes the finalizer off.
    RemoveFinalizer,
    /// Deletes the Secret of a deleted object.
    DeleteSecret,
    /// Deletes the Secrets that the object owns and names no more.
    DeleteOrphans,
    /// Looks at the Secret.
    ReadTarget,
    /// Looks at the generators and what they name, and makes plans of them.
    ReadInputs,
    /// Calls AWS for every entry.
    Mint {
        /// Whether nothing usable is stored, or not for long.
        is_urgent: bool,
    },
    /// Writes the Secret from the sessions that are held.
    Apply {
        /// Why.
        write: Write,
        /// Whether its data stays what it is.
        keeps_data: bool,
    },
    /// Removes the keys of others from the Secret.
    WipeForeign,
    /// Writes the status.
    WriteStatus(Box<Verdict>),
    /// Says something as an Event.
    Announce(Announcement),
    /// Waits until then, or until something changes.
    WakeAt(Timestamp),
    /// Waits until something changes.
    Never,
}

/// What the status says at the end of a pass.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Verdict {
    /// The condition `Ready`.
    pub ready: Ready,
    /// The condition `Refreshing`.
    pub refreshing: Refreshing,
    /// Whether the object is in sync as it is now: moves `refreshTime` and
    /// `syncedResourceVersion`.
    pub has_synced: bool,
    /// The failure that stands.
    pub failure: Option<Failure>,
    /// When it is tried next.
    pub next: Option<Timestamp>,
}

/// What to do next.
pub fn decide(seen: &Seen, now: Timestamp) -> Step {
    if seen.object.is_deleting {
        return deleting::step(seen, now);
    }
    match &seen.wanted {
        Wanted::Mixed if !is_announced(seen, Announcement::MixedSources) => {
            Step::Announce(Announcement::MixedSources)
        }
        Wanted::OutOfScope | Wanted::Mixed => Step::Never,
        Wanted::Invalid { message, ready } => {
            let failure = Failure::new(Reason::InvalidSpec, "invalid-spec", message.clone(), now);
            let verdict = Verdict {
                ready: *ready,
                refreshing: Refreshing::Failed(Reason::InvalidSpec),
                has_synced: false,
                failure: Some(failure),
                next: None,
            };
            let is_new = seen.past.failure.as_ref().is_none_or(|it| it.message != *message);
            settle(seen, verdict, &[Announcement::Failed(Reason::InvalidSpec)], is_new, None)
        }
        Wanted::Secret(spec) => Pass { seen, spec, now }.step(),
    }
}

/// One pass over an object that is ours and can be read.
struct Pass<'a> {
    seen: &'a Seen,
    spec: &'a Spec,
    now: Timestamp,
}

impl Pass<'_> {
    fn step(&self) -> Step {
        let (seen, spec) = (self.seen, self.spec);
        if let Some(step) = self.finalizer() {
            return step;
        }
        let fight = Announcement::AnotherController;
        if seen.object.is_fought_for && !is_announced(seen, fight) {
            return Step::Announce(fight);
        }
        if let Some(failed) = &seen.pass.failure {
            return self.failed(&failed.failure, failed.ready);
        }
        if let Some(time) = seen.pass.postponed {
            return Step::WakeAt(time);
        }
        if spec.creation == CreationPolicy::None {
            return self.settle_synced(Refreshing::Scheduled, None, &[]);
        }
        let target = match &seen.target {
            Target::Unread => return Step::ReadTarget,
            Target::Unreadable(failure) => return self.failed(failure, None),
            Target::Absent if spec.creation == CreationPolicy::Merge => return self.missing(),
            Target::Absent => None,
            Target::Present(facts) => Some(facts),
        };
        if let Some(ready) = target.and_then(|facts| self.conflict(facts)) {
            return self.conflicting(ready);
        }
        if let Some(write) = seen.pass.wrote {
            return self.written(write, target);
        }
        if let Some(facts) = target.filter(|facts| facts.is_immutable || spec.is_immutable) {
            return self.immutable(facts);
        }
        if seen.inputs == Inputs::Unread {
            return Step::ReadInputs;
        }
        let owns = target.is_some_and(|facts| facts.owner == Owner::Us)
            && spec.creation == CreationPolicy::Owner;
        if owns && !seen.orphans.is_empty() && !seen.pass.has_deleted {
            return Step::DeleteOrphans;
        }
        let due = self.due();
        if let Some(step) = self.gate(&due) {
            return step;
        }
        match due {
            Due::Nothing { wake } => self.idle(wake),
            Due::Write(write) => Step::Apply { write, keeps_data: false },
            Due::Mint(write) if seen.pass.has_minted => Step::Apply { write, keeps_data: false },
            Due::Mint(_) => match &seen.inputs {
                Inputs::Failed(failure) => self.failed(failure, None),
                _ => Step::Mint { is_urgent: self.is_urgent() },
            },
        }
    }

    fn finalizer(&self) -> Option<Step> {
        let wanted = self.spec.deletion == DeletionPolicy::Delete;
        match (wanted, self.seen.object.has_finalizer) {
            (true, false) => Some(Step::AddFinalizer),
            // Another controller would put it on again at once.
            (false, true) if !self.seen.rules.is_beside_another => Some(Step::RemoveFinalizer),
            _ => None,
        }
    }

    /// Who stands in the way of a write.
    fn conflict(&self, target: &TargetFacts) -> Option<Ready> {
        match target.owner {
            Owner::OtherExternalSecret => Some(Ready::OwnedByAnother),
            Owner::OtherController if self.spec.creation == CreationPolicy::Owner => {
                Some(Ready::NotTaken)
            }
            _ => None,
        }
    }

    fn conflicting(&self, ready: Ready) -> Step {
        let part = self.seen.seed(0).part("conflict");
        // A Secret without the label is in no watch: its owner is looked at more often.
        let is_watched = matches!(&self.seen.target, Target::Present(facts) if facts.is_managed);
        let period = if is_watched { CONFLICT } else { UNWATCHED };
        let wake = after(self.now, period - share(period / 10, part));
        let message = ready.message().to_owned();
        let failure = Failure::new(Reason::TargetConflict, "target-conflict", message, self.now);
        let verdict = Verdict {
            ready,
            refreshing: Refreshing::Failed(Reason::TargetConflict),
            has_synced: false,
            failure: Some(failure),
            next: Some(wake),
        };
        let said = [Announcement::Failed(Reason::TargetConflict)];
        settle(self.seen, verdict, &said, false, Some(wake))
    }

    /// Nothing to merge into: it is looked for at the interval.
    fn missing(&self) -> Step {
        let is_polled = self.spec.interval > SignedDuration::ZERO;
        let wake = is_polled.then(|| after(self.now, self.spec.interval.max(SHORTEST)));
        let verdict = Verdict {
            ready: Ready::Missing,
            refreshing: Refreshing::Scheduled,
            has_synced: self.is_changed(),
            failure: None,
            next: wake,
        };
        settle(self.seen, verdict, &[], false, wake)
    }

    /// An immutable Secret keeps its data; its marks are put right.
    fn immutable(&self, target: &TargetFacts) -> Step {
        let locks = self.spec.is_immutable;
        let has_marks = target.is_managed
            && target.hash_fits
            && (!locks || target.is_immutable)
            && self.seen.past.marked.as_ref() == Some(&self.seen.object.version);
        if !has_marks {
            return Step::Apply { write: Write::Repaired, keeps_data: true };
        }
        self.kept(locks)
    }

    /// What is told of a Secret whose data stays.
    fn kept(&self, locks: bool) -> Step {
        let ends = self.seen.ends();
        let has_ended = ends.is_some_and(|ends| ends <= self.now);
        let (ready, wake) = match (locks, has_ended) {
            (true, false) => (Ready::Synced, ends),
            _ => (Ready::Immutable, None),
        };
        let message = Ready::Immutable.message().to_owned();
        let failure = Failure::new(Reason::TargetImmutable, "target-immutable", message, self.now);
        let verdict = Verdict {
            ready,
            refreshing: Refreshing::Failed(Reason::TargetImmutable),
            has_synced: locks && self.is_changed(),
            failure: Some(failure),
            next: None,
        };
        let said: &[Announcement] =
            if ready.is_ready() { &[] } else { &[Announcement::Failed(Reason::TargetImmutable)] };
        settle(self.seen, verdict, said, false, wake)
    }

    /// The Secret was written in this pass.
    fn written(&self, write: Write, target: Option<&TargetFacts>) -> Step {
        let said: &[Announcement] = match write {
            Write::Created => &[Announcement::Created],
            Write::Changed | Write::Repaired => &[Announcement::Updated],
            Write::Renewed => &[],
        };
        if let Some(target) = target {
            let wipes =
                matches!(self.spec.creation, CreationPolicy::Owner | CreationPolicy::Orphan);
            let keeps = target.is_immutable && write != Write::Created;
            if keeps {
                // Only its marks were put right.
                return self.kept(self.spec.is_immutable);
            }
            if wipes && target.has_foreign_keys && !self.seen.pass.has_wiped {
                return Step::WipeForeign;
            }
        }
        let owns = self.spec.creation == CreationPolicy::Owner;
        if owns && !self.seen.orphans.is_empty() && !self.seen.pass.has_deleted {
            return Step::DeleteOrphans;
        }
        let refreshing =
            if self.is_over() { Refreshing::PolicyNever } else { Refreshing::Scheduled };
        let mut said = said.to_vec();
        if self.seen.pass.has_deleted {
            said.push(Announcement::OrphanDeleted);
        }
        if self.spec.has_both_auths {
            said.push(Announcement::BothAuth);
        }
        if self.is_interval_too_long() {
            said.push(Announcement::IntervalTooLong);
        }
        self.settle_synced(refreshing, self.next_after_sync(), &said)
    }

    fn settle_synced(
        &self,
        refreshing: Refreshing,
        next: Option<Timestamp>,
        said: &[Announcement],
    ) -> Step {
        let has_synced = self.seen.pass.wrote.is_some() || self.is_changed();
        let verdict = Verdict { ready: Ready::Synced, refreshing, has_synced, failure: None, next };
        settle(self.seen, verdict, said, false, next)
    }

    /// Nothing is due.
    fn idle(&self, wake: Option<Timestamp>) -> Step {
        let past = &self.seen.past;
        // What failed is not asked for any more, and what is asked for is there.
        let is_mended = past.failure.is_some() && !self.is_target_invalid();
        let has_ended = self.seen.ends().is_some_and(|ends| ends <= self.now);
        let is_over = self.is_over();
        let ready = match (is_over && has_ended, is_mended) {
            (true, _) => Ready::NoData,
            (false, true) => Ready::Synced,
            (false, false) => self.kept_ready(),
        };
        let refreshing = match past.refreshing {
            _ if is_over => Refreshing::PolicyNever,
            Some(refreshing) if !is_mended => refreshing,
            _ => Refreshing::Scheduled,
        };
        let said: &[Announcement] = if is_over { &[Announcement::PolicyNever] } else { &[] };
        let failure = past.failure.clone().filter(|_| !is_mended);
        let verdict = Verdict { ready, refreshing, has_synced: false, failure, next: wake };
        settle(self.seen, verdict, said, is_mended, wake)
    }

    /// What `Ready` was, as long as nothing says otherwise: a failure to write that is mended is
    /// told by the write.
    fn kept_ready(&self) -> Ready {
        self.seen.past.ready.unwrap_or(Ready::Synced)
    }

    /// Whether it was time to renew, and the refresh policy does not want it.
    fn is_over(&self) -> bool {
        !self.renews() && self.seen.renewal().is_some_and(|time| time <= self.now)
    }

    fn is_urgent(&self) -> bool {
        self.seen.past.synced.is_none() || self.seen.alarm().is_none_or(|alarm| alarm <= self.now)
    }

    fn is_changed(&self) -> bool {
        let version = &self.seen.object.version;
        self.seen.past.synced.as_ref().is_none_or(|synced| synced.version != *version)
    }
}

/// Says what is to be said, writes the status if it is news, and waits.
fn settle(
    seen: &Seen,
    verdict: Verdict,
    said: &[Announcement],
    is_new: bool,
    wake: Option<Timestamp>,
) -> Step {
    if let Some(next) = said.iter().find(|it| !is_announced(seen, **it)) {
        return Step::Announce(*next);
    }
    let is_other =
        seen.past.ready != Some(verdict.ready) || seen.past.refreshing != Some(verdict.refreshing);
    let is_news = verdict.has_synced || is_new || is_other || seen.past.is_unreported;
    if !seen.pass.has_reported && is_news {
        return Step::WriteStatus(Box::new(verdict));
    }
    if seen.past.is_unreported {
        let soon = after(seen.pass.started, RETRY_WRITE);
        return Step::WakeAt(wake.map_or(soon, |wake| wake.min(soon)));
    }
    wake.map_or(Step::Never, Step::WakeAt)
}

fn is_announced(seen: &Seen, announcement: Announcement) -> bool {
    seen.past.announced.contains(&announcement) || seen.pass.announced.contains(&announcement)
}

/// How long a target of somebody else's is left alone.
const CONFLICT: SignedDuration = SignedDuration::from_mins(30);
/// The same, where no watch tells that it has become free.
const UNWATCHED: SignedDuration = SignedDuration::from_mins(1);
const RETRY_WRITE: SignedDuration = SignedDuration::from_secs(5);
/// No interval polls more often.
const SHORTEST: SignedDuration = SignedDuration::from_secs(1);

#[cfg(test)]
mod tests;
