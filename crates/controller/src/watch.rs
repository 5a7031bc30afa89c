//! The watches, and what each change of the cluster starts.

mod listen;
mod merge;

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use futures_util::{Stream, StreamExt};
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::api::{Api, ApiResource, DynamicObject, ObjectMeta, PartialObjectMeta};
use kube::core::NamespaceResourceScope;
use kube::runtime::reflector::{ObjectRef, reflector, store::Writer};
use kube::runtime::watcher::{self, Event};
use rolecall_engine::grant::GeneratorKind;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use self::listen::{Place, Told, listened};
use crate::metrics::Metrics;
use crate::object::{Key, external_secrets, generators, prune};
use crate::state::States;
use crate::world::{Account, GENERATORS, Input, MANAGED, StoredTarget, World};

/// A request to look at an object.
pub type Trigger = ObjectRef<DynamicObject>;

/// Where requests to look at objects are put.
#[derive(Clone, Debug)]
pub struct Triggers(pub UnboundedSender<Trigger>);

impl Triggers {
    fn all(&self, keys: impl IntoIterator<Item = Key>) {
        for key in keys {
            let reference = ObjectRef::new_with(&key.name, external_secrets());
            // Nobody listens any more when the controller ends.
            self.0.send(reference.within(&key.namespace)).ok();
        }
    }
}

/// The stores that the watches fill, and their writers.
pub struct Stores {
    /// What is filled.
    pub world: Arc<World>,
    objects: Writer<DynamicObject>,
    generators: Vec<(GeneratorKind, Writer<DynamicObject>)>,
}

impl Stores {
    /// Empty stores.
    pub fn new() -> Self {
        let writer = |kind| {
            let writer = Writer::new(kind);
            (writer.as_reader(), writer)
        };
        let (objects, objects_writer) = writer(external_secrets());
        let mut by_kind = HashMap::new();
        let mut writers = Vec::new();
        for kind in GENERATORS {
            let (reader, writer) = writer(generators(kind));
            by_kind.insert(kind.as_str(), reader);
            writers.push((kind, writer));
        }
        let world = Arc::new(World::new(objects, by_kind));
        Self { world, objects: objects_writer, generators: writers }
    }
}

impl Default for Stores {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Stores {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stores").finish_non_exhaustive()
    }
}

/// What the watches need.
#[derive(Clone)]
pub struct Watching {
    /// The API server.
    pub client: kube::Client,
    /// The namespaces that are watched; all of them where empty.
    pub namespaces: Vec<String>,
    /// What is filled.
    pub world: Arc<World>,
    /// What is told of each object.
    pub states: Arc<States>,
    /// Series that go with their object.
    pub metrics: Arc<Metrics>,
    /// What changes start.
    pub triggers: Triggers,
}

impl std::fmt::Debug for Watching {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watching").field("namespaces", &self.namespaces).finish_non_exhaustive()
    }
}

/// The watches as tasks that never end, and what is ready when each has told what there is.
pub fn start(
    watching: &Watching,
    stores: Stores,
) -> (Vec<JoinHandle<()>>, impl Future<Output = ()> + Send + 'static) {
    let Stores { objects, generators: writers, .. } = stores;
    let mut waits = Vec::new();
    let mut told = || {
        let (told, wait) = oneshot::channel();
        waits.push(wait);
        Some(told)
    };
    let mut tasks = vec![
        tokio::spawn(watching.clone().external_secrets(objects, told())),
        tokio::spawn(watching.clone().accounts(told())),
        tokio::spawn(watching.clone().targets(told())),
    ];
    for (kind, writer) in writers {
        tasks.push(tokio::spawn(watching.clone().generators(kind, writer, told())));
    }
    let ready = async move {
        for wait in waits {
            // A watch that is gone is a controller that ends.
            wait.await.ok();
        }
    };
    (tasks, ready)
}

