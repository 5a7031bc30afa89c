//! `--observe`: what would be done for each object, and nothing of it done.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use kube::runtime::controller::Action;
use rolecall_engine::plan::Plan;

use super::{MOST_STEPS, Run};
use crate::decide::{Step, Verdict, decide};
use crate::events::words;
use crate::object::Key;
use crate::schedule::after;
use crate::seen::{Announcement, Seen};

/// What was told of each object last, so that it is told once.
#[derive(Debug, Default)]
pub struct Observer {
    // A std mutex: held for map operations only, never across an await.
    told: Mutex<HashMap<Key, String>>,
}

impl Observer {
    /// Whether this is news.
    fn is_news(&self, key: &Key, text: &str, objects: usize) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() > 2 * objects + 100 {
            // Most of them are gone; the others are told once more.
            told.clear();
        }
        told.insert(key.clone(), text.to_owned()).as_deref() != Some(text)
    }
}

impl Run<'_> {
    /// Decides as a pass does, looks as it does, and tells the rest.
    pub(super) async fn observe(&mut self, observer: &Observer) -> Action {
        let mut would: Vec<String> = Vec::new();
        for _ in 0..MOST_STEPS {
            let step = decide(&self.seen, self.on.clock.now());
            let next = match &step {
                Step::Never => return self.observed(observer, &would, None),
                Step::WakeAt(time) => return self.observed(observer, &would, Some(*time)),
                Step::ReadTarget | Step::ReadInputs => {
                    self.act(step).await;
                    continue;
                }
                // A template that cannot be rendered is told of as in a pass.
                Step::Mint { .. } if self.prepare_renderer().await.is_err() => continue,
                Step::Mint { .. } => {
                    would.extend(self.calls().await);
                    // Whoever serves the object beside us will have renewed it by then.
                    let soon = after(self.on.clock.now(), SignedDuration::from_mins(1));
                    return self.observed(observer, &would, Some(soon));
                }
                step => step,
            };
            would.extend(self.words(next));
            let now = self.on.clock.now();
            done(&mut self.seen, next, now);
        }
        self.observed(observer, &would, None)
    }

    /// What a mint would be: its calls and writes, or what it would wait for.
    async fn calls(&self) -> Vec<String> {
        let plans = self.planned.as_ref().map_or(&[][..], |planned| &planned.plans);
        let missing = self.missing_keys(plans).await;
        if !missing.is_empty() {
            return vec![format!("wait for Secret {}: it is not there", missing.join(", "))];
        }
        let writes = [format!("write Secret {}", self.target_key()), "write the status".to_owned()];
        plans.iter().map(call).chain(writes).collect()
    }

    fn observed(&self, observer: &Observer, would: &[String], next: Option<Timestamp>) -> Action {
        let text = if would.is_empty() { "nothing".to_owned() } else { would.join("; ") };
        let times = |time: Option<Timestamp>| time.map(|time| time.to_string());
        let (expires, looks_again) = (times(self.seen.ends()), times(next));
        let objects = self.on.world.objects.len();
        if observer.is_news(&self.key, &format!("{text} {expires:?}"), objects) {
            tracing::info!(
                namespace = %self.key.namespace,
                name = %self.key.name,
                would = text,
                expires,
                looks_again,
                "observed"
            );
        }
        next.map_or_else(Action::await_change, |time| Action::requeue(self.until(time)))
    }

    /// What a step does, where it writes or deletes.
    fn words(&self, step: &Step) -> Option<String> {
        let target = self.target_key();
        Some(match step {
            Step::AddFinalizer => "add the finalizer".to_owned(),
            Step::RemoveFinalizer => "remove the finalizer".to_owned(),
            Step::DeleteSecret => format!("delete Secret {target}"),
            Step::DeleteOrphans => {
                format!(
                    "delete the Secrets that it names no more: {}",
                    self.seen.orphans.join(", ")
                )
            }
            Step::Apply { .. } => format!("write the marks of Secret {target}"),
            Step::WipeForeign => format!("remove the keys of others from Secret {target}"),
            Step::WriteStatus(verdict) => status(verdict),
            Step::Announce(what) => return failure(*what),
            _ => return None,
        })
    }
}

fn call(plan: &Plan) -> String {
    let role = plan.last.role().map(|role| format!(" of {role}")).unwrap_or_default();
    format!("call {}{role} by {}", plan.last.operation(), plan.source)
}

fn status(verdict: &Verdict) -> String {
    let status = if verdict.ready.is_ready() { "True" } else { "False" };
    let ready = format!("{status}/{}", verdict.ready.reason());
    let failure = verdict.failure.as_ref().map(|it| format!(" ({})", it.message));
    format!(
        "write the status: Ready={ready}, Refreshing={}{}",
        verdict.refreshing.reason(),
        failure.unwrap_or_default()
    )
}

/// Events beside a write say nothing more than it does.
fn failure(what: Announcement) -> Option<String> {
    match what {
        Announcement::Created
        | Announcement::Updated
        | Announcement::Deleted
        | Announcement::OrphanDeleted => None,
        what => Some(format!("say {} as an Event", words(what, None).1)),
    }
}

/// What the step would leave behind.
fn done(seen: &mut Seen, step: &Step, now: Timestamp) {
    match step {
        Step::AddFinalizer => seen.object.has_finalizer = true,
        Step::RemoveFinalizer => seen.object.has_finalizer = false,
        Step::DeleteSecret => seen.pass.has_deleted = true,
        Step::DeleteOrphans => {
            seen.pass.has_deleted = true;
            seen.orphans.clear();
        }
        Step::Apply { write, keeps_data } => seen.wrote(*write, *keeps_data, now),
        Step::WipeForeign => seen.pass.has_wiped = true,
        Step::WriteStatus(verdict) => seen.reported(verdict),
        Step::Announce(what) => seen.announced(*what),
        Step::Mint { .. } | Step::ReadTarget | Step::ReadInputs | Step::WakeAt(_) | Step::Never => {
        }
    }
}
