//! What the API server admits, and what it refuses with which words; the controller's own reading
//! of each document agrees.

use kube::api::{Patch, PatchParams};
use rolecall_engine::arn::Dialect;
use rolecall_engine::grant::{ExternalSecret, Grant};
use serde_json::{Value, json};

use crate::bed::Bed;
use crate::objects::{api, kind_of, make_namespace};

/// A document, and the words of the refusal; none where it is admitted.
struct Row {
    name: &'static str,
    document: Value,
    refused: Option<&'static str>,
    /// Whether the parser reads it as the API server does.
    parser_agrees: bool,
}

fn row(name: &'static str, document: Value, refused: Option<&'static str>) -> Row {
    Row { name, document, refused, parser_agrees: true }
}

fn external_secret(spec: Value) -> Value {
    json!({"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
        "metadata": {"name": "a", "namespace": "admission"}, "spec": spec})
}

fn generator(kind: &str, spec: Value) -> Value {
    json!({"apiVersion": "generators.external-secrets.io/v1alpha1", "kind": kind,
        "metadata": {"name": "g", "namespace": "admission"}, "spec": spec})
}

fn entry() -> Value {
    json!({"sourceRef": {"generatorRef": {"kind": "STSSessionToken", "name": "g"}}})
}

fn with_target(target: Value) -> Value {
    external_secret(json!({"dataFrom": [entry()], "target": target}))
}

fn role(more: Value) -> Value {
    let mut spec = json!({"region": "eu-west-1", "role": "arn:aws:iam::111122223333:role/r"});
    for (key, value) in more.as_object().unwrap() {
        spec[key] = value.clone();
    }
    generator("STSAssumeRoleToken", spec)
}

fn keys() -> Value {
    json!({"secretRef": {"accessKeyIDSecretRef": {"name": "b", "key": "id"},
        "secretAccessKeySecretRef": {"name": "b", "key": "secret"}}})
}

