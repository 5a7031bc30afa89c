//! Functions of encodings: base64, JSON, YAML, URLs and hashes.

use std::collections::BTreeMap;

use ::base64::Engine;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{Arguments, Called};
use crate::template::base64::{self, GO_STANDARD, is_break};
use crate::template::value::{Text, Value};
use crate::template::{format, json, yaml};

pub(super) fn b64enc(a: &mut Arguments<'_>) -> Called {
    let text = a.text(0)?;
    let encoded = Zeroizing::new(GO_STANDARD.encode(text.as_bytes()));
    let mut buffer = a.run.buffer();
    buffer.push(encoded.as_bytes())?;
    Ok(Value::Text(buffer.finish().into()))
}

/// What is no base64 gives the words of Go's error as its value, as sprig has it.
pub(super) fn b64dec(a: &mut Arguments<'_>) -> Called {
    let text = a.text(0)?;
    a.run.spend(text.as_bytes().len())?;
    Ok(Value::Text(match base64::decode(&GO_STANDARD, text.as_bytes()) {
        Some(bytes) => Text::from(bytes),
        None => {
            let offset = first_illegal(text.as_bytes());
            Text::from(format!("illegal base64 data at input byte {offset}").as_str())
        }
    }))
}

/// The byte that Go complains of.
fn first_illegal(bytes: &[u8]) -> usize {
    let mut quantum = 0;
    let mut padded_at = None;
    for (index, byte) in bytes.iter().enumerate().filter(|(_, byte)| !is_break(**byte)) {
        match (padded_at, byte) {
            (None, b'=') if quantum < 2 => return index,
            (None, b'=') => padded_at = Some(index),
            (Some(_), b'=') if quantum == 2 => quantum = 3,
            // The second of two is missing, or something stands behind the end.
            (Some(first), _) if quantum == 2 => return first,
            (None, byte) if byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/') => {
                quantum = (quantum + 1) % 4;
            }
            _ => return index,
        }
    }
    match padded_at {
        Some(_) => bytes.len(),
        None => bytes.len() - quantum,
    }
}

pub(super) fn to_json(a: &mut Arguments<'_>) -> Called {
    json_text(a, json::Form::Escaped)
}

pub(super) fn to_raw_json(a: &mut Arguments<'_>) -> Called {
    json_text(a, json::Form::Raw)
}

pub(super) fn to_pretty_json(a: &mut Arguments<'_>) -> Called {
    json_text(a, json::Form::Pretty)
}

fn json_text(a: &mut Arguments<'_>, form: json::Form) -> Called {
    let mut buffer = a.run.buffer();
    json::write(&mut buffer, a.values.first().unwrap_or(&Value::Nil), form)?;
    Ok(Value::Text(buffer.finish().into()))
}

/// Nothing where it is no JSON, as sprig has it.
pub(super) fn from_json(a: &mut Arguments<'_>) -> Called {
    let text = a.text(0)?;
    a.run.spend(text.as_bytes().len().saturating_mul(8))?;
    Ok(json::read(&text.to_str()).unwrap_or(Value::Nil))
}

/// Without its last line break, as ESO has it.
pub(super) fn to_yaml(a: &mut Arguments<'_>) -> Called {
    let mut buffer = a.run.buffer();
    yaml::write(&mut buffer, a.values.first().unwrap_or(&Value::Nil))?;
    Ok(Value::Text(buffer.finish().into()))
}

/// A map; where the text is none, one with the key `Error`, as ESO has it: its value never tells
/// what the text holds.
pub(super) fn from_yaml(a: &mut Arguments<'_>) -> Called {
    let text = a.text(0)?;
    let entries = match yaml::read(a.run, &text.to_str())? {
        Some(document) => document.into_map(a.run)?,
        None => None,
    };
    let entries = match entries {
        Some(entries) => entries,
        None => BTreeMap::from([(Text::from("Error"), Value::Text(Text::from("invalid YAML")))]),
    };
    Ok(Value::map(entries)?)
}

pub(super) fn sha256sum(a: &mut Arguments<'_>) -> Called {
    let text = a.text(0)?;
    a.run.spend(text.as_bytes().len())?;
    let hash = Sha256::digest(text.as_bytes());
    let nibbles = hash.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    let digits: String =
        nibbles.filter_map(|nibble| char::from_digit(u32::from(nibble), 16)).collect();
    Ok(Value::Text(Text::from(digits.as_str())))
}

/// As Go's `url.QueryEscape`: a space becomes `+`.
pub(super) fn urlquery(a: &mut Arguments<'_>) -> Called {
    const ESCAPED: &AsciiSet =
        &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    for value in &mut a.values {
        if matches!(value, Value::Nil) {
            *value = Value::Text(Text::from("<no value>"));
        }
    }
    let mut buffer = a.run.buffer();
    format::print_all(&mut buffer, &a.values)?;
    let text = buffer.finish();
    let mut buffer = a.run.buffer();
    for (index, word) in text.split(|byte| *byte == b' ').enumerate() {
        if index > 0 {
            buffer.push(b"+")?;
        }
        for piece in percent_encode(word, ESCAPED) {
            buffer.push(piece.as_bytes())?;
        }
    }
    Ok(Value::Text(buffer.finish().into()))
}
