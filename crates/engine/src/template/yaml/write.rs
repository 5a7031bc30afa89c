//! From values to YAML, laid out as go-yaml 2 does it: no line break at the end.

use std::borrow::Cow;

use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

use super::resolve::{Scalar, resolve};
use super::scalar::{Shape, escaped, is_base_60};
use crate::template::dates;
use crate::template::fault::Fault;
use crate::template::format::shortest;
use crate::template::run::Buffer;
use crate::template::value::{Text, Value};

type Written = Result<(), Fault>;

/// Writes a value; nothing where it holds what ESO could not write.
pub(in crate::template) fn write(buffer: &mut Buffer<'_>, value: &Value) -> Written {
    if !is_writable(buffer, value)? {
        return Ok(());
    }
    let mut writer = Writer { buffer, column: 0 };
    match collection(value) {
        Some(_) => writer.block(value, 0),
        None => writer.scalar(value, STEP),
    }
}

/// ESO writes by way of JSON, which has no number without end, and reads that as YAML, which takes
/// no control character as it is.
fn is_writable(buffer: &mut Buffer<'_>, value: &Value) -> Result<bool, Fault> {
    buffer.run.spend(1 + value.len().unwrap_or_default())?;
    let is_text = |text: &Text| {
        text.to_str().chars().all(|c| c == '\u{85}' || c < ' ' || !matches!(c, '\u{7f}'..='\u{9f}'))
    };
    match value {
        Value::Float(float) => Ok(float.is_finite()),
        Value::Text(text) => Ok(is_text(text)),
        Value::Texts(texts) => Ok(texts.iter().all(is_text)),
        Value::TextMap(map) => Ok(map.iter().all(|(key, text)| is_text(key) && is_text(text))),
        Value::List(list) => all_writable(buffer, list.items.iter()),
        Value::Map(map) => {
            Ok(map.entries.keys().all(is_text) && all_writable(buffer, map.entries.values())?)
        }
        _ => Ok(true),
    }
}

