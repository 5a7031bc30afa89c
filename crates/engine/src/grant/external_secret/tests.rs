//! Documents, and what is told about them.

use serde_json::json;

use super::*;
use crate::arn::Dialect;
use crate::grant::{GeneratorKind, Grant};

#[expect(clippy::needless_pass_by_value, reason = "so that a test can write json!(…)")]
fn document(spec: Value) -> Value {
    json!({
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": {"name": "reader", "namespace": "team-a"},
        "spec": spec,
    })
}

/// One entry without a fault.
fn entry() -> Value {
    json!({"sourceRef": {"generatorRef": {"kind": "STSAssumeRoleToken", "name": "reader"}}})
}

fn told(document: &Value) -> Vec<String> {
    let Err(violations) = ExternalSecret::read(document) else { return Vec::new() };
    violations
        .iter()
        .map(|violation| match &violation.hint {
            Some(hint) => format!("{violation} ({hint})"),
            None => violation.to_string(),
        })
        .collect()
}

#[track_caller]
fn check(spec: Value, expected: &[&str]) {
    assert_eq!(told(&document(spec)), expected);
}

/// What is told of one entry, without the path before it and the hint on what is taken.
#[expect(clippy::needless_pass_by_value, reason = "so that a test can write json!(…)")]
#[track_caller]
fn check_entry(entry: Value, expected: &[&str]) {
    let all = told(&document(json!({"dataFrom": [entry]})));
    let short: Vec<_> = all
        .iter()
        .map(|text| text.strip_prefix("spec.dataFrom[0]").unwrap())
        .map(|text| text.strip_suffix(&format!(" ({TAKEN})")).unwrap_or(text))
        .collect();
    assert_eq!(short, expected);
}

#[test]
fn what_a_controller_alone_needs_is_read_and_not_used() {
    let mut document = document(json!({
        "refreshPolicy": "Periodic",
        "refreshInterval": "30m",
        "syncWindows": {"kind": "allow", "windows": [{"schedule": "@daily", "duration": "1h"}]},
        "secretStoreRef": {"kind": "SecretStore", "name": "aws"},
        "data": [],
        "target": {"name": "out", "creationPolicy": "Orphan", "deletionPolicy": "Delete", "immutable": true},
        "dataFrom": [entry(), {
            "sourceRef": {"generatorRef": {"apiVersion": "generators.external-secrets.io/v1alpha1",
                "kind": "ClusterGenerator", "name": "pull"}},
            "rewrite": [{"regexp": {"source": "^", "target": "ecr_"}}],
        }],
    }));
    document["status"] = json!({"anything": 1});
    document["metadata"]["labels"] = json!({"team": "blue"});
    let secret = ExternalSecret::read(&document).unwrap();
    assert_eq!(secret.session_name().as_str(), "team-a.reader");
    let Target { name, creation_policy, deletion_policy, immutable, template } = &secret.target;
    assert_eq!((name.as_str(), *immutable, template.is_none()), ("out", true, true));
    assert_eq!(*creation_policy, CreationPolicy::Orphan);
    assert_eq!(*deletion_policy, DeletionPolicy::Delete);
    let kinds: Vec<_> = secret.entries.iter().map(|entry| entry.generator.kind).collect();
    assert_eq!(kinds, [GeneratorKind::AssumeRole, GeneratorKind::Cluster]);
    assert_eq!(secret.entries[1].rewrites.len(), 1);
    assert_eq!(secret.labels["team"], "blue");
    check(
        json!({"refreshInterval": 0, "syncWindows": [], "secretStoreRef": "aws", "dataFrom": [entry()]}),
        &[
            "spec.refreshInterval: must be a string, is a number; put it in quotes",
            "spec.syncWindows: must be an object, is a list",
            "spec.secretStoreRef: must be an object, is a string",
        ],
    );
}

#[test]
fn a_target_has_the_defaults_of_eso() {
    for target in [json!(null), json!({}), json!({"name": ""})] {
        let document = document(json!({"target": target, "dataFrom": [entry()]}));
        let target = ExternalSecret::read(&document).unwrap().target;
        assert_eq!((target.name.as_str(), target.immutable), ("reader", false));
        assert_eq!(target.creation_policy.as_str(), "Owner");
        assert_eq!(target.deletion_policy.as_str(), "Retain");
    }
}

/// W1-07.
#[test]
fn the_older_version_is_read_alike() {
    let mut document = document(json!({"dataFrom": [entry()]}));
    document["apiVersion"] = json!("external-secrets.io/v1beta1");
    assert_eq!(told(&document), [""; 0]);
    document["apiVersion"] = json!("external-secrets.io/v1alpha1");
    document["kind"] = json!("ClusterExternalSecret");
    document["metadata"]["annotations"] = json!({"replicas": 2});
    assert_eq!(
        told(&document),
        [
            "apiVersion: must be external-secrets.io/v1 for this kind",
            "kind: must be ExternalSecret",
            "metadata.annotations.replicas: must be a string, is a number; put it in quotes",
        ]
    );
}

