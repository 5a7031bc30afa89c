//! Watches that are waited for when they fail, and say once that they have told what there is.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt};
use kube::Api;
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as watch};
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;

use crate::api_error::{ApiProblem, problem_of};

/// What a watch says once, when it has told what there is.
pub(super) type Told = Option<oneshot::Sender<()>>;

/// What is watched.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) what: &'static str,
    /// Whether a role may leave it out.
    pub(super) may_be_closed: bool,
}

/// A watch for each of these places; all of them have told what there is when `told` is.
pub(super) fn listened<K>(
    place: Place,
    apis: Vec<(String, Api<K>)>,
    config: &watcher::Config,
    told: Told,
    prune: fn(&mut K),
) -> Vec<BoxStream<'static, Event<K>>>
where
    K: kube::Resource + Clone + DeserializeOwned + std::fmt::Debug + Send + 'static,
{
    let told = Arc::new(Mutex::new((apis.len(), told)));
    let source = |(namespace, api): (String, Api<K>)| {
        let events = watch(api, config.clone()).default_backoff().modify(prune);
        logged(place, namespace, events, Arc::clone(&told)).boxed()
    };
    apis.into_iter().map(source).collect()
}

/// A stream whose failures are logged and waited out.
///
/// A kind that the cluster does not have is told of as one of which there is nothing.
fn logged<K>(
    Place { what, may_be_closed }: Place,
    namespace: String,
    events: impl Stream<Item = watcher::Result<Event<K>>> + Send,
    told: Arc<Mutex<(usize, Told)>>,
) -> impl Stream<Item = Event<K>> + Send
where
    K: Send,
{
    let mut is_failing = false;
    let mut has_told = false;
    events.filter_map(move |event| {
        let is_told = match &event {
            Ok(Event::InitDone) => true,
            Ok(_) => false,
            Err(error) => match problem_of_watch(error) {
                Some(ApiProblem::NotFound) => true,
                Some(ApiProblem::Forbidden) => may_be_closed,
                _ => false,
            },
        };
        if is_told && !std::mem::replace(&mut has_told, true) {
            let (left, told) = &mut *told.lock().unwrap_or_else(PoisonError::into_inner);
            *left = left.saturating_sub(1);
            if *left == 0
                && let Some(told) = told.take()
            {
                // Whoever listened is gone with the controller.
                told.send(()).ok();
            }
        }
        let kept = match event {
            // Another try begins, which says nothing yet.
            Ok(Event::Init) => Some(Event::Init),
            Ok(event) => {
                is_failing = false;
                Some(event)
            }
            Err(error) => {
                // Once for each outage.
                if !std::mem::replace(&mut is_failing, true) {
                    let problem = watch_problem(&error);
                    let namespace = Some(namespace.as_str()).filter(|it| !it.is_empty());
                    tracing::warn!(
                        what,
                        namespace,
                        problem,
                        "a watch is interrupted and begins anew"
                    );
                }
                None
            }
        };
        std::future::ready(kept)
    })
}

fn problem_of_watch(error: &watcher::Error) -> Option<ApiProblem> {
    match error {
        watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error) => {
            Some(problem_of(error))
        }
        _ => None,
    }
}

/// Without the words of the API server.
fn watch_problem(error: &watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => problem_of(error).to_string(),
        watcher::Error::WatchError(status) => format!("status {}", status.code),
        watcher::Error::NoResourceVersion => "no resource version".to_owned(),
    }
}
