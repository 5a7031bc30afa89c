//! The names that Kubernetes takes: of objects, keys, labels and annotations.

use crate::violation::Violations;

/// The name of an object, as Kubernetes allows it.
pub fn check_name(path: &str, name: Option<&str>, violations: &mut Violations) {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_legal = |name: &str| {
        name.len() <= 253
            && name.chars().all(inner)
            && name.starts_with(edge)
            && name.ends_with(edge)
    };
    if name.is_some_and(|name| !is_legal(name)) {
        violations.push(path, "must be 1 to 253 lower-case letters, digits, - or .");
    }
}

/// A key of a Secret or a `ConfigMap`.
pub(super) fn check_key(path: &str, key: &str, violations: &mut Violations) {
    if !is_data_key(key) {
        violations.push(path, "must be 1 to 253 letters A-Z a-z, digits, -, _ or .");
    }
}

/// Whether a Secret may have this key.
///
/// <https://kubernetes.io/docs/concepts/configuration/secret/#restriction-names-data>
pub(crate) fn is_data_key(key: &str) -> bool {
    let is_part = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    (1..=253).contains(&key.len())
        && key.bytes().all(is_part)
        && key != "."
        && !key.starts_with("..")
}

/// A name of a label or annotation: `NAME` or `DOMAIN/NAME`.
///
/// <https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set>
pub(crate) fn is_qualified_name(text: &str) -> bool {
    let (domain, name) = match text.split_once('/') {
        Some((domain, name)) => (Some(domain), name),
        None => (None, text),
    };
    let is_domain = |domain: &str| {
        let is_label = |label: &str| {
            let inner =
                label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
            inner && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
        };
        domain.len() <= 253 && domain.split('.').all(is_label)
    };
    !name.is_empty() && is_label_value(name) && domain.is_none_or(is_domain)
}

/// A value of a label: at most 63 characters, letters and digits at both ends.
pub(crate) fn is_label_value(text: &str) -> bool {
    let is_end = |c: Option<u8>| c.is_none_or(|c| c.is_ascii_alphanumeric());
    let bytes = text.as_bytes();
    bytes.len() <= 63
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b))
        && is_end(bytes.first().copied())
        && is_end(bytes.last().copied())
}