fn external_secrets() -> Vec<Row> {
    const NOT_OWNED: &str = "deletionPolicy=Delete must not be used when the controller doesn't own the secret. Please set creationPolicy=Owner";
    let token = "kubernetes.io/service-account-token";
    vec![
        row("plain", external_secret(json!({"dataFrom": [entry()]})), None),
        row(
            "nothing",
            external_secret(json!({})),
            Some("either data or dataFrom should be specified"),
        ),
        row(
            "empty lists",
            external_secret(json!({"data": [], "dataFrom": []})),
            Some("either data or dataFrom should be specified"),
        ),
        row(
            "Delete with Merge",
            with_target(json!({"deletionPolicy": "Delete", "creationPolicy": "Merge"})),
            Some(NOT_OWNED),
        ),
        row(
            "Delete with None",
            with_target(json!({"deletionPolicy": "Delete", "creationPolicy": "None"})),
            Some(NOT_OWNED),
        ),
        row(
            "Delete with CreateOrMerge",
            with_target(json!({"deletionPolicy": "Delete", "creationPolicy": "CreateOrMerge"})),
            Some(NOT_OWNED),
        ),
        row(
            "Delete with Orphan",
            with_target(json!({"deletionPolicy": "Delete", "creationPolicy": "Orphan"})),
            None,
        ),
        row("Delete with Owner", with_target(json!({"deletionPolicy": "Delete"})), None),
        row(
            "Merge with None",
            with_target(json!({"deletionPolicy": "Merge", "creationPolicy": "None"})),
            Some(
                "deletionPolicy=Merge must not be used with creationPolicy=None. There is no Secret to merge with",
            ),
        ),
        row(
            "empty source",
            external_secret(json!({"dataFrom": [{"sourceRef": {}}]})),
            Some("generatorRef or storeRef must be set when using sourceRef in dataFrom"),
        ),
        row(
            "no source",
            external_secret(json!({"dataFrom": [{}]})),
            Some("either extract, find, or sourceRef must be set to dataFrom"),
        ),
        row(
            "two sources",
            external_secret(
                json!({"dataFrom": [{"extract": {"key": "k"}, "sourceRef": entry()["sourceRef"]}]}),
            ),
            Some("extract, find, or generatorRef cannot be set at the same time"),
        ),
        row(
            "bootstrap token",
            with_target(json!({"template": {"type": "bootstrap.kubernetes.io/token"}})),
            Some("template.type=\"bootstrap.kubernetes.io/token\" is not allowed"),
        ),
        row(
            "account token",
            with_target(
                json!({"template": {"type": token, "metadata": {"annotations": {"kubernetes.io/service-account.name": "x"}}}}),
            ),
            Some(
                "template.type=\"kubernetes.io/service-account-token\" with annotation \"kubernetes.io/service-account.name\" is not allowed",
            ),
        ),
        row(
            "account token from elsewhere",
            with_target(
                json!({"template": {"type": token, "templateFrom": [{"literal": "a: b", "target": "annotations"}]}}),
            ),
            Some("template.type=\"kubernetes.io/service-account-token\" with templateFrom target="),
        ),
        row(
            "account token without a name",
            with_target(json!({"template": {"type": token}})),
            None,
        ),
        row(
            "target elsewhere",
            with_target(
                json!({"template": {"templateFrom": [{"literal": "a: b", "target": "spec.x"}]}}),
            ),
            Some(
                "templateFrom target=\"spec.x\" is not allowed when targeting a Secret, must be one of \"Data\", \"Annotations\" or \"Labels\"",
            ),
        ),
        row(
            "target in small letters",
            with_target(
                json!({"template": {"templateFrom": [{"literal": "a: b", "target": "labels"}]}}),
            ),
            None,
        ),
        row(
            "STSAssumeRoleToken",
            external_secret(
                json!({"dataFrom": [{"sourceRef": {"generatorRef": {"kind": "STSAssumeRoleToken", "name": "g"}}}]}),
            ),
            None,
        ),
        Row {
            parser_agrees: false,
            ..row(
                "a store",
                external_secret(
                    json!({"data": [{"secretKey": "k", "remoteRef": {"key": "x"}}], "secretStoreRef": {"name": "s"}}),
                ),
                None,
            )
        },
        Row {
            parser_agrees: false,
            ..row(
                "many of a store",
                external_secret(
                    json!({"data": (0..500).map(|i| json!({"secretKey": format!("k{i}"), "remoteRef": {"key": "x"}})).collect::<Vec<_>>(), "secretStoreRef": {"name": "s"}}),
                ),
                None,
            )
        },
    ]
}