impl Watching {
    async fn external_secrets(self, writer: Writer<DynamicObject>, told: Told) {
        let kind = external_secrets();
        let events = self.of_kind(&kind, "externalsecrets", told);
        let events = reflector(writer, events.map(Ok));
        let mut known: HashMap<Key, u64> = HashMap::new();
        // A list is in the store when it is told to its end, and not before.
        let mut listed: HashMap<Key, u64> = HashMap::new();
        let mut events = std::pin::pin!(events.filter_map(whole));
        while let Some(event) = events.next().await {
            match event {
                Event::Init => {}
                Event::InitApply(object) => {
                    listed.insert(Key::of(&object.metadata), fingerprint(&object));
                }
                Event::InitDone => {
                    for (key, hash) in listed.drain() {
                        self.object_changed(key, hash, &mut known);
                    }
                }
                Event::Apply(object) => {
                    let key = Key::of(&object.metadata);
                    self.object_changed(key, fingerprint(&object), &mut known);
                }
                Event::Delete(object) => {
                    let key = Key::of(&object.metadata);
                    known.remove(&key);
                    self.object_gone(&key);
                }
            }
        }
    }

    fn object_changed(&self, key: Key, hash: u64, known: &mut HashMap<Key, u64>) {
        if known.insert(key.clone(), hash) != Some(hash) {
            self.triggers.all([key]);
        }
    }

    fn object_gone(&self, key: &Key) {
        self.states.remove(key);
        self.metrics.is_gone(key);
        self.world.uses(key, &std::collections::BTreeSet::new());
    }

    async fn generators(self, kind: GeneratorKind, writer: Writer<DynamicObject>, told: Told) {
        let events = self.of_kind(&generators(kind), kind.as_str(), told);
        let events = reflector(writer, events.map(Ok));
        let mut events = std::pin::pin!(events.filter_map(whole));
        let users = |key: Key| self.world.users_of(&Input::Generator(kind.as_str(), key));
        let mut listed: Vec<Key> = Vec::new();
        while let Some(event) = events.next().await {
            match event {
                Event::Init => {}
                Event::InitApply(object) => listed.push(Key::of(&object.metadata)),
                Event::InitDone => {
                    for key in listed.drain(..) {
                        self.triggers.all(users(key));
                    }
                }
                Event::Apply(object) | Event::Delete(object) => {
                    self.triggers.all(users(Key::of(&object.metadata)));
                }
            }
        }
    }

    async fn accounts(self, told: Told) {
        let config = watcher::Config::default();
        let gone = |metadata| PartialObjectMeta { metadata, ..PartialObjectMeta::default() };
        let events = self.namespaced("serviceaccounts", &config, told, gone, |_| Vec::new());
        let mut events = std::pin::pin!(events);
        while let Some(event) = events.next().await {
            match event {
                Event::Init | Event::InitDone => {}
                Event::InitApply(account) | Event::Apply(account) => {
                    self.account_changed(&account, true);
                }
                Event::Delete(account) => self.account_changed(&account, false),
            }
        }
    }

    fn account_changed(&self, account: &PartialObjectMeta<ServiceAccount>, is_there: bool) {
        let key = Key::of(&account.metadata);
        let annotation = |name: &str| account.metadata.annotations.as_ref()?.get(name).cloned();
        let facts = is_there.then(|| Account {
            uid: account.metadata.uid.clone().unwrap_or_default(),
            role: annotation("eks.amazonaws.com/role-arn"),
            audience: annotation("eks.amazonaws.com/audience"),
        });
        if self.world.put_account(&key, facts) {
            self.triggers.all(self.world.users_of(&Input::Account(key)));
        }
    }

    async fn targets(self, told: Told) {
        let only_ours = watcher::Config::default().labels(&format!("{MANAGED}=true"));
        let gone = |metadata| Secret { metadata, ..Secret::default() };
        // Those that we wrote are known before the watch tells of them.
        let world = Arc::clone(&self.world);
        let known = move |namespace: Option<&str>| world.targets_in(namespace);
        let events = self.namespaced("secrets", &only_ours, told, gone, known);
        let mut events = std::pin::pin!(events);
        while let Some(event) = events.next().await {
            match event {
                Event::Init | Event::InitDone => {}
                Event::InitApply(secret) | Event::Apply(secret) => {
                    self.target_changed(&secret, true);
                }
                Event::Delete(secret) => self.target_changed(&secret, false),
            }
        }
    }

