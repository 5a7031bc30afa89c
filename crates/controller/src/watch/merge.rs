//! One stream of events over the watches of several namespaces.
//!
//! Each watch lists anew whenever it was interrupted, and a list replaces all that was known. Here the
//! first lists of all watches are told as one, and every later one as changes, so that a namespace that
//! lists again takes nothing from the others.

use std::collections::HashSet;

use futures_util::stream::{BoxStream, select_all};
use futures_util::{Stream, StreamExt, stream};
use kube::Resource;
use kube::runtime::watcher::Event;

use crate::object::Key;

/// Tells of all sources as of one; `gone` makes of a name an object that is told to be deleted.
///
/// `known` says what else is taken to be there in the place of a source: what a list does not tell of
/// it, is gone too.
pub(super) fn merged<K>(
    sources: Vec<BoxStream<'static, Event<K>>>,
    gone: impl Fn(&Key) -> K + Send + 'static,
    known: impl Fn(usize) -> Vec<Key> + Send + 'static,
) -> impl Stream<Item = Event<K>> + Send
where
    K: Resource + Send + 'static,
{
    let mut merger = Merger::new(sources.len());
    let tagged = sources.into_iter().enumerate();
    let tagged = tagged.map(|(index, source)| source.map(move |event| (index, event)).boxed());
    select_all(tagged).flat_map(move |(index, event)| {
        if matches!(event, Event::InitDone) {
            merger.know(index, known(index));
        }
        let (told, deleted) = merger.take(index, event);
        let deleted: Vec<_> = deleted.iter().map(|key| Event::Delete(gone(key))).collect();
        stream::iter(told.into_iter().chain(deleted))
    })
}

/// What is known of each source.
struct Merger {
    sources: Vec<Source>,
    has_begun: bool,
    /// Whether the first list of every source was told.
    is_done: bool,
    /// What went before that.
    gone: HashSet<Key>,
}

#[derive(Default)]
struct Source {
    known: HashSet<Key>,
    listed: HashSet<Key>,
    is_listed: bool,
}

impl Merger {
    fn new(sources: usize) -> Self {
        let sources = (0..sources).map(|_| Source::default()).collect();
        Self { sources, has_begun: false, is_done: false, gone: HashSet::new() }
    }

    /// Takes these to be there, unless the list that is told to its end now says otherwise.
    fn know(&mut self, index: usize, keys: Vec<Key>) {
        if let Some(source) = self.sources.get_mut(index) {
            source.known.extend(keys);
        }
    }

    /// What an event of a source is to whoever sees all of them: first an event, then what is gone.
    fn take<K: Resource>(&mut self, index: usize, event: Event<K>) -> (Option<Event<K>>, Vec<Key>) {
        let Some(source) = self.sources.get_mut(index) else { return (None, Vec::new()) };
        match event {
            Event::Init => {
                // What a list told that was not told to its end is known, and may be gone.
                source.known.extend(source.listed.drain());
                let is_first = !std::mem::replace(&mut self.has_begun, true);
                (is_first.then_some(Event::Init), Vec::new())
            }
            Event::InitApply(object) => {
                source.listed.insert(Key::of(object.meta()));
                (Some(self.put(object)), Vec::new())
            }
            Event::Apply(object) => {
                source.known.insert(Key::of(object.meta()));
                (Some(self.put(object)), Vec::new())
            }
            Event::Delete(object) => {
                let key = Key::of(object.meta());
                source.known.remove(&key);
                if self.is_done {
                    return (Some(Event::Delete(object)), Vec::new());
                }
                self.gone.insert(key);
                (None, Vec::new())
            }
            Event::InitDone => {
                let before =
                    std::mem::replace(&mut source.known, std::mem::take(&mut source.listed));
                source.is_listed = true;
                let gone: Vec<Key> = before.difference(&source.known).cloned().collect();
                if self.is_done {
                    return (None, gone);
                }
                self.gone.extend(gone);
                if self.sources.iter().any(|source| !source.is_listed) {
                    return (None, Vec::new());
                }
                self.is_done = true;
                (Some(Event::InitDone), self.gone.drain().collect())
            }
        }
    }

