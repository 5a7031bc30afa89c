//! Functions of strings.

use std::sync::Arc;

use super::{Arguments, Called, Problem};
use crate::pattern::{Pattern, Replacement};
use crate::template::format;
use crate::template::run::Buffer;
use crate::template::value::{Text, Value};

/// What `build` writes, as a string.
fn built(
    a: &mut Arguments<'_>,
    build: impl FnOnce(&mut Buffer<'_>) -> Result<(), Problem>,
) -> Called {
    let mut buffer = a.run.buffer();
    build(&mut buffer)?;
    Ok(Value::Text(buffer.finish().into()))
}

/// A value as text, as sprig has it.
pub(super) fn string_of(a: &mut Arguments<'_>, value: &Value) -> Result<Text, Problem> {
    if let Value::Text(text) = value {
        return Ok(text.clone());
    }
    let mut buffer = a.run.buffer();
    format::print(&mut buffer, value)?;
    Ok(buffer.finish().into())
}

pub(super) fn to_string(a: &mut Arguments<'_>) -> Called {
    let value = a.value(0).clone();
    Ok(Value::Text(string_of(a, &value)?))
}

pub(super) fn quote(a: &mut Arguments<'_>) -> Called {
    quoted(a, |buffer, text| Ok(format::quote(buffer, text.as_bytes())?))
}

pub(super) fn squote(a: &mut Arguments<'_>) -> Called {
    quoted(a, |buffer, text| {
        buffer.push(b"'")?;
        buffer.push(text.as_bytes())?;
        Ok(buffer.push(b"'")?)
    })
}

/// Each value in quotes; `nil` is left out.
fn quoted(
    a: &mut Arguments<'_>,
    quote: fn(&mut Buffer<'_>, &Text) -> Result<(), Problem>,
) -> Called {
    let values = std::mem::take(&mut a.values);
    let mut texts = Vec::new();
    for value in values.iter().filter(|value| !matches!(value, Value::Nil)) {
        texts.push(string_of(a, value)?);
    }
    built(a, |buffer| {
        for (index, text) in texts.iter().enumerate() {
            if index > 0 {
                buffer.push(b" ")?;
            }
            quote(buffer, text)?;
        }
        Ok(())
    })
}

pub(super) fn trim(a: &mut Arguments<'_>) -> Called {
    let text = a.text(0)?;
    let bytes = text.as_bytes();
    let trimmed = match std::str::from_utf8(bytes) {
        Ok(text) => text.trim().as_bytes(),
        Err(_) => bytes.trim_ascii(),
    };
    built(a, |buffer| Ok(buffer.push(trimmed)?))
}

pub(super) fn trim_suffix(a: &mut Arguments<'_>) -> Called {
    let (suffix, text) = (a.text(0)?, a.text(1)?);
    let bytes = text.as_bytes();
    built(a, |buffer| Ok(buffer.push(bytes.strip_suffix(suffix.as_bytes()).unwrap_or(bytes))?))
}

pub(super) fn trim_prefix(a: &mut Arguments<'_>) -> Called {
    let (prefix, text) = (a.text(0)?, a.text(1)?);
    let bytes = text.as_bytes();
    built(a, |buffer| Ok(buffer.push(bytes.strip_prefix(prefix.as_bytes()).unwrap_or(bytes))?))
}

pub(super) fn upper(a: &mut Arguments<'_>) -> Called {
    mapped(a, upper_char)
}

pub(super) fn lower(a: &mut Arguments<'_>) -> Called {
    mapped(a, |c| if c == 'İ' { 'i' } else { only(c, c.to_lowercase()) })
}

fn mapped(a: &mut Arguments<'_>, map: fn(char) -> char) -> Called {
    let text = a.text(0)?;
    built(a, |buffer| {
        text.to_str().chars().try_for_each(|c| buffer.push_char(map(c)))?;
        Ok(())
    })
}

fn upper_char(c: char) -> char {
    only(c, c.to_uppercase())
}

/// As `upper`, but for what has a form of its own for the beginning of a word.
fn title_char(c: char) -> char {
    match c {
        'Ǆ' | 'ǅ' | 'ǆ' => 'ǅ',
        'Ǉ' | 'ǈ' | 'ǉ' => 'ǈ',
        'Ǌ' | 'ǋ' | 'ǌ' => 'ǋ',
        'Ǳ' | 'ǲ' | 'ǳ' => 'ǲ',
        // Georgian has capitals, and begins no word with one.
        '\u{10d0}'..='\u{10ff}' => c,
        c => upper_char(c),
    }
}

/// Go maps each character to one: where there would be several, it stays.
fn only(c: char, mut mapped: impl ExactSizeIterator<Item = char>) -> char {
    if mapped.len() == 1 { mapped.next().unwrap_or(c) } else { c }
}

/// The first letter of each word in upper case.
pub(super) fn title(a: &mut Arguments<'_>) -> Called {
    let text = a.text(0)?;
    built(a, |buffer| {
        let mut before = ' ';
        for c in text.to_str().chars() {
            buffer.push_char(if is_separator(before) { title_char(c) } else { c })?;
            before = c;
        }
        Ok(())
    })
}

/// What stands between words: in ASCII everything but letters, digits and `_`.
fn is_separator(c: char) -> bool {
    if c.is_ascii() { !c.is_ascii_alphanumeric() && c != '_' } else { c.is_whitespace() }
}

pub(super) fn replace(a: &mut Arguments<'_>) -> Called {
    let (old, new, text) = (a.text(0)?, a.text(1)?, a.text(2)?);
    built(a, |buffer| {
        if old.as_bytes().is_empty() {
            for piece in characters(text.as_bytes()) {
                buffer.push(new.as_bytes())?;
                buffer.push(piece)?;
            }
            return Ok(buffer.push(new.as_bytes())?);
        }
        for (index, piece) in pieces(text.as_bytes(), old.as_bytes()).enumerate() {
            if index > 0 {
                buffer.push(new.as_bytes())?;
            }
            buffer.push(piece)?;
        }
        Ok(())
    })
}

/// The pieces between the places where `separator` stands; it is not empty.
fn pieces<'a>(bytes: &'a [u8], separator: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let finder = memchr::memmem::Finder::new(separator);
    let mut rest = Some(bytes);
    std::iter::from_fn(move || {
        let now = rest?;
        let Some(found) = finder.find(now) else { return rest.take() };
        rest = now.get(found + separator.len()..);
        now.get(..found)
    })
}

/// Each character, and each byte that is none.
fn characters(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.utf8_chunks().flat_map(|chunk| {
        let valid = chunk.valid();
        let whole = valid.char_indices().map(move |(start, c)| {
            valid.as_bytes().get(start..start + c.len_utf8()).unwrap_or_default()
        });
        whole.chain(chunk.invalid().iter().map(std::slice::from_ref))
    })
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, part)
}

