//! Templates as they are written, and every fault of one.

use serde_json::json;

use super::*;

fn read(template: &Value) -> Result<SecretTemplate, Vec<String>> {
    let mut violations = Violations::new();
    let fields = Fields::of(template, "template", &mut violations).unwrap();
    let read = SecretTemplate::read(fields, &mut violations);
    violations
        .into_result(Some(read))
        .map_err(|found| found.iter().map(ToString::to_string).collect())
}

#[track_caller]
fn check(template: &Value, expected: &[&str]) {
    let told = read(template).map_or_else(|told| told, |_| Vec::new());
    assert_eq!(told, expected);
}

#[test]
fn every_field_is_read() {
    let template = read(&json!({
        "engineVersion": "v2",
        "mergePolicy": "Merge",
        "type": "kubernetes.io/dockerconfigjson",
        "metadata": {
            "labels": {"argocd.argoproj.io/secret-type": "repository"},
            "annotations": {"expires": "{{ .expires_at }}"},
            "finalizers": ["example.com/keep"],
        },
        "data": {".dockerconfigjson": "{{ .password }}"},
        "templateFrom": [
            {"configMap": {"name": "cm", "items": [{"key": "a"}, {"key": "b", "templateAs": "KeysAndValues"}]}},
            {"secret": {"name": "s", "items": [{"key": "c", "templateAs": "Values"}]}, "target": "LABELS"},
            {"literal": "a: b", "target": "", "valuesDecodingStrategy": "Base64URL"},
        ],
    }))
    .unwrap();
    assert_eq!(template.merge_policy, MergePolicy::Merge);
    assert_eq!(template.type_.as_deref(), Some("kubernetes.io/dockerconfigjson"));
    assert_eq!((template.labels.len(), template.annotations.len(), template.data.len()), (1, 1, 1));
    assert_eq!(template.finalizers, ["example.com/keep"]);
    let [first, second, third] = template.from.as_slice() else { panic!("{:?}", template.from) };
    let scopes: Vec<_> =
        first.config_map.iter().flat_map(|from| &from.items).map(|item| item.scope).collect();
    assert_eq!(scopes, [TemplateScope::Values, TemplateScope::KeysAndValues]);
    assert_eq!(second.target, TemplateTarget::Labels);
    assert_eq!((third.target, third.decoding), (TemplateTarget::Data, Decoding::Base64Url));
}

/// An empty type is none, as ESO has it; so is an empty template.
#[test]
fn nothing_is_asked_by_an_empty_template() {
    let template = read(&json!({"type": "", "data": null})).unwrap();
    assert_eq!(template.type_, None);
    assert!(template.data.is_empty() && template.from.is_empty());
}

#[test]
fn every_fault_is_told_at_once() {
    check(
        &json!({
            "engineVersion": "v1",
            "mergePolicy": "Both",
            "metadata": {
                "labels": {"a b": "x", "reconcile.external-secrets.io/managed": "false"},
                "annotations": {"-x": "y", "k": "{{ .a "},
                "finalizers": ["a finalizer", "externalsecrets.external-secrets.io/x", 1],
                "name": "x",
            },
            "data": {"a/b": "{{ .x }}", "k": "{{ .x | nosuch }}", "l": "{{ pkcs12key .x }}", "m": "{{ .a-b }}", "n": 1},
            "templateFrom": [
                {},
                {"target": "spec.x", "literal": "{{ if }}"},
                {"configMap": {"name": "A", "items": [{"key": "b c", "templateAs": "Both"}, {}]}},
                {"secret": {"name": "s"}, "valuesDecodingStrategy": "base64"},
            ],
            "stringData": {},
            "labels": {},
        }),
        &[
            "template.engineVersion: must be v2",
            "template.mergePolicy: must be one of Replace, Merge, is 'Both'",
            "template.metadata.labels.a b: is no name that Kubernetes takes for a label or annotation",
            "template.metadata.labels.reconcile.external-secrets.io/managed: is kept for the controller: no template may set it",
            "template.metadata.annotations.-x: is no name that Kubernetes takes for a label or annotation",
            "template.metadata.annotations.k: unable to parse template at key k: 1:6: unclosed action",
            "template.metadata.finalizers[2]: must be a string, is a number; put it in quotes",
            "template.metadata.finalizers[0]: is no name of a finalizer",
            "template.metadata.finalizers[1]: is kept for the controller: no template may set it",
            "template.metadata.name: is not a field of this object",
            "template.data.n: must be a string, is a number; put it in quotes",
            "template.data.a/b: must be 1 to 253 letters A-Z a-z, digits, -, _ or .",
            "template.data.k: unable to parse template at key k: 1:8: function \"nosuch\" not defined",
            "template.data.l: unable to parse template at key l: 1:3: unsupported template function pkcs12key",
            "template.data.m: unable to parse template at key m: 1:3: bad character",
            "template.templateFrom[0]: must have one of configMap, secret and literal",
            "template.templateFrom[1].literal: unable to parse template at key literal: 1:6: missing value",
            "template.templateFrom[1].target: templateFrom target=\"spec.x\" is not allowed when targeting a Secret, must be one of \"Data\", \"Annotations\" or \"Labels\"",
            "template.templateFrom[2].configMap.name: must be 1 to 253 lower-case letters, digits, - or .",
            "template.templateFrom[2].configMap.items[0].key: must be 1 to 253 letters A-Z a-z, digits, -, _ or .",
            "template.templateFrom[2].configMap.items[0].templateAs: must be one of Values, KeysAndValues, is 'Both'",
            "template.templateFrom[2].configMap.items[1].key: is missing",
            "template.templateFrom[3].secret.items: is missing",
            "template.templateFrom[3].valuesDecodingStrategy: must be one of Auto, Base64, Base64URL, None, is 'base64'",
            "template.labels: is not a field of this object",
            "template.stringData: is not a field of this object",
        ],
    );
}

/// The boundary of 2.3: such a Secret would be a token for the cluster's API.
#[test]
fn no_template_makes_a_token_for_the_cluster() {
    check(
        &json!({"type": "bootstrap.kubernetes.io/token"}),
        &["template: template.type=\"bootstrap.kubernetes.io/token\" is not allowed"],
    );
    let account = "kubernetes.io/service-account-token";
    check(
        &json!({"type": account, "metadata": {"annotations": {"kubernetes.io/service-account.name": "x"}}}),
        &[
            "template: template.type=\"kubernetes.io/service-account-token\" with annotation \"kubernetes.io/service-account.name\" is not allowed",
        ],
    );
    check(
        &json!({"type": account, "templateFrom": [{"target": "annotations", "literal": "a: b"}]}),
        &[
            "template: template.type=\"kubernetes.io/service-account-token\" with templateFrom target=\"Annotations\" is not allowed",
        ],
    );
    check(&json!({"type": account}), &[]);
}
