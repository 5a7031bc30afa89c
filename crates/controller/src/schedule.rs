//! When a credential is renewed: pure arithmetic over its life, with jitter that is no dice.
//!
//! Numbers: two margins before the end, one at which it is renewed and one at which an unrenewed
//! credential is told to be in danger. A mounted Secret follows a change within 60 to 90 s
//! (<https://kubernetes.io/docs/concepts/configuration/secret/#mounted-secrets-are-updated-automatically>).

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

/// From when to when a credential is good: as STS said, never longer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Life {
    /// When the answer came.
    pub issued: Timestamp,
    /// When it ends.
    pub ends: Timestamp,
}

impl Life {
    fn length(self) -> SignedDuration {
        self.ends.duration_since(self.issued).max(SignedDuration::ZERO)
    }

    /// How long before its end it is renewed: the larger of 5 min and a fifth of its life, and never
    /// more than half of its life.
    pub fn margin(self) -> SignedDuration {
        let length = self.length();
        MARGIN.max(length / 5).min(length / 2)
    }

    /// How long before its end it is in danger: `most`, or half of the margin if that is less.
    pub fn alarm_margin(self, most: SignedDuration) -> SignedDuration {
        most.min(self.margin() / 2)
    }

    /// When it is in danger.
    pub fn alarm(self, most: SignedDuration) -> Timestamp {
        before(self.ends, self.alarm_margin(most))
    }

    /// When it is renewed: the margin before its end, and some jitter before that.
    ///
    /// A session that is the first after a creation, a restart or an outage gets up to half of its
    /// life as jitter, any other one up to a tenth, so that a crowd that came together spreads.
    pub fn renewal(self, seed: &Seed<'_>, is_first: bool) -> Timestamp {
        let length = self.length();
        let most = if is_first { length / 2 } else { length / 10 };
        let jitter = share(most, seed.part(&self.ends.as_second().to_string()));
        let lead = (self.margin() + jitter).min(length * 3 / 4);
        before(self.ends, lead)
    }
}

/// What makes one credential's jitter its own: the object and the entry.
#[derive(Clone, Copy, Debug)]
pub struct Seed<'a> {
    /// The UID of the ExternalSecret.
    pub uid: &'a str,
    /// Which of its entries.
    pub entry: usize,
}

impl Seed<'_> {
    /// A number of 0 up to 1, the same each time for the same `salt`.
    pub fn part(&self, salt: &str) -> f64 {
        let hash = Sha256::new()
            .chain_update(self.uid)
            .chain_update([0])
            .chain_update(self.entry.to_be_bytes())
            .chain_update(salt)
            .finalize();
        let bytes = hash.iter().take(4).fold(0_u32, |sum, byte| (sum << 8) | u32::from(*byte));
        f64::from(bytes) / (f64::from(u32::MAX) + 1.0)
    }
}

/// A share of a span; `part` is 0 up to 1.
pub fn share(span: SignedDuration, part: f64) -> SignedDuration {
    SignedDuration::try_from_secs_f64(span.as_secs_f64() * part).unwrap_or(SignedDuration::ZERO)
}

/// When an interval is over; up to a tenth of it earlier, by a fixed share of the object's own, so
/// that a crowd with one interval does not stay a crowd.
pub fn interval_end(start: Timestamp, interval: SignedDuration, seed: &Seed<'_>) -> Timestamp {
    let early = share(interval / 10, seed.part("interval"));
    after(start, interval - early)
}

/// A time after another one; the last of all where there is none.
pub fn after(time: Timestamp, span: SignedDuration) -> Timestamp {
    time.checked_add(span).unwrap_or(Timestamp::MAX)
}

/// A time before another one; the first of all where there is none.
pub fn before(time: Timestamp, span: SignedDuration) -> Timestamp {
    time.checked_sub(span).unwrap_or(Timestamp::MIN)
}

/// The least refresh margin, unless half of the life is less.
const MARGIN: SignedDuration = SignedDuration::from_mins(5);

#[cfg(test)]
mod tests {
    use super::*;

    const ALARM: SignedDuration = SignedDuration::from_mins(3);

    fn life(seconds: i64) -> Life {
        let issued = Timestamp::from_second(1_767_225_600).unwrap();
        Life { issued, ends: after(issued, SignedDuration::from_secs(seconds)) }
    }

    /// The earliest and latest renewal over many objects, in seconds after the issue.
    fn renewals(seconds: i64, is_first: bool) -> (i64, i64) {
        let life = life(seconds);
        let all = (0..2_000).map(|index| {
            let uid = format!("uid-{index}");
            let renewal = life.renewal(&Seed { uid: &uid, entry: 0 }, is_first);
            renewal.duration_since(life.issued).as_secs()
        });
        let all: Vec<_> = all.collect();
        (*all.iter().min().unwrap(), *all.iter().max().unwrap())
    }

    #[test]
    fn a_life_is_renewed_within_its_window() {
        // Minutes after the issue, of the reference: 42 to 48, the first 18 to 48.
        let cases = [
            (3_600, false, 42 * 60, 48 * 60),
            (3_600, true, 18 * 60, 48 * 60),
            (900, false, 510, 600),
            (43_200, false, 8 * 3_600 + 24 * 60, 9 * 3_600 + 36 * 60),
        ];
        for (seconds, is_first, least, most) in cases {
            let (earliest, latest) = renewals(seconds, is_first);
            let spread = (most - least) / 20;
            assert!(earliest >= least && earliest < least + spread, "{seconds}: {earliest}");
            assert!(latest <= most && latest > most - spread, "{seconds}: {latest}");
        }
    }

    #[test]
    fn lives_of_any_length_keep_their_order() {
        for seconds in [0, 1, 2, 7, 30, 299, 300, 601, 900, 3_600, 43_200, 129_600] {
            let life = life(seconds);
            let seed = Seed { uid: "u", entry: 0 };
            for is_first in [false, true] {
                let renewal = life.renewal(&seed, is_first);
                assert!(life.issued <= renewal && renewal <= life.alarm(ALARM), "{seconds}");
                assert!(life.alarm(ALARM) <= life.ends, "{seconds}");
                // No life is given away: a quarter of it passes before the first try.
                assert!(renewal.duration_since(life.issued) >= life.length() / 4, "{seconds}");
            }
        }
        assert_eq!(life(3_600).alarm_margin(ALARM), ALARM);
        assert_eq!(life(900).alarm_margin(ALARM), SignedDuration::from_secs(150));
    }

    #[test]
    fn jitter_is_the_same_each_time() {
        let seed = Seed { uid: "2f7c", entry: 1 };
        let pinned = life(3_600).renewal(&seed, false);
        assert_eq!(pinned, life(3_600).renewal(&seed, false));
        assert_ne!(pinned, life(3_600).renewal(&Seed { entry: 2, ..seed }, false));
        assert_ne!(pinned, life(3_600).renewal(&Seed { uid: "2f7d", ..seed }, false));
    }

    #[test]
    fn an_interval_ends_up_to_a_tenth_early() {
        let start = Timestamp::UNIX_EPOCH;
        let interval = SignedDuration::from_hours(1);
        for index in 0..200 {
            let uid = index.to_string();
            let end = interval_end(start, interval, &Seed { uid: &uid, entry: 0 });
            assert!((3_240..=3_600).contains(&end.as_second()), "{end}");
        }
    }
}