pub(super) fn contains(a: &mut Arguments<'_>) -> Called {
    let (part, text) = (a.text(0)?, a.text(1)?);
    a.run.spend(text.as_bytes().len())?;
    Ok(Value::Bool(find(text.as_bytes(), part.as_bytes()).is_some()))
}

pub(super) fn has_prefix(a: &mut Arguments<'_>) -> Called {
    Ok(Value::Bool(a.text(1)?.as_bytes().starts_with(a.text(0)?.as_bytes())))
}

pub(super) fn has_suffix(a: &mut Arguments<'_>) -> Called {
    Ok(Value::Bool(a.text(1)?.as_bytes().ends_with(a.text(0)?.as_bytes())))
}

fn parts(a: &mut Arguments<'_>) -> Result<Vec<Text>, Problem> {
    let (separator, text) = (a.text(0)?, a.text(1)?);
    let (separator, bytes) = (separator.as_bytes(), text.as_bytes());
    let mut parts = Vec::new();
    let found: Box<dyn Iterator<Item = &[u8]>> = match separator {
        [] => Box::new(characters(bytes)),
        _ => Box::new(pieces(bytes, separator)),
    };
    for piece in found {
        a.run.spend(piece.len() + 64)?;
        parts.push(Text::from(piece));
    }
    Ok(parts)
}

/// A map of `_0`, `_1` …
pub(super) fn split(a: &mut Arguments<'_>) -> Called {
    let parts = parts(a)?;
    let named = parts.into_iter().enumerate();
    Ok(Value::text_map(named.map(|(index, part)| (Text::from(format!("_{index}").as_str()), part))))
}

pub(super) fn split_list(a: &mut Arguments<'_>) -> Called {
    Ok(Value::Texts(Arc::new(parts(a)?)))
}

