//! What each step leaves behind: the facts that the next decision looks at. Pure, so that a simulated
//! day runs on the same facts as a cluster.

use jiff::Timestamp;

use crate::decide::Verdict;
use crate::failure::{Failure, Reason};
use crate::schedule::Life;
use crate::seen::{Announcement, Drift, Held, PassFailure, Ready, Seen, Synced, Write};

impl Seen {
    /// Every entry was minted.
    pub fn minted(&mut self, lives: Vec<Life>, plan: String) {
        self.past.held = Some(Held { lives, plan, is_written: false });
        self.past.force_sync = Some(self.object.force_sync.clone());
        self.pass.has_minted = true;
    }

    /// The Secret was written; with `keeps_data` only its marks were.
    pub fn wrote(&mut self, write: Write, keeps_data: bool, now: Timestamp) {
        self.pass.wrote = Some(write);
        if keeps_data {
            self.past.marked = Some(self.object.version.clone());
            return;
        }
        let held = self.past.held.as_ref().filter(|held| !held.is_written);
        if let Some(held) = held.cloned() {
            // A crowd that an outage brought together spreads again.
            let is_after_outage = self.past.failure.as_ref().is_some_and(|failure| {
                matches!(failure.reason, Reason::Throttled | Reason::Unavailable)
            });
            self.past.is_first |= is_after_outage;
            self.past.renewal = self.planned_renewal_of(&held.lives);
            self.past.is_first = false;
            self.past.lives.clone_from(&held.lives);
            self.past.plan = Some(held.plan.clone());
            self.past.other_plan_since = None;
            self.past.held = Some(Held { is_written: true, ..held });
        }
        let is_repair = matches!(write, Write::Repaired | Write::Created) && !self.pass.has_minted;
        self.past.drift = is_repair.then(|| {
            let count = self.past.drift.map_or(0, |drift| drift.count);
            Drift { last: now, count: count.saturating_add(1) }
        });
        self.past.failure = None;
        // The same failure, later, is said again.
        self.past.announced.retain(|it| !matches!(it, Announcement::Failed(_)));
        self.synced();
    }

    fn synced(&mut self) {
        let version = self.object.version.clone();
        self.past.synced = Some(Synced { at: self.pass.started, version });
    }

    /// Something failed in this pass.
    pub fn failed(&mut self, mut failure: Failure, ready: Option<Ready>) {
        failure.asking = Some(self.asking());
        let failure = failure.after(self.past.failure.as_ref());
        self.pass.failure = Some(PassFailure { failure, ready });
    }

    /// The status says this now.
    pub fn reported(&mut self, verdict: &Verdict) {
        self.pass.has_reported = true;
        self.past.is_unreported = false;
        let asking = self.asking();
        if verdict.has_synced {
            self.synced();
        }
        self.past.failure.clone_from(&verdict.failure);
        if let Some(failure) = &mut self.past.failure {
            failure.asking.get_or_insert(asking);
        }
        self.past.ready = Some(verdict.ready);
        self.past.refreshing = Some(verdict.refreshing);
    }

    /// This was said.
    pub fn announced(&mut self, what: Announcement) {
        if !what.is_once() {
            self.pass.announced.insert(what);
            return;
        }
        if let Announcement::Failed(_) = what {
            // Of failures the last one counts: a change of class is said.
            self.past.announced.retain(|it| !matches!(it, Announcement::Failed(_)));
        }
        self.past.announced.insert(what);
    }
}
