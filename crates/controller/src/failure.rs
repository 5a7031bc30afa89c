//! One table of failure classes: what is told of each, and when it is tried again.

use jiff::{SignedDuration, Timestamp};
use rolecall_engine::error::Class;

use crate::schedule::{Seed, after, before, share};

/// Why the present session could not be renewed: the reason of the condition `Refreshing`.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Reason {
    /// AWS says that it is asked too often.
    Throttled,
    /// AWS, or what it asks, or the network, is down.
    Unavailable,
    /// A policy says no.
    AccessDenied,
    /// AWS will never take the request as it is.
    InvalidRequest,
    /// The keys or the token that sign the call are not accepted.
    BadBaseCredential,
    /// Something that is named is not there.
    MissingInput,
    /// Nobody is named who asks, and the controller's own identity may not be used.
    AmbientDenied,
    /// The target may not be changed.
    TargetImmutable,
    /// The target is somebody else's.
    TargetConflict,
    /// The object, or its generator, cannot be read.
    InvalidSpec,
}

impl Reason {
    /// Every reason, in the order of the documentation.
    pub const ALL: [Self; 10] = [
        Self::Throttled,
        Self::Unavailable,
        Self::AccessDenied,
        Self::InvalidRequest,
        Self::BadBaseCredential,
        Self::MissingInput,
        Self::AmbientDenied,
        Self::TargetImmutable,
        Self::TargetConflict,
        Self::InvalidSpec,
    ];

    /// The word of the condition, of `status.lastError.class` and of the metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Throttled => "Throttled",
            Self::Unavailable => "Unavailable",
            Self::AccessDenied => "AccessDenied",
            Self::InvalidRequest => "InvalidRequest",
            Self::BadBaseCredential => "BadBaseCredential",
            Self::MissingInput => "MissingInput",
            Self::AmbientDenied => "AmbientDenied",
            Self::TargetImmutable => "TargetImmutable",
            Self::TargetConflict => "TargetConflict",
            Self::InvalidSpec => "InvalidSpec",
        }
    }

    /// The reason of that word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }

    /// What to do about it, for the documentation and the log.
    pub fn cure(self) -> &'static str {
        match self {
            Self::Throttled => "nothing, or fewer calls from this account: it is tried more slowly",
            Self::Unavailable => "check the network, the endpoint and AWS's health",
            Self::AccessDenied => {
                "mend the trust policy, or the policy of the caller, then annotate the \
                 ExternalSecret with a new force-sync"
            }
            Self::InvalidRequest => "change the generator: role, duration, policy or tags",
            Self::BadBaseCredential => "put a working key into the Secret, or check the clock",
            Self::MissingInput => "create what is missing, in the ExternalSecret's own namespace",
            Self::AmbientDenied => "name who asks in spec.auth, or start with --ambient-identity",
            Self::TargetImmutable => "delete the Secret, or name another target",
            Self::TargetConflict => "name another target, or remove the other owner",
            Self::InvalidSpec => "change the ExternalSecret or its generator",
        }
    }

    /// The reason for a failure of the engine.
    pub fn of(class: Class) -> Self {
        match class {
            Class::Throttled => Self::Throttled,
            Class::Unavailable | Class::Unreadable | Class::Clock => Self::Unavailable,
            Class::Denied | Class::Token => Self::AccessDenied,
            Class::Configuration | Class::NeedsPerson => Self::InvalidRequest,
            Class::BaseKey | Class::ExpiredCaller => Self::BadBaseCredential,
            Class::NoSource => Self::MissingInput,
            Class::NotSendable => Self::InvalidSpec,
        }
    }

    fn ladder(self) -> Ladder {
        match self {
            Self::Throttled | Self::Unavailable => Ladder::Transient,
            Self::AccessDenied => Ladder::Steps { slow: SignedDuration::from_mins(30) },
            Self::InvalidRequest => Ladder::Steps { slow: SignedDuration::from_hours(6) },
            Self::BadBaseCredential | Self::TargetConflict => {
                Ladder::Every(SignedDuration::from_mins(30))
            }
            Self::MissingInput => Ladder::Every(SignedDuration::from_mins(10)),
            // A template's ConfigMap, or a policy of the cluster, may be mended where no watch looks;
            // what cannot be read calls nobody.
            Self::InvalidSpec => Ladder::Every(SignedDuration::from_mins(30)),
            Self::AmbientDenied | Self::TargetImmutable => Ladder::OnChange,
        }
    }

    /// Whether the key Secret is looked at while nothing is called: no watch shows it.
    pub fn looks_at_key(self) -> bool {
        matches!(self, Self::BadBaseCredential | Self::MissingInput)
    }
}

