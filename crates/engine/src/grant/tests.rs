//! Grants as documents, and what is told about them.

use serde_json::{Value, json};

use super::*;

#[expect(clippy::needless_pass_by_value, reason = "so that a test can write json!(…)")]
fn manifest(spec: Value) -> Value {
    json!({
        "apiVersion": GENERATORS_API_VERSION,
        "kind": "STSAssumeRoleToken",
        "metadata": {"name": "reader", "namespace": "team-a"},
        "spec": spec,
    })
}

fn session_token(spec: Value) -> Value {
    let mut document = manifest(spec);
    document["kind"] = json!("STSSessionToken");
    document
}

fn told(document: &Value) -> Vec<String> {
    match Grant::read(document, Dialect::Aws) {
        Ok(_) => Vec::new(),
        Err(violations) => violations
            .iter()
            .map(|violation| match &violation.hint {
                Some(hint) => format!("{violation} ({hint})"),
                None => violation.to_string(),
            })
            .collect(),
    }
}

#[track_caller]
fn check(document: &Value, expected: &[&str]) {
    assert_eq!(told(document), expected);
}

fn request_of(document: &Value) -> RoleRequest {
    match Grant::read(document, Dialect::Aws).unwrap() {
        grant @ Grant { ask: Ask::AssumeRole(_), .. } => {
            let name = grant.default_session_name();
            let Ask::AssumeRole(spec) = grant.ask else { unreachable!() };
            spec.requests(&name).1
        }
        other => panic!("{other:?}"),
    }
}

const ROLE: &str = "arn:aws:iam::111122223333:role/reader";

#[test]
fn the_documented_example_is_read() {
    let document = manifest(json!({
        "region": "eu-west-1",
        "role": ROLE,
        "auth": {"secretRef": {
            "accessKeyIDSecretRef": {"name": "base", "key": "id"},
            "secretAccessKeySecretRef": {"name": "base", "key": "secret", "namespace": "ignored"},
        }},
        "requestParameters": {"sessionDuration": 3600, "externalID": "abc"},
    }));
    let request = request_of(&document);
    assert_eq!(request.duration.unwrap().seconds(), 3_600);
    assert_eq!(request.external_id.unwrap().as_str(), "abc");
    assert_eq!(request.session_name.as_str(), "team-a.reader");
}

#[test]
fn the_earlier_draft_gives_the_same_request() {
    let canonical = manifest(json!({"region": "", "role": ROLE,
        "requestParameters": {"sessionDuration": 900, "externalID": "abc"}}));
    let draft = manifest(json!({"region": "", "role": ROLE,
        "roleAssumptionParameters": {"sessionDuration": 900, "externalId": "abc"}}));
    assert_eq!(request_of(&canonical), request_of(&draft));
    check(
        &manifest(json!({"region": "", "role": ROLE,
            "requestParameters": {}, "roleAssumptionParameters": {}})),
        &["spec.roleAssumptionParameters: stands beside requestParameters: write one of them"],
    );
}

#[test]
fn every_violation_is_told_at_once() {
    check(
        &manifest(json!({
            "role": 12,
            "auth": {},
            "requestParameters": {"sessionDuration": "3600", "externalID": "a", "colour": "red"},
        })),
        &[
            "spec.region: is missing",
            "spec.role: must be a string, is a number; put it in quotes",
            "spec.auth: must have secretRef or jwt (leave auth out to use the ambient identity)",
            "spec.requestParameters.sessionDuration: must be a whole number, is a string; take the quotes away",
            "spec.requestParameters.externalID: must be 2 to 1224 characters long, is 1",
            "spec.requestParameters.colour: is not a field of this object",
        ],
    );
}

#[test]
fn half_a_secret_ref_is_told() {
    check(
        &manifest(json!({"region": "", "role": ROLE, "auth": {"secretRef": {
            "accessKeyIDSecretRef": {"name": "Base!"}}}})),
        &[
            "spec.auth.secretRef.accessKeyIDSecretRef.name: must be 1 to 253 lower-case letters, digits, - or .",
            "spec.auth.secretRef.accessKeyIDSecretRef.key: is missing",
            "spec.auth.secretRef.secretAccessKeySecretRef: is missing",
        ],
    );
}

#[test]
fn both_forms_of_auth_succeed_with_a_warning() {
    let keys = json!({"name": "base", "key": "id"});
    let document = manifest(json!({"region": "", "role": ROLE, "auth": {
        "secretRef": {"accessKeyIDSecretRef": keys, "secretAccessKeySecretRef": keys},
        "jwt": {"serviceAccountRef": {"name": "sa", "audiences": ["x"]}},
    }}));
    let grant = Grant::read(&document, Dialect::Aws).unwrap();
    assert!(matches!(grant.auth(), Some(Auth::Keys(_))));
    assert_eq!(grant.warnings, ["spec.auth: secretRef and jwt are both set; secretRef is used"]);
}