    fn target_changed(&self, secret: &Secret, is_there: bool) {
        let key = Key::of(&secret.metadata);
        let stored = is_there.then(|| StoredTarget::of(secret));
        let version = secret.metadata.resource_version.clone().unwrap_or_default();
        if !self.world.put_target(&key, stored) {
            return;
        }
        let users = self.world.users_of(&Input::Target(key.clone())).into_iter();
        // What an object wrote itself is no news to it, and what comes while it writes it looks at
        // afterwards.
        let is_own = |user: &Key| {
            let is_noted = self.world.note_while_writing(&key, user, !is_there);
            is_noted || self.states.wrote(user, &version)
        };
        self.triggers.all(users.filter(|user| !is_own(user)));
    }

    /// The objects of one of the kinds that are read as documents.
    fn of_kind(
        &self,
        kind: &ApiResource,
        what: &'static str,
        told: Told,
    ) -> impl Stream<Item = Event<DynamicObject>> + Send + use<> {
        let is_cluster_wide = *kind == generators(GeneratorKind::Cluster);
        let client = || self.client.clone();
        let apis = if is_cluster_wide || self.namespaces.is_empty() {
            vec![(String::new(), Api::all_with(client(), kind))]
        } else {
            let namespaces = self.namespaces.iter();
            let api = |it: &String| (it.clone(), Api::namespaced_with(client(), it, kind));
            namespaces.map(api).collect()
        };
        let closed = (is_cluster_wide && !self.namespaces.is_empty()).then(|| self.world.closed());
        let place = Place { what, closed };
        let kind = kind.clone();
        let sources = listened(&place, apis, &watcher::Config::default(), told, prune);
        let gone = move |key: &Key| {
            let mut object = DynamicObject::new(&key.name, &kind);
            object.metadata.namespace = (!key.namespace.is_empty()).then(|| key.namespace.clone());
            object
        };
        merge::merged(sources, gone, |_| Vec::new())
    }

    /// The objects of a kind of Kubernetes' own.
    fn namespaced<K, F>(
        &self,
        what: &'static str,
        config: &watcher::Config,
        told: Told,
        gone: fn(ObjectMeta) -> K,
        known: F,
    ) -> impl Stream<Item = Event<K>> + Send + use<K, F>
    where
        F: Fn(Option<&str>) -> Vec<Key> + Send + 'static,
        K: kube::Resource<DynamicType = (), Scope = NamespaceResourceScope>,
        K: Clone + DeserializeOwned + std::fmt::Debug + Send + 'static,
    {
        let client = || self.client.clone();
        let apis = if self.namespaces.is_empty() {
            vec![(String::new(), Api::all(client()))]
        } else {
            let namespaces = self.namespaces.iter();
            namespaces.map(|it| (it.clone(), Api::namespaced(client(), it))).collect()
        };
        let place = Place { what, closed: None };
        let sources = listened(&place, apis, config, told, |_| {});
        let gone = move |key: &Key| {
            gone(ObjectMeta {
                namespace: Some(key.namespace.clone()),
                name: Some(key.name.clone()),
                ..ObjectMeta::default()
            })
        };
        let namespaces = self.namespaces.clone();
        // Of one watch of the whole cluster there is no namespace.
        let known = move |index: usize| known(namespaces.get(index).map(String::as_str));
        merge::merged(sources, gone, known)
    }
}

/// What a reflector passes on of a stream that never fails.
async fn whole<K>(event: watcher::Result<Event<K>>) -> Option<Event<K>> {
    event.ok()
}

/// What counts of an object: a status alone starts nothing, since it is our own.
fn fingerprint(object: &DynamicObject) -> u64 {
    let metadata = &object.metadata;
    let mut hasher = DefaultHasher::new();
    (&metadata.uid, metadata.generation, &metadata.labels, &metadata.annotations).hash(&mut hasher);
    (&metadata.finalizers, metadata.deletion_timestamp.is_some()).hash(&mut hasher);
    hasher.finish()
}
