//! Our observation beside ESO's: every difference as one line.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rolecall_engine::render::{Data, data_hash};
use serde_json::Value;

use crate::bed::{BASE_KEY, SECOND_KEY};
use crate::scenario::Observation;

/// Every difference of one observation.
pub(crate) fn differences(theirs: &Value, ours: &Observation) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(text) = &ours.metrics {
        metrics(theirs, text, &mut lines);
        return lines;
    }
    secrets(theirs, ours, &mut lines);
    external_secrets(theirs, ours, &mut lines);
    events(theirs, ours, &mut lines);
    let expected = theirs["calls"].as_u64().unwrap_or_default();
    match (expected > 0, ours.calls > 0) {
        (true, false) => lines.push("calls: some => none".to_owned()),
        (false, true) => lines.push(format!("calls: none => {}", ours.calls)),
        _ => {}
    }
    for note in &ours.notes {
        lines.push(format!("note: {}", note.chars().take(160).collect::<String>()));
    }
    lines
}

/// ESO's series of these objects, with their values, and its TYPE lines byte for byte.
fn metrics(theirs: &Value, text: &str, lines: &mut Vec<String>) {
    let ours: BTreeMap<&str, &str> =
        text.lines().filter_map(|line| line.rsplit_once(' ')).collect();
    let told: BTreeSet<&str> = text.lines().map(str::trim_end).collect();
    for (name, kind) in theirs["types"].as_object().unwrap() {
        let line = format!("# TYPE {name} {}", kind.as_str().unwrap());
        if !told.contains(line.as_str()) {
            lines.push(format!("metrics: {line} => not told"));
        }
    }
    let theirs = theirs["metrics"].as_object().unwrap();
    for (series, value) in theirs {
        let found = ours.get(series.as_str()).and_then(|it| it.parse::<f64>().ok());
        let is_so = match (value, found) {
            (_, None) => false,
            (Value::String(text), Some(found)) => match text.as_str() {
                ">1" => found >= 1.0,
                _ => found > 0.0,
            },
            (value, Some(found)) => value.as_f64() == Some(found),
        };
        if !is_so {
            lines.push(format!("metrics: {series} {value} => {found:?}"));
        }
    }
    for series in ours.keys().filter(|series| series.starts_with("externalsecret_")) {
        if !theirs.contains_key(*series) {
            lines.push(format!("metrics: {series} not told => told"));
        }
    }
}

fn secrets(theirs: &Value, ours: &Observation, lines: &mut Vec<String>) {
    let expected = theirs["secrets"].as_object().unwrap();
    for (name, secret) in expected {
        let is_gone = secret["since_last"] == "gone";
        let Some(found) = ours.secrets.get(name) else {
            if !is_gone {
                lines.push(format!("secret {name}: there => not there"));
            }
            continue;
        };
        if is_gone {
            lines.push(format!("secret {name}: gone => there"));
            continue;
        }
        if secret.get("data").is_some() {
            secret_itself(name, secret, found, lines);
        }
    }
    for name in ours.secrets.keys() {
        let is_input = name.starts_with("base")
            || !ours.secrets[name]["metadata"]["labels"]
                .as_object()
                .is_some_and(|labels| labels.contains_key("reconcile.external-secrets.io/managed"));
        if !expected.contains_key(name) && !is_input {
            lines.push(format!("secret {name}: not told => there"));
        }
    }
}

fn secret_itself(name: &str, theirs: &Value, ours: &Value, lines: &mut Vec<String>) {
    let mut tell = |what: &str, theirs: &Value, ours: &Value| {
        if theirs != ours {
            lines.push(format!("secret {name} {what}: {theirs} => {ours}"));
        }
    };
    tell("type", &theirs["type"], &ours["type"]);
    tell("immutable", &theirs["immutable"], &ours["immutable"]);
    tell("labels", &map(&theirs["labels"]), &map(&ours["metadata"]["labels"]));
    let mut owners = ours["metadata"]["ownerReferences"].clone();
    for owner in owners.as_array_mut().into_iter().flatten() {
        owner.as_object_mut().unwrap().remove("uid");
    }
    tell("owners", &theirs["ownerReferences"], &owners);
    let data = decoded(&ours["data"]);
    // The hash is that of the data, or of no data that there is.
    let mut annotations = map(&ours["metadata"]["annotations"]);
    if let Some(hash) = annotations.get_mut(DATA_HASH) {
        let bytes =
            data.iter().map(|(key, value)| (key.clone(), Data::new(value.clone().into_bytes())));
        let fits = *hash == data_hash(&bytes.collect());
        let of_theirs = theirs["annotations"][DATA_HASH].as_str().unwrap_or_default();
        let is_unfit =
            of_theirs.starts_with("<hash of earlier") || of_theirs.starts_with("<hash of other");
        *hash = match (fits, is_unfit) {
            (true, false) | (false, true) => theirs["annotations"][DATA_HASH].clone(),
            (true, true) => Value::from("<hash of this data>"),
            (false, false) => Value::from("<hash of other data>"),
        };
    }
    let mut expected = map(&theirs["annotations"]);
    for (key, value) in expected.as_object_mut().unwrap() {
        let (Some(pattern), Some(found)) = (value.as_str(), annotations[key.as_str()].as_str())
        else {
            continue;
        };
        if is_like(pattern, found) {
            *value = Value::from(found);
        }
    }
    tell("annotations", &expected, &annotations);
    let expected = theirs["data"].as_object().unwrap();
    let keys = |keys: BTreeSet<&String>| Value::from(keys.into_iter().cloned().collect::<Vec<_>>());
    tell("keys", &keys(expected.keys().collect()), &keys(data.keys().collect()));
    for (key, value) in expected {
        let (Some(value), Some(found)) = (value.as_str(), data.get(key)) else { continue };
        let value = value.replace("<base key id>", BASE_KEY).replace("<second key id>", SECOND_KEY);
        if !is_like(&value, found) {
            tell(&format!("data {key}"), &Value::from(value), &Value::from("something else"));
        }
    }
}

