//! The values of a template: those types of Go that a template of ESO can come upon.
//!
//! They are kept apart as Go keeps them (`int` from `int64`, a map of strings from a map of
//! anything), since functions take the one and refuse the other.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Zoned;
use zeroize::Zeroizing;

/// Bytes, mostly text; shared, and zeroed with the last owner.
#[derive(Clone, Eq, PartialEq)]
pub(super) struct Text(Arc<Zeroizing<Vec<u8>>>);

impl Text {
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// As Go reads it: each byte that is no UTF-8 becomes U+FFFD.
    pub(super) fn to_str(&self) -> Lossy<'_> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => Lossy::Borrowed(text),
            Err(_) => {
                let mut text = Zeroizing::new(String::with_capacity(self.0.len() * 3));
                for chunk in self.0.utf8_chunks() {
                    text.push_str(chunk.valid());
                    text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
                }
                Lossy::Owned(text)
            }
        }
    }
}

/// Text that is UTF-8 for certain.
pub(super) enum Lossy<'a> {
    Borrowed(&'a str),
    Owned(Zeroizing<String>),
}

impl std::ops::Deref for Lossy<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Owned(text) => text,
        }
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Shows no value.
impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Text")
    }
}

impl From<Vec<u8>> for Text {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Zeroizing::new(bytes)))
    }
}

impl From<Zeroizing<Vec<u8>>> for Text {
    fn from(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(Arc::new(bytes))
    }
}

impl From<&[u8]> for Text {
    fn from(bytes: &[u8]) -> Self {
        Self::from(bytes.to_vec())
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::from(text.as_bytes())
    }
}

impl std::borrow::Borrow<[u8]> for Text {
    fn borrow(&self) -> &[u8] {
        self.as_bytes()
    }
}

/// A value of a template.
#[derive(Clone)]
pub(super) enum Value {
    Nil,
    Bool(bool),
    Int(i64),
    Int64(i64),
    /// What an index into a string gives.
    Byte(u8),
    Float(f64),
    Text(Text),
    /// `[]string`
    Texts(Arc<Vec<Text>>),
    /// `[]interface {}`
    List(Arc<List>),
    /// `map[string]string`
    TextMap(Arc<BTreeMap<Text, Text>>),
    /// `map[string]interface {}`
    Map(Arc<Map>),
    Time(Box<Zoned>),
}

/// A list, with how deep its lists and maps stand in each other.
pub(super) struct List {
    pub(super) items: Vec<Value>,
    depth: usize,
}

/// A map, with how deep its lists and maps stand in each other.
pub(super) struct Map {
    pub(super) entries: BTreeMap<Text, Value>,
    depth: usize,
}

/// A value that has no entries.
#[derive(Clone, Copy, Debug)]
pub(super) struct NotAMap;

/// A list or map that is nested too deep.
#[derive(Clone, Copy, Debug)]
pub(super) struct TooDeep;

impl Value {
    /// A list of anything.
    pub(super) fn list(items: Vec<Self>) -> Result<Self, TooDeep> {
        let depth = deeper(items.iter())?;
        Ok(Self::List(Arc::new(List { items, depth })))
    }

    /// A map of anything.
    pub(super) fn map(entries: BTreeMap<Text, Self>) -> Result<Self, TooDeep> {
        let depth = deeper(entries.values())?;
        Ok(Self::Map(Arc::new(Map { entries, depth })))
    }

    /// A map of strings.
    pub(super) fn text_map(entries: impl IntoIterator<Item = (Text, Text)>) -> Self {
        Self::TextMap(Arc::new(entries.into_iter().collect()))
    }

    fn depth(&self) -> usize {
        match self {
            Self::List(list) => list.depth,
            Self::Map(map) => map.depth,
            _ => 0,
        }
    }

    /// The name of its type in Go.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Nil => "nil",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Int64(_) => "int64",
            Self::Byte(_) => "uint8",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
            Self::Texts(_) => "[]string",
            Self::List(_) => "[]interface {}",
            Self::TextMap(_) => "map[string]string",
            Self::Map(_) => "map[string]interface {}",
            Self::Time(_) => "time.Time",
        }
    }

    /// Whether it is true for `if`, and not empty for `default`.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(value) => *value,
            Self::Int(value) | Self::Int64(value) => *value != 0,
            Self::Byte(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Time(_) => true,
            Self::Text(_) | Self::Texts(_) | Self::List(_) | Self::TextMap(_) | Self::Map(_) => {
                self.len().is_some_and(|length| length > 0)
            }
        }
    }

    /// The length of what has one.
    pub(super) fn len(&self) -> Option<usize> {
        match self {
            Self::Text(text) => Some(text.as_bytes().len()),
            Self::Texts(texts) => Some(texts.len()),
            Self::List(list) => Some(list.items.len()),
            Self::TextMap(map) => Some(map.len()),
            Self::Map(map) => Some(map.entries.len()),
            _ => None,
        }
    }

    /// The value under a key of a map, if there is one.
    pub(super) fn entry(&self, key: &[u8]) -> Result<Option<Self>, NotAMap> {
        match self {
            Self::TextMap(map) => Ok(map.get(key).cloned().map(Self::Text)),
            Self::Map(map) => Ok(map.entries.get(key).cloned()),
            _ => Err(NotAMap),
        }
    }
}

/// One more than the deepest of them.
fn deeper<'a>(values: impl Iterator<Item = &'a Value>) -> Result<usize, TooDeep> {
    let depth = 1 + values.map(Value::depth).max().unwrap_or_default();
    if depth > super::parser::MAX_DEPTH { Err(TooDeep) } else { Ok(depth) }
}
