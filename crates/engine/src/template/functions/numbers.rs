//! Functions of numbers and times.

use std::num::IntErrorKind;

use jiff::{Timestamp, Zoned};

use super::{Arguments, Called};
use crate::template::value::{Text, Value};
use crate::template::{dates, literals};

pub(super) fn int(a: &mut Arguments<'_>) -> Called {
    Ok(Value::Int(integer(a.value(0))))
}

pub(super) fn int64(a: &mut Arguments<'_>) -> Called {
    Ok(Value::Int64(integer(a.value(0))))
}

pub(super) fn atoi(a: &mut Arguments<'_>) -> Called {
    let text = a.text(0)?;
    let parsed = std::str::from_utf8(text.as_bytes()).map_or(Ok(0), str::parse::<i64>);
    Ok(Value::Int(parsed.unwrap_or_else(|error| match error.kind() {
        IntErrorKind::PosOverflow => i64::MAX,
        IntErrorKind::NegOverflow => i64::MIN,
        _ => 0,
    })))
}

pub(super) fn add(a: &mut Arguments<'_>) -> Called {
    Ok(Value::Int64(a.values.iter().map(integer).fold(0, i64::wrapping_add)))
}

pub(super) fn sub(a: &mut Arguments<'_>) -> Called {
    Ok(Value::Int64(integer(a.value(0)).wrapping_sub(integer(a.value(1)))))
}

pub(super) fn mul(a: &mut Arguments<'_>) -> Called {
    Ok(Value::Int64(a.values.iter().map(integer).fold(1, i64::wrapping_mul)))
}

pub(super) fn div(a: &mut Arguments<'_>) -> Called {
    match integer(a.value(1)) {
        0 => Err("integer divide by zero".into()),
        divisor => Ok(Value::Int64(integer(a.value(0)).wrapping_div(divisor))),
    }
}

/// A whole number of anything, 0 where it is none: as sprig reads it, `010` is 8.
fn integer(value: &Value) -> i64 {
    match value {
        Value::Int(integer) | Value::Int64(integer) => *integer,
        Value::Byte(byte) => i64::from(*byte),
        #[expect(
            clippy::cast_possible_truncation,
            clippy::as_conversions,
            reason = "as Go converts"
        )]
        Value::Float(float) => *float as i64,
        Value::Bool(flag) => i64::from(*flag),
        Value::Text(text) => std::str::from_utf8(text.as_bytes())
            .ok()
            .and_then(|text| literals::integer(without_zero_fraction(text)))
            .unwrap_or_default(),
        _ => 0,
    }
}

/// `12.00` is 12.
fn without_zero_fraction(text: &str) -> &str {
    match text.rsplit_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() && fraction.bytes().all(|b| b == b'0') => {
            whole
        }
        _ => text,
    }
}

pub(super) fn now(a: &mut Arguments<'_>) -> Called {
    Ok(Value::Time(Box::new(dates::in_zone(a.now, "UTC"))))
}

pub(super) fn date(a: &mut Arguments<'_>) -> Called {
    written(a, "Local")
}

pub(super) fn date_in_zone(a: &mut Arguments<'_>) -> Called {
    let zone = a.text(2)?;
    written(a, &zone.to_str())
}

/// A time, or seconds since 1970; anything else is now, as sprig has it.
fn written(a: &Arguments<'_>, zone: &str) -> Called {
    let moment = match a.value(1) {
        Value::Int(seconds) | Value::Int64(seconds) => {
            Timestamp::from_second(*seconds).map_err(|_| "the year is out of range")?
        }
        Value::Time(time) => time.timestamp(),
        _ => a.now,
    };
    let layout = a.text(0)?;
    let layout = std::str::from_utf8(layout.as_bytes()).map_err(|_| "the layout is no UTF-8")?;
    if layout.len() > MAX_LAYOUT {
        return Err("the layout is longer than 4096 bytes".into());
    }
    let text = dates::format(&dates::in_zone(moment, zone), layout);
    Ok(Value::Text(Text::from(text.as_str())))
}

pub(super) fn unix_epoch(a: &mut Arguments<'_>) -> Called {
    let seconds = time(a, 0)?.timestamp().as_second();
    Ok(Value::Text(Text::from(seconds.to_string().as_str())))
}

/// A duration that cannot be read changes nothing, as sprig has it.
pub(super) fn date_modify(a: &mut Arguments<'_>) -> Called {
    let (text, time) = (a.text(0)?, time(a, 1)?);
    let moved = match dates::duration(&text.to_str()) {
        Some(duration) => time.checked_add(duration).map_err(|_| "the year is out of range")?,
        None => time.clone(),
    };
    Ok(Value::Time(Box::new(moved)))
}

fn time<'a>(a: &'a Arguments<'_>, index: usize) -> Result<&'a Zoned, super::Problem> {
    match a.value(index) {
        Value::Time(time) => Ok(time),
        other => Err(super::wrong("time.Time", other)),
    }
}

/// The most bytes of a layout: each may become a dozen.
const MAX_LAYOUT: usize = 4096;
