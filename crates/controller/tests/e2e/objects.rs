//! Objects of any kind, as documents.

use std::time::Duration;

use kube::Client;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};

/// The kind of a document.
pub(crate) fn kind_of(api_version: &str, kind: &str) -> ApiResource {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind))
}

/// A kind by its name alone.
pub(crate) fn kind_named(kind: &str) -> ApiResource {
    let api_version = match kind {
        "ExternalSecret" | "SecretStore" | "ClusterSecretStore" => "external-secrets.io/v1",
        "Secret" | "ConfigMap" | "ServiceAccount" | "Namespace" => "v1",
        "Event" => "events.k8s.io/v1",
        "Lease" => "coordination.k8s.io/v1",
        _ => "generators.external-secrets.io/v1alpha1",
    };
    kind_of(api_version, kind)
}

/// The API of a kind; without a namespace for what has none.
pub(crate) fn api(client: &Client, kind: &ApiResource, namespace: &str) -> Api<DynamicObject> {
    let is_cluster_wide =
        matches!(kind.kind.as_str(), "ClusterGenerator" | "Namespace" | "ClusterSecretStore");
    if is_cluster_wide {
        Api::all_with(client.clone(), kind)
    } else {
        Api::namespaced_with(client.clone(), namespace, kind)
    }
}

/// Applies a document as somebody called `user`.
pub(crate) async fn apply(client: &Client, document: &Value) -> Result<DynamicObject, String> {
    let (api, name) = api_of(client, document);
    let parameters = PatchParams::apply("user").force();
    api.patch(&name, &parameters, &Patch::Apply(document)).await.map_err(|it| it.to_string())
}

/// Creates a document.
pub(crate) async fn create(client: &Client, document: &Value) -> Result<DynamicObject, String> {
    let (api, _) = api_of(client, document);
    let object: DynamicObject = serde_json::from_value(document.clone()).unwrap();
    api.create(&PostParams::default(), &object).await.map_err(|it| it.to_string())
}

fn api_of(client: &Client, document: &Value) -> (Api<DynamicObject>, String) {
    let text = |path: &str| document.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let kind = kind_of(text("/apiVersion"), text("/kind"));
    (api(client, &kind, text("/metadata/namespace")), text("/metadata/name").to_owned())
}

/// Patches an object, by JSON patch where `with` is a list.
pub(crate) async fn patch(
    client: &Client,
    [kind, namespace, name]: [&str; 3],
    with: &Value,
    subresource: Option<&str>,
) -> Result<(), String> {
    let api = api(client, &kind_named(kind), namespace);
    let parameters = PatchParams { field_manager: Some("user".to_owned()), ..Default::default() };
    let merge;
    let patch = match with {
        Value::Array(operations) => {
            // As a merge patch: what tests remove and add by JSON patch are single fields.
            merge = merge_of(&api, name, operations).await;
            &merge
        }
        with => with,
    };
    let patch = Patch::Merge(patch);
    let patched = match subresource {
        Some(subresource) => api.patch_subresource(subresource, name, &parameters, &patch).await,
        None => api.patch(name, &parameters, &patch).await,
    };
    patched.map(drop).map_err(|it| it.to_string())
}

async fn merge_of(api: &Api<DynamicObject>, name: &str, operations: &[Value]) -> Value {
    let mut object = serde_json::to_value(api.get(name).await.unwrap()).unwrap();
    let before = object.clone();
    for operation in operations {
        let path = operation["path"].as_str().unwrap();
        let (parent, key) = path.rsplit_once('/').unwrap();
        let key = key.replace("~1", "/").replace("~0", "~");
        let parent = object.pointer_mut(parent).unwrap();
        match (operation["op"].as_str().unwrap(), parent) {
            ("remove", Value::Object(map)) => drop(map.remove(&key)),
            ("remove", Value::Array(items)) => drop(items.remove(key.parse().unwrap())),
            (_, Value::Object(map)) => drop(map.insert(key, operation["value"].clone())),
            (_, Value::Array(items)) => items.push(operation["value"].clone()),
            (op, _) => panic!("{op} {path}"),
        }
    }
    difference(&before, &object)
}

