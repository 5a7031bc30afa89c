//! What befalls a simulated day: faults of AWS, restarts of the controller, an edit that many share.

use clap::ValueEnum;
use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use rolecall_controller::failure::Reason;
use rolecall_controller::schedule::after;

/// Which day it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Kind {
    /// AWS is down, throttles and denies, the controller is restarted, people edit
    Rough,
    /// AWS answers; one restart and one failover
    Well,
    /// AWS denies everything after ten hours
    Denied,
}

/// What befalls a day; times are minutes from its start.
#[derive(Debug)]
pub(crate) struct Course {
    /// Lives of sessions, in minutes.
    lives: &'static [i64],
    /// Whether dice deal the lives.
    is_dealt: bool,
    down: &'static [Span],
    throttled: Span,
    denied: Span,
    /// It denies one object in so many.
    denied_share: usize,
    /// When the controller stops.
    pub(crate) breaks: &'static [Break],
    /// When a generator is edited that a fifth of the objects share.
    pub(crate) shared_edit: i64,
}

/// From when to when.
type Span = (i64, i64);

/// A controller that stops.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Break {
    /// At which second.
    pub(crate) at: i64,
    /// After how many seconds one works again.
    pub(crate) takes: i64,
    /// Whether the replica that stood by takes over, and the first one never comes back.
    pub(crate) is_failover: bool,
}

impl Break {
    /// When it stops.
    pub(crate) fn from(self) -> Timestamp {
        after(START, SignedDuration::from_secs(self.at))
    }

    /// When one works again.
    pub(crate) fn until(self) -> Timestamp {
        after(self.from(), SignedDuration::from_secs(self.takes))
    }
}

impl Course {
    pub(crate) fn of(kind: Kind) -> &'static Self {
        match kind {
            Kind::Rough => &ROUGH,
            Kind::Well => &WELL,
            Kind::Denied => &DENIED,
        }
    }

    /// How long the sessions of an object live.
    pub(crate) fn life(&self, index: usize, dice: &mut Rng) -> SignedDuration {
        let place = if self.is_dealt { dice.usize(..self.lives.len()) } else { index };
        SignedDuration::from_mins(self.lives[place % self.lives.len()])
    }

    /// How AWS fails a call.
    pub(crate) fn refusal(&self, index: usize, minute: i64, calls: u32) -> Option<Reason> {
        let within = |(from, to): Span| (from..to).contains(&minute);
        if self.down.iter().copied().any(within) {
            Some(Reason::Unavailable)
        } else if within(self.throttled) && calls > 300 {
            Some(Reason::Throttled)
        } else if within(self.denied) && self.denies(index) {
            Some(Reason::AccessDenied)
        } else {
            None
        }
    }

    fn denies(&self, index: usize) -> bool {
        index % self.denied_share == self.denied_share / 3
    }

    /// Which plan an object has.
    pub(crate) fn plan(&self, index: usize, time: Timestamp) -> &'static str {
        let is_edited = minute(time) >= self.shared_edit && index.is_multiple_of(5);
        if is_edited { "other" } else { "plan" }
    }

    /// Whether a renewal between these times was in AWS's hands, and not in ours.
    pub(crate) fn excuses(&self, index: usize, from: Timestamp, to: Timestamp) -> bool {
        let overlaps = |(start, end): Span| at(start) < to && at(end) > from;
        let is_denied = self.denies(index) && overlaps(self.denied);
        is_denied || overlaps(self.throttled) || !self.was_reachable(from, to)
    }

    fn was_reachable(&self, from: Timestamp, to: Timestamp) -> bool {
        let mut since = from;
        for (down, up) in self.down {
            let (down, up) = (at(*down), at(*up));
            if down < to && up > since {
                if down.duration_since(since) >= REACHABLE {
                    return true;
                }
                since = up;
            }
        }
        to.duration_since(since) >= REACHABLE
    }

    /// Whether it is after the first hour, outside a fault and the half hour after it.
    pub(crate) fn is_calm(&self, minute: i64) -> bool {
        let breaks = self.breaks.iter().map(|it| (it.at / 60, it.at / 60));
        let faults = self.down.iter().copied().chain([self.throttled, self.denied]);
        minute >= 60 && !faults.chain(breaks).any(|(from, to)| (from..to + 30).contains(&minute))
    }
}

/// The first instant, which is promtool's too.
pub(crate) const START: Timestamp = Timestamp::UNIX_EPOCH;

/// A minute of the day.
pub(crate) fn at(minute: i64) -> Timestamp {
    after(START, SignedDuration::from_mins(minute))
}

/// Which minute it is.
pub(crate) fn minute(time: Timestamp) -> i64 {
    time.duration_since(START).as_mins()
}

/// For how long AWS has to be reachable within the margin, so that a loss is ours.
const REACHABLE: SignedDuration = SignedDuration::from_secs(90);
/// A span of no day.
const NEVER: Span = (i64::MAX / 120, i64::MAX / 120);

const ROUGH: Course = Course {
    lives: &[60, 60, 60, 15, 720],
    is_dealt: true,
    down: &[(180, 200), (420, 500), (900, 902)],
    throttled: (660, 690),
    denied: (780, 840),
    denied_share: 10,
    breaks: &[restart(7_200, 0), restart(36_000, 0), restart(64_800, 0)],
    shared_edit: 1_200,
};

/// The restart misses two scrapes; the failover takes the lease's 15 s and one look at it.
const WELL: Course = Course {
    lives: &[15, 60, 720],
    is_dealt: false,
    down: &[],
    throttled: NEVER,
    denied: NEVER,
    denied_share: 1,
    breaks: &[restart(11_990, 90), Break { at: 45_010, takes: 17, is_failover: true }],
    shared_edit: NEVER.0,
};

const DENIED: Course = Course { denied: (600, NEVER.1), breaks: &[], ..WELL };

const fn restart(at: i64, takes: i64) -> Break {
    Break { at, takes, is_failover: false }
}