/// When it is tried again.
#[derive(Clone, Copy, Debug)]
enum Ladder {
    /// Full jitter up to 60 s, and up to 7 min once the margin is used up.
    Transient,
    /// [`STEPS`], then every `slow`, all with jitter.
    Steps { slow: SignedDuration },
    /// So often, with jitter, and whenever something changes.
    Every(SignedDuration),
    /// When something changes.
    OnChange,
}

/// A failure as it is remembered, and as `status.lastError` has it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Failure {
    /// What kind it is.
    pub reason: Reason,
    /// The code on the wire, or ours.
    pub code: String,
    /// One sentence for the status, with names and no value.
    pub message: String,
    /// More of it, for the Event and the log.
    pub detail: String,
    /// When the first of these failures was.
    pub since: Timestamp,
    /// When the last one was.
    pub last: Timestamp,
    /// How many there were in a row.
    pub attempts: u32,
    /// What the key Secrets were when they were read, where any were.
    pub key_version: Option<String>,
    /// When it is tried next, where an earlier process planned that.
    pub planned: Option<Timestamp>,
    /// What was asked for ([`Seen::asking`](crate::seen::Seen::asking)), where this process knows.
    pub asking: Option<String>,
}

impl Failure {
    /// The first failure of a row.
    pub fn new(reason: Reason, code: &str, message: String, now: Timestamp) -> Self {
        Self {
            reason,
            code: code.to_owned(),
            detail: message.clone(),
            message,
            since: now,
            last: now,
            attempts: 1,
            key_version: None,
            planned: None,
            asking: None,
        }
    }

    /// This failure as the next one of a row, if it is the same kind over the same question.
    #[must_use]
    pub fn after(mut self, earlier: Option<&Self>) -> Self {
        if let Some(earlier) = earlier
            && earlier.reason == self.reason
            && (earlier.asking.is_none() || earlier.asking == self.asking)
        {
            self.since = earlier.since;
            self.attempts = earlier.attempts.saturating_add(1);
        }
        self
    }

    /// When the same is tried again, if ever; `past_margin` says that the margin of the stored
    /// credential is used up, or that there is none.
    pub fn next_try(&self, seed: &Seed<'_>, past_margin: bool) -> Option<Timestamp> {
        if self.planned.is_some() {
            return self.planned;
        }
        let part = seed.part(&format!("{} {}", self.attempts, self.since.as_second()));
        let wait = match self.reason.ladder() {
            Ladder::Transient => {
                let cap = if past_margin && self.attempts > MANY { SLOW } else { FAST };
                let doubled = FIRST * (1 << self.attempts.saturating_sub(1).min(12));
                // Never at once: the first half of it is waited for in any case.
                let most = doubled.min(cap);
                most / 2 + share(most / 2, part)
            }
            Ladder::Steps { slow } => {
                let step = usize::try_from(self.attempts).unwrap_or(usize::MAX).saturating_sub(1);
                jittered(STEPS.get(step).copied().unwrap_or(slow), part)
            }
            Ladder::Every(period) => jittered(period, part),
            Ladder::OnChange => return None,
        };
        Some(after(self.last, wait))
    }

    /// When the key Secret is looked at again: after 5 s, doubling to 60 s.
    pub fn next_look(&self, now: Timestamp) -> Option<Timestamp> {
        if !self.reason.looks_at_key() {
            return None;
        }
        let mut wait = LOOK;
        // Of one that began long ago the last hour counts.
        let last = self.last.max(before(now, SignedDuration::from_hours(1)));
        let mut next = after(last, wait);
        while next <= now {
            wait = (wait * 2).min(LOOK_MOST);
            next = after(next, wait);
        }
        Some(next)
    }
}

