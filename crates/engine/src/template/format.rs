//! How Go's `fmt` writes values: `%v`, `printf`, quoted strings and fractions.

mod number;
mod quoted;
mod spec;

pub(super) use number::shortest;
pub(super) use quoted::quote;

use number::exponent_of;
use quoted::push_quoted_char;
use spec::Spec;

use super::dates;
use super::fault::Fault;
use super::run::Buffer;
use super::value::Value;

type Written = Result<(), Fault>;

/// A value as `%v` writes it.
pub(super) fn print(buffer: &mut Buffer<'_>, value: &Value) -> Written {
    verb(buffer, &Spec::plain('v'), value)
}

/// `fmt.Sprint`: a space stands between two values where neither is a string.
pub(super) fn print_all(buffer: &mut Buffer<'_>, values: &[Value]) -> Written {
    let mut was_text = true;
    for (index, value) in values.iter().enumerate() {
        let is_text = matches!(value, Value::Text(_));
        if index > 0 && !is_text && !was_text {
            buffer.push(b" ")?;
        }
        print(buffer, value)?;
        was_text = is_text;
    }
    Ok(())
}

/// `fmt.Sprintln`: a space between all, and a line break.
pub(super) fn print_line(buffer: &mut Buffer<'_>, values: &[Value]) -> Written {
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            buffer.push(b" ")?;
        }
        print(buffer, value)?;
    }
    buffer.push(b"\n")
}

/// `fmt.Sprintf`.
pub(super) fn print_formatted(buffer: &mut Buffer<'_>, format: &str, values: &[Value]) -> Written {
    let mut values = values.iter();
    let mut rest = format;
    while let Some((literal, after)) = rest.split_once('%') {
        buffer.push(literal.as_bytes())?;
        let (spec, after) = Spec::read(after)?;
        rest = after;
        match spec {
            None => buffer.push(b"%!(NOVERB)")?,
            Some(Spec { verb: '%', .. }) => buffer.push(b"%")?,
            Some(spec) => match values.next() {
                Some(value) => verb(buffer, &spec, value)?,
                None => {
                    buffer.push(b"%!")?;
                    buffer.push_char(spec.verb)?;
                    buffer.push(b"(MISSING)")?;
                }
            },
        }
    }
    buffer.push(rest.as_bytes())?;
    let mut is_first = true;
    for value in values.by_ref() {
        buffer.push(if is_first { b"%!(EXTRA " } else { b", " })?;
        type_and_value(buffer, value)?;
        is_first = false;
    }
    if !is_first {
        buffer.push(b")")?;
    }
    Ok(())
}

fn verb(buffer: &mut Buffer<'_>, spec: &Spec, value: &Value) -> Written {
    buffer.run.spend(4)?;
    spec.check(value)?;
    match value {
        Value::Nil if spec.verb == 'v' => padded(buffer, spec, b"<nil>"),
        Value::Bool(flag) if matches!(spec.verb, 'v' | 't') => {
            padded(buffer, spec, if *flag { b"true" } else { b"false" })
        }
        Value::Int(integer) | Value::Int64(integer) => whole(buffer, spec, *integer, value),
        Value::Byte(byte) => whole(buffer, spec, i64::from(*byte), value),
        Value::Float(float) => fraction(buffer, spec, *float, value),
        Value::Text(text) => string(buffer, spec, text.as_bytes(), value),
        Value::Texts(texts) => {
            sequence(buffer, spec, texts.iter().map(|text| Value::Text(text.clone())))
        }
        Value::List(list) => sequence(buffer, spec, list.items.iter().cloned()),
        Value::TextMap(map) => {
            let pairs = map.iter().map(|(k, v)| (Value::Text(k.clone()), Value::Text(v.clone())));
            entries(buffer, spec, pairs)
        }
        Value::Map(map) => {
            let pairs = map.entries.iter().map(|(k, v)| (Value::Text(k.clone()), v.clone()));
            entries(buffer, spec, pairs)
        }
        Value::Time(time) if matches!(spec.verb, 'v' | 's') => {
            padded(buffer, spec, dates::format(time, dates::PRINTED).as_bytes())
        }
        Value::Nil | Value::Bool(_) | Value::Time(_) => bad_verb(buffer, spec, value),
    }
}

