//! What the tasks of one emulator share.
//!
//! Each mutex guards one list, is held for one call and never across an await.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use crate::fault::FaultBoard;
use crate::issued::Passwords;
use crate::mfa::UsedCodes;
use crate::record::Log;
use crate::session::Sessions;
use crate::world::World;

/// What time it is. Every judgement of the emulator asks it, so a test may hold or move time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The world, the time, and what happened since the start.
pub(crate) struct State {
    pub(crate) world: World,
    clock: Clock,
    sessions: Mutex<Sessions>,
    mfa: Mutex<UsedCodes>,
    passwords: Mutex<Passwords>,
    faults: Mutex<FaultBoard>,
    log: Mutex<Log>,
}

impl State {
    pub(crate) fn new(world: World, clock: Clock) -> Self {
        let faults = Mutex::new(FaultBoard::new(world.faults.clone()));
        Self {
            world,
            clock,
            sessions: Mutex::default(),
            mfa: Mutex::default(),
            passwords: Mutex::default(),
            faults,
            log: Mutex::default(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    pub(crate) fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn mfa(&self) -> MutexGuard<'_, UsedCodes> {
        self.mfa.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn passwords(&self) -> MutexGuard<'_, Passwords> {
        self.passwords.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, FaultBoard> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("world", &self.world).finish_non_exhaustive()
    }
}
