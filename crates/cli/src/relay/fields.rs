//! The fields of a step's spec: what each of them is, or why it is nothing.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rolecall_engine::violation::shown;
use serde_json::{Map, Value};

/// One field of a spec.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Field {
    /// Not there.
    Missing,
    /// There, and null.
    Null,
    Value(Value),
    /// Names what does not exist, or does not exist yet.
    Unresolved(String),
    /// Cannot be evaluated.
    Invalid(String),
}

/// Every path that a spec may have, whole objects as one where nothing of theirs is a secret alone.
pub(crate) const PATHS: [&[&str]; 23] = [
    &["aws", "connection", "accessKeyID"],
    &["aws", "connection", "secretAccessKey"],
    &["aws", "connection", "sessionToken"],
    &["aws", "accessKeyID"],
    &["aws", "secretAccessKey"],
    &["aws", "sessionToken"],
    &["aws", "region"],
    &["region"],
    &["aws", "webIdentity"],
    &["aws", "ambient"],
    &["roleARN"],
    &["roleSessionName"],
    &["duration"],
    &["externalID"],
    &["policy"],
    &["policyARNs"],
    &["tags"],
    &["transitiveTagKeys"],
    &["sourceIdentity"],
    &["mfa"],
    &["via"],
    &["endpoint"],
    &["allowHTTP"],
];

/// The fields of a spec by their paths.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    by_path: BTreeMap<String, Field>,
    /// Fields of the spec that nobody knows.
    pub(crate) unknown: Vec<String>,
    /// Whether the spec is something else than a map of fields.
    pub(crate) is_no_map: bool,
}

impl Fields {
    /// The fields of a spec that is known as a whole.
    pub(crate) fn of(spec: &Value) -> Self {
        let is_no_map = !spec.is_object() && !spec.is_null();
        let spec = if is_no_map { &Value::Null } else { spec };
        let mut fields = BTreeMap::new();
        for path in PATHS {
            fields.insert(path.join("."), found(spec, path, 0));
        }
        Self { by_path: fields, unknown: unknown(spec), is_no_map }
    }

    /// Keeps what a path is.
    pub(crate) fn set(&mut self, path: &[&str], field: Field) {
        self.by_path.insert(path.join("."), field);
    }

    pub(crate) fn get(&self, path: &str) -> &Field {
        self.by_path.get(path).unwrap_or(&Field::Missing)
    }
}

/// What is written beside the fields of the spec, `aws` and `aws.connection`, for people.
pub(crate) fn unknown(spec: &Value) -> Vec<String> {
    let mut unknown = Vec::new();
    for place in [&[][..], &["aws"], &["aws", "connection"]] {
        let here = place.iter().try_fold(spec, |value, key| value.get(key));
        let is_no_reference = |map: &&Map<String, Value>| !map.contains_key("$type");
        let keys = here.and_then(Value::as_object).filter(is_no_reference).into_iter();
        for key in keys.flat_map(Map::keys) {
            let is_known = PATHS
                .iter()
                .any(|path| path.strip_prefix(place).and_then(<[_]>::first) == Some(&key.as_str()));
            if !is_known {
                let path: Vec<&str> = place.iter().copied().chain([key.as_str()]).collect();
                unknown.push(shown(&path.join(".")));
            }
        }
    }
    unknown
}

/// The field of a value that stands after `from` segments of a path.
pub(crate) fn found(spec: &Value, path: &[&str], from: usize) -> Field {
    let mut value = spec;
    for (index, key) in path.iter().enumerate().skip(from) {
        match value {
            Value::Null => return Field::Missing,
            Value::String(text) if text.is_empty() => return Field::Missing,
            Value::Object(map) => match map.get(*key) {
                Some(inner) => value = inner,
                None => return Field::Missing,
            },
            _ => {
                let parent = path.get(..index).unwrap_or_default().join(".");
                return Field::Invalid(format!("is not there, since {parent} is no object"));
            }
        }
    }
    field_of(value)
}

/// A value as a field: bytes are decoded.
pub(crate) fn field_of(value: &Value) -> Field {
    match decoded(value) {
        Ok(Value::Null) => Field::Null,
        Ok(value) => Field::Value(value),
        Err(problem) => Field::Invalid(problem.to_owned()),
    }
}

/// `{"$encoding":"base64","data":…}` at any depth as the text that it stands for.
fn decoded(value: &Value) -> Result<Value, &'static str> {
    match value {
        Value::Object(map) => match map.get("$encoding") {
            Some(encoding) => {
                let data = map.get("data").and_then(Value::as_str);
                let bytes = match (encoding.as_str(), data) {
                    (Some("base64"), Some(data)) => STANDARD.decode(data).ok(),
                    (Some(""), Some(data)) => Some(data.as_bytes().to_vec()),
                    _ => return Err("is encoded in a way that is not known"),
                };
                let bytes = bytes.ok_or("is not the base64 that it says it is")?;
                let text =
                    String::from_utf8(bytes).map_err(|_| "holds bytes that are no UTF-8 text")?;
                Ok(Value::String(text))
            }
            None => map
                .iter()
                .map(|(key, value)| Ok((key.clone(), decoded(value)?)))
                .collect::<Result<_, _>>()
                .map(Value::Object),
        },
        Value::Array(items) => {
            items.iter().map(decoded).collect::<Result<_, _>>().map(Value::Array)
        }
        other => Ok(other.clone()),
    }
}

/// The expression that asks for a path: the first segment bare, the others quoted in brackets.
pub(crate) fn expression(path: &[&str]) -> String {
    let mut expression = String::new();
    for (index, segment) in path.iter().enumerate() {
        if index == 0 {
            expression.push_str(segment);
        } else {
            // Writing to memory cannot fail.
            write!(expression, "[{}]", Value::from(*segment)).ok();
        }
    }
    expression
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_field_is_missing_null_or_there() {
        let fields = Fields::of(
            &json!({"roleARN": null, "aws": {"region": "eu-west-1", "connection": null},
            "duration": 900, "color": "red", "policy": {"$encoding": "base64", "data": "e30="}}),
        );
        assert_eq!(*fields.get("roleARN"), Field::Null);
        assert_eq!(*fields.get("aws.region"), Field::Value(json!("eu-west-1")));
        assert_eq!(*fields.get("aws.connection.accessKeyID"), Field::Missing);
        assert_eq!(*fields.get("duration"), Field::Value(json!(900)));
        assert_eq!(*fields.get("policy"), Field::Value(json!("{}")));
        assert_eq!(fields.unknown, ["color"]);
        let fields = Fields::of(&json!({"aws": "text"}));
        assert_eq!(
            *fields.get("aws.region"),
            Field::Invalid("is not there, since aws is no object".to_owned())
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_told() {
        let bytes =
            |encoding: &str, data: &str| field_of(&json!([{"$encoding": encoding, "data": data}]));
        assert_eq!(bytes("base64", "YQ=="), Field::Value(json!(["a"])));
        assert!(matches!(bytes("base64", "/w=="), Field::Invalid(_)));
        assert!(matches!(bytes("base64", "!"), Field::Invalid(_)));
        assert!(matches!(bytes("rot13", "a"), Field::Invalid(_)));
    }

    #[test]
    fn an_expression_is_quoted_as_the_python_sdk_quotes_it() {
        assert_eq!(
            expression(&["aws", "connection", "accessKeyID"]),
            r#"aws["connection"]["accessKeyID"]"#
        );
        assert_eq!(expression(&["roleARN"]), "roleARN");
    }
}
