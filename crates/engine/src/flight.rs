//! Joins concurrent callers of one key onto one running call, whether it succeeds or fails.
//!
//! Not a cache: when the call has landed, the next caller starts a new one. tokio's `OnceCell`
//! would not do, since it shares no failure: fifty waiters on a refusal would make fifty calls.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use tokio_util::task::TaskTracker;

/// Joins concurrent callers of the same key onto one running call.
///
/// Invariant: an entry exists exactly while its call runs. The call is a task of its own, so a
/// caller that goes away (timeout, closed connection) never stops it for the others.
pub struct Flights<K, V, E> {
    running: Running<K, V, E>,
    tasks: TaskTracker,
}

type Flight<V, E> = Shared<BoxFuture<'static, Result<V, Arc<E>>>>;
// A std mutex: it is held for a map operation only, never across an await.
type Running<K, V, E> = Arc<Mutex<HashMap<K, Flight<V, E>>>>;

impl<K, V, E> Flights<K, V, E>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + Sync + 'static,
    E: Send + Sync + 'static,
{
    /// Starts with nothing in the air.
    pub fn new() -> Self {
        Self { running: Arc::default(), tasks: TaskTracker::new() }
    }

    /// Waits for the running call of `key`, or starts `call` and waits for it.
    ///
    /// # Errors
    ///
    /// The call's error, shared by everyone who waited.
    ///
    /// # Cancellation
    ///
    /// The call goes on; others who wait for it get its result.
    ///
    /// # Panics
    ///
    /// When the call itself panicked; the key is free again.
    pub async fn join<F>(&self, key: K, call: impl FnOnce() -> F + Send) -> Result<V, Arc<E>>
    where
        F: Future<Output = Result<V, E>> + Send + 'static,
    {
        let (flight, is_new) = self.flight(key, call);
        if is_new {
            self.tasks.spawn(flight.clone());
        }
        flight.await
    }

    /// The flight of `key`, and whether it has yet to be started: that happens outside of the lock,
    /// which a flight takes itself when it lands.
    fn flight<F>(&self, key: K, call: impl FnOnce() -> F) -> (Flight<V, E>, bool)
    where
        F: Future<Output = Result<V, E>> + Send + 'static,
    {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = running.get(&key) {
            return (flight.clone(), false);
        }
        let entry = Entry { running: Arc::clone(&self.running), key: key.clone() };
        let call = call();
        let flight = async move {
            let _entry = entry;
            call.await.map_err(Arc::new)
        }
        .boxed()
        .shared();
        running.insert(key, flight.clone());
        (flight, true)
    }

    /// Waits until everything in the air has landed.
    pub async fn drain(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl<K, V, E> Default for Flights<K, V, E>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + Sync + 'static,
    E: Send + Sync + 'static,
{
    fn default() -> Self {
        Self::new()
    }
}

impl<K, V, E> fmt::Debug for Flights<K, V, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flights").field("tasks", &self.tasks.len()).finish_non_exhaustive()
    }
}

/// Takes the flight off the board when it lands: on success, error, panic or shutdown.
struct Entry<K: Eq + Hash, V, E> {
    running: Running<K, V, E>,
    key: K,
}

impl<K: Eq + Hash, V, E> Drop for Entry<K, V, E> {
    fn drop(&mut self) {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    type Count = Arc<AtomicUsize>;

    async fn slow(calls: Count, result: Result<u8, &'static str>) -> Result<u8, &'static str> {
        calls.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_secs(1)).await;
        result
    }

    async fn fifty(
        result: Result<u8, &'static str>,
    ) -> (usize, Vec<Result<u8, Arc<&'static str>>>) {
        let flights = Arc::new(Flights::new());
        let calls = Count::default();
        let waiters: Vec<_> = (0..50)
            .map(|_| {
                let (flights, calls) = (Arc::clone(&flights), Arc::clone(&calls));
                tokio::spawn(async move { flights.join("key", || slow(calls, result)).await })
            })
            .collect();
        let mut results = Vec::new();
        for waiter in waiters {
            results.push(waiter.await.unwrap());
        }
        (calls.load(Ordering::SeqCst), results)
    }

    #[tokio::test(start_paused = true)]
    async fn fifty_waiters_share_one_success() {
        let (calls, results) = fifty(Ok(7)).await;
        assert_eq!(calls, 1);
        assert!(results.iter().all(|result| *result == Ok(7)));
    }

    #[tokio::test(start_paused = true)]
    async fn fifty_waiters_share_one_failure() {
        let (calls, results) = fifty(Err("denied")).await;
        assert_eq!(calls, 1);
        assert!(results.iter().all(|result| *result == Err(Arc::new("denied"))));
    }

    #[tokio::test(start_paused = true)]
    async fn the_call_outlives_its_first_caller() {
        let flights = Arc::new(Flights::new());
        let calls = Count::default();
        let first = flights.join("key", || slow(Arc::clone(&calls), Ok(7)));
        assert!(tokio::time::timeout(Duration::from_millis(10), first).await.is_err());
        let second = flights.join("key", || slow(Arc::clone(&calls), Ok(8))).await;
        assert_eq!(second, Ok(7));
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        flights.drain().await;
        assert!(flights.running.lock().unwrap().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_does_not_block_the_key() {
        let flights: Arc<Flights<&str, u8, &str>> = Arc::default();
        let doomed = {
            let flights = Arc::clone(&flights);
            tokio::spawn(async move { flights.join("key", || async { panic!("boom") }).await })
        };
        assert!(doomed.await.is_err());
        assert_eq!(flights.join("key", || async { Ok(7) }).await, Ok(7));
    }
}
