//! An ExternalSecret as the API server has it: whose it is, and what it asks for.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::api::DynamicObject;
use kube::core::{ApiResource, GroupVersionKind};
use rolecall_engine::grant::{ExternalSecret, GeneratorKind, Grant};
use rolecall_engine::render::synced_resource_version;
use rolecall_engine::template::go_duration;
use rolecall_engine::violation::Violations;
use serde_json::{Value, json};

use crate::seen::{DEFAULT_INTERVAL, ObjectFacts, Ready, RefreshPolicy, Spec, Wanted};
use crate::window::Windows;

/// The namespace and name of an object.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Key {
    /// Its namespace; empty for one that has none.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Key {
    /// The key of these.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.to_owned(), name: name.to_owned() }
    }

    /// The key of an object.
    pub fn of(metadata: &kube::api::ObjectMeta) -> Self {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        Self { namespace: text(&metadata.namespace), name: text(&metadata.name) }
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// The kind ExternalSecret.
pub fn external_secrets() -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk("external-secrets.io", "v1", "ExternalSecret"))
}

/// The kind of a generator.
pub fn generators(kind: GeneratorKind) -> ApiResource {
    let group = "generators.external-secrets.io";
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1alpha1", kind.as_str()))
}

/// The object as one document.
pub fn document(object: &DynamicObject) -> Value {
    let mut document = object.data.clone();
    if let Some(map) = document.as_object_mut() {
        let metadata = serde_json::to_value(&object.metadata).unwrap_or_default();
        map.insert("metadata".to_owned(), metadata);
        if let Some(types) = &object.types {
            map.insert("apiVersion".to_owned(), json!(types.api_version));
            map.insert("kind".to_owned(), json!(types.kind));
        }
    }
    document
}

/// Facts of the metadata.
pub fn facts(object: &DynamicObject) -> ObjectFacts {
    let metadata = &object.metadata;
    let (labels, annotations) = (
        metadata.labels.clone().unwrap_or_default(),
        metadata.annotations.clone().unwrap_or_default(),
    );
    let generation = metadata.generation.unwrap_or_default();
    let force_sync: Vec<&str> =
        FORCE_SYNC.iter().filter_map(|name| annotations.get(*name).map(String::as_str)).collect();
    let force_sync = (!force_sync.is_empty()).then(|| force_sync.join(" "));
    ObjectFacts {
        uid: metadata.uid.clone().unwrap_or_default(),
        generation,
        version: synced_resource_version(generation, &labels, &annotations),
        force_sync,
        is_deleting: metadata.deletion_timestamp.is_some(),
        has_finalizer: metadata.finalizers.iter().flatten().any(|it| it == FINALIZER),
        is_fought_for: false,
    }
}

/// Whose an object is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scope {
    /// Every entry is a generator of ours.
    Ours,
    /// Some entries are, and some are not.
    Mixed,
    /// Nothing of it is ours.
    Foreign,
}

/// Looks at the sources alone; `wrapped` tells the kind that a `ClusterGenerator` wraps, where it is
/// there.
pub fn scope_of(object: &DynamicObject, wrapped: impl Fn(&str) -> Option<String>) -> Scope {
    let spec = object.data.get("spec");
    let list = |field: &str| {
        let items = spec.and_then(|spec| spec.get(field)).and_then(Value::as_array);
        items.cloned().unwrap_or_default()
    };
    let (data, entries) = (list("data"), list("dataFrom"));
    let has_manifest = spec.and_then(|spec| spec.pointer("/target/manifest")).is_some();
    let is_ours = |entry: &Value| {
        let reference = entry.pointer("/sourceRef/generatorRef");
        let text = |field| reference.and_then(|it| it.get(field)).and_then(Value::as_str);
        let is_plain = entry.get("extract").is_none()
            && entry.get("find").is_none()
            && entry.pointer("/sourceRef/storeRef").is_none();
        let is_known = match text("kind") {
            // One that is not there yet may be ours.
            Some("ClusterGenerator") => {
                wrapped(text("name").unwrap_or_default()).is_none_or(|kind| Grant::is_kind(&kind))
            }
            Some(kind) => Grant::is_kind(kind),
            None => false,
        };
        is_plain && is_known
    };
    let ours = entries.iter().filter(|entry| is_ours(entry)).count();
    // Another kind of target is another controller's, whatever its sources are.
    if ours == 0 || has_manifest {
        Scope::Foreign
    } else if ours == entries.len() && data.is_empty() {
        Scope::Ours
    } else {
        Scope::Mixed
    }
}

