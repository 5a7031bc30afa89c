//! What is told of a failure, and when it is tried again.

use jiff::{SignedDuration, Timestamp};

use super::due::Due;
use super::{Pass, Step, UNWATCHED, Verdict, settle};
use crate::failure::{Failure, KUBERNETES};
use crate::schedule::{after, before};
use crate::seen::{Announcement, Inputs, Ready, Refreshing, Target};

impl Pass<'_> {
    /// A failure that stands: it is waited for the next try, unless something changed.
    pub(super) fn gate(&self, due: &Due) -> Option<Step> {
        if matches!(due, Due::Nothing { .. }) || self.seen.pass.has_minted {
            return None;
        }
        let failure = self.seen.past.failure.as_ref()?;
        if self.is_mended(failure) || self.next_try(failure).is_some_and(|next| next <= self.now) {
            return None;
        }
        Some(self.waiting(failure, None, false))
    }

    /// Whether what failed is not what is asked for now.
    fn is_mended(&self, failure: &Failure) -> bool {
        let asks_other = failure.asking.as_ref().is_some_and(|it| *it != self.seen.asking());
        let has_other_key = match &self.seen.inputs {
            Inputs::Ready { key_version: Some(version), .. } => {
                failure.reason.looks_at_key()
                    && failure.key_version.as_ref().is_some_and(|it| it != version)
            }
            _ => false,
        };
        asks_other || has_other_key
    }

    /// When a failure is tried again: by its ladder, and once more just before the danger.
    fn next_try(&self, failure: &Failure) -> Option<Timestamp> {
        // The margin is there to be used for tries; once it is used up nothing is lost any more.
        let past_margin = self.seen.ends().is_none_or(|time| time <= self.now);
        let by_ladder = failure.next_try(&self.seen.seed(0), past_margin);
        let last_chance = self.seen.alarm().map(|alarm| before(alarm, LAST_CHANCE));
        let last_chance = last_chance.filter(|time| failure.last < *time);
        by_ladder.into_iter().chain(last_chance).min()
    }

    pub(super) fn failed(&self, failure: &Failure, ready: Option<Ready>) -> Step {
        self.waiting(failure, ready, true)
    }

    /// What is told while a failure stands.
    fn waiting(&self, failure: &Failure, ready: Option<Ready>, is_new: bool) -> Step {
        let alarm = self.seen.alarm();
        let is_in_danger = alarm.is_none_or(|alarm| alarm <= self.now);
        let keeps = !is_in_danger && !self.is_plan_changed() && self.seen.past.synced.is_some();
        let stands = self.seen.past.ready.filter(|ready| !ready.is_ready());
        let ready = match ready {
            Some(ready) => ready,
            None if keeps => self.kept_ready(),
            None => stands.filter(|_| !is_new).unwrap_or(Ready::NoData),
        };
        let next = self.next_try(failure);
        let flips = alarm.filter(|alarm| ready.is_ready() && *alarm > self.now);
        // What was not written over a Secret without the label is in no watch.
        let is_unwatched = failure.code == KUBERNETES
            && matches!(&self.seen.target, Target::Present(facts) if !facts.is_managed);
        let look = is_unwatched.then(|| after(self.now, UNWATCHED));
        let times = [next, flips, failure.next_look(self.now), look];
        let wake = times.into_iter().flatten().min();
        let verdict = Verdict {
            ready,
            refreshing: Refreshing::Failed(failure.reason),
            has_synced: false,
            failure: Some(failure.clone()),
            next,
        };
        settle(self.seen, verdict, &[Announcement::Failed(failure.reason)], is_new, wake)
    }
}

/// How long before the danger a failing renewal is tried once more.
const LAST_CHANCE: SignedDuration = SignedDuration::from_secs(20);
