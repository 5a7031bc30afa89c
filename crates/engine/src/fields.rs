//! Reads an object of a document field by field, and collects what is wrong with it.
//!
//! Not a deserializer: `serde` stops at the first fault, and a person wants all of them
//! (docs/decisions/0002). A field that is `null` is absent, as in Kubernetes.

use std::fmt;

use serde_json::{Map, Value};

use crate::violation::{Violations, nearest, shown};

/// One object under its path; remembers which fields were asked for.
#[derive(Debug)]
pub struct Fields<'a> {
    path: String,
    map: &'a Map<String, Value>,
    asked: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// Opens `value`, which must be an object.
    pub fn of(
        value: &'a Value,
        path: impl Into<String>,
        violations: &mut Violations,
    ) -> Option<Self> {
        let path = path.into();
        match value {
            Value::Object(map) => Some(Self { path, map, asked: Vec::new() }),
            other => {
                violations.push(path, WrongType { wanted: "an object", found: other });
                None
            }
        }
    }

    /// The full path of one of its fields.
    pub fn path_of(&self, key: &str) -> String {
        let key = shown(key);
        if self.path.is_empty() { key } else { format!("{}.{key}", self.path) }
    }

    /// The path of the object itself.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether the field is there and not `null`.
    pub fn has(&self, key: &str) -> bool {
        self.map.get(key).is_some_and(|value| !value.is_null())
    }

    /// Any value.
    pub fn value(&mut self, key: &'static str) -> Option<&'a Value> {
        self.asked.push(key);
        self.map.get(key).filter(|value| !value.is_null())
    }

    /// A string.
    pub fn text(&mut self, key: &'static str, violations: &mut Violations) -> Option<&'a str> {
        let value = self.value(key)?;
        let text = value.as_str();
        if text.is_none() {
            violations.push(self.path_of(key), WrongType { wanted: "a string", found: value });
        }
        text
    }

    /// A string that must be there.
    pub fn required_text(
        &mut self,
        key: &'static str,
        violations: &mut Violations,
    ) -> Option<&'a str> {
        if !self.has(key) {
            violations.push(self.path_of(key), "is missing");
        }
        self.text(key, violations)
    }

    /// A string that is read by `parse`.
    pub fn parsed<T, E: fmt::Display>(
        &mut self,
        key: &'static str,
        violations: &mut Violations,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.text(key, violations)?;
        violations.keep(&self.path_of(key), parse(text))
    }

    /// A whole number.
    pub fn integer(&mut self, key: &'static str, violations: &mut Violations) -> Option<i64> {
        let value = self.value(key)?;
        let number = value.as_i64();
        if number.is_none() {
            violations
                .push(self.path_of(key), WrongType { wanted: "a whole number", found: value });
        }
        number
    }

    /// A yes or no.
    pub fn boolean(&mut self, key: &'static str, violations: &mut Violations) -> Option<bool> {
        let value = self.value(key)?;
        let flag = value.as_bool();
        if flag.is_none() {
            violations.push(self.path_of(key), WrongType { wanted: "true or false", found: value });
        }
        flag
    }

    /// A list, with the path of each item.
    pub fn list(
        &mut self,
        key: &'static str,
        violations: &mut Violations,
    ) -> Option<Vec<(String, &'a Value)>> {
        let path = self.path_of(key);
        match self.value(key)? {
            Value::Array(items) => Some(
                items.iter().enumerate().map(|(i, item)| (format!("{path}[{i}]"), item)).collect(),
            ),
            other => {
                violations.push(path, WrongType { wanted: "a list", found: other });
                None
            }
        }
    }

    /// A list of strings.
    pub fn texts(
        &mut self,
        key: &'static str,
        violations: &mut Violations,
    ) -> Option<Vec<(String, &'a str)>> {
        let items = self.list(key, violations)?;
        let mut texts = Vec::new();
        for (path, item) in items {
            match item.as_str() {
                Some(text) => texts.push((path, text)),
                None => violations.push(path, WrongType { wanted: "a string", found: item }),
            }
        }
        Some(texts)
    }

    /// Every field of an object whose fields have no fixed names, as strings.
    pub fn texts_by_key(self, violations: &mut Violations) -> Vec<(&'a str, &'a str)> {
        let mut texts = Vec::new();
        for (key, value) in self.map {
            match value.as_str() {
                Some(text) => texts.push((key.as_str(), text)),
                None => violations
                    .push(self.path_of(key), WrongType { wanted: "a string", found: value }),
            }
        }
        texts
    }

    /// A nested object.
    pub fn object(&mut self, key: &'static str, violations: &mut Violations) -> Option<Fields<'a>> {
        let path = self.path_of(key);
        let value = self.value(key)?;
        Fields::of(value, path, violations)
    }

    /// Reports every field that nobody asked for; `advice` knows words that people write here.
    pub fn finish(self, violations: &mut Violations, advice: impl Fn(&str) -> Option<String>) {
        for key in self.map.keys().filter(|key| !self.asked.contains(&key.as_str())) {
            let path = self.path_of(key);
            let hint = advice(key).or_else(|| {
                nearest(key, self.asked.iter().copied()).map(|near| format!("did you mean {near}?"))
            });
            match hint {
                Some(hint) => {
                    violations.push_with_hint(path, "is not a field of this object", hint);
                }
                None => violations.push(path, "is not a field of this object"),
            }
        }
    }
}

/// The value of that name among those of a fixed list.
///
/// # Errors
///
/// A sentence that names them all.
pub(crate) fn one_of<T: Copy>(
    word: &str,
    all: impl IntoIterator<Item = T>,
    name: fn(T) -> &'static str,
) -> Result<T, String> {
    let mut known = Vec::new();
    for value in all {
        if name(value) == word {
            return Ok(value);
        }
        known.push(name(value));
    }
    Err(format!("must be one of {}, is '{}'", known.join(", "), shown(word)))
}

/// Says what a value is and what it should be, never the value itself.
struct WrongType<'a> {
    wanted: &'static str,
    found: &'a Value,
}

impl fmt::Display for WrongType<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (found, remedy) = match self.found {
            Value::Null => ("null", ""),
            Value::Bool(_) => ("a boolean", "; put it in quotes"),
            Value::Number(_) if self.wanted == "a whole number" => {
                ("a fraction, too large, or begins with 0", "")
            }
            Value::Number(_) => ("a number", "; put it in quotes"),
            Value::String(_) => ("a string", "; take the quotes away"),
            Value::Array(_) => ("a list", ""),
            Value::Object(_) => ("an object", ""),
        };
        let remedy = match (self.wanted, self.found) {
            ("a string", _) => remedy,
            ("a whole number", Value::String(text)) if text.parse::<i64>().is_ok() => remedy,
            ("true or false", Value::String(text)) if text.parse::<bool>().is_ok() => remedy,
            _ => "",
        };
        write!(f, "must be {}, is {found}{remedy}", self.wanted)
    }
}
