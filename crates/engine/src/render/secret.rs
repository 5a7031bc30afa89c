//! The Kubernetes Secret that an ExternalSecret asks for, as an object that `kubectl` applies.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::ser::{Serialize, SerializeMap, SerializeStruct, Serializer};
use zeroize::Zeroizing;

use super::Data;
use crate::grant::RESERVED;

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
    /// `metadata.finalizers`.
    pub finalizers: Vec<String>,
    /// The values, not encoded.
    pub data: BTreeMap<String, Data>,
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
        if !self.0.finalizers.is_empty() {
            metadata.serialize_entry("finalizers", &self.0.finalizers)?;
        }
        metadata.end()
    }
}

struct Encoded<'a>(&'a BTreeMap<String, Data>);

impl Serialize for Encoded<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut data = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in self.0 {
            let encoded = Zeroizing::new(STANDARD.encode(value.as_slice()));
            data.serialize_entry(key, encoded.as_str())?;
        }
        data.end()
    }
}

/// A name of the controller's own.
pub(super) fn reserved(word: &str) -> String {
    format!("{RESERVED}{word}")
}
