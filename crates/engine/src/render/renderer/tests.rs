//! The object that is written.

use serde_json::{Value, json};

use super::*;

fn asked(target: &Value) -> ExternalSecret {
    let reference = json!({"generatorRef": {"kind": "STSAssumeRoleToken", "name": "reader"}});
    ExternalSecret::read(&json!({
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": {
            "name": "reader",
            "namespace": "team-a",
            "labels": {"team": "blue", "reconcile.external-secrets.io/created-by": "somebody"},
            "annotations": {"note": "n", "reconcile.external-secrets.io/data-hash": "old"},
        },
        "spec": {"target": target, "dataFrom": [{"sourceRef": reference}, {"sourceRef": reference}]},
    }))
    .unwrap()
}

fn part(pairs: &[(&str, &str)]) -> BTreeMap<String, Text> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), Text::new((*value).to_owned()))).collect()
}

fn rendered<const N: usize>(
    asked: &ExternalSecret,
    parts: [BTreeMap<String, Text>; N],
) -> SecretObject {
    let renderer = Renderer::new(asked.clone(), &Objects::default()).unwrap();
    renderer.render(parts, None, Timestamp::UNIX_EPOCH).unwrap().secret
}

fn written(target: &Value) -> Value {
    let parts = [part(&[("foo", "old"), ("bar", "value2")]), part(&[("foo", "value1")])];
    serde_json::to_value(rendered(&asked(target), parts)).unwrap()
}

/// The hash is a vector of ESO's; later entries win (`df-equal-keys`); metadata as `tp-none-copies`.
#[test]
fn a_secret_is_what_eso_writes() {
    assert_eq!(
        written(&json!({"name": "out", "immutable": true})),
        json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": "out",
                "namespace": "team-a",
                "labels": {
                    "reconcile.external-secrets.io/created-by": "aac7b7a51987757b80a6b0eb2698558ec98f1f549aafcd60b7616f4b",
                    "reconcile.external-secrets.io/managed": "true",
                    "team": "blue",
                },
                "annotations": {
                    "note": "n",
                    "reconcile.external-secrets.io/data-hash": "1bed8bcbcb4547ffe19a19cd47d9078e84aa6598266d86b99f992d64",
                },
            },
            "type": "Opaque",
            "immutable": true,
            "data": {"bar": "dmFsdWUy", "foo": "dmFsdWUx"},
        })
    );
}

#[track_caller]
fn check(policy: &str, is_owned: bool, is_hashed: bool) {
    let object = written(&json!({"creationPolicy": policy}));
    let metadata = &object["metadata"];
    assert_eq!(metadata["labels"]["reconcile.external-secrets.io/managed"], "true");
    let created_by = &metadata["labels"]["reconcile.external-secrets.io/created-by"];
    assert_eq!(created_by.is_string(), is_owned, "{policy}");
    let data_hash = &metadata["annotations"]["reconcile.external-secrets.io/data-hash"];
    assert_eq!(data_hash.is_string(), is_hashed, "{policy}");
    assert!(object.get("immutable").is_none());
}

/// Under Merge the hash covers keys of others too, and those are the cluster's to know.
#[test]
fn a_policy_decides_what_is_marked() {
    check("Owner", true, true);
    check("Orphan", false, true);
    check("None", false, true);
    check("Merge", false, false);
    check("CreateOrMerge", false, false);
}

/// `kubectl diff` and people read it: the order of fields is that of Kubernetes, keys are sorted.
#[test]
fn fields_stand_in_their_usual_order() {
    let secret = rendered(&asked(&json!({})), [part(&[("b", "1"), ("B", "2"), ("a", "3")])]);
    let text = serde_json::to_string(&secret).unwrap();
    let positions: Vec<_> = [
        "apiVersion",
        "kind",
        "metadata",
        "name",
        "namespace",
        "labels",
        "annotations",
        "type",
        "data",
        "B",
        "a",
        "b",
    ]
    .iter()
    .map(|word| text.find(&format!("\"{word}\":")).unwrap())
    .collect();
    assert!(positions.is_sorted(), "{text}");
}

#[test]
fn a_debug_form_shows_no_value() {
    let secret = rendered(&asked(&json!({})), [part(&[("key", "canary")])]);
    let debug = format!("{secret:?}");
    assert!(debug.contains("key") && !debug.contains("canary"), "{debug}");
}
