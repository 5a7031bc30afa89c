//! The functions of Go's `text/template` itself.

use std::cmp::Ordering;

use super::{Arguments, Called, Problem};
use crate::template::format;
use crate::template::value::{Text, Value};

pub(super) fn not(a: &mut Arguments<'_>) -> Called {
    Ok(Value::Bool(!a.value(0).is_true()))
}

/// Whether the first equals one of the others.
pub(super) fn eq(a: &mut Arguments<'_>) -> Called {
    if a.rest(1).is_empty() {
        return Err("missing argument for comparison".into());
    }
    for other in a.rest(1) {
        if equal(a.value(0), other)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

pub(super) fn ne(a: &mut Arguments<'_>) -> Called {
    Ok(Value::Bool(!equal(a.value(0), a.value(1))?))
}

pub(super) fn lt(a: &mut Arguments<'_>) -> Called {
    compare(a, Ordering::is_lt)
}

pub(super) fn le(a: &mut Arguments<'_>) -> Called {
    compare(a, Ordering::is_le)
}

pub(super) fn gt(a: &mut Arguments<'_>) -> Called {
    compare(a, Ordering::is_gt)
}

pub(super) fn ge(a: &mut Arguments<'_>) -> Called {
    compare(a, Ordering::is_ge)
}

/// The kinds that Go compares within.
enum Basic<'a> {
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(&'a Text),
}

fn basic(value: &Value) -> Option<Basic<'_>> {
    match value {
        Value::Bool(flag) => Some(Basic::Bool(*flag)),
        Value::Int(integer) | Value::Int64(integer) => Some(Basic::Integer(*integer)),
        Value::Byte(byte) => Some(Basic::Integer(i64::from(*byte))),
        Value::Float(float) => Some(Basic::Float(*float)),
        Value::Text(text) => Some(Basic::Text(text)),
        _ => None,
    }
}

fn equal(one: &Value, other: &Value) -> Result<bool, Problem> {
    match (basic(one), basic(other)) {
        (Some(Basic::Bool(a)), Some(Basic::Bool(b))) => Ok(a == b),
        (Some(Basic::Integer(a)), Some(Basic::Integer(b))) => Ok(a == b),
        #[expect(clippy::float_cmp, reason = "as Go compares")]
        (Some(Basic::Float(a)), Some(Basic::Float(b))) => Ok(a == b),
        (Some(Basic::Text(a)), Some(Basic::Text(b))) => Ok(a == b),
        _ => match (one, other) {
            (Value::Nil, Value::Nil) => Ok(true),
            (Value::Nil, _) | (_, Value::Nil) => Ok(false),
            (Value::Time(a), Value::Time(b)) => Ok(a == b),
            _ if basic(one).is_some() || basic(other).is_some() => {
                Err("incompatible types for comparison".into())
            }
            _ => Err("non-comparable types".into()),
        },
    }
}

fn compare(a: &Arguments<'_>, holds: fn(Ordering) -> bool) -> Called {
    let ordering = match (basic(a.value(0)), basic(a.value(1))) {
        (Some(Basic::Integer(a)), Some(Basic::Integer(b))) => Some(a.cmp(&b)),
        (Some(Basic::Float(a)), Some(Basic::Float(b))) => a.partial_cmp(&b),
        (Some(Basic::Text(a)), Some(Basic::Text(b))) => Some(a.cmp(b)),
        (Some(Basic::Bool(_)), Some(Basic::Bool(_))) | (None, _) | (_, None) => {
            return Err("invalid type for comparison".into());
        }
        _ => return Err("incompatible types for comparison".into()),
    };
    Ok(Value::Bool(ordering.is_some_and(holds)))
}

pub(super) fn index(a: &mut Arguments<'_>) -> Called {
    let mut item = a.value(0).clone();
    if matches!(item, Value::Nil) {
        return Err("index of untyped nil".into());
    }
    for key in a.rest(1) {
        step_into(&mut item, key)?;
    }
    Ok(item)
}

fn step_into(item: &mut Value, key: &Value) -> Result<(), Problem> {
    let position = |length: usize| match key {
        Value::Int(index) | Value::Int64(index) => {
            usize::try_from(*index).ok().filter(|index| *index < length).ok_or("index out of range")
        }
        Value::Byte(index) => {
            Some(usize::from(*index)).filter(|index| *index < length).ok_or("index out of range")
        }
        Value::Nil => Err("cannot index slice/array with nil"),
        _ => Err("cannot index slice/array with a value of this type"),
    };
    let found = match item {
        Value::Text(text) => {
            let bytes = text.as_bytes();
            bytes.get(position(bytes.len())?).map(|byte| Value::Byte(*byte))
        }
        Value::Texts(texts) => texts.get(position(texts.len())?).cloned().map(Value::Text),
        Value::List(list) => list.items.get(position(list.items.len())?).cloned(),
        Value::TextMap(_) | Value::Map(_) => {
            let Value::Text(key) = key else { return Err("a map is indexed with a string".into()) };
            let is_text_map = matches!(item, Value::TextMap(_));
            let absent = if is_text_map { Value::Text(Text::from("")) } else { Value::Nil };
            Some(item.entry(key.as_bytes()).ok().flatten().unwrap_or(absent))
        }
        Value::Nil => return Err("index of nil pointer".into()),
        _ => return Err("can't index an item of this type".into()),
    };
    *item = found.unwrap_or(Value::Nil);
    Ok(())
}

pub(super) fn len(a: &mut Arguments<'_>) -> Called {
    let length = a.value(0).len().ok_or("a value of this type has no length")?;
    Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
}

pub(super) fn print(a: &mut Arguments<'_>) -> Called {
    let mut buffer = a.run.buffer();
    format::print_all(&mut buffer, &a.values)?;
    Ok(Value::Text(buffer.finish().into()))
}

pub(super) fn println(a: &mut Arguments<'_>) -> Called {
    let mut buffer = a.run.buffer();
    format::print_line(&mut buffer, &a.values)?;
    Ok(Value::Text(buffer.finish().into()))
}

pub(super) fn printf(a: &mut Arguments<'_>) -> Called {
    let text = a.text(0)?;
    let layout = std::str::from_utf8(text.as_bytes()).map_err(|_| "the format is no UTF-8")?;
    let rest = a.values.get(1..).unwrap_or_default();
    let mut buffer = a.run.buffer();
    format::print_formatted(&mut buffer, layout, rest)?;
    Ok(Value::Text(buffer.finish().into()))
}
