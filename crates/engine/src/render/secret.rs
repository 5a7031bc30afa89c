//! The Kubernetes Secret that an ExternalSecret asks for, as an object that `kubectl` applies.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::ser::{Serialize, SerializeMap, SerializeStruct, Serializer};
use zeroize::Zeroizing;

use super::{Text, hash};
use crate::grant::{CreationPolicy, ExternalSecret};

/// A Secret with its data.
///
/// Holds what is true whatever the cluster holds: no owner reference (the ExternalSecret's uid is
/// the cluster's), and no `data-hash` where other keys may be in the Secret too (policies `Merge` and
/// `CreateOrMerge`). Serializes as the object, with its data in base64 and its keys sorted.
pub struct SecretObject {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `type`.
    pub type_: String,
    /// `immutable`; left out where false.
    pub immutable: bool,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// `metadata.annotations`.
    pub annotations: BTreeMap<String, String>,
    /// The values, not encoded.
    pub data: BTreeMap<String, Text>,
}

impl SecretObject {
    /// Builds what `asked` asks for from the keys of all its entries; later keys win.
    ///
    /// Labels and annotations of the ExternalSecret are copied, as ESO does where there is no
    /// template; those under `reconcile.external-secrets.io/` are never taken from it.
    pub fn new(
        asked: &ExternalSecret,
        entries: impl IntoIterator<Item = BTreeMap<String, Text>>,
    ) -> Self {
        let data: BTreeMap<_, _> = entries.into_iter().flatten().collect();
        let policy = asked.target.creation_policy;
        let mut labels = copied(&asked.labels);
        labels.insert(reserved("managed"), "true".to_owned());
        if policy == CreationPolicy::Owner {
            let owner = hash::created_by(&asked.namespace, &asked.name);
            labels.insert(reserved("created-by"), owner);
        }
        let mut annotations = copied(&asked.annotations);
        if !matches!(policy, CreationPolicy::Merge | CreationPolicy::CreateOrMerge) {
            annotations.insert(reserved("data-hash"), hash::of_data(&data));
        }
        Self {
            namespace: asked.namespace.clone(),
            name: asked.target.name.clone(),
            type_: "Opaque".to_owned(),
            immutable: asked.target.immutable,
            labels,
            annotations,
            data,
        }
    }
}

/// Shows no value.
impl fmt::Debug for SecretObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<_> = self.data.keys().collect();
        f.debug_struct("SecretObject")
            .field("namespace", &self.namespace)
            .field("name", &self.name)
            .field("keys", &keys)
            .finish_non_exhaustive()
    }
}

impl Serialize for SecretObject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = if self.immutable { 6 } else { 5 };
        let mut object = serializer.serialize_struct("Secret", fields)?;
        object.serialize_field("apiVersion", "v1")?;
        object.serialize_field("kind", "Secret")?;
        object.serialize_field("metadata", &Metadata(self))?;
        object.serialize_field("type", &self.type_)?;
        if self.immutable {
            object.serialize_field("immutable", &true)?;
        }
        object.serialize_field("data", &Encoded(&self.data))?;
        object.end()
    }
}

struct Metadata<'a>(&'a SecretObject);

impl Serialize for Metadata<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut metadata = serializer.serialize_map(None)?;
        metadata.serialize_entry("name", &self.0.name)?;
        metadata.serialize_entry("namespace", &self.0.namespace)?;
        if !self.0.labels.is_empty() {
            metadata.serialize_entry("labels", &self.0.labels)?;
        }
        if !self.0.annotations.is_empty() {
            metadata.serialize_entry("annotations", &self.0.annotations)?;
        }
        metadata.end()
    }
}

struct Encoded<'a>(&'a BTreeMap<String, Text>);

impl Serialize for Encoded<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut data = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in self.0 {
            let encoded = Zeroizing::new(STANDARD.encode(value.as_bytes()));
            data.serialize_entry(key, encoded.as_str())?;
        }
        data.end()
    }
}

fn copied(map: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    map.iter()
        .filter(|(key, _)| !key.starts_with(RESERVED))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

fn reserved(word: &str) -> String {
    format!("{RESERVED}{word}")
}

/// What ESO keeps for itself.
const RESERVED: &str = "reconcile.external-secrets.io/";

#[cfg(test)]
mod tests;
