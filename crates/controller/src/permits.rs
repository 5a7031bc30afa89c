//! How many calls are in the air: some are kept for those that have nothing, or not for long.

use tokio::sync::{Semaphore, SemaphorePermit};

/// Permits of one kind of call.
#[derive(Debug)]
pub struct Permits {
    all: Semaphore,
    routine: Semaphore,
}

/// A permit; given back when dropped.
#[derive(Debug)]
pub struct Permit<'a> {
    _all: Option<SemaphorePermit<'a>>,
    _routine: Option<SemaphorePermit<'a>>,
}

impl Permits {
    /// `all` permits, a quarter of which is kept for what is urgent.
    pub fn new(all: usize) -> Self {
        let all = all.max(2);
        Self { all: Semaphore::new(all), routine: Semaphore::new(all - (all / 4).max(1)) }
    }

    /// Waits for a permit.
    ///
    /// # Cancellation
    ///
    /// Whoever goes away takes no permit.
    pub async fn acquire(&self, is_urgent: bool) -> Permit<'_> {
        // The semaphores are never closed.
        let routine = if is_urgent { None } else { self.routine.acquire().await.ok() };
        Permit { _all: self.all.acquire().await.ok(), _routine: routine }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn some_permits_are_kept_for_what_is_urgent() {
        let permits = Permits::new(4);
        let held: Vec<_> = (0..3).map(|_| permits.acquire(false).now_or_never().unwrap()).collect();
        assert!(permits.acquire(false).now_or_never().is_none());
        let urgent = permits.acquire(true).now_or_never().unwrap();
        assert!(permits.acquire(true).now_or_never().is_none());
        drop(urgent);
        drop(held);
        assert!(permits.acquire(false).now_or_never().is_some());
    }
}
