//! What a plain scalar stands for in YAML 1.1. <https://yaml.org/type/>

use crate::template::literals;

/// A scalar by its type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scalar {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    /// A date or a time, which ESO leaves as it is.
    Timestamp,
    Text,
}

pub(super) fn resolve(text: &str) -> Scalar {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Scalar::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Scalar::Bool(true);
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Scalar::Bool(false);
        }
        ".nan" | ".NaN" | ".NAN" => return Scalar::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Scalar::Float(f64::INFINITY);
        }
        "-.inf" | "-.Inf" | "-.INF" => return Scalar::Float(f64::NEG_INFINITY),
        _ => {}
    }
    match text.as_bytes().first() {
        Some(b'.') => finite(text).map_or(Scalar::Text, Scalar::Float),
        Some(b'+' | b'-' | b'0'..=b'9') => number(text),
        _ => Scalar::Text,
    }
}

fn number(text: &str) -> Scalar {
    if is_timestamp(text) {
        return Scalar::Timestamp;
    }
    let plain = text.replace('_', "");
    if let Some(integer) = literals::integer(&plain) {
        return Scalar::Int(integer);
    }
    if let Some(unsigned) = literals::unsigned(&plain) {
        return Scalar::Uint(unsigned);
    }
    if is_fraction(&plain) {
        finite(&plain).map_or(Scalar::Text, Scalar::Float)
    } else {
        Scalar::Text
    }
}

fn finite(text: &str) -> Option<f64> {
    let is_number = text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    text.parse().ok().filter(|float: &f64| is_number && float.is_finite())
}

/// Digits with a point or an exponent, and a sign perhaps.
fn is_fraction(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let is_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let mantissa_fits = match mantissa.split_once('.') {
        Some(("", fraction)) => !fraction.is_empty() && is_digits(fraction),
        Some((whole, fraction)) => is_digits(whole) && is_digits(fraction),
        None => !mantissa.is_empty() && is_digits(mantissa),
    };
    let exponent_fits = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !digits.is_empty() && is_digits(digits)
    });
    mantissa_fits && exponent_fits
}

/// `2026-01-31`, alone or with a time behind it.
fn is_timestamp(text: &str) -> bool {
    let Some((year, rest)) = text.split_once('-') else { return false };
    let Some((month, rest)) = rest.split_once('-') else { return false };
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (day, time) = rest.split_at(end);
    let within = |text: &str, longest: usize, least: u32, most: u32| {
        (1..=longest).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_digit())
            && text.parse().is_ok_and(|number| (least..=most).contains(&number))
    };
    let is_date = year.len() == 4
        && within(year, 4, 0, 9999)
        && within(month, 2, 1, 12)
        && within(day, 2, 1, 31);
    let is_clock = |text: &str| {
        let end = text.find(|c: char| !c.is_ascii_digit() && !":.".contains(c));
        let (clock, zone) = text.split_at(end.unwrap_or(text.len()));
        let parts: Vec<&str> = clock.split(':').collect();
        let [hour, minute, second] = parts.as_slice() else { return None };
        let second = second.split('.').next().unwrap_or_default();
        let fits = within(hour, 2, 0, 23) && within(minute, 2, 0, 59) && within(second, 2, 0, 59);
        fits.then(|| zone.to_owned())
    };
    let is_time = match time.as_bytes().first() {
        None => true,
        Some(b'T' | b't') => time
            .get(1..)
            .and_then(is_clock)
            .is_some_and(|zone| zone == "Z" || (zone.len() == 6 && zone.starts_with(['+', '-']))),
        Some(b' ') => time.get(1..).and_then(is_clock).is_some_and(|zone| zone.is_empty()),
        Some(_) => false,
    };
    is_date && is_time
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_are_what_yaml_1_1_says() {
        for (text, expected) in [
            ("0x1f", Scalar::Int(31)),
            ("010", Scalar::Int(8)),
            ("08", Scalar::Float(8.0)),
            ("0o17", Scalar::Int(15)),
            ("1_000", Scalar::Int(1000)),
            ("18446744073709551615", Scalar::Uint(u64::MAX)),
            ("1e3", Scalar::Float(1000.0)),
            (".5", Scalar::Float(0.5)),
            ("1.", Scalar::Float(1.0)),
            ("-", Scalar::Text),
            ("1.2.3", Scalar::Text),
            ("12:30:45", Scalar::Text),
            ("2020-01-01", Scalar::Timestamp),
            ("2020-13-01", Scalar::Text),
            ("2020-01-01T00:00:00Z", Scalar::Timestamp),
            ("yEs", Scalar::Text),
            ("inf", Scalar::Text),
        ] {
            assert_eq!(resolve(text), expected, "{text}");
        }
    }
}