#[test]
fn metadata_and_version_are_demanded_and_status_is_ignored() {
    let mut document = manifest(json!({"region": "", "role": ROLE}));
    document["status"] = json!({"anything": 1});
    check(&document, &[]);
    document["apiVersion"] = json!("v1");
    document.as_object_mut().unwrap().remove("metadata");
    check(
        &document,
        &[
            "apiVersion: must be generators.external-secrets.io/v1alpha1 for this kind",
            "metadata.name: is missing (write metadata: {name: NAME})",
        ],
    );
}

/// W1-24.
#[test]
fn words_of_the_stores_are_answered_with_ours() {
    check(
        &manifest(json!({"region": "", "role": ROLE,
            "additionalRoles": [], "sessionTags": [], "externalID": "abc"})),
        &[
            "spec.additionalRoles: is not a field of this object (the word here is via)",
            "spec.externalID: is not a field of this object (the word here is requestParameters.externalID)",
            "spec.sessionTags: is not a field of this object (the word here is requestParameters.tags)",
        ],
    );
}

#[test]
fn earlier_hops_have_parameters_of_their_own_and_no_duration() {
    let document = manifest(json!({"region": "", "role": ROLE, "via": [
        {"role": "arn:aws:iam::111122223333:role/hub",
         "requestParameters": {"externalID": "hub-id", "sourceIdentity": "alice"}},
    ]}));
    let grant = Grant::read(&document, Dialect::Aws).unwrap();
    let name = grant.default_session_name();
    let Ask::AssumeRole(spec) = grant.ask else { unreachable!() };
    let (via, _) = spec.requests(&name);
    assert_eq!(via[0].external_id.as_ref().unwrap().as_str(), "hub-id");
    check(
        &manifest(json!({"region": "", "role": ROLE, "via": [
            {"role": ROLE, "requestParameters": {"sessionDuration": 900}}]})),
        &[
            "spec.via[0].requestParameters.sessionDuration: is not a field of this object (an earlier hop has no duration of its own)",
        ],
    );
    let nine: Vec<Value> = (0..9).map(|_| json!({"role": ROLE})).collect();
    check(
        &manifest(json!({"region": "", "role": ROLE, "via": nine})),
        &["spec.via: must have at most 8 entries, has 9"],
    );
}

#[test]
fn a_placeholder_that_nobody_filled_in_is_named() {
    check(
        &manifest(
            json!({"region": "${AWS_REGION}", "role": "arn:aws:iam::{{ .acc }}:role/reader"}),
        ),
        &[
            "spec.region: still holds the placeholder ${AWS_REGION} (fill it in first, for example with envsubst or helm template)",
            "spec.role: still holds the placeholder {{ }} (fill it in first, for example with envsubst or helm template)",
        ],
    );
}

/// W5-08: a token of another issuer, kept in a Secret, is refused by name; the flag takes it.
#[test]
fn a_token_from_a_secret_is_refused_by_name() {
    check(
        &manifest(json!({"region": "", "role": ROLE, "auth": {"jwt": {
            "serviceAccountRef": {"name": "app"}, "secretRef": {"name": "token", "key": "jwt"}}}})),
        &[
            "spec.auth.jwt.secretRef: is not a field of this object (the token of another issuer is given with --web-identity-token-file)",
        ],
    );
}

/// W1-14: ESO's own example has a role without an ARN, an MFA serial and a literal code.
#[test]
fn a_session_token_with_a_role_is_sent_to_the_other_kind() {
    check(
        &session_token(json!({"region": "us-east-1", "role": "my-role",
            "requestParameters": {"serialNumber": "arn:aws:iam::111122223333:mfa/alice", "tokenCode": "123456"}})),
        &[
            "spec.role: cannot work: GetSessionToken takes no role (use kind STSAssumeRoleToken to assume a role; an MFA code written in a file works once)",
        ],
    );
}

#[test]
fn a_session_token_has_bounds_of_its_own() {
    for (seconds, ok) in [(899, false), (900, true), (129_600, true), (129_601, false)] {
        let document =
            session_token(json!({"region": "", "requestParameters": {"sessionDuration": seconds}}));
        assert_eq!(told(&document).is_empty(), ok, "{seconds}");
    }
    check(
        &session_token(json!({"region": "",
            "auth": {"jwt": {"serviceAccountRef": {"name": "sa"}}},
            "requestParameters": {"tokenCode": "12345"}})),
        &[
            "spec.auth.jwt: jwt auth cannot be used for STS Session Token generation (use kind STSAssumeRoleToken to assume a role; an MFA code written in a file works once)",
            "spec.requestParameters.tokenCode: must be 6 characters long, is 5",
            "spec.requestParameters.serialNumber: is missing beside tokenCode",
        ],
    );
}

#[test]
fn any_json_is_read_without_a_panic() {
    for document in [
        json!(null),
        json!([]),
        json!("text"),
        json!({"spec": [], "metadata": 1}),
        manifest(json!(null)),
        manifest(json!({"auth": [], "via": {}, "requestParameters": 1, "region": null})),
        manifest(json!({"requestParameters": {"tags": [1, {"key": 1}], "transitiveTagKeys": 1}})),
    ] {
        assert!(Grant::read(&document, Dialect::Aws).is_err(), "{document}");
    }
}
