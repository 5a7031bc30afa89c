//! Functions of lists and maps, and of what is missing.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Arguments, Called, Problem};
use crate::template::fault::Fault;
use crate::template::value::{Text, Value};

/// `default FALLBACK VALUE`: the fallback comes first.
pub(super) fn default(a: &mut Arguments<'_>) -> Called {
    let given = a.rest(1).first().filter(|given| given.is_true());
    Ok(given.unwrap_or(a.value(0)).clone())
}

pub(super) fn empty(a: &mut Arguments<'_>) -> Called {
    Ok(Value::Bool(!a.value(0).is_true()))
}

pub(super) fn coalesce(a: &mut Arguments<'_>) -> Called {
    let first = a.values.iter().find(|value| value.is_true());
    Ok(first.cloned().unwrap_or(Value::Nil))
}

pub(super) fn ternary(a: &mut Arguments<'_>) -> Called {
    let chosen = usize::from(!a.bool(2)?);
    Ok(a.value(chosen).clone())
}

/// What it was given is never told: it may be a secret.
pub(super) fn fail(_: &mut Arguments<'_>) -> Called {
    Err(Problem::Fault(Fault::Fail))
}

pub(super) fn dict(a: &mut Arguments<'_>) -> Called {
    let values = std::mem::take(&mut a.values);
    let mut entries = BTreeMap::new();
    let mut values = values.into_iter();
    while let Some(key) = values.next() {
        let key = super::text::string_of(a, &key)?;
        let value = values.next().unwrap_or_else(|| Value::Text(Text::from("")));
        entries.insert(key, value);
    }
    Ok(Value::map(entries)?)
}

pub(super) fn list(a: &mut Arguments<'_>) -> Called {
    a.run.spend(a.values.len() * 8)?;
    Ok(Value::list(std::mem::take(&mut a.values))?)
}

pub(super) fn get(a: &mut Arguments<'_>) -> Called {
    let key = a.text(1)?;
    let found = a.value(0).entry(key.as_bytes()).ok().flatten();
    Ok(found.unwrap_or_else(|| Value::Text(Text::from(""))))
}

pub(super) fn has_key(a: &mut Arguments<'_>) -> Called {
    let key = a.text(1)?;
    Ok(Value::Bool(a.value(0).entry(key.as_bytes()).ok().flatten().is_some()))
}

/// In order, where ESO gives them in any.
pub(super) fn keys(a: &mut Arguments<'_>) -> Called {
    let mut keys = Vec::new();
    for map in &a.values {
        if let Value::Map(map) = map {
            a.run.spend(map.entries.len() * 8)?;
            keys.extend(map.entries.keys().cloned());
        }
    }
    Ok(Value::Texts(Arc::new(keys)))
}

pub(super) fn first(a: &mut Arguments<'_>) -> Called {
    end(a, |length| if length > 0 { Some(0) } else { None })
}

pub(super) fn last(a: &mut Arguments<'_>) -> Called {
    end(a, |length| length.checked_sub(1))
}

fn end(a: &Arguments<'_>, choose: fn(usize) -> Option<usize>) -> Called {
    let found = match a.value(0) {
        Value::Texts(texts) => {
            choose(texts.len()).and_then(|index| texts.get(index).cloned()).map(Value::Text)
        }
        Value::List(list) => {
            choose(list.items.len()).and_then(|index| list.items.get(index).cloned())
        }
        _ => return Err("this is no list".into()),
    };
    Ok(found.unwrap_or(Value::Nil))
}
