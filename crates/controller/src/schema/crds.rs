//! The definitions as documents.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

use super::{
    AssumeRoleSpec, ClusterGeneratorSpec, ExternalSecretSpec, ExternalSecretStatus,
    RegistryTokenSpec, SessionTokenSpec,
};

/// All of them, in the order of their names.
pub fn crds() -> Vec<Value> {
    vec![
        external_secrets(),
        generator::<ClusterGeneratorSpec>("ClusterGenerator", "Cluster"),
        generator::<RegistryTokenSpec>("ECRAuthorizationToken", "Namespaced"),
        generator::<AssumeRoleSpec>("STSAssumeRoleToken", "Namespaced"),
        generator::<SessionTokenSpec>("STSSessionToken", "Namespaced"),
    ]
}

/// All of them, as documents for `kubectl apply --server-side`.
///
/// # Errors
///
/// When one of them cannot be written, which would be a fault of the program.
pub fn crds_yaml() -> Result<String, serde_saphyr::ser::Error> {
    let mut text = String::new();
    for crd in crds() {
        text.push_str("---\n");
        text.push_str(&serde_saphyr::to_string(&crd)?);
    }
    Ok(text)
}

fn external_secrets() -> Value {
    let schema = object::<ExternalSecretSpec>(Some(schema_of::<ExternalSecretStatus>()));
    let column =
        |name: &str, path: &str, kind: &str| json!({"name": name, "jsonPath": path, "type": kind});
    let ready = |field: &str| format!(".status.conditions[?(@.type==\"Ready\")].{field}");
    let columns = json!([
        column("StoreType", ".spec.secretStoreRef.kind", "string"),
        column("Store", ".spec.secretStoreRef.name", "string"),
        column("Refresh Interval", ".spec.refreshInterval", "string"),
        column("Status", &ready("reason"), "string"),
        column("Ready", &ready("status"), "string"),
        column("Last Sync", ".status.refreshTime", "date"),
        column("Expires", ".status.expirationTime", "string"),
    ]);
    let version = |name: &str, is_served: bool| {
        json!({
            "name": name,
            "served": is_served,
            "storage": is_served,
            "schema": {"openAPIV3Schema": schema},
            "subresources": {"status": {}},
            "additionalPrinterColumns": columns,
        })
    };
    let mut v1 = version("v1", true);
    let fields = [
        ".spec.secretStoreRef.name",
        ".spec.secretStoreRef.kind",
        ".spec.target.name",
        ".spec.refreshInterval",
    ];
    let selectable = fields.map(|path| json!({"jsonPath": path}));
    insert(&mut v1, "selectableFields", json!(selectable));
    // Carried for what was stored under it. Nobody writes it any more, so that nothing is checked.
    let mut v1beta1 = version("v1beta1", false);
    without_rules(&mut v1beta1);
    insert(&mut v1beta1, "deprecated", json!(true));
    let names = Names {
        group: "external-secrets.io",
        kind: "ExternalSecret",
        short: &["es"],
        categories: &["external-secrets"],
        scope: "Namespaced",
    };
    definition(&names, &json!([v1, v1beta1]))
}

fn generator<T: JsonSchema>(kind: &'static str, scope: &'static str) -> Value {
    let version = json!({
        "name": "v1alpha1",
        "served": true,
        "storage": true,
        "schema": {"openAPIV3Schema": object::<T>(None)},
        "subresources": {"status": {}},
    });
    let names = Names {
        group: "generators.external-secrets.io",
        kind,
        short: &[],
        categories: &["external-secrets", "external-secrets-generators"],
        scope,
    };
    definition(&names, &json!([version]))
}

struct Names {
    group: &'static str,
    kind: &'static str,
    short: &'static [&'static str],
    categories: &'static [&'static str],
    scope: &'static str,
}

fn definition(names: &Names, versions: &Value) -> Value {
    let Names { group, kind, short, categories, scope } = names;
    let singular = kind.to_ascii_lowercase();
    let plural = format!("{singular}s");
    let mut words = json!({
        "kind": kind,
        "listKind": format!("{kind}List"),
        "plural": plural,
        "singular": singular,
        "categories": categories,
    });
    if !short.is_empty() {
        insert(&mut words, "shortNames", json!(short));
    }
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": format!("{plural}.{group}"),
            "labels": {"external-secrets.io/component": "controller"},
            // Without it a chart that goes takes every object and every owned Secret with it.
            "annotations": {"helm.sh/resource-policy": "keep"},
        },
        "spec": {"group": group, "names": words, "scope": scope, "versions": versions},
    })
}

/// The schema of a whole object.
fn object<T: JsonSchema>(status: Option<Value>) -> Value {
    let spec = schema_of::<T>();
    let description = spec.get("description").cloned().unwrap_or_default();
    let mut properties = Map::new();
    properties.insert("apiVersion".to_owned(), json!({"type": "string"}));
    properties.insert("kind".to_owned(), json!({"type": "string"}));
    properties.insert("metadata".to_owned(), json!({"type": "object"}));
    properties.insert("spec".to_owned(), spec);
    if let Some(status) = status {
        properties.insert("status".to_owned(), status);
    } else {
        let unused = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        properties.insert("status".to_owned(), unused);
    }
    json!({"type": "object", "description": description, "properties": properties})
}

fn schema_of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::openapi3().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema: Schema = settings.into_generator().into_root_schema_for::<T>();
    schema.remove("title");
    let mut value = schema.to_value();
    tidy(&mut value);
    value
}

/// Marks a field that ESO writes as null.
const MAY_BE_NULL: &str = "x-may-be-null";

/// What is optional may be left out and is null only where it is marked so; Kubernetes knows fewer words than JSON Schema.
fn tidy(value: &mut Value) {
    match value {
        Value::Object(map) => {
            let is_schema = map.contains_key("type") || map.contains_key("properties");
            if let Some(Value::Array(kinds)) = map.get("type") {
                let first = kinds.iter().find(|kind| *kind != "null").cloned();
                map.insert("type".to_owned(), first.unwrap_or_default());
            }
            // An optional struct: the one form that is not null.
            if let Some(Value::Array(forms)) = map.remove("anyOf") {
                let form = forms.into_iter().find(|form| form.get("type").is_some());
                if let Some(Value::Object(form)) = form {
                    for (key, inner) in form {
                        map.entry(key).or_insert(inner);
                    }
                }
            }
            if is_schema {
                map.remove("nullable");
            }
            if map.remove(MAY_BE_NULL).is_some() {
                map.insert("nullable".to_owned(), json!(true));
            }
            for inner in map.values_mut() {
                tidy(inner);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}

fn without_rules(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.remove("x-kubernetes-validations");
            map.values_mut().for_each(without_rules);
        }
        Value::Array(items) => items.iter_mut().for_each(without_rules),
        _ => {}
    }
}

fn insert(object: &mut Value, key: &str, value: Value) {
    if let Some(map) = object.as_object_mut() {
        map.insert(key.to_owned(), value);
    }
}