/// Whether a value is what a text with placeholders says.
fn is_like(pattern: &str, found: &str) -> bool {
    let mut rest = found;
    let mut parts = pattern.split('<');
    let Some(first) = parts.next() else { return found.is_empty() };
    let Some(after) = rest.strip_prefix(first) else { return false };
    rest = after;
    for part in parts {
        let Some((placeholder, literal)) = part.split_once('>') else { return false };
        let end = if literal.is_empty() { Some(rest.len()) } else { rest.find(literal) };
        let Some(end) = end else { return false };
        if !fits(placeholder, &rest[..end]) {
            return false;
        }
        rest = &rest[end + literal.len()..];
    }
    rest.is_empty()
}

fn fits(placeholder: &str, value: &str) -> bool {
    let name = placeholder.split_once('.').map_or(placeholder, |(_, name)| name);
    match name {
        "access_key_id" => value.starts_with("ASIAEMULATED"),
        "expiration" | "expires_at" => value.len() == 10 && value.parse::<u64>().is_ok(),
        "password" => value.starts_with("EMULATED"),
        _ => !value.is_empty(),
    }
}

fn external_secrets(theirs: &Value, ours: &Observation, lines: &mut Vec<String>) {
    for (name, object) in theirs["externalsecrets"].as_object().unwrap() {
        let is_gone = object["since_last"] == "gone";
        let Some(found) = ours.external_secrets.get(name) else {
            if !is_gone {
                lines.push(format!("es {name}: there => not there"));
            }
            continue;
        };
        if is_gone {
            lines.push(format!("es {name}: gone => there"));
            continue;
        }
        let status = &object["status"];
        if !status.is_object() {
            continue;
        }
        let found_status = &found["status"];
        for field in ["binding", "syncedResourceVersion"] {
            if status[field] != found_status[field] {
                lines.push(format!(
                    "es {name} {field}: {} => {}",
                    status[field], found_status[field]
                ));
            }
        }
        let finalizers = |value: &Value| value.as_array().map_or(0, Vec::len);
        let (theirs, ours) =
            (finalizers(&object["finalizers"]), finalizers(&found["metadata"]["finalizers"]));
        // Only where the Secret is deleted with its ExternalSecret.
        let is_meant = ours == 0 && found["spec"]["target"]["deletionPolicy"] != "Delete";
        if theirs != ours && !is_meant {
            lines.push(format!("es {name} finalizers: {theirs} => {ours}"));
        }
        let ready = |status: &Value| {
            let conditions = status["conditions"].as_array();
            let ready = conditions.into_iter().flatten().find(|it| it["type"] == "Ready");
            ready.map_or("none".to_owned(), |it| {
                format!("{}/{}/{}", it["status"], it["reason"], it["message"]).replace('"', "")
            })
        };
        if ready(status) != ready(found_status) {
            lines.push(format!("es {name} Ready: {} => {}", ready(status), ready(found_status)));
        }
        let has_time = !found_status["refreshTime"].is_null();
        let had_time = matches!(status["synced"].as_str(), Some("moved" | "same"));
        if has_time != had_time {
            lines.push(format!("es {name} refreshTime: {had_time} => {has_time}"));
        }
    }
}

fn events(theirs: &Value, ours: &Observation, lines: &mut Vec<String>) {
    let reasons: BTreeSet<String> = theirs["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| format!("{} {}", event[0].as_str().unwrap(), event[1].as_str().unwrap()))
        .collect();
    let found: BTreeSet<String> =
        ours.events.iter().map(|(kind, reason, _)| format!("{kind} {reason}")).collect();
    let mut told: BTreeMap<&String, &str> = BTreeMap::new();
    told.extend(reasons.difference(&found).map(|it| (it, "said => not said")));
    told.extend(found.difference(&reasons).map(|it| (it, "not said => said")));
    lines.extend(told.into_iter().map(|(event, how)| format!("event {event}: {how}")));
}

/// The values of a Secret as text.
pub(crate) fn decoded(data: &Value) -> BTreeMap<String, String> {
    let values = data.as_object().into_iter().flatten();
    let text = |value: &Value| {
        let bytes = STANDARD.decode(value.as_str().unwrap_or_default()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    values.map(|(key, value)| (key.clone(), text(value))).collect()
}

fn map(value: &Value) -> Value {
    if value.is_null() { Value::Object(serde_json::Map::new()) } else { value.clone() }
}

const DATA_HASH: &str = "reconcile.external-secrets.io/data-hash";
