//! What the controller keeps of each object between two passes, in memory.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use rolecall_engine::session::Issued;
use serde_json::Value;

use crate::object::Key;
use crate::seen::Past;

/// What is kept of one object.
#[derive(Clone, Default)]
pub struct State {
    /// Whose state it is: an object that was made anew is another one.
    pub uid: String,
    /// Which generation was announced of.
    pub generation: i64,
    /// What earlier passes left.
    pub past: Past,
    /// The sessions of every entry.
    pub sessions: Vec<Arc<Issued>>,
    /// The status as it was written last.
    pub status: Option<Value>,
    /// The `resourceVersion` of the object as its status was written last.
    pub status_version: Option<u64>,
    /// When the status was written last.
    pub status_time: Option<Timestamp>,
    /// The Secret that was written.
    pub binding: Option<String>,
    /// Whether the end of credentials that another controller stored was looked for.
    pub has_looked_for_ends: bool,
    /// The `resourceVersion` of the Secret as it was written last.
    pub own_version: Option<String>,
}

/// Shows no session.
impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("uid", &self.uid).finish_non_exhaustive()
    }
}

/// The states of all objects.
#[derive(Debug, Default)]
pub struct States(Mutex<HashMap<Key, State>>);

impl States {
    /// The state of an object, if it is this object's.
    pub fn get(&self, key: &Key, uid: &str) -> Option<State> {
        let states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        states.get(key).filter(|state| state.uid == uid).cloned()
    }

    /// Whether an object has nothing yet, or not for long.
    pub fn is_urgent(&self, key: &Key, now: Timestamp, alarm_margin: SignedDuration) -> bool {
        let states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(State { past, .. }) = states.get(key) else { return true };
        let alarm = past.lives.iter().map(|life| life.alarm(alarm_margin)).min();
        past.synced.is_none() || alarm.is_some_and(|alarm| alarm <= now)
    }

    /// Keeps the state of an object.
    pub fn put(&self, key: &Key, state: State) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), state);
    }

    /// Forgets an object.
    pub fn remove(&self, key: &Key) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// Forgets all of them: another replica works on.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Looks at every state.
    pub fn each(&self, mut look: impl FnMut(&Key, &State)) {
        let states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        states.iter().for_each(|(key, state)| look(key, state));
    }

    /// Whether the Secret of this version is the one that the object itself wrote.
    pub fn wrote(&self, key: &Key, version: &str) -> bool {
        let states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        states.get(key).is_some_and(|state| state.own_version.as_deref() == Some(version))
    }
}
