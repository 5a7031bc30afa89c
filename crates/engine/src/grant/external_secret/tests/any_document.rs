//! Documents of any shape: no panic, and no refusal without a reason.

use proptest::prelude::*;

use super::*;

/// Any value at any place of a document.
fn anything() -> impl Strategy<Value = Value> {
    let words = prop::sample::select(vec![
        "",
        "Owner",
        "Delete",
        "$1x",
        "(",
        "{{ }}",
        "{{ .a | upper }}",
        "${A}",
        "a/b",
        "ClusterGenerator",
        "é\n",
    ]);
    let leaf = prop_oneof![
        Just(json!(null)),
        Just(json!(true)),
        Just(json!(1.5)),
        words.prop_map(Value::from),
    ];
    let keys = prop::sample::select(vec![
        "name",
        "namespace",
        "kind",
        "apiVersion",
        "labels",
        "target",
        "template",
        "manifest",
        "immutable",
        "creationPolicy",
        "deletionPolicy",
        "data",
        "dataFrom",
        "sourceRef",
        "generatorRef",
        "storeRef",
        "extract",
        "rewrite",
        "regexp",
        "source",
        "transform",
        "templateFrom",
        "metadata",
        "annotations",
        "literal",
        "configMap",
        "items",
        "key",
        "other",
    ]);
    leaf.prop_recursive(6, 40, 4, move |inner| {
        let members = prop::collection::vec((keys.clone(), inner.clone()), 0..5);
        prop_oneof![
            prop::collection::vec(inner, 0..3).prop_map(Value::from),
            members.prop_map(|members| {
                members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
            }),
        ]
    })
}

proptest! {
    #[test]
    fn any_document_is_read_or_told(metadata in anything(), spec in anything(), item in anything()) {
        let mut document = document(json!({"dataFrom": [entry(), item]}));
        prop_assert_eq!(told(&document).is_empty(), ExternalSecret::read(&document).is_ok());
        document["metadata"] = metadata;
        document["spec"]["target"] = spec.clone();
        prop_assert_eq!(told(&document).is_empty(), ExternalSecret::read(&document).is_ok());
        document["spec"] = spec.clone();
        prop_assert_eq!(told(&document).is_empty(), ExternalSecret::read(&document).is_ok());
        prop_assert!(ExternalSecret::read(&spec).is_err());
    }
}
