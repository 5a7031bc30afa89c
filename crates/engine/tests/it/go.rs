//! What Go answers to hundreds of templates: `../data/templates.jsonl`, written by `tools/go`.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use rolecall_engine::template::{
    Fault, MapError, Origin, Run, Template, TemplateError, string_map,
};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    group: String,
    template: Option<String>,
    #[serde(default)]
    data: BTreeMap<String, String>,
    map: Option<String>,
    /// The function that ESO has and we refuse by this name.
    refused: Option<String>,
    /// Why the answer is another on purpose.
    differs: Option<String>,
    out: Option<String>,
    bytes: Option<String>,
    entries: Option<BTreeMap<String, String>>,
    error: Option<String>,
}

fn rows() -> Vec<Row> {
    let text = include_str!("../data/templates.jsonl");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Some time after all that the rows name.
fn now() -> Timestamp {
    "2026-11-26T12:00:00Z".parse().unwrap()
}

fn render(row: &Row) -> Result<Vec<u8>, TemplateError> {
    let template = Template::parse(row.template.as_deref().unwrap(), Origin::Public)?;
    let keys = row.data.iter().map(|(key, value)| (key.as_str(), value.as_bytes()));
    template.render(keys, now(), &mut Run::new()).map(|rendered| rendered.to_vec())
}

/// The class of a fault in words of Go's error.
fn words_of(fault: &Fault) -> &'static [&'static str] {
    match fault {
        Fault::UndefinedFunction(_) | Fault::UndefinedTemplate(_) => &["not defined"],
        Fault::UndefinedVariable(_) => &["undefined variable"],
        Fault::MissingKey(_) => &["map has no entry for key"],
        Fault::NoField { .. } => &["can't evaluate field"],
        Fault::NilData(_) => &["nil data; no entry", "nil pointer evaluating"],
        Fault::WrongType { .. } => &[
            "wrong type for value",
            "; found ",
            "invalid value; expected",
            "cannot assign nil",
            "can't handle",
            "overflows int",
        ],
        Fault::ArgumentCount { .. } => &["wrong number of args"],
        Fault::NotAFunction => {
            &["can't give argument to non-function", "is not a method but has arguments"]
        }
        Fault::NilCommand => &["nil is not a command"],
        Fault::NotIterable(_) => &["range can't iterate over"],
        Fault::Number(_) => &["overflows int", "to iterate over more than one variable"],
        Fault::Failed { .. } => &["error calling "],
        Fault::Fail => &["error calling fail"],
        _ => &[],
    }
}

/// Whether our error is Go's: the same class, and the same place where Go tells one.
fn agrees(ours: &TemplateError, theirs: &str) -> bool {
    if matches!(ours.fault, Fault::Syntax(_)) {
        // Go tells the line alone, and no "executing".
        return !theirs.contains("executing");
    }
    let place = theirs.strip_prefix("template: k:").unwrap_or_default();
    let mut numbers = place.split(':').map(|number| number.trim().parse::<usize>());
    let line = numbers.next().is_some_and(|line| line == Ok(ours.line));
    let column = numbers.next().is_none_or(|column| column.is_err() || column == Ok(ours.column));
    line && column && words_of(&ours.fault).iter().any(|words| theirs.contains(words))
}

fn check_template(row: &Row) -> Result<(), String> {
    let ours = render(row);
    if let Some(refused) = &row.refused {
        return match &ours {
            Err(TemplateError { fault: Fault::UnsupportedFunction(name), .. })
                if name == refused =>
            {
                Ok(())
            }
            other => Err(format!("is not refused: {other:?}")),
        };
    }
    let expected = row.out.as_ref().map(|out| out.clone().into_bytes());
    let expected = expected.or_else(|| row.bytes.as_ref().map(|b| STANDARD.decode(b).unwrap()));
    match (ours, expected, &row.error) {
        (Ok(ours), Some(theirs), None) if row.differs.is_some() && ours != theirs => Ok(()),
        (Err(_), Some(_), None) if row.differs.is_some() => Ok(()),
        (ours, ..) if row.differs.is_some() => Err(format!("does not differ: {ours:?}")),
        (Ok(ours), Some(theirs), None) if ours == theirs => Ok(()),
        (Err(ours), None, Some(theirs)) if agrees(&ours, theirs) => Ok(()),
        (Ok(ours), ..) => Err(format!("gives {:?}", String::from_utf8_lossy(&ours))),
        (Err(ours), ..) => Err(format!("fails: {ours} ({:?})", ours.fault)),
    }
}

fn check_map(row: &Row) -> Result<(), String> {
    let ours = string_map(row.map.as_deref().unwrap().as_bytes(), &mut Run::new());
    let ours = ours.map(|map| {
        let text = |value: &[u8]| String::from_utf8(value.to_vec()).unwrap();
        map.iter().map(|(key, value)| (key.clone(), text(value))).collect::<BTreeMap<_, _>>()
    });
    match (&ours, &row.entries, &row.error) {
        (Ok(_), None, Some(_)) if row.differs.is_some() => Ok(()),
        (Ok(ours), Some(theirs), None) if ours == theirs => Ok(()),
        (Err(MapError::NotYaml), None, Some(theirs)) if theirs.contains("converting YAML") => {
            Ok(())
        }
        (Err(MapError::NotAMap), None, Some(theirs)) if theirs.contains("type map[") => Ok(()),
        (Err(MapError::NotAString), None, Some(theirs)) if theirs.contains("type string") => Ok(()),
        _ => Err(format!("{ours:?}")),
    }
}

#[test]
fn go_answers_the_same() {
    let rows = rows();
    assert!(rows.iter().filter(|row| row.template.is_some()).count() >= 250);
    let mut wrong = Vec::new();
    for row in &rows {
        let checked = if row.map.is_some() { check_map(row) } else { check_template(row) };
        if let Err(ours) = checked {
            let asked = row.template.as_ref().or(row.map.as_ref()).unwrap();
            let theirs = (&row.out, &row.bytes, &row.entries, &row.error);
            wrong.push(format!("{}: {asked:?}\n  ours: {ours}\n  Go's: {theirs:?}", row.group));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}
