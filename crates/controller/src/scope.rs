//! Which objects are served: by the class of the store that they name, as ESO does.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use kube::api::{Api, DynamicObject};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::Value;

use crate::api_error::{ApiProblem, problem_of};
use crate::object::Key;

/// The class that is served, and the classes of stores as they were read.
#[derive(Debug)]
pub struct Classes {
    ours: String,
    keep: SignedDuration,
    // Std mutexes: held for map operations only, never across an await.
    read: Mutex<HashMap<(String, Key), Read>>,
    unread: Mutex<HashSet<(String, Key)>>,
}

/// The class of a store, and until when it is taken for that.
type Read = (Option<String>, Timestamp);

impl Classes {
    /// Serves `ours`; a store is read again after `keep`.
    pub fn new(ours: &str, keep: SignedDuration) -> Self {
        Self { ours: ours.to_owned(), keep, read: Mutex::default(), unread: Mutex::default() }
    }

    /// Whether an object that names this store is served; nothing where the store cannot be read.
    ///
    /// A store of another class is another controller's. With a class of our own, only objects that
    /// name a store of that class are ours.
    pub async fn serves(
        &self,
        client: &kube::Client,
        object: &Key,
        store: Option<(String, String)>,
        now: Timestamp,
    ) -> Option<bool> {
        let Some((kind, name)) = store else { return Some(self.ours == DEFAULT) };
        let namespace = if kind == "SecretStore" { object.namespace.as_str() } else { "" };
        let key = (kind, Key::new(namespace, &name));
        let known = self.read.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        let class = match known {
            Some((class, until)) if until > now => class,
            _ => {
                let found = class_of(client, &key.0, &key.1).await;
                let found = self.told_of(&key, found)?;
                let Found::Store(class) = found else {
                    // A store that is missing does not skip; with a class of our own it may come.
                    return (self.ours == DEFAULT).then_some(true);
                };
                let until = now.checked_add(self.keep).unwrap_or(now);
                let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
                read.retain(|_, (_, until)| *until > now);
                read.insert(key, (class.clone(), until));
                class
            }
        };
        // A store that names no class is everybody's.
        Some(class.map_or(self.ours == DEFAULT, |class| class == self.ours))
    }
}

impl Classes {
    /// A store that cannot be read is told of once.
    fn told_of(&self, key: &(String, Key), found: Result<Found, ApiProblem>) -> Option<Found> {
        let mut unread = self.unread.lock().unwrap_or_else(PoisonError::into_inner);
        match found {
            Ok(found) => {
                unread.remove(key);
                Some(found)
            }
            Err(problem) => {
                if unread.insert(key.clone()) {
                    let (kind, name) = (&key.0, &key.1.name);
                    tracing::warn!(kind, name, %problem, "a store cannot be read: what names it waits");
                }
                None
            }
        }
    }
}

/// A store that was looked for.
enum Found {
    /// It is there, with its class if it names one.
    Store(Option<String>),
    /// It is not.
    Nothing,
}

/// Looks for a store.
async fn class_of(client: &kube::Client, kind: &str, key: &Key) -> Result<Found, ApiProblem> {
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("external-secrets.io", "v1", kind));
    let api: Api<DynamicObject> = if key.namespace.is_empty() {
        Api::all_with(client.clone(), &kind)
    } else {
        Api::namespaced_with(client.clone(), &key.namespace, &kind)
    };
    match api.get(&key.name).await {
        Ok(store) => {
            let class = store.data.pointer("/spec/controller").and_then(Value::as_str);
            Ok(Found::Store(class.filter(|class| !class.is_empty()).map(str::to_owned)))
        }
        Err(error) => match problem_of(&error) {
            ApiProblem::NotFound => Ok(Found::Nothing),
            problem => Err(problem),
        },
    }
}

/// The class of a controller that is alone.
pub const DEFAULT: &str = "default";
