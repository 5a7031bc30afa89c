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

/// The Secret that is there: `own` is this ExternalSecret's, `other` is of somebody else.
fn there(more: &Value) -> Existing {
    let mut object = json!({
        "kind": "Secret",
        "metadata": {"managedFields": [{
            "manager": field_manager("reader"),
            "fieldsV1": {"f:data": {"f:own": {}}},
        }]},
        "type": "kubernetes.io/tls",
        "data": {"own": "b2xk", "other": "b2xk"},
    });
    object.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Existing::read(&object).unwrap()
}

#[track_caller]
fn over(target: &Value, existing: &Existing) -> SecretObject {
    let renderer = Renderer::new(asked(target), &Objects::default()).unwrap();
    let parts = [part(&[("new", "value")])];
    renderer.render(parts, Some(existing), Timestamp::UNIX_EPOCH).unwrap().secret
}

fn keys(secret: &SecretObject) -> Vec<&str> {
    secret.data.keys().map(String::as_str).collect()
}

/// A key that an earlier rendering made and this one does not goes; keys of others stay.
#[test]
fn a_merge_keeps_what_is_not_its_own() {
    let merged = over(&json!({"creationPolicy": "Merge"}), &there(&json!({})));
    assert_eq!(keys(&merged), ["new", "other"]);
    assert_eq!(merged.type_, "kubernetes.io/tls");
    let owned = over(&json!({}), &there(&json!({})));
    assert_eq!(keys(&owned), ["new"]);
}

#[test]
fn what_is_immutable_stays() {
    let target = json!({"immutable": true, "template": {"type": "Opaque", "data": {"a": "b"}}});
    let secret = over(&target, &there(&json!({"immutable": true})));
    assert_eq!(keys(&secret), ["other", "own"]);
    assert_eq!(secret.type_, "kubernetes.io/tls");
}

fn decoded(strategy: &str, value: &str) -> Option<Vec<u8>> {
    let literal = format!("a: {value:?}");
    let target = json!({"template": {"templateFrom": [
        {"literal": literal, "valuesDecodingStrategy": strategy},
    ]}});
    let renderer = Renderer::new(asked(&target), &Objects::default()).unwrap();
    let rendered = renderer.render([], None, Timestamp::UNIX_EPOCH).ok()?;
    rendered.secret.data.get("a").map(|value| value.to_vec())
}

/// Go's decoders pass over line breaks, and take no other space.
#[test]
fn values_are_decoded_as_go_decodes_them() {
    let all = [("aGk/", "aGk_"), ("aGVs\r\nbG8=\n", "aGVs\nbG8=")];
    for ((standard, url), bytes) in all.into_iter().zip([b"hi?".as_slice(), b"hello"]) {
        assert_eq!(decoded("Base64", standard).unwrap(), bytes);
        assert_eq!(decoded("Base64URL", url).unwrap(), bytes);
        assert_eq!(decoded("Auto", standard).unwrap(), bytes);
        assert_eq!(decoded("Auto", url).unwrap(), bytes);
    }
    assert_eq!(decoded("Auto", "no base64").unwrap(), b"no base64");
    for wrong in ["aGk_", "aGVs bG8=", "aGVsbG8", "a"] {
        assert_eq!(decoded("Base64", wrong), None, "{wrong}");
    }
}

#[test]
fn a_debug_form_shows_no_value() {
    let secret = rendered(&asked(&json!({})), [part(&[("key", "canary")])]);
    let debug = format!("{secret:?}");
    assert!(debug.contains("key") && !debug.contains("canary"), "{debug}");
}