/// `nil` among them is left out.
pub(super) fn join(a: &mut Arguments<'_>) -> Called {
    let separator = a.text(0)?;
    let value = a.value(1).clone();
    let texts = match &value {
        Value::Texts(texts) => texts.as_ref().clone(),
        Value::List(list) => {
            let mut texts = Vec::new();
            for item in list.items.iter().filter(|item| !matches!(item, Value::Nil)) {
                texts.push(string_of(a, item)?);
            }
            texts
        }
        Value::Nil => Vec::new(),
        other => vec![string_of(a, other)?],
    };
    built(a, |buffer| {
        for (index, text) in texts.iter().enumerate() {
            if index > 0 {
                buffer.push(separator.as_bytes())?;
            }
            buffer.push(text.as_bytes())?;
        }
        Ok(())
    })
}

pub(super) fn indent(a: &mut Arguments<'_>) -> Called {
    let spaces = spaces(a)?;
    let text = a.text(1)?;
    built(a, |buffer| push_indented(buffer, spaces, &text))
}

/// A line break, and then as [`indent`].
pub(super) fn nindent(a: &mut Arguments<'_>) -> Called {
    let spaces = spaces(a)?;
    let text = a.text(1)?;
    built(a, |buffer| {
        buffer.push(b"\n")?;
        push_indented(buffer, spaces, &text)
    })
}

fn spaces(a: &Arguments<'_>) -> Result<usize, Problem> {
    Ok(usize::try_from(a.int(0)?).map_err(|_| "a negative number of spaces")?)
}

fn push_indented(buffer: &mut Buffer<'_>, spaces: usize, text: &Text) -> Result<(), Problem> {
    for (index, line) in text.as_bytes().split(|byte| *byte == b'\n').enumerate() {
        if index > 0 {
            buffer.push(b"\n")?;
        }
        buffer.push_repeated(b' ', spaces)?;
        buffer.push(line)?;
    }
    Ok(())
}

/// The first bytes, or with a negative number the last.
pub(super) fn trunc(a: &mut Arguments<'_>) -> Called {
    let (count, text) = (a.int(0)?, a.text(1)?);
    let bytes = text.as_bytes();
    let length = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    let kept = if count < 0 {
        bytes.len().checked_sub(length).and_then(|start| bytes.get(start..))
    } else {
        bytes.get(..length)
    };
    built(a, |buffer| Ok(buffer.push(kept.unwrap_or(bytes))?))
}

/// Bytes from a place up to another; a negative begin is the text's, a negative end its end.
pub(super) fn substr(a: &mut Arguments<'_>) -> Called {
    let (start, end, text) = (a.int(0)?, a.int(1)?, a.text(2)?);
    let bytes = text.as_bytes();
    let (start, end) = (usize::try_from(start), usize::try_from(end));
    let part = match (start, end) {
        (Err(_), Ok(end)) => bytes.get(..end),
        (Err(_), Err(_)) => None,
        (Ok(start), Ok(end)) if end <= bytes.len() => bytes.get(start..end),
        (Ok(start), _) => bytes.get(start..),
    };
    let part = part.ok_or("slice bounds out of range")?;
    built(a, |buffer| Ok(buffer.push(part)?))
}

/// Text that a regular expression can search: in bytes that are none its answer would be another.
fn searched(text: &Text) -> Result<&str, Problem> {
    Ok(std::str::from_utf8(text.as_bytes()).map_err(|_| "the text is no UTF-8")?)
}

/// A search goes over the text once for each state of the pattern, at the worst.
fn spend_search(a: &mut Arguments<'_>, pattern: &Pattern, text: &str) -> Result<(), Problem> {
    Ok(a.run.spend(text.len().saturating_mul(1 + pattern.as_str().len() / 16))?)
}

pub(super) fn regex_replace_all(a: &mut Arguments<'_>) -> Called {
    let pattern = a.run.pattern(&a.text(0)?)?;
    let pattern = pattern.ok_or("the regular expression does not compile")?;
    let (text, target) = (a.text(1)?, a.text(2)?);
    let (text, target) = (searched(&text)?, searched(&target)?);
    spend_search(a, &pattern, text)?;
    let replacement = Replacement::parse(target, &pattern);
    built(a, |buffer| {
        replacement.replace_all(&pattern, text, |part| buffer.push(part.as_bytes()))?;
        Ok(())
    })
}

/// False for a pattern that does not compile, as sprig has it.
pub(super) fn regex_match(a: &mut Arguments<'_>) -> Called {
    let Some(pattern) = a.run.pattern(&a.text(0)?)? else { return Ok(Value::Bool(false)) };
    let text = a.text(1)?;
    let text = searched(&text)?;
    spend_search(a, &pattern, text)?;
    Ok(Value::Bool(pattern.regex().is_match(text)))
}
