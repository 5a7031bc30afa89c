//! Constants as Go writes them: strings, characters and numbers.

use super::tree::Number;

/// The bytes of a string in double quotes; an escape may make them no text.
pub(super) fn unquote(literal: &str) -> Option<Vec<u8>> {
    let inner = literal.strip_prefix('"')?.strip_suffix('"')?;
    let mut bytes = Vec::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => escape(&mut characters, '"')?.push_to(&mut bytes),
            '\n' | '"' => return None,
            c => Escaped::Character(c).push_to(&mut bytes),
        }
    }
    Some(bytes)
}

/// The bytes of a string in back quotes: Go leaves carriage returns out.
pub(super) fn unquote_raw(literal: &str) -> Vec<u8> {
    literal.trim_matches('`').bytes().filter(|byte| *byte != b'\r').collect()
}

/// The code of a character in single quotes.
pub(super) fn character(literal: &str) -> Option<Number> {
    let inner = literal.strip_prefix('\'')?.strip_suffix('\'')?;
    let mut characters = inner.chars();
    let code = match characters.next()? {
        '\\' => match escape(&mut characters, '\'')? {
            Escaped::Character(c) => u32::from(c),
            Escaped::Byte(byte) => u32::from(byte),
        },
        c => u32::from(c),
    };
    let is_whole = characters.next().is_none();
    let integer = Some(i64::from(code)).filter(|_| is_whole)?;
    Some(Number { integer: Some(integer), float: f64::from(code), is_float: false })
}

/// A number in decimal, hexadecimal, octal or binary form.
pub(super) fn number(literal: &str) -> Option<Number> {
    let is_float_form = |text: &str| {
        let is_hexadecimal = text.trim_start_matches(['+', '-']).starts_with("0x");
        text.contains(if is_hexadecimal { &['.', 'p'][..] } else { &['.', 'e'][..] })
    };
    let lower = literal.to_ascii_lowercase();
    if is_float_form(&lower) {
        // Hexadecimal fractions are nobody's.
        let float: f64 =
            without_underscores(&lower)?.parse().ok().filter(|f: &f64| f.is_finite())?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::as_conversions,
            reason = "compared below"
        )]
        let whole = float as i64;
        #[expect(
            clippy::cast_precision_loss,
            clippy::as_conversions,
            reason = "exactness is the test"
        )]
        let integer = (whole as f64).eq(&float).then_some(whole);
        return Some(Number { integer, float, is_float: true });
    }
    let integer = integer(&lower);
    if integer.is_none() && unsigned(&lower).is_none() {
        return None;
    }
    #[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "as Go converts")]
    let float = integer.map_or(f64::MAX, |integer| integer as f64);
    Some(Number { integer, float, is_float: false })
}

/// Go's `strconv.ParseUint` with base 0.
pub(super) fn unsigned(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let (radix, digits) = radix_of(&lower);
    let digits = without_underscores(digits).filter(|digits| !digits.starts_with('+'))?;
    u64::from_str_radix(&digits, radix).ok()
}

/// Go's `strconv.ParseInt` with base 0: `0x`, `0o`, `0b`, `0` and underscores between digits.
pub(super) fn integer(text: &str) -> Option<i64> {
    let (sign, unsigned) = match text.as_bytes().first()? {
        b'-' => ("-", text.get(1..)?),
        b'+' => ("", text.get(1..)?),
        _ => ("", text),
    };
    let lower = unsigned.to_ascii_lowercase();
    let (radix, digits) = radix_of(&lower);
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let digits =
        if radix == 10 { digits.to_owned() } else { digits.trim_start_matches('_').to_owned() };
    i64::from_str_radix(&format!("{sign}{}", without_underscores(&digits)?), radix).ok()
}

fn radix_of(text: &str) -> (u32, &str) {
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            return (radix, digits);
        }
    }
    match text.strip_prefix('0') {
        Some(digits) if !digits.is_empty() => (8, digits),
        _ => (10, text),
    }
}

/// Underscores may stand between two digits only.
fn without_underscores(text: &str) -> Option<String> {
    let is_misplaced = text.starts_with('_') || text.ends_with('_') || text.contains("__");
    (!is_misplaced).then(|| text.replace('_', ""))
}

enum Escaped {
    Character(char),
    Byte(u8),
}

impl Escaped {
    fn push_to(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Byte(byte) => bytes.push(*byte),
            Self::Character(c) => bytes.extend(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

/// What stands behind a backslash.
fn escape(characters: &mut std::str::Chars<'_>, quote: char) -> Option<Escaped> {
    let c = characters.next()?;
    let mut code = |digits: u32, radix: u32, first: u32| {
        (0..digits).try_fold(first, |code, _| {
            let digit = characters.next()?.to_digit(radix)?;
            code.checked_mul(radix)?.checked_add(digit)
        })
    };
    Some(match c {
        'a' => Escaped::Byte(7),
        'b' => Escaped::Byte(8),
        'f' => Escaped::Byte(12),
        'n' => Escaped::Byte(b'\n'),
        'r' => Escaped::Byte(b'\r'),
        't' => Escaped::Byte(b'\t'),
        'v' => Escaped::Byte(11),
        'x' => Escaped::Byte(u8::try_from(code(2, 16, 0)?).ok()?),
        'u' => Escaped::Character(char::from_u32(code(4, 16, 0)?)?),
        'U' => Escaped::Character(char::from_u32(code(8, 16, 0)?)?),
        '0'..='7' => Escaped::Byte(u8::try_from(code(2, 8, c.to_digit(8)?)?).ok()?),
        '\\' => Escaped::Byte(b'\\'),
        c if c == quote => Escaped::Character(c),
        _ => return None,
    })
}
