//! `regexp.source`: a regular expression in Go's syntax (RE2).
//!
//! The `regex` crate reads nearly the same language. Where the two differ the text is rewritten
//! before it is compiled: `\d`, `\s`, `\w` and `\b` know ASCII alone, `\Q…\E` quotes, `[` in a class
//! and `{` without a count are themselves, and what only the crate knows is refused. Of what Go knows
//! two things are refused: groups of equal names, and of names that begin with a digit.
//! <https://pkg.go.dev/regexp/syntax>

mod class;

use std::iter::{self, Peekable};
use std::str::Chars;

use regex::Regex;

/// A regular expression that compiles.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: String,
    regex: Regex,
}

/// Why a text is no regular expression.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("regexp failed with failed to compile: {reason}")]
pub struct InvalidPattern {
    reason: String,
}

impl Pattern {
    /// Compiles `text`.
    ///
    /// # Errors
    ///
    /// [`InvalidPattern`] for what Go's `regexp` refuses, and for a pattern that is too large.
    pub fn parse(text: &str) -> Result<Self, InvalidPattern> {
        let translated = translate(text)?;
        let regex = Regex::new(&translated).map_err(|error| InvalidPattern::from_regex(&error))?;
        Ok(Self { text: text.to_owned(), regex })
    }

    /// The expression as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn regex(&self) -> &Regex {
        &self.regex
    }

    /// The names of its groups.
    pub(super) fn group_names(&self) -> impl Iterator<Item = &str> {
        self.regex.capture_names().flatten()
    }

    /// The group that a replacement names by number or by name.
    ///
    /// As in Go a number has no leading zero: `01` is a name, and no group has it.
    pub(super) fn group_index(&self, name: &str) -> Option<usize> {
        let is_number = name.bytes().all(|b| b.is_ascii_digit());
        if is_number && (name == "0" || !name.starts_with('0')) {
            name.parse().ok().filter(|index| *index < self.regex.captures_len())
        } else {
            self.regex.capture_names().position(|group| group == Some(name))
        }
    }
}

impl InvalidPattern {
    fn new(reason: &str) -> Self {
        Self { reason: reason.to_owned() }
    }

    /// Keeps the last line: those before it draw the translated pattern.
    fn from_regex(error: &regex::Error) -> Self {
        let text = match error {
            regex::Error::CompiledTooBig(_) => "expression too large".to_owned(),
            other => other.to_string(),
        };
        let line = text.lines().last().unwrap_or_default();
        Self::new(line.strip_prefix("error: ").unwrap_or(line))
    }
}

type Reader<'a> = Peekable<Chars<'a>>;

/// Go's syntax as the crate's.
fn translate(text: &str) -> Result<String, InvalidPattern> {
    let mut out = String::new();
    let mut reader = text.chars().peekable();
    let mut follows_repetition = false;
    while let Some(c) = reader.next() {
        let count = if c == '{' { take_count(&mut reader)? } else { None };
        let repeats = matches!(c, '*' | '+' | '?') || count.is_some();
        if repeats && follows_repetition {
            return Err(InvalidPattern::new("invalid nested repetition operator"));
        }
        follows_repetition = repeats;
        match c {
            '\\' => push_escape(&mut out, &mut reader)?,
            '[' => class::push(&mut out, &mut reader)?,
            '(' => push_group(&mut out, &mut reader)?,
            '{' => match count {
                Some(count) => out.push_str(&count),
                None => out.push_str("\\{"),
            },
            c => out.push(c),
        }
        if repeats && reader.next_if_eq(&'?').is_some() {
            out.push('?');
        }
    }
    Ok(out)
}

/// `n}`, `n,}` or `n,m}` after a `{`; anything else leaves the reader where it is.
fn take_count(reader: &mut Reader<'_>) -> Result<Option<String>, InvalidPattern> {
    /// Go's own bound.
    const MAX: u32 = 1_000;
    let mut ahead = reader.clone();
    let inner: String = ahead.by_ref().take_while(|c| *c != '}').collect();
    let (least, most) = inner.split_once(',').unwrap_or((&inner, ""));
    let is_number = |text: &str| {
        let has_leading_zero = text.len() > 1 && text.starts_with('0');
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) && !has_leading_zero
    };
    let is_closed = reader.clone().any(|c| c == '}');
    if !is_closed || !is_number(least) || !(most.is_empty() || is_number(most)) {
        return Ok(None);
    }
    if [least, most]
        .iter()
        .any(|n| !n.is_empty() && n.parse().is_ok_and(|n: u32| n > MAX) || n.len() > 4)
    {
        return Err(InvalidPattern::new("invalid repeat count"));
    }
    *reader = ahead;
    Ok(Some(format!("{{{inner}}}")))
}