fn is_text(value: &Value) -> bool {
    matches!(value, Value::Text(_))
}

/// `%!d(string=hi)`
fn bad_verb(buffer: &mut Buffer<'_>, spec: &Spec, value: &Value) -> Written {
    // Flags would go on inside.
    if !spec.is_plain() {
        return Err(UNSUPPORTED);
    }
    buffer.push(b"%!")?;
    buffer.push_char(spec.verb)?;
    buffer.push(b"(")?;
    type_and_value(buffer, value)?;
    buffer.push(b")")
}

fn type_and_value(buffer: &mut Buffer<'_>, value: &Value) -> Written {
    if !matches!(value, Value::Nil) {
        buffer.push(value.type_name().as_bytes())?;
        buffer.push(b"=")?;
    }
    print(buffer, value)
}

/// A part of a list or map: there `nil` is no fault of the verb.
fn element(buffer: &mut Buffer<'_>, spec: &Spec, value: &Value) -> Written {
    match value {
        Value::Nil => padded(buffer, spec, b"<nil>"),
        value => verb(buffer, spec, value),
    }
}

fn sequence(buffer: &mut Buffer<'_>, spec: &Spec, items: impl Iterator<Item = Value>) -> Written {
    buffer.push(b"[")?;
    for (index, item) in items.enumerate() {
        if index > 0 {
            buffer.push(b" ")?;
        }
        element(buffer, spec, &item)?;
    }
    buffer.push(b"]")
}

fn entries(
    buffer: &mut Buffer<'_>,
    spec: &Spec,
    pairs: impl Iterator<Item = (Value, Value)>,
) -> Written {
    buffer.push(b"map[")?;
    for (index, (key, value)) in pairs.enumerate() {
        if index > 0 {
            buffer.push(b" ")?;
        }
        verb(buffer, spec, &key)?;
        buffer.push(b":")?;
        element(buffer, spec, &value)?;
    }
    buffer.push(b"]")
}

fn whole(buffer: &mut Buffer<'_>, spec: &Spec, integer: i64, value: &Value) -> Written {
    let magnitude = integer.unsigned_abs();
    let (prefix, digits) = match spec.verb {
        'v' | 'd' => ("", magnitude.to_string()),
        'b' => ("0b", format!("{magnitude:b}")),
        'o' => ("0", format!("{magnitude:o}")),
        'x' => ("0x", format!("{magnitude:x}")),
        'X' => ("0X", format!("{magnitude:X}")),
        'c' => {
            let c = u32::try_from(integer).ok().and_then(char::from_u32);
            let c = c.unwrap_or(char::REPLACEMENT_CHARACTER);
            return padded(buffer, spec, c.encode_utf8(&mut [0; 4]).as_bytes());
        }
        'q' => {
            let c = u32::try_from(integer).ok().and_then(char::from_u32);
            let c = c.unwrap_or(char::REPLACEMENT_CHARACTER);
            let mut quoted = String::from("'");
            push_quoted_char(&mut quoted, c, '\'');
            quoted.push('\'');
            return padded(buffer, spec, quoted.as_bytes());
        }
        _ => return bad_verb(buffer, spec, value),
    };
    let digits = match spec.precision {
        Some(0) if integer == 0 => String::new(),
        Some(precision) if digits.len() < precision => {
            format!("{}{digits}", "0".repeat(precision - digits.len()))
        }
        _ => digits,
    };
    let prefix = if spec.sharp { prefix } else { "" };
    number(buffer, spec, integer < 0, &format!("{prefix}{digits}"))
}

