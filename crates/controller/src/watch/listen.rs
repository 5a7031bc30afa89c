//! Watches that are waited for when they fail, and say once that they have told what there is.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt, stream};
use kube::Api;
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as watch};
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;

use crate::api_error::{ApiProblem, problem_of};

/// What a watch says once, when it has told what there is.
pub(super) type Told = Option<oneshot::Sender<()>>;

/// What is watched.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) what: &'static str,
    /// Set where a role leaves it out, and may.
    pub(super) closed: Option<Arc<AtomicBool>>,
}

/// A watch for each of these places; all of them have told what there is when `told` is.
pub(super) fn listened<K>(
    place: &Place,
    apis: Vec<(String, Api<K>)>,
    config: &watcher::Config,
    told: Told,
    prune: fn(&mut K),
) -> Vec<BoxStream<'static, Event<K>>>
where
    K: kube::Resource + Clone + DeserializeOwned + std::fmt::Debug + Send + 'static,
{
    let is_one_of_many = apis.len() > 1;
    let told = Arc::new(Mutex::new((apis.len(), told)));
    let source = |(namespace, api): (String, Api<K>)| {
        let events = after_an_answer(watch(api, config.clone())).default_backoff().modify(prune);
        let source = Source { place: place.clone(), namespace, is_one_of_many };
        logged(source, events, Arc::clone(&told)).boxed()
    };
    apis.into_iter().map(source).collect()
}

/// Tells that a list begins together with what it tells: a try alone is no success, and the pauses
/// between tries grow until there is one.
fn after_an_answer<K: Send>(
    events: impl Stream<Item = watcher::Result<Event<K>>> + Send,
) -> impl Stream<Item = watcher::Result<Event<K>>> + Send {
    let mut begins = false;
    events.flat_map(move |event| {
        let told = match event {
            Ok(Event::Init) => {
                begins = true;
                Vec::new()
            }
            Ok(event) if std::mem::take(&mut begins) => vec![Ok(Event::Init), Ok(event)],
            event => vec![event],
        };
        stream::iter(told)
    })
}

/// One watch.
struct Source {
    place: Place,
    namespace: String,
    is_one_of_many: bool,
}

impl Source {
    /// Whether a failure says that there is nothing: a kind that the cluster does not have, what a role
    /// may leave out, and one namespace of several, which stops no other.
    fn is_nothing(&self, error: &watcher::Error) -> bool {
        match problem_of_watch(error) {
            Some(ApiProblem::NotFound) => true,
            Some(ApiProblem::Forbidden) => {
                if let Some(closed) = &self.place.closed {
                    closed.store(true, Ordering::Relaxed);
                }
                self.place.closed.is_some() || self.is_one_of_many
            }
            _ => false,
        }
    }

    fn log(&self, error: &watcher::Error) {
        let (what, problem) = (self.place.what, watch_problem(error));
        let namespace = Some(self.namespace.as_str()).filter(|it| !it.is_empty());
        tracing::warn!(what, namespace, problem, "a watch is interrupted and begins anew");
    }
}

/// A stream whose failures are logged and waited out.
fn logged<K>(
    source: Source,
    events: impl Stream<Item = watcher::Result<Event<K>>> + Send,
    told: Arc<Mutex<(usize, Told)>>,
) -> impl Stream<Item = Event<K>> + Send
where
    K: Send,
{
    let mut is_failing = false;
    let mut has_told = false;
    events.flat_map(move |event| {
        let is_nothing = event.as_ref().err().is_some_and(|error| source.is_nothing(error));
        let is_told = is_nothing || matches!(event, Ok(Event::InitDone));
        let is_first = is_told && !std::mem::replace(&mut has_told, true);
        let kept = match event {
            // Another try begins, which says nothing yet.
            Ok(Event::Init) => vec![Event::Init],
            Ok(event) => {
                is_failing = false;
                if let (Event::InitDone, Some(closed)) = (&event, &source.place.closed) {
                    closed.store(false, Ordering::Relaxed);
                }
                vec![event]
            }
            Err(error) => {
                // Once for each outage.
                if !std::mem::replace(&mut is_failing, true) {
                    source.log(&error);
                }
                if is_first { vec![Event::Init, Event::InitDone] } else { Vec::new() }
            }
        };
        let told = is_first.then(|| Arc::clone(&told));
        // After what there is: whoever waits for it looks at it then.
        stream::iter(kept).chain(
            stream::once(async move { told.and_then(|told| tell(&told)) })
                .filter_map(std::future::ready),
        )
    })
}

/// Says that one more has told what there is.
fn tell<K>(told: &Mutex<(usize, Told)>) -> Option<Event<K>> {
    let (left, told) = &mut *told.lock().unwrap_or_else(PoisonError::into_inner);
    *left = left.saturating_sub(1);
    if *left == 0
        && let Some(told) = told.take()
    {
        // Whoever listened is gone with the controller.
        told.send(()).ok();
    }
    None
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

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;

    use super::*;

    #[tokio::test]
    async fn a_try_without_an_answer_is_no_success() {
        let error = || Err(watcher::Error::NoResourceVersion);
        let events: Vec<watcher::Result<Event<ConfigMap>>> = vec![
            Ok(Event::Init),
            error(),
            Ok(Event::Init),
            error(),
            Ok(Event::Init),
            Ok(Event::InitDone),
            Ok(Event::Apply(ConfigMap::default())),
        ];
        let told: Vec<&str> = after_an_answer(stream::iter(events))
            .map(|event| match event {
                Ok(Event::Init) => "begins",
                Ok(Event::InitDone) => "done",
                Ok(_) => "change",
                Err(_) => "error",
            })
            .collect()
            .await;
        assert_eq!(told, ["error", "error", "begins", "done", "change"]);
    }
}
