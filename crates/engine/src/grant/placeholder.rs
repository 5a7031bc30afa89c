//! Finds what a template engine should have replaced and did not.

use serde_json::Value;

use crate::violation::{Violations, shown};

/// Reports each string of the name and the spec that still holds `${NAME}` or `{{ … }}`.
///
/// IAM's own policy variables have a colon in their name (`${aws:username}`) and pass; so does what
/// Kubernetes adds (annotations, `status`).
pub(super) fn find(document: &Value) -> Violations {
    find_outside(document, |_| false)
}

/// The same, without what stands under a path that `is_template` knows: there such text is meant.
pub(super) fn find_outside(document: &Value, is_template: fn(&str) -> bool) -> Violations {
    let mut violations = Violations::new();
    for (pointer, path) in [
        ("/metadata/name", "metadata.name"),
        ("/metadata/namespace", "metadata.namespace"),
        ("/spec", "spec"),
    ] {
        if let Some(value) = document.pointer(pointer) {
            walk(value, path.to_owned(), is_template, &mut violations);
        }
    }
    violations
}

fn walk(value: &Value, path: String, is_template: fn(&str) -> bool, violations: &mut Violations) {
    match value {
        _ if is_template(&path) => {}
        Value::Object(map) => {
            for (key, value) in map {
                walk(value, format!("{path}.{}", shown(key)), is_template, violations);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(item, format!("{path}[{index}]"), is_template, violations);
            }
        }
        Value::String(text) => {
            if let Some(found) = placeholder_in(text) {
                report(path, found, violations);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Says that a placeholder was left.
pub(super) fn report(path: String, found: &str, violations: &mut Violations) {
    let problem = format_args!("still holds the placeholder {found}");
    let hint = "fill it in first, for example with envsubst or helm template";
    violations.push_with_hint(path, problem, hint);
}

/// The first `${NAME}`, or `{{ }}` for a template's action.
pub fn placeholder_in(text: &str) -> Option<&str> {
    if text.contains("{{") {
        return Some("{{ }}");
    }
    for (start, _) in text.match_indices("${") {
        let rest = text.get(start..)?;
        let Some(end) = rest.find('}') else { continue };
        let name = rest.get(2..end).unwrap_or_default();
        let is_name = !name.is_empty()
            && name.len() <= 64
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && !name.starts_with(|c: char| c.is_ascii_digit());
        if is_name {
            return rest.get(..=end);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::placeholder_in;

    #[test]
    fn a_policy_variable_is_no_placeholder() {
        assert_eq!(placeholder_in("arn:aws:s3:::home/${aws:username}/*"), None);
        assert_eq!(placeholder_in("arn:aws:iam::${ACCOUNT_ID}:role/x"), Some("${ACCOUNT_ID}"));
        assert_eq!(placeholder_in("{{ .Values.region }}"), Some("{{ }}"));
        assert_eq!(placeholder_in("${unclosed"), None);
    }
}
