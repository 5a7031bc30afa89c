//! Holds `deploy/relay/*.schema.json` to the fields of a spec: the files are what this module writes.
//!
//! `cargo xtask gen` writes them. They are supersets of those of the step that is replaced.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use super::fields::PATHS;

fn text(description: &str) -> Value {
    json!({"type": "string", "description": description})
}

fn parameters() -> Vec<(&'static str, Value)> {
    let tag = json!({
        "type": "object",
        "required": ["key", "value"],
        "additionalProperties": false,
        "properties": {"key": {"type": "string"}, "value": {"type": "string"}},
    });
    vec![
        ("externalID", text("What the role's trust policy asks for")),
        ("policy", text("A session policy, as JSON")),
        (
            "policyARNs",
            json!({"type": "array", "items": {"type": "string"}, "maxItems": 10,
            "description": "Managed policies that the session has at most"}),
        ),
        (
            "tags",
            json!({"type": "array", "items": tag, "maxItems": 50,
            "description": "Session tags"}),
        ),
        (
            "transitiveTagKeys",
            json!({"type": "array", "items": {"type": "string"},
            "description": "Tags that the next roles see too"}),
        ),
        ("sourceIdentity", text("Who asks; it stays through all roles behind")),
    ]
}

fn spec() -> Value {
    let connection = json!({
        "type": "object",
        "x-relay-connectionType": "aws",
        "description": "The keys that ask",
        "required": ["accessKeyID", "secretAccessKey"],
        "properties": {
            "accessKeyID": text("The access key ID"),
            "secretAccessKey": text("The secret access key"),
            "sessionToken": text("The session token, where the keys are a session's own"),
        },
    });
    let aws = json!({
        "type": "object",
        "description": "Who asks, and where",
        "properties": {
            "connection": connection,
            "region": text("Where STS is called"),
            "accessKeyID": text("The old form of a connection"),
            "secretAccessKey": text("The old form of a connection"),
            "sessionToken": text("The old form of a connection"),
            "webIdentity": {"type": "object", "additionalProperties": false,
                "description": "A web identity token in place of a connection",
                "properties": {"token": text("The token"), "tokenFile": text("A file with it")}},
            "ambient": {"type": "boolean",
                "description": "Ask as whoever the container is, in place of a connection"},
        },
    });
    let mut properties = json!({
        "aws": aws,
        "region": text("The old place of aws.region"),
        "roleARN": text("The role to assume"),
        "roleSessionName": text("The session's name"),
        "duration": {"type": ["integer", "string"],
            "description": "Seconds, or a text as 1h30m: 15 min to 12 h"},
        "mfa": {"type": "object", "additionalProperties": false,
            "required": ["serialNumber", "tokenCode"],
            "description": "The device of the connection's user, and its present code",
            "properties": {"serialNumber": {"type": "string"}, "tokenCode": {"type": "string"}}},
        "via": {"type": "array", "description": "Roles on the way, in order",
            "items": {"type": "object", "required": ["role"], "properties": {
                "role": {"type": "string"}, "requestParameters": {"type": "object"}}}},
        "endpoint": text("Another STS than AWS's"),
        "allowHTTP": {"type": "boolean", "description": "Let the endpoint be plain http"},
    });
    let map = properties.as_object_mut().unwrap();
    map.extend(parameters().into_iter().map(|(name, value)| (name.to_owned(), value)));
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": properties,
        "required": ["aws", "roleARN", "roleSessionName"],
        "additionalProperties": false,
    })
}

fn outputs() -> Value {
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": {
            "connection": {
                "type": "object",
                "x-relay-connectionType": "aws",
                "description": "The credentials, as later steps take them",
                "properties": {
                    "accessKeyID": text("The access key ID"),
                    "secretAccessKey": text("The secret access key"),
                    "sessionToken": text("The session token"),
                },
            },
            "role": {
                "type": "object",
                "description": "Whose session it is",
                "properties": {
                    "assumedRoleId": text("The role's ID and the session's name"),
                    "arn": text("The session's ARN"),
                    "accountId": text("The account, 12 digits"),
                    "region": text("Where STS was called"),
                    "expiration": text("When the session ends, RFC 3339"),
                },
            },
        },
        "required": ["connection"],
        "additionalProperties": false,
    })
}

#[track_caller]
fn check(name: &str, schema: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/relay").join(name);
    let text = serde_json::to_string_pretty(schema).unwrap() + "\n";
    #[expect(clippy::disallowed_methods, reason = "cargo xtask gen asks for the files this way")]
    let is_asked_for = std::env::var_os("ROLECALL_GEN").is_some();
    if is_asked_for {
        std::fs::write(&path, &text).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap().replace("\r\n", "\n");
    assert!(text == written, "{name} differs: run cargo xtask gen");
}

#[test]
fn the_schemas_are_what_the_step_reads() {
    check("spec.schema.json", &spec());
    check("outputs.schema.json", &outputs());
}

/// Each field that is read is in the schema and in the guide, and none besides.
#[test]
fn every_field_is_written_down() {
    let guide = include_str!("../../../../docs/guides/relay.md");
    let (mut read, mut known) = (BTreeSet::new(), BTreeSet::new());
    for path in PATHS {
        let mut schema = spec();
        for key in path {
            schema = schema["properties"][key].take();
        }
        assert!(schema.is_object(), "{path:?}");
        read.insert(path.first().copied().unwrap().to_owned());
        assert!(guide.contains(path.last().copied().unwrap()), "{path:?}");
    }
    known.extend(spec()["properties"].as_object().unwrap().keys().cloned());
    assert_eq!(read, known);
}
