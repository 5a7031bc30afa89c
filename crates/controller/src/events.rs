//! Events on ExternalSecrets: best effort, never waited for, dropped and counted when there are too
//! many.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use tokio::sync::mpsc;

use crate::failure::Failure;
use crate::lease::Election;
use crate::seen::Announcement;

/// Where Events are put.
#[derive(Clone, Debug)]
pub struct Events {
    queue: mpsc::Sender<(ObjectReference, Event)>,
    dropped: Arc<AtomicU64>,
}

impl Events {
    /// A queue and whoever empties it, which ends with the last queue.
    ///
    /// What is still in it when the Lease is lost is dropped.
    pub fn new(
        client: kube::Client,
        election: Option<Arc<Election>>,
    ) -> (Self, impl Future<Output = ()> + Send) {
        let (queue, mut events) = mpsc::channel(QUEUE);
        let recorder =
            Recorder::new(client, Reporter { controller: REPORTER.into(), instance: None });
        let dropped = Arc::new(AtomicU64::new(0));
        let lost = Arc::clone(&dropped);
        let work = async move {
            while let Some((reference, event)) = events.recv().await {
                let may = election.as_ref().is_none_or(|election| election.is_held());
                if !may || recorder.publish(&event, &reference).await.is_err() {
                    lost.fetch_add(1, Ordering::Relaxed);
                }
            }
        };
        (Self { queue, dropped }, work)
    }

    /// Puts one into the queue, if there is room.
    pub fn say(&self, object: ObjectReference, what: Announcement, failure: Option<&Failure>) {
        let (type_, reason, note) = words(what, failure);
        let event = Event {
            type_,
            reason: reason.to_owned(),
            note: Some(note.chars().take(NOTE).collect()),
            action: "Reconcile".to_owned(),
            secondary: None,
        };
        if self.queue.try_send((object, event)).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many were dropped.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// Type, reason and note of an Event.
pub fn words(what: Announcement, failure: Option<&Failure>) -> (EventType, &'static str, String) {
    let normal = |reason, note: &str| (EventType::Normal, reason, note.to_owned());
    let warning = |reason, note: &str| (EventType::Warning, reason, note.to_owned());
    match what {
        Announcement::Created => normal("Created", "secret created"),
        Announcement::Updated => normal("Updated", "secret updated"),
        Announcement::Deleted => normal("Deleted", "secret deleted due to DeletionPolicy=Delete"),
        Announcement::OrphanDeleted => normal("Deleted", "secret deleted because it was orphaned"),
        Announcement::Failed(reason) => {
            let note = failure.map_or(reason.cure(), |failure| failure.detail.as_str());
            warning("UpdateFailed", note)
        }
        Announcement::PolicyNever => warning(
            "PolicyNever",
            "the credential is near its end, and refreshPolicy or refreshInterval asks for no renewal",
        ),
        Announcement::IntervalTooLong => warning(
            "IntervalTooLong",
            "refreshInterval is longer than the credential lives: it is renewed before its end",
        ),
        Announcement::BothAuth => warning(
            "BothAuth",
            "secretRef and jwt are both set in spec.auth of the generator: secretRef is used",
        ),
        Announcement::MixedSources => warning(
            "MixedSources",
            "some sources are generators of rolecall and some are not: split it into two ExternalSecrets",
        ),
        Announcement::AnotherController => warning(
            "AnotherController",
            "another controller writes the status too: name a SecretStore whose spec.controller is \
             rolecall's class, so that the other one skips it",
        ),
    }
}

const REPORTER: &str = "rolecall-controller";
const QUEUE: usize = 4_096;
/// <https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/>
const NOTE: usize = 1_024;