    fn put<K: Resource>(&mut self, object: K) -> Event<K> {
        if self.is_done {
            return Event::Apply(object);
        }
        self.gone.remove(&Key::of(object.meta()));
        Event::InitApply(object)
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::api::ObjectMeta;

    use super::*;

    fn object(namespace: &str, name: &str) -> ConfigMap {
        let (namespace, name) = (Some(namespace.to_owned()), Some(name.to_owned()));
        ConfigMap {
            metadata: ObjectMeta { namespace, name, ..ObjectMeta::default() },
            ..ConfigMap::default()
        }
    }

    /// What is told of events: `I`nit, `i`n a list, `D`one, `+` and `-`.
    fn told(sources: usize, events: Vec<(usize, Event<ConfigMap>)>) -> Vec<String> {
        let mut merger = Merger::new(sources);
        let mut told = Vec::new();
        for (index, event) in events {
            let (event, mut gone) = merger.take(index, event);
            told.extend(event.map(|event| match event {
                Event::Init => "I".to_owned(),
                Event::InitApply(it) => format!("i{}", Key::of(&it.metadata)),
                Event::InitDone => "D".to_owned(),
                Event::Apply(it) => format!("+{}", Key::of(&it.metadata)),
                Event::Delete(it) => format!("-{}", Key::of(&it.metadata)),
            }));
            gone.sort();
            told.extend(gone.iter().map(|key| format!("-{key}")));
        }
        told
    }

    #[test]
    fn the_first_lists_are_one_and_what_went_meanwhile_is_told_after_it() {
        let events = vec![
            (0, Event::Init),
            (0, Event::InitApply(object("a", "1"))),
            (0, Event::InitApply(object("a", "2"))),
            (1, Event::Init),
            (0, Event::InitDone),
            (0, Event::Apply(object("a", "3"))),
            (0, Event::Delete(object("a", "1"))),
            (1, Event::InitApply(object("b", "1"))),
            (1, Event::InitDone),
        ];
        assert_eq!(told(2, events), ["I", "ia/1", "ia/2", "ia/3", "ib/1", "D", "-a/1"]);
    }

    #[test]
    fn a_namespace_that_lists_again_takes_nothing_from_the_others() {
        let events = vec![
            (0, Event::Init),
            (1, Event::Init),
            (0, Event::InitApply(object("a", "1"))),
            (0, Event::InitApply(object("a", "2"))),
            (0, Event::InitDone),
            (1, Event::InitApply(object("b", "1"))),
            (1, Event::InitDone),
            (0, Event::Init),
            (0, Event::InitApply(object("a", "2"))),
            // Interrupted once more before the end of the list.
            (0, Event::Init),
            (0, Event::InitApply(object("a", "2"))),
            (0, Event::InitDone),
            (1, Event::Delete(object("b", "1"))),
        ];
        let expected = ["I", "ia/1", "ia/2", "ib/1", "D", "+a/2", "+a/2", "-a/1", "-b/1"];
        assert_eq!(told(2, events), expected);
    }

    #[test]
    fn a_list_that_was_not_told_to_its_end_leaves_nothing_behind() {
        let first = vec![
            (0, Event::Init),
            (0, Event::InitApply(object("a", "gone"))),
            (0, Event::Init),
            (0, Event::InitApply(object("a", "1"))),
            (0, Event::InitDone),
        ];
        assert_eq!(told(1, first), ["I", "ia/gone", "ia/1", "D", "-a/gone"]);
        let later = vec![
            (0, Event::Init),
            (0, Event::InitDone),
            (0, Event::Init),
            (0, Event::InitApply(object("a", "gone"))),
            (0, Event::Init),
            (0, Event::InitDone),
        ];
        assert_eq!(told(1, later), ["I", "D", "+a/gone", "-a/gone"]);
    }

    #[test]
    fn what_is_taken_to_be_there_and_is_not_listed_is_gone() {
        let mut merger = Merger::new(1);
        let mut take = |event: Event<ConfigMap>| merger.take(0, event).1;
        assert!(take(Event::Init).is_empty() && take(Event::InitDone).is_empty());
        assert!(take(Event::Init).is_empty());
        assert!(take(Event::InitApply(object("a", "1"))).is_empty());
        merger.know(0, vec![Key::new("a", "1"), Key::new("a", "written")]);
        let (_, gone) = merger.take(0, Event::<ConfigMap>::InitDone);
        assert_eq!(gone, [Key::new("a", "written")]);
    }
}
