//! ExternalSecret: which generators' keys become one Kubernetes Secret, and how.
//!
//! Only what generators give is taken. What reads a store is refused by name, and what only a
//! controller needs (when to refresh) is read and not used.

mod target;

use std::collections::BTreeMap;

use serde_json::Value;

pub use target::{CreationPolicy, DeletionPolicy, Target};

use super::{GeneratorRef, Rewrite, placeholder, read_metadata};
use crate::fields::Fields;
use crate::request::SessionName;
use crate::violation::Violations;

/// An ExternalSecret whose data comes from generators alone.
#[derive(Clone, Debug)]
pub struct ExternalSecret {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`, `default` where there is none.
    pub namespace: String,
    /// `metadata.labels`: the Secret gets them too.
    pub labels: BTreeMap<String, String>,
    /// `metadata.annotations`: the Secret gets them too.
    pub annotations: BTreeMap<String, String>,
    /// The Secret that is written.
    pub target: Target,
    /// Where its data comes from, in order; never empty.
    pub entries: Vec<Entry>,
    /// What a person should know though nothing is wrong.
    pub warnings: Vec<String>,
}

/// One item of `dataFrom`.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Whose keys.
    pub generator: GeneratorRef,
    /// How they are renamed, step by step.
    pub rewrites: Vec<Rewrite>,
}

impl ExternalSecret {
    /// The kind of these documents.
    pub const KIND: &'static str = "ExternalSecret";

    /// Reads one document.
    ///
    /// `status` is ignored: people paste what `kubectl get -o yaml` printed.
    ///
    /// # Errors
    ///
    /// Every violation of the document.
    pub fn read(document: &Value) -> Result<Self, Violations> {
        let placeholders = placeholder::find_outside(document, is_template);
        match Self::read_filled(document) {
            Ok(secret) if placeholders.is_empty() => Ok(secret),
            Ok(_) => Err(placeholders),
            Err(found) => Err(placeholders.and_elsewhere(found)),
        }
    }

    /// The name of its sessions where the generator gives none: `namespace.name`.
    pub fn session_name(&self) -> SessionName {
        SessionName::made_from(&format!("{}.{}", self.namespace, self.name))
    }

    fn read_filled(document: &Value) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let Some(mut top) = Fields::of(document, "", &mut violations) else {
            return Err(violations);
        };
        read_type(&mut top, &mut violations);
        let meta = read_metadata(&mut top, &mut violations);
        let labels = read_map(document, "labels", &mut violations);
        let annotations = read_map(document, "annotations", &mut violations);
        top.value("status");
        if !top.has("spec") {
            violations.push("spec", "is missing");
        }
        let mut warnings = Vec::new();
        let name = meta.as_ref().map(|(name, _)| name.as_str()).unwrap_or_default();
        let spec = top
            .object("spec", &mut violations)
            .and_then(|spec| read_spec(spec, name, &mut warnings, &mut violations));
        top.finish(&mut violations, |_| None);
        let parts = meta.zip(spec);
        violations.into_result(parts.map(|((name, namespace), (target, entries))| Self {
            name,
            namespace,
            labels,
            annotations,
            target,
            entries,
            warnings,
        }))
    }
}

/// Templates hold `{{ }}` by right, and a rewrite looks at its own placeholders.
fn is_template(path: &str) -> bool {
    path == "spec.target.template"
        || (path.starts_with("spec.dataFrom[") && path.ends_with("].rewrite"))
}

fn read_type(top: &mut Fields<'_>, violations: &mut Violations) {
    let version = top.required_text("apiVersion", violations);
    if version.is_some_and(|version| !API_VERSIONS.contains(&version)) {
        let [newest, _] = API_VERSIONS;
        violations.push("apiVersion", format_args!("must be {newest} for this kind"));
    }
    let kind = top.required_text("kind", violations);
    if kind.is_some_and(|kind| kind != ExternalSecret::KIND) {
        violations.push("kind", format_args!("must be {}", ExternalSecret::KIND));
    }
}

/// `metadata.labels` or `metadata.annotations`.
fn read_map(
    document: &Value,
    key: &'static str,
    violations: &mut Violations,
) -> BTreeMap<String, String> {
    let mut map = BTreeMap::new();
    let Some(value) = document.get("metadata").and_then(|metadata| metadata.get(key)) else {
        return map;
    };
    if value.is_null() {
        return map;
    }
    let path = format!("metadata.{key}");
    if let Some(fields) = Fields::of(value, path, violations) {
        for (key, text) in fields.texts_by_key(violations) {
            map.insert(key.to_owned(), text.to_owned());
        }
    }
    map
}

fn read_spec(
    mut spec: Fields<'_>,
    name: &str,
    warnings: &mut Vec<String>,
    violations: &mut Violations,
) -> Option<(Target, Vec<Entry>)> {
    // When to refresh and which class of controller: one run asks neither.
    spec.text("refreshPolicy", violations);
    spec.text("refreshInterval", violations);
    spec.object("syncWindows", violations);
    spec.object("secretStoreRef", violations);
    let target = Target::read_in(&mut spec, name, violations);
    let data = spec.list("data", violations).unwrap_or_default();
    for (path, _) in &data {
        violations.push_with_hint(path, READS_A_STORE, TAKEN);
    }
    let is_readable = spec.value("dataFrom").is_none_or(Value::is_array);
    let items = spec.list("dataFrom", violations).unwrap_or_default();
    if data.is_empty() && items.is_empty() && is_readable {
        violations.push_with_hint(
            spec.path(),
            "either data or dataFrom should be specified",
            TAKEN,
        );
    }
    let entries: Vec<_> = items
        .iter()
        .filter_map(|(path, item)| Entry::read(item, path, warnings, violations))
        .collect();
    spec.finish(violations, |_| None);
    Some((target?, entries))
}

impl Entry {
    fn read(
        item: &Value,
        path: &str,
        warnings: &mut Vec<String>,
        violations: &mut Violations,
    ) -> Option<Self> {
        let mut entry = Fields::of(item, path, violations)?;
        let source = entry.value("sourceRef");
        let has_generator =
            source.and_then(|source| source.get("generatorRef")).is_some_and(|v| !v.is_null());
        let stores: Vec<_> =
            ["extract", "find"].into_iter().filter(|word| entry.value(word).is_some()).collect();
        if stores.len() + usize::from(has_generator) > 1 {
            let problem = "extract, find, or generatorRef cannot be set at the same time";
            violations.push(path, problem);
        } else if stores.is_empty() && source.is_none() {
            let problem = "either extract, find, or sourceRef must be set to dataFrom";
            violations.push_with_hint(path, problem, TAKEN);
        }
        for word in &stores {
            violations.push_with_hint(entry.path_of(word), READS_A_STORE, TAKEN);
        }
        let generator = entry
            .object("sourceRef", violations)
            .and_then(|source| read_source(source, stores.is_empty(), violations));
        let steps = entry.list("rewrite", violations).unwrap_or_default();
        let rewrites: Vec<_> = steps
            .iter()
            .filter_map(|(path, step)| Rewrite::read(step, path, warnings, violations))
            .collect();
        entry.finish(violations, |word| match word {
            "generatorRef" => Some("it stands in sourceRef".to_owned()),
            _ => None,
        });
        Some(Self { generator: generator?, rewrites })
    }
}

/// `sourceRef`; a store is told only where `extract` and `find` have not been told already.
fn read_source(
    mut source: Fields<'_>,
    tells_store: bool,
    violations: &mut Violations,
) -> Option<GeneratorRef> {
    let (has_generator, has_store) = (source.has("generatorRef"), source.has("storeRef"));
    if !has_generator && !has_store && !source.has("generator") {
        let problem = "generatorRef or storeRef must be set when using sourceRef in dataFrom";
        violations.push_with_hint(source.path(), problem, TAKEN);
    }
    source.object("storeRef", violations);
    if has_store && (tells_store || has_generator) {
        violations.push_with_hint(source.path_of("storeRef"), READS_A_STORE, TAKEN);
    }
    let reference = source.object("generatorRef", violations);
    let generator = reference.and_then(|reference| GeneratorRef::read(reference, violations));
    source.finish(violations, |word| match word {
        "generator" => Some(
            "a generator is a document of its own: name it by sourceRef.generatorRef: {kind: KIND, name: NAME}"
                .to_owned(),
        ),
        _ => None,
    });
    generator
}

/// Read alike; v1beta1 is what older clusters serve.
const API_VERSIONS: [&str; 2] = ["external-secrets.io/v1", "external-secrets.io/v1beta1"];
const READS_A_STORE: &str = "reads a secret store, and rolecall reads none";
const TAKEN: &str =
    "what is taken is dataFrom: [{sourceRef: {generatorRef: {kind: KIND, name: NAME}}}]";

#[cfg(test)]
mod tests;
