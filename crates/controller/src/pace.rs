//! How fast one identity calls AWS in one region: as fast as it likes, until AWS throttles.
//!
//! The quota is the calling account's, which we do not know
//! (<https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html>). A throttled call halves
//! the rate, once a second at most; each call that works lets it grow again.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rolecall_engine::plan::SourceSpec;
use rolecall_engine::region::Region;
use tokio::time::Instant;

/// The paces of all identities.
#[derive(Default)]
pub struct Paces(Mutex<HashMap<(SourceSpec, Region), Pace>>);

struct Pace {
    /// Between two calls; nothing where AWS has not throttled.
    gap: Duration,
    /// When the next call may be made.
    next: Instant,
    /// When the rate was halved last.
    halved: Option<Instant>,
    /// Calls in the second that began then.
    second: (Instant, u32),
}

impl Paces {
    /// Takes this identity's turn, or says for how long there is none.
    ///
    /// What is urgent takes the next one at once. Whoever has to wait comes back at a time of its own
    /// (`part`, 0 up to 1), rather than in a queue that nobody empties once AWS serves again.
    pub fn turn(
        &self,
        source: &SourceSpec,
        region: &Region,
        is_urgent: bool,
        part: f64,
    ) -> Option<Duration> {
        self.with(source, region, |pace, now| {
            if pace.next > now && !is_urgent {
                let spread = (pace.gap * CROWD).min(LONGEST).mul_f64(part.clamp(0.0, 1.0));
                return Some(pace.next.duration_since(now) + spread);
            }
            if now.duration_since(pace.second.0) >= SECOND {
                pace.second = (now, 0);
            }
            pace.second.1 = pace.second.1.saturating_add(1);
            pace.next = now + pace.gap;
            None
        })
    }

    /// AWS said that it is asked too often.
    pub fn throttled(&self, source: &SourceSpec, region: &Region) {
        self.with(source, region, |pace, now| {
            if pace.halved.is_some_and(|halved| now.duration_since(halved) < SECOND) {
                return;
            }
            pace.halved = Some(now);
            let doubled =
                if pace.gap.is_zero() { SECOND * 2 / pace.second.1.max(1) } else { pace.gap * 2 };
            pace.gap = doubled.clamp(LEAST, MOST);
        });
    }

    /// A call was not throttled.
    pub fn served(&self, source: &SourceSpec, region: &Region) {
        self.with(source, region, |pace, _| {
            let faster = pace.gap * 9 / 10;
            pace.gap = if faster < LEAST { Duration::ZERO } else { faster };
        });
    }

    fn with<T>(
        &self,
        source: &SourceSpec,
        region: &Region,
        change: impl FnOnce(&mut Pace, Instant) -> T,
    ) -> T {
        let now = Instant::now();
        let mut paces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Who is not throttled and was not seen for a while is as good as new.
        paces.retain(|_, pace| {
            !pace.gap.is_zero() || now.duration_since(pace.second.0) < SECOND * 60
        });
        let fresh = || Pace { gap: Duration::ZERO, next: now, halved: None, second: (now, 0) };
        change(paces.entry((source.clone(), region.clone())).or_insert_with(fresh), now)
    }
}

impl fmt::Debug for Paces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Paces").finish_non_exhaustive()
    }
}

const SECOND: Duration = Duration::from_secs(1);
/// Over how many turns those spread that have to wait, and for how long at most.
const CROWD: u32 = 64;
const LONGEST: Duration = Duration::from_mins(1);
const LEAST: Duration = Duration::from_millis(5);
const MOST: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn region() -> Region {
        Region::parse("eu-west-1").unwrap()
    }

    /// How many turns are had in a second by somebody who asks each millisecond.
    async fn turns(paces: &Paces, source: &SourceSpec) -> u32 {
        let mut had = 0;
        for _ in 0..1_000 {
            had += u32::from(paces.turn(source, &region(), false, 0.0).is_none());
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        had
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_not_throttled_never_waits() {
        let paces = Paces::default();
        assert_eq!(turns(&paces, &SourceSpec::Environment).await, 1_000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_throttled_identity_is_halved_and_recovers_and_no_other_is() {
        let (paces, region, throttled) = (Paces::default(), region(), SourceSpec::Environment);
        for _ in 0..100 {
            assert_eq!(paces.turn(&throttled, &region, false, 0.5), None);
        }
        // Many refusals of one second are one.
        for _ in 0..20 {
            paces.throttled(&throttled, &region);
        }
        // 100 in a second were too many: 50 are tried.
        assert!((48..=51).contains(&turns(&paces, &throttled).await));
        assert_eq!(paces.turn(&throttled, &region, true, 0.5), None);
        let wait = paces.turn(&throttled, &region, false, 1.0).unwrap();
        assert!(wait > Duration::from_secs(1) && wait < Duration::from_secs(2), "{wait:?}");
        assert_eq!(paces.turn(&SourceSpec::Container, &region, false, 0.5), None);
        for _ in 0..20 {
            paces.served(&throttled, &region);
        }
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(turns(&paces, &throttled).await > 300);
    }
}
