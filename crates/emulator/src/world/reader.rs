//! Walks a document and notes every violation with its path, instead of stopping at the first.
//!
//! A [`Node`] is a value and where it stands. Every accessor that fails notes why and answers
//! nothing, so the walk goes on and the reader hears everything at once.

use std::cell::RefCell;

use serde_json::{Map, Value};

/// Collects violations: `path: what is wrong`.
#[derive(Debug, Default)]
pub(crate) struct Violations(RefCell<Vec<String>>);

impl Violations {
    /// Notes one violation.
    pub(crate) fn note(&self, path: &str, text: impl AsRef<str>) {
        let path = if path.is_empty() { "world" } else { path };
        self.0.borrow_mut().push(format!("{path}: {}", text.as_ref()));
    }

    /// Everything noted, in the order of the walk.
    pub(crate) fn into_list(self) -> Vec<String> {
        self.0.into_inner()
    }
}

/// A value of a document, with its path.
#[derive(Clone, Debug)]
pub(crate) struct Node<'a> {
    /// Such as `roles[2].trustPolicy`.
    pub(crate) path: String,
    /// The value itself.
    pub(crate) value: &'a Value,
    violations: &'a Violations,
}

impl<'a> Node<'a> {
    /// The document itself.
    pub(crate) fn root(value: &'a Value, name: &str, violations: &'a Violations) -> Self {
        Self { path: name.to_owned(), value, violations }
    }

    /// Notes that something is wrong here.
    pub(crate) fn note(&self, text: impl AsRef<str>) {
        self.violations.note(&self.path, text);
    }

    /// A map whose keys are all among `known`.
    pub(crate) fn map(&self, known: &[&str]) -> Option<Fields<'a>> {
        let Some(map) = self.value.as_object() else {
            self.note("must be a map");
            return None;
        };
        for key in map.keys().filter(|key| !known.contains(&key.as_str())) {
            self.note(format!("unknown key `{key}`, known are {}", known.join(", ")));
        }
        Some(Fields { node: self.clone(), map })
    }

    /// A map with free keys.
    pub(crate) fn entries(&self) -> Vec<(&'a str, Node<'a>)> {
        let Some(map) = self.value.as_object() else {
            self.note("must be a map");
            return Vec::new();
        };
        map.iter().map(|(key, value)| (key.as_str(), self.at(&format!(".{key}"), value))).collect()
    }

    /// The items of a list.
    pub(crate) fn list(&self) -> Vec<Node<'a>> {
        let Some(items) = self.value.as_array() else {
            self.note("must be a list");
            return Vec::new();
        };
        self.numbered(items)
    }

    /// The items of a list, or the value itself as the only one.
    pub(crate) fn one_or_many(&self) -> Vec<Node<'a>> {
        match self.value.as_array() {
            Some(items) => self.numbered(items),
            None => vec![self.clone()],
        }
    }

    /// A text.
    pub(crate) fn text(&self) -> Option<&'a str> {
        let text = self.value.as_str();
        if text.is_none() {
            self.note("must be a text");
        }
        text
    }

    /// A text, or a boolean or number as its text.
    pub(crate) fn scalar(&self) -> Option<String> {
        match self.value {
            Value::String(text) => Some(text.clone()),
            Value::Bool(flag) => Some(flag.to_string()),
            Value::Number(number) => Some(number.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => {
                self.note("must be a text, a number or a boolean");
                None
            }
        }
    }

    /// A whole number within `range`.
    pub(crate) fn number(&self, range: std::ops::RangeInclusive<u64>) -> Option<u64> {
        let number = self.value.as_u64().filter(|number| range.contains(number));
        if number.is_none() {
            self.note(format!("must be a whole number in {}..={}", range.start(), range.end()));
        }
        number
    }

    fn numbered(&self, items: &'a [Value]) -> Vec<Node<'a>> {
        items
            .iter()
            .enumerate()
            .map(|(index, value)| self.at(&format!("[{index}]"), value))
            .collect()
    }

    fn at(&self, step: &str, value: &'a Value) -> Self {
        let path = self.path.clone() + step;
        let path = path.strip_prefix('.').map_or(path.clone(), str::to_owned);
        Self { path, value, violations: self.violations }
    }
}

/// A map's values by key.
#[derive(Clone, Debug)]
pub(crate) struct Fields<'a> {
    node: Node<'a>,
    map: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    /// The value of `key`, when it is there and not null.
    pub(crate) fn optional(&self, key: &str) -> Option<Node<'a>> {
        let value = self.map.get(key).filter(|value| !value.is_null())?;
        Some(self.node.at(&format!(".{key}"), value))
    }

    /// The value of `key`; notes its absence.
    pub(crate) fn required(&self, key: &str) -> Option<Node<'a>> {
        let found = self.optional(key);
        if found.is_none() {
            self.node.note(format!("`{key}` is missing"));
        }
        found
    }

    /// The items of the list at `key`; none when the key is absent.
    pub(crate) fn items(&self, key: &str) -> Vec<Node<'a>> {
        self.optional(key).map(|node| node.list()).unwrap_or_default()
    }
}