fn jittered(span: SignedDuration, part: f64) -> SignedDuration {
    span - share(span / 10, part)
}

/// The code of what the API server refused or did not answer.
pub const KUBERNETES: &str = "kubernetes";
const FIRST: SignedDuration = SignedDuration::from_secs(1);
const FAST: SignedDuration = SignedDuration::from_secs(60);
const SLOW: SignedDuration = SignedDuration::from_mins(7);
/// Attempts that are made quickly even where nothing is stored.
const MANY: u32 = 8;
const LOOK: SignedDuration = SignedDuration::from_secs(5);
const LOOK_MOST: SignedDuration = SignedDuration::from_secs(60);
/// IAM is eventually consistent, and no watch shows that a trust policy was mended.
const STEPS: [SignedDuration; 6] = [
    SignedDuration::from_secs(10),
    SignedDuration::from_secs(30),
    SignedDuration::from_mins(1),
    SignedDuration::from_mins(2),
    SignedDuration::from_mins(5),
    SignedDuration::from_mins(10),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(reason: Reason, attempts: u32) -> Failure {
        let now = Timestamp::UNIX_EPOCH;
        Failure { attempts, ..Failure::new(reason, "", String::new(), now) }
    }

    /// Within which seconds the try after so many attempts comes, over many objects.
    #[track_caller]
    fn check(reason: Reason, attempts: u32, past_margin: bool, least: i64, most: i64) {
        let failure = failure(reason, attempts);
        for index in 0..100 {
            let uid = index.to_string();
            let next = failure.next_try(&Seed { uid: &uid, entry: 0 }, past_margin).unwrap();
            assert!((least..=most).contains(&next.as_second()), "{reason:?} {attempts}: {next}");
        }
    }

    #[test]
    fn each_class_has_its_ladder() {
        check(Reason::Unavailable, 1, false, 0, 1);
        check(Reason::Unavailable, 5, false, 8, 16);
        check(Reason::Unavailable, 30, false, 30, 60);
        check(Reason::Throttled, 30, true, 210, 420);
        for (attempts, wait) in [(1, 10), (2, 30), (3, 60), (4, 120), (5, 300), (6, 600)] {
            check(Reason::AccessDenied, attempts, false, wait * 9 / 10 - 1, wait);
            check(Reason::InvalidRequest, attempts, false, wait * 9 / 10 - 1, wait);
        }
        check(Reason::AccessDenied, 7, true, 1_620, 1_800);
        check(Reason::InvalidRequest, 7, true, 19_440, 21_600);
        check(Reason::BadBaseCredential, 1, false, 1_620, 1_800);
        check(Reason::TargetConflict, 9, false, 1_620, 1_800);
        check(Reason::InvalidSpec, 1, false, 1_620, 1_800);
        for reason in [Reason::AmbientDenied, Reason::TargetImmutable] {
            let seed = Seed { uid: "u", entry: 0 };
            assert_eq!(failure(reason, 1).next_try(&seed, true), None);
        }
    }

    #[test]
    fn a_key_secret_is_looked_at_after_5_s_doubling_to_60() {
        let failure = failure(Reason::BadBaseCredential, 1);
        let mut now = Timestamp::UNIX_EPOCH;
        let mut looks = Vec::new();
        for _ in 0..7 {
            now = failure.next_look(now).unwrap();
            looks.push(now.as_second());
        }
        assert_eq!(looks, [5, 15, 35, 75, 135, 195, 255]);
        assert_eq!(self::failure(Reason::AccessDenied, 1).next_look(now), None);
    }

    #[test]
    fn words_are_read_back() {
        for reason in Reason::ALL {
            assert_eq!(Reason::of_word(reason.as_str()), Some(reason));
        }
        assert_eq!(Reason::of_word("Else"), None);
    }
}