fn generators() -> Vec<Row> {
    let via = json!([{"role": "arn:aws:iam::111122223333:role/via"}]);
    let account = json!({"jwt": {"serviceAccountRef": {"name": "sa"}}});
    vec![
        row("role", role(json!({})), None),
        row("role with keys", role(json!({"auth": keys()})), None),
        row("no role", generator("STSAssumeRoleToken", json!({"region": "r"})), Some("role")),
        row("empty auth", role(json!({"auth": {}})), Some("auth must have secretRef or jwt")),
        row(
            "empty jwt",
            role(json!({"auth": {"jwt": {}}})),
            Some("jwt must have serviceAccountRef"),
        ),
        row(
            "half a key",
            role(
                json!({"auth": {"secretRef": {"accessKeyIDSecretRef": {"name": "b", "key": "id"}}}}),
            ),
            Some("secretRef must have accessKeyIDSecretRef and secretAccessKeySecretRef"),
        ),
        row(
            "both blocks",
            role(json!({"requestParameters": {}, "roleAssumptionParameters": {}})),
            Some("two names of one thing"),
        ),
        row(
            "draft",
            role(
                json!({"roleAssumptionParameters": {"sessionDuration": 900, "externalId": "abc", "roleSessionName": "me"}}),
            ),
            None,
        ),
        row("too short", role(json!({"requestParameters": {"sessionDuration": 899}})), Some("899")),
        row(
            "too long",
            role(json!({"requestParameters": {"sessionDuration": 43201}})),
            Some("43201"),
        ),
        // The plan refuses it, not the parser.
        Row {
            parser_agrees: false,
            ..row(
                "long behind via",
                role(json!({"via": via, "requestParameters": {"sessionDuration": 3601}})),
                Some("role chaining"),
            )
        },
        row(
            "an hour behind via",
            role(json!({"via": via, "requestParameters": {"sessionDuration": 3600}})),
            None,
        ),
        row(
            "nine hops",
            role(json!({"via": vec![json!({"role": "arn:aws:iam::111122223333:role/via"}); 9]})),
            Some("via"),
        ),
        row(
            "external ID",
            role(json!({"requestParameters": {"externalID": "a b"}})),
            Some("externalID"),
        ),
        row(
            "session token",
            generator("STSSessionToken", json!({"region": "eu-west-1", "auth": keys()})),
            None,
        ),
        row(
            "session token by account",
            generator("STSSessionToken", json!({"region": "eu-west-1", "auth": account})),
            Some("jwt auth cannot be used for STS Session Token generation"),
        ),
        row(
            "session token of a role",
            generator("STSSessionToken", json!({"region": "eu-west-1", "role": "my-role"})),
            Some("STSAssumeRoleToken"),
        ),
        row(
            "session token too long",
            generator(
                "STSSessionToken",
                json!({"region": "eu-west-1", "requestParameters": {"sessionDuration": 129_601}}),
            ),
            Some("129601"),
        ),
        row(
            "registry",
            generator("ECRAuthorizationToken", json!({"region": "eu-west-1", "auth": account})),
            None,
        ),
        row(
            "registry of a role",
            generator(
                "ECRAuthorizationToken",
                json!({"region": "", "role": "arn:aws:iam::111122223333:role/r", "scope": "public"}),
            ),
            None,
        ),
        row(
            "cluster",
            generator(
                "ClusterGenerator",
                json!({"kind": "STSAssumeRoleToken", "generator": {"stsAssumeRoleTokenSpec": {"region": "eu-west-1", "role": "arn:aws:iam::111122223333:role/r"}}}),
            ),
            None,
        ),
        row(
            "cluster with another member",
            generator(
                "ClusterGenerator",
                json!({"kind": "STSAssumeRoleToken", "generator": {"stsSessionTokenSpec": {"region": "eu-west-1"}}}),
            ),
            Some("stsAssumeRoleTokenSpec must be set"),
        ),
        Row {
            parser_agrees: false,
            ..row(
                "cluster of ESO's",
                generator(
                    "ClusterGenerator",
                    json!({"kind": "Password", "generator": {"passwordSpec": {"length": 42}}}),
                ),
                None,
            )
        },
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_and_the_parser_refuse_alike() {
    let bed = Bed::new().await;
    make_namespace(&bed.client, "admission").await;
    let mut wrong = Vec::new();
    for Row { name, mut document, refused, parser_agrees } in
        external_secrets().into_iter().chain(generators())
    {
        let kind = document["kind"].as_str().unwrap().to_owned();
        let named = format!("row-{}", name.to_lowercase().replace([' ', '\''], "-"));
        document["metadata"]["name"] = json!(named);
        if kind == "ClusterGenerator" {
            document["metadata"].as_object_mut().unwrap().remove("namespace");
        }
        let version = document["apiVersion"].as_str().unwrap();
        let api = api(&bed.client, &kind_of(version, &kind), "admission");
        let parameters = PatchParams { dry_run: true, ..PatchParams::apply("user").force() };
        let answer = api.patch(&named, &parameters, &Patch::Apply(&document)).await;
        let said = match &answer {
            Ok(_) => None,
            Err(kube::Error::Api(status)) => Some(status.message.clone()),
            Err(error) => panic!("{name}: {error}"),
        };
        let is_as_meant = match (refused, &said) {
            (None, None) => true,
            (Some(words), Some(said)) => said.contains(words),
            _ => false,
        };
        if !is_as_meant {
            wrong.push(format!("{name}: {said:?}, not {refused:?}"));
        }
        let read = if kind == "ExternalSecret" {
            ExternalSecret::read(&document).map(drop)
        } else {
            Grant::read(&document, Dialect::Compatible).map(drop)
        };
        if parser_agrees && read.is_err() != refused.is_some() {
            wrong.push(format!("{name}: the parser says {read:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
