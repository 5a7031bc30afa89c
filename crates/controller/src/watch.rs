//! The watches, and what each change of the cluster starts.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use futures_util::{Stream, StreamExt};
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::api::{Api, DynamicObject, PartialObjectMeta};
use kube::runtime::reflector::{ObjectRef, reflector, store::Writer};
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as watch};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

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
    generators: Vec<(rolecall_engine::grant::GeneratorKind, Writer<DynamicObject>)>,
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
    /// The one namespace that is watched; all of them where empty.
    pub namespace: String,
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
        f.debug_struct("Watching").field("namespace", &self.namespace).finish_non_exhaustive()
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

/// What a watch says once, when it has told what there is.
type Told = Option<oneshot::Sender<()>>;

impl Watching {
    fn dynamic(&self, kind: &kube::core::ApiResource, is_cluster_wide: bool) -> Api<DynamicObject> {
        if self.namespace.is_empty() || is_cluster_wide {
            Api::all_with(self.client.clone(), kind)
        } else {
            Api::namespaced_with(self.client.clone(), &self.namespace, kind)
        }
    }

    async fn external_secrets(self, writer: Writer<DynamicObject>, told: Told) {
        let api = self.dynamic(&external_secrets(), false);
        let events = watch(api, watcher::Config::default()).default_backoff();
        let events = events.modify(prune);
        let events = reflector(writer, events);
        let mut known: HashMap<Key, u64> = HashMap::new();
        // A list is in the store when it is told to its end, and not before.
        let mut listed: HashMap<Key, u64> = HashMap::new();
        let mut events = std::pin::pin!(logged("externalsecrets", events, told));
        while let Some(event) = events.next().await {
            match event {
                Event::Init => listed.clear(),
                Event::InitApply(object) => {
                    listed.insert(Key::of(&object.metadata), fingerprint(&object));
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
                Event::InitDone => {
                    let gone: Vec<Key> =
                        known.keys().filter(|key| !listed.contains_key(*key)).cloned().collect();
                    for key in gone {
                        known.remove(&key);
                        self.object_gone(&key);
                    }
                    for (key, hash) in listed.drain() {
                        self.object_changed(key, hash, &mut known);
                    }
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
        self.metrics.forget(key);
        self.world.uses(key, &std::collections::BTreeSet::new());
    }

    async fn generators(
        self,
        kind: rolecall_engine::grant::GeneratorKind,
        writer: Writer<DynamicObject>,
        told: Told,
    ) {
        let is_cluster_wide = kind == rolecall_engine::grant::GeneratorKind::Cluster;
        let api = self.dynamic(&generators(kind), is_cluster_wide);
        let events = watch(api, watcher::Config::default()).default_backoff();
        let events = events.modify(|object| object.metadata.managed_fields = None);
        let events = reflector(writer, events);
        let mut events = std::pin::pin!(logged(kind.as_str(), events, told));
        let users = |key: Key| self.world.users_of(&Input::Generator(kind.as_str(), key));
        let mut known: HashSet<Key> = HashSet::new();
        let mut listed: HashSet<Key> = HashSet::new();
        while let Some(event) = events.next().await {
            match event {
                Event::Init => listed.clear(),
                Event::InitApply(object) => {
                    listed.insert(Key::of(&object.metadata));
                }
                Event::InitDone => {
                    // Those that went while nobody looked count too.
                    let before = std::mem::replace(&mut known, std::mem::take(&mut listed));
                    for key in before.union(&known) {
                        self.triggers.all(users(key.clone()));
                    }
                }
                Event::Apply(object) => {
                    let key = Key::of(&object.metadata);
                    known.insert(key.clone());
                    self.triggers.all(users(key));
                }
                Event::Delete(object) => {
                    let key = Key::of(&object.metadata);
                    known.remove(&key);
                    self.triggers.all(users(key));
                }
            }
        }
    }

    async fn accounts(self, told: Told) {
        let api: Api<PartialObjectMeta<ServiceAccount>> = self.namespaced();
        let events = watch(api, watcher::Config::default()).default_backoff();
        let mut listed: HashSet<Key> = HashSet::new();
        let mut events = std::pin::pin!(logged("serviceaccounts", events, told));
        while let Some(event) = events.next().await {
            match event {
                Event::Init => listed.clear(),
                Event::InitApply(account) => {
                    listed.insert(Key::of(&account.metadata));
                    self.account_changed(&account, true);
                }
                Event::Apply(account) => self.account_changed(&account, true),
                Event::Delete(account) => self.account_changed(&account, false),
                Event::InitDone => {
                    for key in self.world.keep_accounts(&listed) {
                        self.triggers.all(self.world.users_of(&Input::Account(key)));
                    }
                }
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
        let api: Api<Secret> = self.namespaced();
        let only_ours = watcher::Config::default().labels(&format!("{MANAGED}=true"));
        let events = watch(api, only_ours).default_backoff();
        let mut listed: HashSet<Key> = HashSet::new();
        let mut events = std::pin::pin!(logged("secrets", events, told));
        while let Some(event) = events.next().await {
            match event {
                Event::Init => listed.clear(),
                Event::InitApply(secret) => {
                    listed.insert(Key::of(&secret.metadata));
                    self.target_changed(&secret, true);
                }
                Event::Apply(secret) => self.target_changed(&secret, true),
                Event::Delete(secret) => self.target_changed(&secret, false),
                Event::InitDone => {
                    for key in self.world.keep_targets(&listed) {
                        self.triggers.all(self.world.users_of(&Input::Target(key)));
                    }
                }
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

    fn namespaced<K>(&self) -> Api<K>
    where
        K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>,
    {
        if self.namespace.is_empty() {
            Api::all(self.client.clone())
        } else {
            Api::namespaced(self.client.clone(), &self.namespace)
        }
    }
}

/// What counts of an object: a status alone starts nothing, since it is our own.
fn fingerprint(object: &DynamicObject) -> u64 {
    let metadata = &object.metadata;
    let mut hasher = DefaultHasher::new();
    (&metadata.uid, metadata.generation, &metadata.labels, &metadata.annotations).hash(&mut hasher);
    (&metadata.finalizers, metadata.deletion_timestamp.is_some()).hash(&mut hasher);
    hasher.finish()
}

/// A stream whose failures are logged and waited out.
///
/// A kind that the cluster does not have is told of as one of which there is nothing.
fn logged<K>(
    what: &'static str,
    events: impl Stream<Item = watcher::Result<Event<K>>> + Send,
    mut told: Told,
) -> impl Stream<Item = Event<K>> + Send
where
    K: Send,
{
    let mut is_failing = false;
    events.filter_map(move |event| {
        let is_told = match &event {
            Ok(Event::InitDone) => true,
            Ok(_) => false,
            Err(error) => is_missing(error),
        };
        if is_told && let Some(told) = told.take() {
            // Whoever listened is gone with the controller.
            told.send(()).ok();
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
                    tracing::warn!(what, problem, "a watch is interrupted and begins anew");
                }
                None
            }
        };
        std::future::ready(kept)
    })
}

fn is_missing(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error) => {
            crate::api_error::problem_of(error) == crate::api_error::ApiProblem::NotFound
        }
        _ => false,
    }
}

/// Without the words of the API server.
fn watch_problem(error: &watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => crate::api_error::problem_of(error).to_string(),
        watcher::Error::WatchError(status) => format!("status {}", status.code),
        watcher::Error::NoResourceVersion => "no resource version".to_owned(),
    }
}
