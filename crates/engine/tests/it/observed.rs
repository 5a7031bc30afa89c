//! What ESO 2.9 wrote or refused on a cluster: `../data/eso-observed.jsonl`, the scenarios `tp-* rw-* df-*
//! hs-vectors` of the project's reference with their patches applied.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use rolecall_engine::grant::ExternalSecret;
use rolecall_engine::render::{Data, Existing, Objects, Rendered, Renderer, Text, rewrite};
use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Row {
    id: String,
    at: String,
    external_secret: Value,
    config_maps: BTreeMap<String, BTreeMap<String, String>>,
    secrets: BTreeMap<String, BTreeMap<String, String>>,
    existing: Option<Value>,
    secret: Option<Written>,
    errors: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    r#type: String,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    data: BTreeMap<String, String>,
}

/// What the generators gave, in the forms of the observations.
const SESSION: [(&str, &str); 4] = [
    ("access_key_id", "ASIABED0EXAMPLE00001"),
    ("secret_access_key", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
    ("session_token", "FwoGZXIvYXdzEXAMPLETOKEN//////////8BENDEXAMPLE=="),
    ("expiration", "1767229200"),
];

/// `<session#3.access_key_id>` as the value, whatever session it is.
fn filled(text: &str) -> String {
    let mut filled = text.to_owned();
    for (key, value) in SESSION {
        for session in 1..10 {
            let name = format!("session#{session}.{key}");
            filled = filled.replace(&format!("<{name}>"), value);
            filled = filled.replace(&format!("<{name}|b64>"), &STANDARD.encode(value));
        }
    }
    filled
}

/// Our answer: the Secret, or every complaint.
fn render(row: &Row) -> Result<Rendered, Vec<String>> {
    let told = |error: &dyn std::fmt::Display| vec![error.to_string()];
    let asked = ExternalSecret::read(&row.external_secret).map_err(|error| told(&error))?;
    let mut objects = Objects::default();
    for (name, keys) in &row.config_maps {
        objects.add_config_map(name, keys.clone());
    }
    for (name, keys) in &row.secrets {
        let keys = keys.iter().map(|(key, text)| (key.clone(), Data::new(text.clone().into())));
        objects.add_secret(name, keys.collect());
    }
    let existing = row.existing.as_ref().map(|secret| Existing::read(secret).unwrap());
    let renderer = Renderer::new(asked.clone(), &objects).map_err(|errors| told(&errors))?;
    let now = Timestamp::UNIX_EPOCH;
    let mut parts = Vec::new();
    for entry in &asked.entries {
        let keys = SESSION.map(|(key, value)| (key.to_owned(), Text::new(value.to_owned())));
        let keys = rewrite(keys.into(), &entry.rewrites, now).map_err(|error| told(&error))?;
        parts.push(keys.keys);
    }
    renderer.render(parts, existing.as_ref(), now).map_err(|errors| told(&errors))
}

/// Words of ESO's, and the words by which ours is the same class of error.
const CLASSES: &[(&str, &str)] = &[
    ("neither data nor dataFrom", "either data or dataFrom should be specified"),
    ("regexp failed with failed to compile", "regexp failed with failed to compile"),
    (
        "key has invalid character /, only alphanumeric, '-', '.' and '_' are allowed: a/access_key_id",
        "key has invalid character /, only alphanumeric, '-', '.' and '_' are allowed: a/access_key_id",
    ),
    (
        "configmaps \"cm\" not found",
        "error fetching templateFrom data: configmaps \"cm\" not found",
    ),
    (
        "error in secret base: missing key zzz",
        "error fetching templateFrom data: error in secret base: missing key zzz",
    ),
    ("error calling fail: because", "unable to execute template at key k: 1:3: fail"),
    (
        "function \"nosuch\" not defined",
        "unable to parse template at key k: 1:20: function \"nosuch\" not defined",
    ),
    ("metadata.labels: Invalid value", "the value of label k is none that Kubernetes takes"),
    (
        "map has no entry for key \"nope\"",
        "unable to execute template at key k: 1:3: map has no entry for key \"nope\"",
    ),
    ("unclosed action", "unclosed action"),
    (
        "templateFrom target=\"spec.x\" is not allowed",
        "templateFrom target=\"spec.x\" is not allowed",
    ),
    (
        "template.type=\"bootstrap.kubernetes.io/token\" is not allowed",
        "template.type=\"bootstrap.kubernetes.io/token\" is not allowed",
    ),
    ("with templateFrom target=\"Annotations\"", "with templateFrom target=\"Annotations\""),
    (
        "with annotation \"kubernetes.io/service-account.name\"",
        "with annotation \"kubernetes.io/service-account.name\"",
    ),
];

const HASH: &str = "reconcile.external-secrets.io/data-hash";

fn check(row: &Row) -> Result<(), String> {
    let ours = render(row);
    if let Some(errors) = &row.errors {
        let theirs = errors.join("\n");
        // The API server refuses another type for a Secret that is there.
        if theirs.contains("field is immutable") {
            let type_ = ours.map_err(|errors| errors.join("\n"))?.secret.type_;
            return if type_ == "example.com/other" { Ok(()) } else { Err(type_) };
        }
        let class = CLASSES.iter().find(|(words, _)| theirs.contains(words));
        let (_, words) = class.ok_or("there is no class for it")?;
        return match ours {
            Err(ours) if ours.iter().any(|ours| ours.contains(words)) => Ok(()),
            ours => Err(format!("{ours:?}")),
        };
    }
    let written = row.secret.as_ref().unwrap();
    let ours = ours.map_err(|errors| errors.join("\n"))?.secret;
    let filled_all = |map: &BTreeMap<String, String>| -> BTreeMap<String, String> {
        map.iter().map(|(key, text)| (key.clone(), filled(text))).collect()
    };
    let data: BTreeMap<String, String> = ours
        .data
        .iter()
        .map(|(key, value)| (key.clone(), String::from_utf8_lossy(value).into_owned()))
        .collect();
    let mut annotations = ours.annotations.clone();
    if written.annotations[HASH].starts_with('<') {
        // Of values that were others on the cluster.
        let hash = annotations.insert(HASH.to_owned(), written.annotations[HASH].clone());
        assert_eq!(hash.map(|hash| hash.len()), Some(56));
    }
    let differences = [
        (ours.type_ != written.r#type).then(|| format!("type {}", ours.type_)),
        (ours.labels != filled_all(&written.labels)).then(|| format!("labels {:?}", ours.labels)),
        (annotations != filled_all(&written.annotations))
            .then(|| format!("annotations {annotations:?}")),
        (data != filled_all(&written.data)).then(|| format!("data {data:?}")),
    ];
    let differences: Vec<String> = differences.into_iter().flatten().collect();
    if differences.is_empty() { Ok(()) } else { Err(differences.join("\n")) }
}

#[test]
fn eso_wrote_the_same() {
    let text = include_str!("../data/eso-observed.jsonl");
    let rows: Vec<Row> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(rows.len() >= 48, "{}", rows.len());
    let mut wrong = Vec::new();
    for row in &rows {
        if let Err(ours) = check(row) {
            wrong.push(format!("{} ({}): {ours}\n  ESO: {:?}", row.id, row.at, row.secret));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}
