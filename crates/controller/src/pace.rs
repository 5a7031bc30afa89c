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
    /// Waits for this identity's turn.
    ///
    /// # Cancellation
    ///
    /// Whoever goes away has used up a turn.
    pub async fn turn(&self, source: &SourceSpec, region: &Region) {
        let at = self.with(source, region, |pace, now| {
            if now.duration_since(pace.second.0) >= SECOND {
                pace.second = (now, 0);
            }
            pace.second.1 = pace.second.1.saturating_add(1);
            let at = pace.next.max(now);
            pace.next = at + pace.gap;
            (pace.gap > Duration::ZERO).then_some(at)
        });
        if let Some(at) = at {
            tokio::time::sleep_until(at).await;
        }
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
const LEAST: Duration = Duration::from_millis(5);
const MOST: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn region() -> Region {
        Region::parse("eu-west-1").unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_not_throttled_never_waits() {
        let paces = Paces::default();
        let began = Instant::now();
        for _ in 0..1_000 {
            paces.turn(&SourceSpec::Environment, &region()).await;
            paces.served(&SourceSpec::Environment, &region());
        }
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_throttled_identity_is_halved_and_recovers_and_no_other_is() {
        let (paces, region, throttled) = (Paces::default(), region(), SourceSpec::Environment);
        for _ in 0..100 {
            paces.turn(&throttled, &region).await;
        }
        // Many refusals of one second are one.
        for _ in 0..20 {
            paces.throttled(&throttled, &region);
        }
        let began = Instant::now();
        for _ in 0..50 {
            paces.turn(&throttled, &region).await;
        }
        // 100 in a second were too many: 50 are tried.
        assert_eq!(began.elapsed().as_millis() / 10, 98);
        let other = Instant::now();
        paces.turn(&SourceSpec::Container, &region).await;
        assert_eq!(other.elapsed(), Duration::ZERO);
        for _ in 0..20 {
            paces.served(&throttled, &region);
        }
        let began = Instant::now();
        for _ in 0..50 {
            paces.turn(&throttled, &region).await;
        }
        assert!(began.elapsed() < Duration::from_millis(100), "{:?}", began.elapsed());
    }
}
