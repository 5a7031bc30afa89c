//! A replica that begins to work may have a watch that has not told yet what the one before did.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use kube::api::ListParams;

use super::Run;
use crate::object::version_of;

/// Since when this replica works; nothing where no other one has worked meanwhile.
#[derive(Debug, Default)]
pub struct LeadsSince(Mutex<Option<Timestamp>>);

impl LeadsSince {
    /// Begins.
    pub fn set(&self, time: Option<Timestamp>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = time;
    }

    fn get(&self) -> Option<Timestamp> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Run<'_> {
    /// Whether the API server has a newer state of the object than the watch has told: asked once,
    /// before the first call for an object that another replica may have served.
    pub(super) async fn is_behind(&mut self) -> bool {
        let Some(since) = self.on.leads_since.get().filter(|_| self.is_recalled) else {
            return false;
        };
        let made = self.object.metadata.creation_timestamp.as_ref();
        if made.is_some_and(|made| made.0 >= since) {
            return false;
        }
        self.is_recalled = false;
        // By a list, which is all that the role allows.
        let only = ListParams::default().fields(&format!("metadata.name={}", self.key.name));
        let permit = self.on.requests.acquire(self.seen.past.synced.is_none()).await;
        let found = self.objects().list(&only).await;
        drop(permit);
        let newest = found.ok().and_then(|found| version_of(found.items.first()?));
        // Where nobody answers it is as it was told.
        newest > version_of(&self.object) && newest.is_some()
    }
}
