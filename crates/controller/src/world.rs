//! What is known of the cluster: objects by their watches, and who uses what.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::api::DynamicObject;
use kube::runtime::reflector::{ObjectRef, Store};
use rolecall_engine::grant::GeneratorKind;
use rolecall_engine::render::{Data, data_hash, field_manager};

use crate::object::{Key, generators};
use crate::seen::{Owner, TargetFacts};

/// What one object depends on.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Input {
    /// A generator, by its kind's name.
    Generator(&'static str, Key),
    /// A service account.
    Account(Key),
    /// The Secret that is written.
    Target(Key),
}

/// A service account, in what counts of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Account {
    /// `metadata.uid`.
    pub uid: String,
    /// The annotation `eks.amazonaws.com/role-arn`.
    pub role: Option<String>,
    /// The annotation `eks.amazonaws.com/audience`.
    pub audience: Option<String>,
}

/// A Secret with the label `managed`, without its values.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoredTarget {
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.resourceVersion`.
    pub resource_version: String,
    is_managed: bool,
    hash_fits: bool,
    is_immutable: bool,
    /// Group and kind, and the name, of its controller.
    controller: Option<(String, String, String)>,
    keys: usize,
    /// How many keys each manager of an ExternalSecret owns.
    keys_of: Vec<(String, usize)>,
    /// Managers of ExternalSecrets that wrote it by updates, as ESO does.
    updaters: Vec<String>,
    /// When its credentials end and are renewed, where the status has no room for that.
    pub times: Option<(Timestamp, Timestamp)>,
}

impl StoredTarget {
    /// Takes what counts out of a Secret.
    pub fn of(secret: &Secret) -> Self {
        let metadata = &secret.metadata;
        let annotation = |name: &str| metadata.annotations.as_ref().and_then(|map| map.get(name));
        let label = metadata.labels.as_ref().and_then(|map| map.get(MANAGED));
        let data = secret.data.iter().flatten();
        let data = data.map(|(key, value)| (key.clone(), Data::new(value.0.clone()))).collect();
        let controller =
            metadata.owner_references.iter().flatten().find(|it| it.controller == Some(true));
        Self {
            uid: metadata.uid.clone().unwrap_or_default(),
            resource_version: metadata.resource_version.clone().unwrap_or_default(),
            is_managed: label.is_some_and(|value| value == "true"),
            hash_fits: annotation(DATA_HASH).is_some_and(|hash| *hash == data_hash(&data)),
            is_immutable: secret.immutable == Some(true),
            controller: controller.map(|it| {
                let group = it.api_version.split_once('/').map_or("", |(group, _)| group);
                (group.to_owned(), it.kind.clone(), it.name.clone())
            }),
            keys: data.len(),
            keys_of: keys_by_manager(secret),
            updaters: updaters(secret),
            times: annotation(EXPIRATION)
                .and_then(|text| text.parse().ok())
                .zip(annotation(RENEWAL).and_then(|text| text.parse().ok())),
        }
    }

    /// The facts, seen from the ExternalSecret of this name.
    pub fn facts(&self, name: &str) -> TargetFacts {
        let manager = field_manager(name);
        let ours = self.keys_of.iter().find(|(it, _)| *it == manager).map_or(0, |(_, keys)| *keys);
        TargetFacts {
            uid: self.uid.clone(),
            resource_version: self.resource_version.clone(),
            is_managed: self.is_managed,
            hash_fits: self.hash_fits,
            owner: self.owner(name),
            is_immutable: self.is_immutable,
            has_foreign_keys: ours < self.keys,
        }
    }

    /// Whether ESO wrote it for the ExternalSecret of this name.
    pub fn is_updated_for(&self, name: &str) -> bool {
        let manager = field_manager(name);
        self.updaters.contains(&manager)
    }

    /// Whose Secret it is, for the object of that name.
    fn owner(&self, name: &str) -> Owner {
        match &self.controller {
            None => Owner::Nobody,
            Some((group, kind, owner))
                if group == "external-secrets.io" && kind == "ExternalSecret" =>
            {
                if owner == name {
                    Owner::Us
                } else {
                    Owner::OtherExternalSecret
                }
            }
            Some(_) => Owner::OtherController,
        }
    }

    /// Whether it is older than another state of the same Secret.
    fn is_older_than(&self, other: &Self) -> bool {
        let version = |it: &Self| it.resource_version.parse::<u64>().ok();
        self.uid == other.uid && version(self) < version(other)
    }
}

fn keys_by_manager(secret: &Secret) -> Vec<(String, usize)> {
    let mut keys: HashMap<&str, BTreeSet<&String>> = HashMap::new();
    for entry in secret.metadata.managed_fields.iter().flatten() {
        let Some(manager) = entry.manager.as_deref() else { continue };
        let fields = entry.fields_v1.as_ref().and_then(|it| it.0.get("f:data")?.as_object());
        let Some(fields) = fields.filter(|_| manager.starts_with(MANAGERS)) else { continue };
        let names = fields.keys().filter(|key| key.starts_with("f:"));
        keys.entry(manager).or_default().extend(names);
    }
    keys.into_iter().map(|(manager, keys)| (manager.to_owned(), keys.len())).collect()
}

fn updaters(secret: &Secret) -> Vec<String> {
    let entries = secret.metadata.managed_fields.iter().flatten();
    let updates = entries.filter(|entry| entry.operation.as_deref() == Some("Update"));
    let managers = updates.filter_map(|entry| entry.manager.clone());
    managers.filter(|manager| manager.starts_with(MANAGERS)).collect()
}

/// The cluster, as far as the watches have told.
pub struct World {
    /// Every ExternalSecret.
    pub objects: Store<DynamicObject>,
    generators: HashMap<&'static str, Store<DynamicObject>>,
    closed: Arc<AtomicBool>,
    // Std mutexes: held for map operations only, never across an await.
    accounts: Mutex<HashMap<Key, Account>>,
    targets: Mutex<HashMap<Key, StoredTarget>>,
    index: Mutex<Index>,
    /// Which object writes which Secret right now, and whether the watch told something meanwhile.
    writing: Mutex<HashMap<(Key, Key), News>>,
}

/// What was told of a Secret last, while it was written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum News {
    /// Nothing.
    #[default]
    None,
    /// That it is now so, which may be by this write.
    Change,
    /// That it is gone.
    End,
}

/// A write that is in the air; over when dropped.
#[derive(Debug)]
pub struct Writing<'a> {
    world: &'a World,
    write: (Key, Key),
}

impl Writing<'_> {
    /// Ends it, and says what the watch told of the Secret meanwhile.
    pub fn ends(self) -> News {
        locked(&self.world.writing).get(&self.write).copied().unwrap_or_default()
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        locked(&self.world.writing).remove(&self.write);
    }
}

#[derive(Default)]
struct Index {
    users: HashMap<Input, HashSet<Key>>,
    inputs: HashMap<Key, BTreeSet<Input>>,
}

impl World {
    /// A world of these stores.
    pub fn new(
        objects: Store<DynamicObject>,
        generators: HashMap<&'static str, Store<DynamicObject>>,
    ) -> Self {
        Self {
            objects,
            generators,
            closed: Arc::default(),
            accounts: Mutex::default(),
            targets: Mutex::default(),
            index: Mutex::default(),
            writing: Mutex::default(),
        }
    }

    /// A generator, as its watch has told it.
    pub fn generator(&self, kind: GeneratorKind, key: &Key) -> Option<Arc<DynamicObject>> {
        let store = self.generators.get(kind.as_str())?;
        let reference = ObjectRef::new_with(&key.name, generators(kind));
        store.get(&match kind {
            GeneratorKind::Cluster => reference,
            _ => reference.within(&key.namespace),
        })
    }

    /// Whether a role leaves generators of the whole cluster out.
    pub fn closed(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.closed)
    }

    /// The kind that a `ClusterGenerator` wraps; where they are out of reach one of nobody's.
    pub fn wrapped_kind(&self, name: &str) -> Option<String> {
        let Some(object) = self.generator(GeneratorKind::Cluster, &Key::new("", name)) else {
            return self.closed.load(Ordering::Relaxed).then(String::new);
        };
        let kind = object.data.pointer("/spec/kind").and_then(serde_json::Value::as_str);
        // One without a kind wraps nothing of ours.
        Some(kind.unwrap_or_default().to_owned())
    }

    /// A service account.
    pub fn account(&self, key: &Key) -> Option<Account> {
        locked(&self.accounts).get(key).cloned()
    }

    /// Keeps or forgets a service account; says whether it counts as a change.
    pub fn put_account(&self, key: &Key, account: Option<Account>) -> bool {
        put(&mut locked(&self.accounts), key, account)
    }

    /// A Secret with the label `managed`.
    pub fn target(&self, key: &Key) -> Option<StoredTarget> {
        locked(&self.targets).get(key).cloned()
    }

    /// Keeps or forgets a Secret; says whether it counts as a change. News that are older than what
    /// is known are none.
    pub fn put_target(&self, key: &Key, target: Option<StoredTarget>) -> bool {
        let mut targets = locked(&self.targets);
        if let (Some(new), Some(known)) = (&target, targets.get(key))
            && new.is_older_than(known)
        {
            return false;
        }
        put(&mut targets, key, target)
    }

    /// The Secrets of a namespace that this ExternalSecret owns, by name.
    pub fn owned_by(&self, key: &Key) -> Vec<String> {
        let targets = locked(&self.targets);
        let owned = targets.iter().filter(|(at, target)| {
            at.namespace == key.namespace && target.owner(&key.name) == Owner::Us
        });
        owned.map(|(at, _)| at.name.clone()).collect()
    }

    /// The Secrets that are taken to be there, in one namespace or in all of them.
    pub fn targets_in(&self, namespace: Option<&str>) -> Vec<Key> {
        let targets = locked(&self.targets);
        let keys = targets.keys().filter(|key| namespace.is_none_or(|it| key.namespace == it));
        keys.cloned().collect()
    }

    /// Notes that an object writes a Secret, until that is dropped.
    pub fn writing(&self, target: &Key, object: &Key) -> Writing<'_> {
        let write = (target.clone(), object.clone());
        locked(&self.writing).insert(write.clone(), News::None);
        Writing { world: self, write }
    }

    /// Whether an object writes a Secret right now; then it is noted that something was told of it.
    pub fn note_while_writing(&self, target: &Key, object: &Key, is_end: bool) -> bool {
        let mut writing = locked(&self.writing);
        match writing.get_mut(&(target.clone(), object.clone())) {
            Some(noted) => {
                *noted = if is_end { News::End } else { News::Change };
                true
            }
            None => false,
        }
    }

    /// Notes what an object uses.
    pub fn uses(&self, key: &Key, inputs: &BTreeSet<Input>) {
        let mut index = locked(&self.index);
        let before = if inputs.is_empty() {
            index.inputs.remove(key)
        } else {
            index.inputs.insert(key.clone(), inputs.clone())
        };
        let before = before.unwrap_or_default();
        for gone in before.difference(inputs) {
            if let Some(users) = index.users.get_mut(gone) {
                users.remove(key);
                if users.is_empty() {
                    index.users.remove(gone);
                }
            }
        }
        for new in inputs.difference(&before) {
            index.users.entry(new.clone()).or_default().insert(key.clone());
        }
    }

    /// Notes one more that an object uses.
    pub fn also_uses(&self, key: &Key, input: Input) {
        let mut index = locked(&self.index);
        index.inputs.entry(key.clone()).or_default().insert(input.clone());
        index.users.entry(input).or_default().insert(key.clone());
    }

    /// Who uses this.
    pub fn users_of(&self, input: &Input) -> Vec<Key> {
        locked(&self.index).users.get(input).into_iter().flatten().cloned().collect()
    }

    /// How many use the most shared generator or account of these.
    pub fn sharers(&self, inputs: &BTreeSet<Input>) -> usize {
        let index = locked(&self.index);
        let shared = inputs.iter().filter(|input| !matches!(input, Input::Target(_)));
        shared.filter_map(|input| index.users.get(input)).map(HashSet::len).max().unwrap_or(1)
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").finish_non_exhaustive()
    }
}

fn put<T: PartialEq>(map: &mut HashMap<Key, T>, key: &Key, value: Option<T>) -> bool {
    match value {
        Some(value) if map.get(key) == Some(&value) => false,
        Some(value) => {
            map.insert(key.clone(), value);
            true
        }
        None => map.remove(key).is_some(),
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The kinds of generators that are watched.
pub const GENERATORS: [GeneratorKind; 4] = [
    GeneratorKind::AssumeRole,
    GeneratorKind::SessionToken,
    GeneratorKind::RegistryToken,
    GeneratorKind::Cluster,
];

/// The label of every Secret that is written.
pub const MANAGED: &str = "reconcile.external-secrets.io/managed";
/// The label with the hash of who owns the Secret.
pub const CREATED_BY: &str = "reconcile.external-secrets.io/created-by";
/// The annotation with the hash of the data.
pub const DATA_HASH: &str = "reconcile.external-secrets.io/data-hash";
/// The annotations for a status that has no room: ESO's own CRD.
pub const EXPIRATION: &str = "rolecall/expiration-time";
/// When the credentials are renewed.
pub const RENEWAL: &str = "rolecall/renewal-time";
const MANAGERS: &str = "externalsecrets.external-secrets.io/";