/// kubernetes.md 2.3: ESO's own sentences.
#[test]
fn entries_are_refused_in_the_words_of_eso() {
    check(json!({}), &[&format!("spec: either data or dataFrom should be specified ({TAKEN})")]);
    check_entry(json!({}), &[": either extract, find, or sourceRef must be set to dataFrom"]);
    check_entry(
        json!({"sourceRef": {}}),
        &[".sourceRef: generatorRef or storeRef must be set when using sourceRef in dataFrom"],
    );
    check_entry(
        json!({"extract": {"key": "k"}, "sourceRef": entry()["sourceRef"]}),
        &[
            ": extract, find, or generatorRef cannot be set at the same time",
            ".extract: reads a secret store, and rolecall reads none",
        ],
    );
    for (version, expected) in [
        ("a/b/c", "generatorRef has invalid APIVersion: unexpected GroupVersion string: a/b/c"),
        (
            "example.com/v1",
            "generatorRef may only reference the generators group, but got example.com",
        ),
        (
            "generators.external-secrets.io/v9",
            "generatorRef references unknown GVK generators.external-secrets.io/v9, Kind=STSSessionToken",
        ),
    ] {
        check_entry(
            json!({"sourceRef": {"generatorRef":
                {"apiVersion": version, "kind": "STSSessionToken", "name": "g"}}}),
            &[&format!(".sourceRef.generatorRef.apiVersion: {expected}")],
        );
    }
}

#[test]
fn what_reads_a_store_is_refused_by_name() {
    check(
        json!({"data": [{"secretKey": "k", "remoteRef": {"key": "k"}}], "dataFrom": [entry()]}),
        &[&format!("spec.data[0]: reads a secret store, and rolecall reads none ({TAKEN})")],
    );
    let store = json!({"storeRef": {"name": "aws"}});
    for word in ["extract", "find"] {
        check_entry(
            json!({word: {}, "sourceRef": store}),
            &[&format!(".{word}: reads a secret store, and rolecall reads none")],
        );
    }
    check_entry(
        json!({"sourceRef": store}),
        &[".sourceRef.storeRef: reads a secret store, and rolecall reads none"],
    );
}

#[test]
fn other_generators_are_refused_by_name() {
    for (kind, expected) in [
        (
            "Password",
            "'Password' is no kind of generator here (it is one of STSAssumeRoleToken, STSSessionToken, ECRAuthorizationToken, ClusterGenerator)",
        ),
        (
            "StsAssumeRoletoken",
            "'StsAssumeRoletoken' is no kind of generator here (did you mean STSAssumeRoleToken?)",
        ),
    ] {
        check_entry(
            json!({"sourceRef": {"generatorRef": {"kind": kind, "name": "g"}}}),
            &[&format!(".sourceRef.generatorRef.kind: {expected}")],
        );
    }
    check_entry(
        json!({"sourceRef": {"generatorRef": {"namespace": "b", "name": "G"}}}),
        &[
            ".sourceRef.generatorRef.kind: is missing",
            ".sourceRef.generatorRef.name: must be 1 to 253 lower-case letters, digits, - or .",
            ".sourceRef.generatorRef.namespace: is not a field of this object (the generator is looked for in the ExternalSecret's own)",
        ],
    );
}

/// W1-05: a form that never shipped.
#[test]
fn a_generator_written_inline_is_told_where_it_belongs() {
    check_entry(
        json!({"sourceRef": {"generator": {"kind": "ECRAuthorizationToken", "spec": {}}}}),
        &[
            ".sourceRef.generator: is not a field of this object (a generator is a document of its own: name it by sourceRef.generatorRef: {kind: KIND, name: NAME})",
        ],
    );
}

#[test]
fn policies_that_do_not_go_together_are_told_in_the_words_of_eso() {
    let no_owner = "spec.target.deletionPolicy: deletionPolicy=Delete must not be used when the controller doesn't own the secret. Please set creationPolicy=Owner";
    let nothing = "spec.target.deletionPolicy: deletionPolicy=Merge must not be used with creationPolicy=None. There is no Secret to merge with";
    for (creation, deletion, expected) in [
        ("Owner", "Delete", None),
        ("Orphan", "Delete", None),
        ("Merge", "Delete", Some(no_owner)),
        ("None", "Delete", Some(no_owner)),
        ("CreateOrMerge", "Delete", Some(no_owner)),
        ("None", "Merge", Some(nothing)),
        ("None", "Retain", None),
        ("Merge", "Merge", None),
    ] {
        let expected: Vec<_> = expected.into_iter().collect();
        check(
            json!({"target": {"creationPolicy": creation, "deletionPolicy": deletion}, "dataFrom": [entry()]}),
            &expected,
        );
    }
    check(
        json!({"target": {"creationPolicy": "owner", "immutable": "true", "nam": "x"}, "dataFrom": [entry()]}),
        &[
            "spec.target.creationPolicy: must be one of Owner, Orphan, Merge, None, CreateOrMerge, is 'owner'",
            "spec.target.immutable: must be true or false, is a string; take the quotes away",
            "spec.target.nam: is not a field of this object (did you mean name?)",
        ],
    );
}