/// `(`, and of `(?…` what Go knows: names and the flags `imsU`.
fn push_group(out: &mut String, reader: &mut Reader<'_>) -> Result<(), InvalidPattern> {
    out.push('(');
    if reader.next_if_eq(&'?').is_none() {
        return Ok(());
    }
    out.push('?');
    // A name: the crate reads `(?P<name>` and `(?<name>` as Go does, and more names.
    let rest: String = reader.clone().collect();
    let named = rest.strip_prefix("P<").or_else(|| rest.strip_prefix('<'));
    if let Some(name) = named.and_then(|rest| rest.split('>').next()) {
        let is_legal = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        return if is_legal { Ok(()) } else { Err(InvalidPattern::new("invalid named capture")) };
    }
    while let Some(c) = reader.next_if(|c| "imsU-".contains(*c)) {
        out.push(c);
    }
    match reader.next() {
        Some(end @ (':' | ')')) => out.push(end),
        _ => return Err(InvalidPattern::new("invalid or unsupported Perl syntax")),
    }
    Ok(())
}

/// An escape outside of a class.
fn push_escape(out: &mut String, reader: &mut Reader<'_>) -> Result<(), InvalidPattern> {
    let Some(c) = reader.next() else {
        return Err(InvalidPattern::new("trailing backslash at end of expression"));
    };
    match c {
        'b' => out.push_str("(?-u:\\b)"),
        'B' => out.push_str("(?-u:\\B)"),
        'A' | 'z' => out.extend(['\\', c]),
        'Q' => push_quoted(out, reader),
        _ => return push_common_escape(out, c, reader),
    }
    Ok(())
}

/// Everything up to `\E`, or to the end, as itself.
fn push_quoted(out: &mut String, reader: &mut Reader<'_>) {
    while let Some(c) = reader.next() {
        if c == '\\' && reader.next_if_eq(&'E').is_some() {
            return;
        }
        push_literal(out, c);
    }
}

/// An escape that means the same in and outside of a class.
fn push_common_escape(
    out: &mut String,
    c: char,
    reader: &mut Reader<'_>,
) -> Result<(), InvalidPattern> {
    match c {
        'd' => out.push_str("[0-9]"),
        'D' => out.push_str("[^0-9]"),
        's' => out.push_str("[\\t\\n\\f\\r\\x20]"),
        'S' => out.push_str("[^\\t\\n\\f\\r\\x20]"),
        'w' => out.push_str("[0-9A-Za-z_]"),
        'W' => out.push_str("[^0-9A-Za-z_]"),
        'p' | 'P' => push_unicode_class(out, c, reader),
        _ => push_literal(out, escaped(c, reader)?),
    }
    Ok(())
}

/// `\pL` and `\p{Greek}`: the crate reads those of Go, and more.
fn push_unicode_class(out: &mut String, c: char, reader: &mut Reader<'_>) {
    out.extend(['\\', c]);
    // A brace opens a name, which ends with the other.
    let mut is_open = reader.peek() == Some(&'{');
    for c in reader.by_ref() {
        out.push(c);
        is_open = is_open && c != '}';
        if !is_open {
            return;
        }
    }
}

/// The one character that an escape stands for.
fn escaped(c: char, reader: &mut Reader<'_>) -> Result<char, InvalidPattern> {
    let invalid = || InvalidPattern::new("invalid escape sequence");
    let code = match c {
        'a' => 0x07,
        'f' => 0x0C,
        'n' => 0x0A,
        'r' => 0x0D,
        't' => 0x09,
        'v' => 0x0B,
        'x' => return hexadecimal(reader).ok_or_else(invalid),
        '1'..='7' if !reader.peek().is_some_and(|c| is_octal(*c)) => return Err(invalid()),
        '0'..='7' => {
            let mut code = c.to_digit(8).unwrap_or_default();
            for _ in 0..2 {
                let Some(digit) = reader.next_if(|c| is_octal(*c)) else { break };
                code = code * 8 + digit.to_digit(8).unwrap_or_default();
            }
            code
        }
        c if c.is_ascii() && !c.is_ascii_alphanumeric() => return Ok(c),
        _ => return Err(invalid()),
    };
    char::from_u32(code).ok_or_else(invalid)
}

fn is_octal(c: char) -> bool {
    ('0'..='7').contains(&c)
}

/// `HH` or `{H…}`.
fn hexadecimal(reader: &mut Reader<'_>) -> Option<char> {
    let is_braced = reader.next_if_eq(&'{').is_some();
    let most = if is_braced { usize::MAX } else { 2 };
    let digits: String =
        iter::from_fn(|| reader.next_if(char::is_ascii_hexdigit)).take(most).collect();
    let is_whole = if is_braced { reader.next() == Some('}') } else { digits.len() == 2 };
    u32::from_str_radix(&digits, 16).ok().filter(|_| is_whole).and_then(char::from_u32)
}

/// One character as itself, in and outside of a class.
fn push_literal(out: &mut String, c: char) {
    if c.is_ascii_alphanumeric() || c == '_' {
        out.push(c);
    } else {
        out.extend(c.escape_unicode());
    }
}
