//! What is due: the tables of ESO's refresh policies, and before them the end of the credential.

use jiff::{SignedDuration, Timestamp};
use rolecall_engine::grant::CreationPolicy;

use super::{Pass, SHORTEST};
use crate::schedule::{after, interval_end, share};
use crate::seen::{DEFAULT_INTERVAL, Inputs, RefreshPolicy, Target, Write};

/// What is due.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Due {
    /// Nothing, until then.
    Nothing { wake: Option<Timestamp> },
    /// A write from the sessions that are held.
    Write(Write),
    /// New sessions, and a write.
    Mint(Write),
}

impl Pass<'_> {
    pub(super) fn due(&self) -> Due {
        let has_unwritten = self.seen.past.held.as_ref().is_some_and(|held| !held.is_written);
        if has_unwritten && self.is_fresh() {
            return Due::Write(self.first_write());
        }
        let Some(synced) = &self.seen.past.synced else {
            return Due::Mint(self.first_write());
        };
        if self.is_target_invalid() {
            return self.repair();
        }
        let is_forced = self.seen.past.force_sync.as_ref();
        let is_forced = is_forced.is_some_and(|at_mint| *at_mint != self.seen.object.force_sync);
        if self.reacts_to_changes() && self.is_changed() {
            let rewrites = self.is_fresh() && !is_forced;
            let write =
                if self.seen.target == Target::Absent { Write::Created } else { Write::Changed };
            return if rewrites { Due::Write(write) } else { Due::Mint(write) };
        }
        if !self.renews() {
            return Due::Nothing { wake: self.end_of_what_is_not_renewed() };
        }
        if synced.at > self.now {
            return Due::Mint(Write::Renewed);
        }
        let interval = Some(self.interval_due(synced.at));
        let times = [interval, self.renewal_due(), self.plan_due()];
        let next = times.into_iter().flatten().min();
        match next {
            Some(time) if time <= self.now => Due::Mint(Write::Renewed),
            wake => Due::Nothing { wake },
        }
    }

    /// The write of sessions that are in no Secret yet.
    fn first_write(&self) -> Write {
        match (&self.seen.target, &self.seen.past.synced) {
            (Target::Absent, _) => Write::Created,
            (_, Some(synced)) if synced.version == self.seen.object.version => Write::Renewed,
            _ => Write::Changed,
        }
    }

    /// A target that is not what was written: written again, quietly, and not too often.
    fn repair(&self) -> Due {
        let write =
            if self.seen.target == Target::Absent { Write::Created } else { Write::Repaired };
        if !self.is_fresh() {
            return Due::Mint(write);
        }
        let Some(drift) = self.seen.past.drift else { return Due::Write(write) };
        let doubled = DRIFT * (1 << drift.count.saturating_sub(1).min(10));
        let until = after(drift.last, doubled.min(DRIFT_MOST));
        if until <= self.now { Due::Write(write) } else { Due::Nothing { wake: Some(until) } }
    }

    /// Other labels, annotations and types do not count; an orphan's validity is never looked at.
    pub(super) fn is_target_invalid(&self) -> bool {
        if self.spec.creation == CreationPolicy::Orphan {
            return false;
        }
        match &self.seen.target {
            Target::Present(facts) => !facts.is_managed || !facts.hash_fits,
            Target::Absent => true,
            Target::Unread | Target::Unreadable(_) => false,
        }
    }

    /// Whether the sessions that are held may be written once more.
    fn is_fresh(&self) -> bool {
        let Some(held) = &self.seen.past.held else { return false };
        let until = if self.renews() {
            self.seen.renewal_of(&held.lives)
        } else {
            held.lives.iter().map(|life| life.ends).min()
        };
        let answers = match &self.seen.inputs {
            Inputs::Ready { plan, .. } => *plan == held.plan,
            // Nothing says that something else is asked for.
            Inputs::Failed(_) | Inputs::Unread => true,
        };
        answers && until.is_some_and(|until| until > self.now)
    }

    /// Whether another plan is asked for than the one that the stored credentials answer.
    pub(super) fn is_plan_changed(&self) -> bool {
        match (&self.seen.past.plan, &self.seen.inputs) {
            (Some(stored), Inputs::Ready { plan, .. }) => stored != plan,
            _ => false,
        }
    }

    fn reacts_to_changes(&self) -> bool {
        match self.spec.refresh {
            RefreshPolicy::CreatedOnce => false,
            RefreshPolicy::OnChange => true,
            RefreshPolicy::Periodic => self.spec.interval > SignedDuration::ZERO,
        }
    }

    /// Whether credentials are renewed before they end: where they were asked for once, they end.
    pub(super) fn renews(&self) -> bool {
        self.spec.refresh == RefreshPolicy::Periodic && self.spec.interval > SignedDuration::ZERO
    }

    /// The end of the interval, or of the closed window that it falls into.
    fn interval_due(&self, start: Timestamp) -> Timestamp {
        let interval = self.spec.interval.max(SHORTEST);
        let end = interval_end(start, interval, &self.seen.seed(0));
        let Some(windows) = &self.spec.windows else { return end };
        let time = end.max(self.now);
        if windows.is_open(time) { end } else { windows.next_look(time) }
    }

    /// The renewal; overdue after a start, it is spread over some of the time that is left.
    fn renewal_due(&self) -> Option<Timestamp> {
        let renewal = self.seen.renewal()?;
        let (Some(since), Some(alarm)) = (self.seen.past.seen_since, self.seen.alarm()) else {
            return Some(renewal);
        };
        if !self.seen.past.is_first || renewal > since || alarm <= since {
            return Some(renewal);
        }
        let left = alarm.duration_since(since);
        Some(after(since, share(left / 5, self.seen.seed(0).part("overdue"))))
    }

    /// When another plan is followed: soon where few share the change, spread where many do, and
    /// failing objects first.
    fn plan_due(&self) -> Option<Timestamp> {
        let Inputs::Ready { sharers, .. } = &self.seen.inputs else { return None };
        if !self.is_plan_changed() {
            return None;
        }
        let since = self.seen.past.other_plan_since.unwrap_or(self.now);
        if self.seen.past.failure.is_some() {
            return Some(since);
        }
        let left = self.seen.alarm().map_or(SignedDuration::ZERO, |it| it.duration_since(since));
        let crowd = SHARER * i32::try_from(sharers.saturating_sub(1)).unwrap_or(i32::MAX);
        let window = crowd.min(SPREAD).min(left).max(SignedDuration::ZERO);
        Some(after(since, share(window, self.seen.seed(0).part("plan"))))
    }

    /// Looks again when what is not renewed is over, to say so.
    fn end_of_what_is_not_renewed(&self) -> Option<Timestamp> {
        let times = [self.seen.renewal(), self.seen.ends()];
        times.into_iter().flatten().filter(|time| *time > self.now).min()
    }

    /// When it is looked at again after a sync.
    pub(super) fn next_after_sync(&self) -> Option<Timestamp> {
        if !self.renews() {
            return self.end_of_what_is_not_renewed();
        }
        let interval = Some(self.interval_due(self.seen.pass.started));
        [interval, self.seen.renewal()].into_iter().flatten().min()
    }

    /// Whether the interval is never waited for, since the credential is renewed before: said where
    /// somebody chose it.
    pub(super) fn is_interval_too_long(&self) -> bool {
        let lives = self.seen.past.lives.iter();
        let waits = lives.map(|life| life.ends.duration_since(life.issued) - life.margin());
        let is_chosen = self.spec.interval != DEFAULT_INTERVAL;
        let shortest = waits.min();
        self.renews() && is_chosen && shortest.is_some_and(|wait| self.spec.interval > wait)
    }
}

/// How long a target that somebody else changes is left alone after a repair, doubling.
const DRIFT: SignedDuration = SignedDuration::from_secs(5);
const DRIFT_MOST: SignedDuration = SignedDuration::from_mins(5);
/// Over how long a change that many share is spread, at most, and for each of them.
const SPREAD: SignedDuration = SignedDuration::from_mins(10);
const SHARER: SignedDuration = SignedDuration::from_millis(250);