/// The braces of a template are no placeholders.
#[test]
fn what_cannot_work_is_refused_by_name() {
    check(
        json!({
            "target": {"template": {"data": {"x": "{{ .password }}"}},
                "manifest": {"apiVersion": "v1", "kind": "ConfigMap"}},
            "dataFrom": [{"sourceRef": entry()["sourceRef"], "rewrite": [
                {"transform": {"template": "AWS_{{ .value | upper }}"}},
                {"transform": {"template": "{{ .value | camelcase }}"}},
                {"merge": {}},
                {"regexp": {"source": "a"}},
                {},
            ]}],
        }),
        &[
            "spec.target.manifest: invalid generic target: rolecall writes Secrets alone",
            "spec.dataFrom[0].rewrite[1].transform.template: unable to parse template: 1:12: unsupported template function camelcase (docs/guides/templates.md lists the functions)",
            "spec.dataFrom[0].rewrite[2].merge: cannot work: the values must be JSON objects, and a generator's are not",
            "spec.dataFrom[0].rewrite[3].regexp.target: is missing",
            "spec.dataFrom[0].rewrite[4]: must have exactly one of regexp, transform and merge",
        ],
    );
}

#[test]
fn a_placeholder_is_told_and_a_group_is_none() {
    let with = |source: &str, target: &str| {
        json!({"sourceRef": entry()["sourceRef"],
            "rewrite": [{"regexp": {"source": source, "target": target}}]})
    };
    let fill = "(fill it in first, for example with envsubst or helm template)";
    check_entry(with("(?P<name>.)", "${name}x${name}"), &[]);
    check_entry(
        with("(?P<name>.)", "${name}${PREFIX}"),
        &[&format!(".rewrite[0].regexp.target: still holds the placeholder ${{PREFIX}} {fill}")],
    );
    check_entry(
        with("^{{ .Values.prefix }}", ""),
        &[&format!(".rewrite[0].regexp.source: still holds the placeholder {{{{ }}}} {fill}")],
    );
    check(
        json!({"target": {"name": "${NAME}"}, "dataFrom": [entry()]}),
        &[&format!("spec.target.name: still holds the placeholder ${{NAME}} {fill}")],
    );
}

#[test]
fn a_replacement_that_names_no_group_is_warned_of() {
    let document = document(json!({"dataFrom": [{"sourceRef": entry()["sourceRef"],
        "rewrite": [{"regexp": {"source": "(.)", "target": "$1x$name"}}]}]}));
    assert_eq!(
        ExternalSecret::read(&document).unwrap().warnings,
        [
            "spec.dataFrom[0].rewrite[0].regexp.target: names group '1x', which the source does not have: it stands for nothing; write ${1}x for group 1 and then x",
            "spec.dataFrom[0].rewrite[0].regexp.target: names group 'name', which the source does not have: it stands for nothing",
        ]
    );
}

#[test]
fn a_reference_names_generators_of_its_own_namespace_and_cluster_wide_ones() {
    let grant = |kind: &str, namespace: &str, spec: Value| {
        let document = json!({"apiVersion": "generators.external-secrets.io/v1alpha1", "kind": kind,
            "metadata": {"name": "reader", "namespace": namespace}, "spec": spec});
        Grant::read(&document, Dialect::Aws).unwrap()
    };
    let spec = json!({"region": "eu-west-1", "role": "arn:aws:iam::111122223333:role/reader"});
    let ours = grant("STSAssumeRoleToken", "team-a", spec.clone());
    let theirs = grant("STSAssumeRoleToken", "team-b", spec.clone());
    let cluster = grant(
        "ClusterGenerator",
        "team-b",
        json!({"kind": "STSAssumeRoleToken", "generator": {"stsAssumeRoleTokenSpec": spec}}),
    );
    let named = |kind: GeneratorKind, grant: &Grant| {
        GeneratorRef { kind, name: "reader".to_owned() }.names(grant, "team-a")
    };
    assert!(named(GeneratorKind::AssumeRole, &ours));
    assert!(!named(GeneratorKind::AssumeRole, &theirs));
    assert!(!named(GeneratorKind::SessionToken, &ours));
    assert!(!named(GeneratorKind::AssumeRole, &cluster));
    assert!(named(GeneratorKind::Cluster, &cluster));
    let other = GeneratorRef { kind: GeneratorKind::AssumeRole, name: "writer".to_owned() };
    assert!(!other.names(&ours, "team-a"));
}

mod any_document;
