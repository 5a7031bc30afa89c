//! `${…}` in a string: a path to something of the sample file.

use rolecall_engine::violation::shown;
use serde_json::Value;

use super::node::Reference;
use super::{Stop, World};

/// The value of a string: that of its one `${…}` with its type, else a string.
pub(super) fn evaluate(text: &str, world: &World<'_>) -> Result<Value, Stop> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (expression, behind) =
            to_brace(after).ok_or_else(|| Stop::Invalid("has a ${ without its }".to_owned()))?;
        let value = look_up(expression.trim(), world)?;
        if before.is_empty() && behind.is_empty() && out.is_empty() {
            return Ok(value);
        }
        out.push_str(before);
        match value {
            Value::String(text) => out.push_str(&text),
            Value::Null => {}
            other => out.push_str(&other.to_string()),
        }
        rest = behind;
    }
    out.push_str(rest);
    Ok(Value::String(out))
}

/// What stands before the closing brace, and what behind it; one in quotes closes nothing.
fn to_brace(text: &str) -> Option<(&str, &str)> {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (None, '}') => return Some((text.get(..at)?, text.get(at + 1..)?)),
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
    }
    None
}

fn look_up(expression: &str, world: &World<'_>) -> Result<Value, Stop> {
    let function = expression.split_once('(').map(|(function, _)| function);
    if let Some(function) = function.filter(|function| !function.contains(['\'', '"'])) {
        let function = shown(function);
        return Err(Stop::Invalid(format!("calls {function}(), which is not evaluated here")));
    }
    let segments = segments(expression.strip_prefix("$.").unwrap_or(expression))
        .ok_or_else(|| Stop::Invalid("has a ${…} that is no path".to_owned()))?;
    let mut words = segments.iter().map(String::as_str);
    let (reference, count) = match words.next() {
        Some("connections") => (Reference::Connection, 2),
        Some("parameters") => (Reference::Parameter, 1),
        Some("outputs") => (Reference::Output, 2),
        Some("secrets") => (Reference::Secret, 1),
        _ => {
            let known = "connections, parameters, outputs or secrets";
            return Err(Stop::Invalid(format!("has a ${{…}} that begins with none of {known}")));
        }
    };
    let names: Vec<String> = words.by_ref().take(count).map(str::to_owned).collect();
    if names.len() < count {
        return Err(Stop::Invalid("has a ${…} that names nothing".to_owned()));
    }
    let mut value = world.look_up(reference, &names)?;
    for key in words {
        let inner = match &mut value {
            Value::Object(map) => map.remove(key),
            Value::Array(items) => {
                let index = key.parse::<isize>().ok();
                let from_end = |index: isize| items.len().checked_sub(index.unsigned_abs());
                let index = index.and_then(|index| match index {
                    0.. => usize::try_from(index).ok(),
                    _ => from_end(index),
                });
                index.and_then(|index| items.get_mut(index)).map(Value::take)
            }
            _ => None,
        };
        value = inner.ok_or_else(|| Stop::Invalid("has a ${…} of an unknown key".to_owned()))?;
    }
    Ok(value)
}

/// `a.b`, `a.'b c'`, `a["b"]`, `a['b']`, `a[0]`; a hyphen is part of a name.
fn segments(expression: &str) -> Option<Vec<String>> {
    let mut segments = Vec::new();
    let mut rest = expression;
    while !rest.is_empty() {
        let (segment, after) = match rest.strip_prefix('[') {
            Some(inner) => {
                let (segment, after) = word(inner)?;
                (segment, after.strip_prefix(']')?)
            }
            None => word(rest)?,
        };
        segments.push(segment);
        rest = match after.strip_prefix('.') {
            Some(after) if !after.is_empty() => after,
            None if after.is_empty() || after.starts_with('[') => after,
            _ => return None,
        };
    }
    Some(segments)
}

/// A quoted word, or a bare one.
fn word(text: &str) -> Option<(String, &str)> {
    for quote in ['\'', '"'] {
        if let Some(inner) = text.strip_prefix(quote) {
            let (word, after) = inner.split_once(quote)?;
            return Some((word.to_owned(), after));
        }
    }
    let end = text.find(|c: char| !(c.is_alphanumeric() || "-_$/".contains(c)));
    let (word, after) = text.split_at(end.unwrap_or(text.len()));
    (!word.is_empty()).then(|| (word.to_owned(), after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(expression: &str, expected: Option<&[&str]>) {
        let segments = segments(expression);
        let segments: Option<Vec<&str>> =
            segments.as_ref().map(|all| all.iter().map(String::as_str).collect());
        assert_eq!(segments.as_deref(), expected, "{expression}");
    }

    #[test]
    fn a_path_is_taken_apart() {
        check(
            "connections.aws.my-aws-connection",
            Some(&["connections", "aws", "my-aws-connection"]),
        );
        check("outputs.'a step'.connection", Some(&["outputs", "a step", "connection"]));
        check(r#"parameters["a.b"]['c'][0]"#, Some(&["parameters", "a.b", "c", "0"]));
        check("a..b", None);
        check("a.", None);
        check("a['b", None);
        check("a + b", None);
    }
}
