//! Our CRDs beside ESO's schemas, field by field: supersets, and every difference is meant.

#![allow(clippy::unwrap_used, reason = "a test panics, and says what ran")]

use rolecall_controller::schema::{crds, crds_yaml};
use serde_json::{Map, Value};

#[test]
fn every_difference_from_esos_schemas_is_meant() {
    let theirs: Value = serde_json::from_str(include_str!("data/eso-schema.json")).unwrap();
    let mut found = Vec::new();
    for crd in crds() {
        let name = crd["metadata"]["name"].as_str().unwrap().to_owned();
        let Some(theirs) = theirs.get(&name) else { continue };
        assert_eq!(theirs["labels"], crd["metadata"]["labels"], "{name}");
        let short = name.split('.').next().unwrap();
        // What nobody writes any more has the schema of what follows it.
        let served = |spec: &Value| {
            let mut spec = spec.clone();
            let versions = spec["versions"].as_array_mut().unwrap();
            versions.retain(|version| version["served"] == true);
            spec
        };
        compare(&served(&theirs["spec"]), &served(&crd["spec"]), short, &mut found);
    }
    let is_meant = |line: &str| MEANT.iter().any(|(end, _)| line.ends_with(end));
    let wrong: Vec<_> = found.iter().filter(|line| !is_meant(line)).collect();
    assert!(wrong.is_empty(), "not meant:\n{wrong:#?}");
    for (end, why) in MEANT {
        assert!(
            found.iter().any(|line| line.ends_with(end)),
            "no difference any more: {end} ({why})"
        );
    }
}

/// Lines of differences by their ends: `+` is ours alone, `-` theirs alone, `!` another value.
const MEANT: [(&str, &str); 22] = [
    ("/versions/v1/additionalPrinterColumns/Expires", "when the credential ends"),
    ("/sourceRef/minProperties", "a rule says it in the words of ESO's webhook"),
    ("/x-kubernetes-validations", "ESO's webhook, and what could never work, as rules"),
    (
        "/versions/v1/schema/openAPIV3Schema/properties/spec/properties/data/items/properties/sourceRef/properties/generatorRef/properties/kind/enum",
        "STSAssumeRoleToken",
    ),
    (
        "/versions/v1/schema/openAPIV3Schema/properties/spec/properties/dataFrom/items/properties/sourceRef/properties/generatorRef/properties/kind/enum",
        "STSAssumeRoleToken",
    ),
    (
        "/versions/v1alpha1/schema/openAPIV3Schema/properties/spec/properties/kind/enum",
        "STSAssumeRoleToken",
    ),
    (
        "/versions/v1/schema/openAPIV3Schema/properties/spec/properties/dataFrom/maxItems",
        "what rules cost has to be bounded",
    ),
    ("/templateFrom/maxItems", "what rules cost has to be bounded"),
    ("/templateFrom/items/properties/target/maxLength", "what rules cost has to be bounded"),
    (
        "/versions/v1/schema/openAPIV3Schema/properties/status/properties/conditions/items/properties/type/enum",
        "Refreshing",
    ),
    ("/conditions/items/properties/observedGeneration", "ours"),
    ("/conditions/x-kubernetes-list-map-keys", "a list by type, so that others' conditions stay"),
    ("/conditions/x-kubernetes-list-type", "a list by type, so that others' conditions stay"),
    ("/status/properties/expirationTime", "ours"),
    ("/status/properties/lastError", "ours"),
    ("/status/properties/nextRefreshTime", "ours"),
    ("/status/properties/observedGeneration", "ours"),
    ("/status/properties/planHash", "ours"),
    ("/status/properties/renewalTime", "ours"),
    ("/generator/properties/stsAssumeRoleTokenSpec", "ours"),
    ("/generator/x-kubernetes-preserve-unknown-fields", "generators of ESO's stay as they are"),
    ("/sessionDuration/minimum", "AWS's bounds"),
];

fn compare(theirs: &Value, ours: &Value, path: &str, found: &mut Vec<String>) {
    match (theirs, ours) {
        (Value::Object(theirs), Value::Object(ours)) => objects(theirs, ours, path, found),
        (Value::Array(theirs), Value::Array(ours)) if has_names(theirs) && has_names(ours) => {
            objects(&by_name(theirs), &by_name(ours), path, found);
        }
        (Value::Array(theirs), Value::Array(ours)) => {
            // Orders of enums and required fields mean nothing.
            let sorted = |items: &[Value]| {
                let mut items: Vec<String> = items.iter().map(Value::to_string).collect();
                items.sort();
                items
            };
            if sorted(theirs) != sorted(ours) {
                found.push(format!("! {path}"));
            }
        }
        (theirs, ours) if theirs != ours => found.push(format!("! {path}")),
        _ => {}
    }
}

fn objects(
    theirs: &Map<String, Value>,
    ours: &Map<String, Value>,
    path: &str,
    found: &mut Vec<String>,
) {
    for (key, value) in theirs {
        let path = format!("{path}/{key}");
        match ours.get(key) {
            Some(own) => compare(value, own, &path, found),
            None => found.push(format!("- {path}")),
        }
    }
    for key in ours.keys().filter(|key| !theirs.contains_key(*key)) {
        // Sentences are our own; of generators' status nothing is told.
        let is_status = key == "status" && !path.contains("externalsecrets");
        if key != "description" && !is_status && key != "maximum" {
            found.push(format!("+ {path}/{key}"));
        }
    }
}

fn has_names(items: &[Value]) -> bool {
    !items.is_empty() && items.iter().all(|item| item.get("name").is_some())
}

fn by_name(items: &[Value]) -> Map<String, Value> {
    let named = |item: &Value| (item["name"].as_str().unwrap().to_owned(), item.clone());
    items.iter().map(named).collect()
}

#[test]
fn the_files_are_what_the_types_say() {
    let text = crds_yaml().unwrap();
    for file in ["crds/rolecall.yaml", "helm/rolecall/files/crds.yaml"] {
        let path = format!("{}/../../deploy/{file}", env!("CARGO_MANIFEST_DIR"));
        if generates() {
            std::fs::write(&path, &text).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap();
        assert!(text == committed, "deploy/{file} is not what the types say: run cargo xtask gen");
    }
}

#[expect(clippy::disallowed_methods, reason = "cargo xtask gen says so")]
fn generates() -> bool {
    std::env::var_os("ROLECALL_GEN").is_some()
}

#[test]
fn every_crd_is_kept_when_a_chart_goes() {
    for crd in crds() {
        let annotations = &crd["metadata"]["annotations"];
        assert_eq!(annotations["helm.sh/resource-policy"], "keep");
    }
}
