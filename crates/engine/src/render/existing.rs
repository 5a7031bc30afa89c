//! The Secret that is there already, in what counts for the one that is written over it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::Data;
use crate::fields::Fields;
use crate::violation::Violations;

/// A Secret that is there already.
#[derive(Default)]
pub struct Existing {
    /// `metadata.namespace` and `metadata.name`, as far as they are written.
    pub name: (Option<String>, Option<String>),
    /// `type`.
    pub type_: String,
    /// `immutable`.
    pub immutable: bool,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// `metadata.annotations`.
    pub annotations: BTreeMap<String, String>,
    /// `metadata.finalizers`.
    pub finalizers: Vec<String>,
    /// Its values, decoded.
    pub data: BTreeMap<String, Data>,
    /// The keys that each field manager owns.
    data_of: BTreeMap<String, BTreeSet<String>>,
    /// The labels that each field manager owns.
    labels_of: BTreeMap<String, BTreeSet<String>>,
    /// The annotations that each field manager owns.
    annotations_of: BTreeMap<String, BTreeSet<String>>,
}

impl Existing {
    /// Reads a Secret as the API server gives it; what is not listed above is passed over.
    ///
    /// # Errors
    ///
    /// Every violation; none shows a value.
    pub fn read(document: &Value) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let mut read = Self { type_: "Opaque".to_owned(), ..Self::default() };
        if let Some(mut top) = Fields::of(document, "", &mut violations) {
            if top.text("kind", &mut violations) != Some("Secret") {
                violations.push("kind", "must be Secret");
            }
            if let Some(type_) = top.text("type", &mut violations) {
                type_.clone_into(&mut read.type_);
            }
            read.immutable = top.boolean("immutable", &mut violations).unwrap_or_default();
            if let Some(data) = top.object("data", &mut violations) {
                read.add_data(data, &mut violations);
            }
            if let Some(data) = top.object("stringData", &mut violations) {
                for (key, value) in data.texts_by_key(&mut violations) {
                    read.data.insert(key.to_owned(), Data::new(value.as_bytes().to_vec()));
                }
            }
            if let Some(metadata) = top.object("metadata", &mut violations) {
                read.add_metadata(metadata, &mut violations);
            }
        }
        violations.into_result(Some(read))
    }

    fn add_data(&mut self, data: Fields<'_>, violations: &mut Violations) {
        let path = data.path().to_owned();
        for (key, value) in data.texts_by_key(violations) {
            let compact = Data::new(value.bytes().filter(|b| !b.is_ascii_whitespace()).collect());
            match STANDARD.decode(&*compact) {
                Ok(bytes) => drop(self.data.insert(key.to_owned(), Data::new(bytes))),
                Err(_) => violations.push(format!("{path}.{key}"), "is not base64"),
            }
        }
    }

    fn add_metadata(&mut self, mut metadata: Fields<'_>, violations: &mut Violations) {
        let owned = |pairs: Vec<(&str, &str)>| {
            pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
        };
        let namespace = metadata.text("namespace", violations).map(str::to_owned);
        self.name = (namespace, metadata.text("name", violations).map(str::to_owned));
        if let Some(labels) = metadata.object("labels", violations) {
            self.labels = owned(labels.texts_by_key(violations));
        }
        if let Some(annotations) = metadata.object("annotations", violations) {
            self.annotations = owned(annotations.texts_by_key(violations));
        }
        let finalizers = metadata.texts("finalizers", violations).unwrap_or_default();
        self.finalizers = finalizers.into_iter().map(|(_, text)| text.to_owned()).collect();
        let managed = metadata.value("managedFields").and_then(Value::as_array);
        for entry in managed.into_iter().flatten() {
            let Some(manager) = entry.get("manager").and_then(Value::as_str) else { continue };
            for (field, of) in [
                ("data", &mut self.data_of),
                ("metadata/f:labels", &mut self.labels_of),
                ("metadata/f:annotations", &mut self.annotations_of),
            ] {
                let fields = entry.pointer(&format!("/fieldsV1/f:{field}"));
                let keys = fields.and_then(Value::as_object).into_iter().flat_map(|map| map.keys());
                let names = keys.filter_map(|key| key.strip_prefix("f:")).map(str::to_owned);
                of.entry(manager.to_owned()).or_default().extend(names);
            }
        }
    }

    /// The values that are not this manager's.
    pub fn foreign_data(&self, manager: &str) -> BTreeMap<String, Data> {
        foreign(&self.data, self.data_of.get(manager))
    }

    /// The labels that are not this manager's.
    pub fn foreign_labels(&self, manager: &str) -> BTreeMap<String, String> {
        foreign(&self.labels, self.labels_of.get(manager))
    }

    /// The annotations that are not this manager's.
    pub fn foreign_annotations(&self, manager: &str) -> BTreeMap<String, String> {
        foreign(&self.annotations, self.annotations_of.get(manager))
    }
}

fn foreign<V: Clone>(
    all: &BTreeMap<String, V>,
    ours: Option<&BTreeSet<String>>,
) -> BTreeMap<String, V> {
    all.iter()
        .filter(|(key, _)| !ours.is_some_and(|ours| ours.contains(*key)))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// Shows no value.
impl fmt::Debug for Existing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<_> = self.data.keys().collect();
        f.debug_struct("Existing")
            .field("type_", &self.type_)
            .field("keys", &keys)
            .finish_non_exhaustive()
    }
}