fn fraction(buffer: &mut Buffer<'_>, spec: &Spec, float: f64, value: &Value) -> Written {
    let magnitude = float.abs();
    let precision = spec.precision.unwrap_or(6);
    let text = match spec.verb {
        _ if !float.is_finite() => return bad_verb(buffer, spec, value),
        'v' | 'g' if spec.precision.is_none() => shortest(magnitude, false),
        'f' | 'F' => format!("{magnitude:.precision$}"),
        'e' => {
            let text = format!("{magnitude:.precision$e}");
            let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            format!("{mantissa}{}", exponent_of(exponent.parse().unwrap_or_default()))
        }
        _ => return bad_verb(buffer, spec, value),
    };
    number(buffer, spec, float.is_sign_negative(), &text)
}

/// A number with its sign; zeros stand between the two.
fn number(buffer: &mut Buffer<'_>, spec: &Spec, is_negative: bool, digits: &str) -> Written {
    let sign = match (is_negative, spec.plus, spec.space) {
        (true, ..) => "-",
        (false, true, _) => "+",
        (false, false, true) => " ",
        (false, false, false) => "",
    };
    let room = spec.width.saturating_sub(sign.len() + digits.len());
    let is_whole = !digits.contains(['.', 'e']);
    let pads_zeros = spec.zero && !spec.minus && !(is_whole && spec.precision.is_some());
    if !pads_zeros && !spec.minus {
        buffer.push_repeated(b' ', room)?;
    }
    buffer.push(sign.as_bytes())?;
    if pads_zeros {
        buffer.push_repeated(b'0', room)?;
    }
    buffer.push(digits.as_bytes())?;
    if spec.minus { buffer.push_repeated(b' ', room) } else { Ok(()) }
}

fn string(buffer: &mut Buffer<'_>, spec: &Spec, bytes: &[u8], value: &Value) -> Written {
    match spec.verb {
        'v' | 's' if spec.is_plain() => buffer.push(bytes),
        'v' | 's' => padded(buffer, spec, cut(bytes, spec.precision)),
        'q' => {
            let mut inner = buffer.run.buffer();
            quote(&mut inner, cut(bytes, spec.precision))?;
            let quoted = inner.finish();
            padded(buffer, &Spec { precision: None, ..*spec }, &quoted)
        }
        'x' | 'X' => {
            let digits: &[u8; 16] =
                if spec.verb == 'x' { b"0123456789abcdef" } else { b"0123456789ABCDEF" };
            let mut inner = buffer.run.buffer();
            for byte in bytes {
                for nibble in [byte >> 4, byte & 0xf] {
                    inner.push(
                        digits
                            .get(usize::from(nibble))
                            .map(std::slice::from_ref)
                            .unwrap_or_default(),
                    )?;
                }
            }
            let text = inner.finish();
            padded(buffer, spec, &text)
        }
        _ => bad_verb(buffer, spec, value),
    }
}

/// The first characters of a string.
fn cut(bytes: &[u8], characters: Option<usize>) -> &[u8] {
    let Some(most) = characters else { return bytes };
    let mut end = 0;
    let mut count = 0;
    for chunk in bytes.utf8_chunks() {
        let widths = chunk.valid().chars().map(char::len_utf8);
        for width in widths.chain(chunk.invalid().iter().map(|_| 1)) {
            if count == most {
                return bytes.get(..end).unwrap_or(bytes);
            }
            count += 1;
            end += width;
        }
    }
    bytes
}

fn padded(buffer: &mut Buffer<'_>, spec: &Spec, bytes: &[u8]) -> Written {
    let characters: usize = bytes
        .utf8_chunks()
        .map(|chunk| chunk.valid().chars().count() + chunk.invalid().len())
        .sum();
    let room = spec.width.saturating_sub(characters);
    let filler = if spec.zero && !spec.minus { b'0' } else { b' ' };
    if !spec.minus {
        buffer.push_repeated(filler, room)?;
    }
    buffer.push(bytes)?;
    if spec.minus { buffer.push_repeated(filler, room) } else { Ok(()) }
}

const UNSUPPORTED: Fault =
    Fault::Failed { function: "printf", why: "the format asks for what is not supported" };