/// The store that an object names, by kind and name.
pub fn store_of(object: &DynamicObject) -> Option<(String, String)> {
    let store = object.data.pointer("/spec/secretStoreRef")?;
    let name = store.get("name")?.as_str().filter(|name| !name.is_empty())?;
    let kind = store.get("kind").and_then(Value::as_str).unwrap_or("SecretStore");
    Some((kind.to_owned(), name.to_owned()))
}

/// Each `ClusterGenerator` that an object names.
pub fn cluster_generators(object: &DynamicObject) -> Vec<String> {
    let entries = object.data.pointer("/spec/dataFrom").and_then(Value::as_array);
    let references =
        entries.into_iter().flatten().filter_map(|it| it.pointer("/sourceRef/generatorRef"));
    let cluster = references.filter(|it| it.get("kind").is_some_and(|it| it == "ClusterGenerator"));
    cluster.filter_map(|it| it.get("name")?.as_str().map(str::to_owned)).collect()
}

/// Whether the status is one that only we write.
pub fn was_ours(object: &DynamicObject) -> bool {
    object.data.pointer("/status/observedGeneration").is_some()
}

/// Reads an object that is ours.
pub fn read(document: &Value) -> (Wanted, Option<ExternalSecret>) {
    let mut violations = Violations::new();
    let refresh = read_refresh(document, &mut violations);
    match ExternalSecret::read(document) {
        Ok(asked) if violations.is_empty() => {
            let spec = Spec {
                refresh: refresh.policy,
                interval: refresh.interval,
                windows: refresh.windows,
                creation: asked.target.creation_policy,
                deletion: asked.target.deletion_policy,
                is_immutable: asked.target.immutable,
                has_both_auths: false,
            };
            (Wanted::Secret(spec), Some(asked))
        }
        Ok(_) => (invalid(&violations), None),
        Err(found) => {
            violations.extend(found);
            (invalid(&violations), None)
        }
    }
}

/// Every fault in one sentence; those of a template alone are told as ESO tells them.
fn invalid(violations: &Violations) -> Wanted {
    let lines: Vec<String> = violations.iter().map(ToString::to_string).collect();
    let is_template = violations.iter().all(|it| it.path.starts_with("spec.target.template"));
    let ready = if is_template { Ready::NotWritten } else { Ready::NoData };
    Wanted::Invalid { message: lines.join("; "), ready }
}

struct Refresh {
    policy: RefreshPolicy,
    interval: SignedDuration,
    windows: Option<Windows>,
}

fn read_refresh(document: &Value, violations: &mut Violations) -> Refresh {
    let spec = document.get("spec");
    let text = |field: &str| spec.and_then(|spec| spec.get(field)).and_then(Value::as_str);
    let policy = match text("refreshPolicy") {
        Some("CreatedOnce") => RefreshPolicy::CreatedOnce,
        Some("OnChange") => RefreshPolicy::OnChange,
        None | Some("" | "Periodic") => RefreshPolicy::Periodic,
        Some(_) => {
            violations.push("spec.refreshPolicy", "must be CreatedOnce, Periodic or OnChange");
            RefreshPolicy::Periodic
        }
    };
    let interval = match text("refreshInterval") {
        None => Some(DEFAULT_INTERVAL),
        Some(text) => go_duration(text),
    };
    if interval.is_none() {
        let problem =
            "is no Go duration: write hours as h, minutes as m, seconds as s, as in 1h30m";
        violations.push("spec.refreshInterval", problem);
    }
    Refresh {
        policy,
        interval: interval.unwrap_or(DEFAULT_INTERVAL),
        windows: spec.and_then(|spec| spec.get("syncWindows")).map(Windows::read),
    }
}

/// Keeps of the managed fields who else writes the status, and when: the rest is of no use here, and
/// half of the object.
pub fn prune(object: &mut DynamicObject) {
    let entries = object.metadata.managed_fields.take().unwrap_or_default().into_iter();
    let others = entries.filter(|entry| {
        let manager = entry.manager.as_deref().unwrap_or_default();
        let is_person = manager.starts_with("kubectl");
        entry.subresource.as_deref() == Some("status") && manager != STATUS_MANAGER && !is_person
    });
    let others: Vec<_> =
        others.map(|entry| ManagedFieldsEntry { fields_v1: None, ..entry }).collect();
    object.metadata.managed_fields = (!others.is_empty()).then_some(others);
}