fn all_writable<'a>(
    buffer: &mut Buffer<'_>,
    values: impl Iterator<Item = &'a Value>,
) -> Result<bool, Fault> {
    for value in values {
        if !is_writable(buffer, value)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A list or map that is not empty.
enum Collection<'a> {
    Sequence(Vec<Cow<'a, Value>>),
    Mapping(Vec<(&'a Text, Cow<'a, Value>)>),
}

fn collection(value: &Value) -> Option<Collection<'_>> {
    let text = |text: &Text| Cow::Owned(Value::Text(text.clone()));
    match value {
        Value::Texts(texts) if !texts.is_empty() => {
            Some(Collection::Sequence(texts.iter().map(text).collect()))
        }
        Value::List(list) if !list.items.is_empty() => {
            Some(Collection::Sequence(list.items.iter().map(Cow::Borrowed).collect()))
        }
        Value::TextMap(map) if !map.is_empty() => {
            Some(sorted(map.iter().map(|(key, value)| (key, text(value)))))
        }
        Value::Map(map) if !map.entries.is_empty() => {
            Some(sorted(map.entries.iter().map(|(key, value)| (key, Cow::Borrowed(value)))))
        }
        _ => None,
    }
}

fn sorted<'a>(entries: impl Iterator<Item = (&'a Text, Cow<'a, Value>)>) -> Collection<'a> {
    let mut entries: Vec<_> = entries.collect();
    entries.sort_by_cached_key(|(key, _)| pieces(&key.to_str()));
    Collection::Mapping(entries)
}

struct Writer<'b, 'r> {
    buffer: &'b mut Buffer<'r>,
    /// Characters of this line.
    column: usize,
}

impl Writer<'_, '_> {
    fn put(&mut self, text: &str) -> Written {
        self.column += text.chars().count();
        self.buffer.push(text.as_bytes())
    }

    fn line(&mut self, indent: usize) -> Written {
        self.buffer.push(b"\n")?;
        self.buffer.push_repeated(b' ', indent)?;
        self.column = indent;
        Ok(())
    }

    /// A list or map whose first line begins here; the others begin at `indent`.
    fn block(&mut self, value: &Value, indent: usize) -> Written {
        match collection(value) {
            Some(Collection::Sequence(items)) => {
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        self.line(indent)?;
                    }
                    self.put("- ")?;
                    match collection(item) {
                        Some(_) => self.block(item, indent + STEP)?,
                        None => self.scalar(item, indent + STEP)?,
                    }
                }
            }
            Some(Collection::Mapping(entries)) => {
                for (index, (key, value)) in entries.iter().enumerate() {
                    if index > 0 {
                        self.line(indent)?;
                    }
                    self.key(key)?;
                    match collection(value) {
                        None => {
                            self.put(" ")?;
                            self.scalar(value, indent + STEP)?;
                        }
                        // A list stands below its key, not further in.
                        Some(Collection::Sequence(_)) => {
                            self.line(indent)?;
                            self.block(value, indent)?;
                        }
                        Some(Collection::Mapping(_)) => {
                            self.line(indent + STEP)?;
                            self.block(value, indent + STEP)?;
                        }
                    }
                }
            }
            None => self.scalar(value, indent)?,
        }
        Ok(())
    }

    fn key(&mut self, key: &Text) -> Written {
        self.text(&key.to_str(), 0, true)?;
        self.put(":")
    }

    fn scalar(&mut self, value: &Value, indent: usize) -> Written {
        match value {
            Value::Nil => self.put("null"),
            Value::Bool(flag) => self.put(if *flag { "true" } else { "false" }),
            Value::Int(integer) | Value::Int64(integer) => self.put(&integer.to_string()),
            Value::Byte(byte) => self.put(&byte.to_string()),
            Value::Float(float) => self.put(&number(*float)),
            Value::Text(text) => self.text(&text.to_str(), indent, false),
            Value::Time(time) => self.text(&dates::format(time, dates::RFC_3339), indent, false),
            Value::Texts(_) | Value::List(_) => self.put("[]"),
            Value::TextMap(_) | Value::Map(_) => self.put("{}"),
        }
    }

    fn text(&mut self, text: &str, indent: usize, is_key: bool) -> Written {
        let shape = Shape::of(text);
        let is_text = matches!(resolve(text), Scalar::Text) && !is_base_60(text);
        if text.contains('\n') {
            return if shape.block && !is_key {
                self.literal(text, indent)
            } else {
                self.double_quoted(text, indent, is_key)
            };
        }
        if !is_text {
            return self.double_quoted(text, indent, is_key);
        }
        if shape.plain {
            self.folded(text, indent, is_key, false)
        } else if shape.single {
            self.put("'")?;
            self.folded(text, indent, is_key, true)?;
            self.put("'")
        } else {
            self.double_quoted(text, indent, is_key)
        }
    }

    /// Breaks at a space beyond the width, where that can be read back.
    fn folded(&mut self, text: &str, indent: usize, is_key: bool, is_quoted: bool) -> Written {
        let mut was_space = false;
        let mut characters = text.char_indices().peekable();
        while let Some((index, c)) = characters.next() {
            let next = characters.peek().map(|(_, c)| *c);
            let is_inside = !is_quoted || (index > 0 && next.is_some());
            if c == ' '
                && !is_key
                && !was_space
                && self.column > WIDTH
                && is_inside
                && next != Some(' ')
            {
                self.line(indent)?;
            } else if c == '\'' && is_quoted {
                self.put("''")?;
            } else {
                self.put(c.encode_utf8(&mut [0; 4]))?;
            }
            was_space = c == ' ';
        }
        Ok(())
    }

    fn double_quoted(&mut self, text: &str, indent: usize, is_key: bool) -> Written {
        self.put("\"")?;
        let mut was_space = false;
        let mut characters = text.char_indices().peekable();
        while let Some((index, c)) = characters.next() {
            let next = characters.peek().map(|(_, c)| *c);
            if c == ' '
                && !is_key
                && !was_space
                && self.column > WIDTH
                && index > 0
                && next.is_some()
            {
                self.line(indent)?;
                if next == Some(' ') {
                    self.put("\\")?;
                }
            } else {
                self.put(&escaped(c))?;
            }
            was_space = c == ' ';
        }
        self.put("\"")
    }

    /// `|` with each line as it is.
    fn literal(&mut self, text: &str, indent: usize) -> Written {
        self.put("|")?;
        if text.starts_with([' ', '\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']) {
            self.put("2")?;
        }
        let body = text.strip_suffix('\n');
        self.put(match body {
            None => "-",
            Some(body) if body.is_empty() || body.ends_with('\n') => "+",
            Some(_) => "",
        })?;
        for line in body.unwrap_or(text).split('\n') {
            self.line(if line.is_empty() { 0 } else { indent })?;
            self.put(line)?;
        }
        Ok(())
    }
}

/// A number as it comes back from JSON: whole ones without a point.
fn number(float: f64) -> String {
    let whole = format!("{float}");
    let is_whole =
        !whole.contains('.') && (whole.parse::<i64>().is_ok() || whole.parse::<u64>().is_ok());
    if whole == "-0" {
        return "0".to_owned();
    }
    if is_whole { whole } else { shortest(float, false) }
}

/// A piece of a key, in the order of go-yaml: numbers count as numbers, letters come last.
///
/// go-yaml compares at the first character that differs, which can go round in a circle (`a12` before
/// `a1b` before `a3` before `a12`); this is the same order wherever there is one.
#[derive(Eq, Ord, PartialEq, PartialOrd)]
enum Piece {
    Sign(char),
    /// Its digits without zeros in front, by how many they are, and how many digits it has in all.
    Number(usize, String, usize),
    Letter(char),
}

fn pieces(key: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = key;
    while let Some(c) = rest.chars().next() {
        let mut length = c.len_utf8();
        pieces.push(if c.is_ascii_digit() {
            length = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let digits = rest.get(..length).unwrap_or_default().trim_start_matches('0');
            Piece::Number(digits.len(), digits.to_owned(), length)
        } else if c.general_category_group() == GeneralCategoryGroup::Letter {
            Piece::Letter(c)
        } else {
            Piece::Sign(c)
        });
        rest = rest.get(length..).unwrap_or_default();
    }
    pieces
}

/// How much further in each level stands.
const STEP: usize = 2;
/// Where lines are broken, at the next space.
const WIDTH: usize = 80;