fn difference(before: &Value, after: &Value) -> Value {
    let (Value::Object(before), Value::Object(after)) = (before, after) else {
        return after.clone();
    };
    let mut patch = serde_json::Map::new();
    for (key, value) in after {
        match before.get(key) {
            Some(same) if same == value => {}
            Some(other) => drop(patch.insert(key.clone(), difference(other, value))),
            None => drop(patch.insert(key.clone(), value.clone())),
        }
    }
    for key in before.keys().filter(|key| !after.contains_key(*key)) {
        patch.insert(key.clone(), Value::Null);
    }
    Value::Object(patch)
}

/// Deletes an object, and waits until it is gone where that is wanted.
pub(crate) async fn delete(client: &Client, [kind, namespace, name]: [&str; 3], seconds: u64) {
    let api = api(client, &kind_named(kind), namespace);
    drop(api.delete(name, &DeleteParams::default()).await);
    for _ in 0..seconds * 10 {
        if api.get_opt(name).await.unwrap().is_none() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Every object of a kind in a namespace.
pub(crate) async fn list(client: &Client, kind: &str, namespace: &str) -> Vec<DynamicObject> {
    let api = api(client, &kind_named(kind), namespace);
    api.list(&ListParams::default()).await.unwrap().items
}

/// A namespace in which the controller may create tokens of every service account.
pub(crate) async fn make_namespace(client: &Client, name: &str) {
    let documents = [
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
            "metadata": {"name": "rolecall-tokens", "namespace": name},
            "rules": [{"apiGroups": [""], "resources": ["serviceaccounts/token"], "verbs": ["create"]}]}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": "rolecall-tokens", "namespace": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "rolecall-tokens"},
            "subjects": [{"kind": "ServiceAccount", "name": "rolecall-controller", "namespace": "rolecall"}]}),
    ];
    for document in documents {
        apply(client, &document).await.unwrap();
    }
    // Where no ClusterRole reaches it: the chart's Role of a scoped namespace.
    let Some(role) = std::env::var_os("ROLECALL_E2E_ROLE") else { return };
    let text = std::fs::read_to_string(role).unwrap().replace("scoped-namespace", name);
    for document in serde_saphyr::from_multiple::<Value>(&text).unwrap() {
        apply(client, &document).await.unwrap();
    }
}

/// Whether a test needs what only a `ClusterRole` allows; it says so where there is none.
pub(crate) fn is_out_of_reach(what: &str) -> bool {
    let is_scoped = has_roles_only();
    if is_scoped {
        println!("left out: {what}: Roles reach nothing of the cluster");
    }
    is_scoped
}

/// Whether the controller has a Role in each namespace and no more.
pub(crate) fn has_roles_only() -> bool {
    std::env::var_os("ROLECALL_E2E_ROLE").is_some()
}

/// Waits until a condition holds; says whether it did.
pub(crate) async fn eventually<F: Future<Output = bool>>(
    seconds: f64,
    mut holds: impl FnMut() -> F,
) -> bool {
    let deadline = tokio::time::Instant::now() + Duration::from_secs_f64(seconds);
    loop {
        if holds().await {
            return true;
        }
        if tokio::time::Instant::now() > deadline {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The condition `Ready` of an ExternalSecret.
pub(crate) fn ready(object: &DynamicObject) -> Option<Value> {
    let conditions = object.data.pointer("/status/conditions")?.as_array()?;
    conditions.iter().find(|it| it["type"] == "Ready").cloned()
}

/// Applies a document that has no namespace.
pub(crate) async fn apply_cluster_wide(client: &Client, document: &Value) {
    let text = |path: &str| document.pointer(path).and_then(Value::as_str).unwrap();
    let kind = kind_of(text("/apiVersion"), text("/kind"));
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &kind);
    let parameters = PatchParams::apply("user").force();
    api.patch(text("/metadata/name"), &parameters, &Patch::Apply(document)).await.unwrap();
}

/// ESO's kind of store, in what the tests need of it.
pub(crate) async fn store_crd(client: &Client) {
    let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let crd = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "secretstores.external-secrets.io"},
        "spec": {"group": "external-secrets.io", "scope": "Namespaced",
            "names": {"kind": "SecretStore", "plural": "secretstores", "singular": "secretstore"},
            "versions": [{"name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": schema}}]}});
    apply_cluster_wide(client, &crd).await;
    // A server answers 404 for a kind that it does not know, too.
    let is_served = || async {
        let known = client.list_api_group_resources("external-secrets.io/v1").await;
        known.is_ok_and(|known| known.resources.iter().any(|it| it.name == "secretstores"))
    };
    assert!(eventually(20.0, is_served).await);
}