/// Whether somebody else, and no person, wrote the status after this.
pub fn is_status_of_another(object: &DynamicObject, since: Timestamp) -> bool {
    let others = object.metadata.managed_fields.iter().flatten();
    others.into_iter().any(|it| it.time.as_ref().is_some_and(|time| time.0 > since))
}

/// The `resourceVersion` of an object as a number, which grows
/// (<https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions>).
pub fn version_of(object: &DynamicObject) -> Option<u64> {
    object.metadata.resource_version.as_ref()?.parse().ok()
}

/// What a status says of the last sync: what makes an object due, where somebody else edits it.
pub fn sync_of(status: Option<&Value>) -> [Option<&str>; 2] {
    let text = |field: &str| status.and_then(|status| status.get(field)).and_then(Value::as_str);
    [text("refreshTime"), text("syncedResourceVersion")]
}

/// Who writes the status.
pub const STATUS_MANAGER: &str = "rolecall/status";
/// Who writes what is no Secret and no status.
pub const MANAGER: &str = "rolecall-controller";
/// The finalizer, under ESO's name, so that a switch works both ways.
pub const FINALIZER: &str = "externalsecrets.external-secrets.io/externalsecret-cleanup";
const FORCE_SYNC: [&str; 2] = ["external-secrets.io/force-sync", "force-sync"];

#[cfg(test)]
mod tests {
    use super::*;

    fn object(spec: &Value) -> DynamicObject {
        let mut object = DynamicObject::new("a", &external_secrets());
        object.data = json!({"spec": spec});
        object
    }

    #[track_caller]
    fn check(spec: &Value, expected: Scope) {
        let wrapped = |name: &str| match name {
            "ours" => Some("STSAssumeRoleToken".to_owned()),
            "theirs" => Some("Password".to_owned()),
            _ => None,
        };
        assert_eq!(scope_of(&object(spec), wrapped), expected, "{spec}");
    }

    fn entry(kind: &str, name: &str) -> Value {
        json!({"sourceRef": {"generatorRef": {"kind": kind, "name": name}}})
    }

    #[test]
    fn an_object_is_ours_when_every_source_is() {
        let ours = entry("STSAssumeRoleToken", "g");
        check(&json!({"dataFrom": [ours]}), Scope::Ours);
        check(&json!({"dataFrom": [entry("ECRAuthorizationToken", "g"), ours]}), Scope::Ours);
        check(&json!({"dataFrom": [entry("ClusterGenerator", "ours")]}), Scope::Ours);
        check(&json!({"dataFrom": [entry("ClusterGenerator", "not-there")]}), Scope::Ours);
        check(&json!({"dataFrom": [entry("ClusterGenerator", "theirs")]}), Scope::Foreign);
        check(&json!({"dataFrom": [entry("Password", "g")]}), Scope::Foreign);
        check(&json!({"data": [{"secretKey": "k"}]}), Scope::Foreign);
        check(&json!({"dataFrom": [{"extract": {"key": "k"}}]}), Scope::Foreign);
        check(&json!({"dataFrom": [ours, {"extract": {"key": "k"}}]}), Scope::Mixed);
        check(&json!({"dataFrom": [ours], "data": [{"secretKey": "k"}]}), Scope::Mixed);
        check(&json!({"dataFrom": [ours], "target": {"manifest": {"kind": "X"}}}), Scope::Foreign);
        check(&json!({}), Scope::Foreign);
        check(&json!({"dataFrom": "x"}), Scope::Foreign);
    }

    #[test]
    fn an_interval_that_is_no_duration_is_a_fault_of_that_object_alone() {
        let document = json!({"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
            "metadata": {"name": "a"}, "spec": {"refreshInterval": "1d",
            "dataFrom": [entry("STSSessionToken", "g")]}});
        let (Wanted::Invalid { message, ready }, None) = read(&document) else { panic!() };
        assert!(message.starts_with("spec.refreshInterval: is no Go duration"), "{message}");
        assert_eq!(ready, Ready::NoData);
    }
}
