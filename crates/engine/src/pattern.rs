//! Regular expressions in Go's syntax (RE2), and what their matches are replaced by.
//!
//! The `regex` crate reads nearly the same language. Where the two differ the text is rewritten
//! before it is compiled: `\d`, `\s`, `\w` and `\b` know ASCII alone, `\Q…\E` quotes, `[` in a class
//! and `{` without a count are themselves, and what only the crate knows is refused. Of what Go knows
//! two things are refused: groups of equal names, and of names that begin with a digit.
//! <https://pkg.go.dev/regexp/syntax>

mod class;
mod reader;
mod replacement;

use std::iter;

use regex::{Regex, RegexBuilder};

use reader::Reader;

pub use replacement::Replacement;

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
    /// 4096 bytes, the most that a pattern may have.
    ///
    /// Go has no bound on the text. A key's name has at most 253 characters, so no real pattern
    /// comes near, and a hostile manifest gets no more than this to work with.
    pub const MAX_BYTES: usize = 4_096;

    /// Compiles `text`.
    ///
    /// # Errors
    ///
    /// [`InvalidPattern`] for what Go's `regexp` refuses, for a text over [`Self::MAX_BYTES`], and
    /// for a pattern that is too large once compiled.
    pub fn parse(text: &str) -> Result<Self, InvalidPattern> {
        if text.len() > Self::MAX_BYTES {
            let reason = format!("expression is longer than {} bytes", Self::MAX_BYTES);
            return Err(InvalidPattern { reason });
        }
        let translated = translate(text)?;
        let built = RegexBuilder::new(&translated).size_limit(MAX_COMPILED).build();
        let regex = built.map_err(|error| InvalidPattern::from_regex(&error))?;
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
    pub(crate) fn group_names(&self) -> impl Iterator<Item = &str> {
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

/// Go's syntax as the crate's.
fn translate(text: &str) -> Result<String, InvalidPattern> {
    let mut out = String::new();
    let mut reader = Reader::new(text);
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
                Some(count) => out.extend(["{", count, "}"]),
                None => out.push_str("\\{"),
            },
            c => out.push(c),
        }
        if repeats && reader.take("?") {
            out.push('?');
        }
    }
    Ok(out)
}

/// `n}`, `n,}` or `n,m}` after a `{`; anything else leaves the reader where it is.
fn take_count<'a>(reader: &mut Reader<'a>) -> Result<Option<&'a str>, InvalidPattern> {
    /// Go's own bound.
    const MAX: u32 = 1_000;
    let mut ahead = *reader;
    let inner = ahead.take_while(|c| c.is_ascii_digit() || c == ',');
    let (least, most) = inner.split_once(',').unwrap_or((inner, ""));
    let is_number = |text: &str| {
        let has_leading_zero = text.len() > 1 && text.starts_with('0');
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) && !has_leading_zero
    };
    let is_closed = ahead.take("}");
    if !is_closed || !is_number(least) || !(most.is_empty() || is_number(most)) {
        return Ok(None);
    }
    // A number of more digits than fit is over the bound too.
    let is_over = |text: &str| !text.is_empty() && text.parse().map_or(true, |n: u32| n > MAX);
    if is_over(least) || is_over(most) {
        return Err(InvalidPattern::new("invalid repeat count"));
    }
    *reader = ahead;
    Ok(Some(inner))
}

/// `(`, and of `(?…` what Go knows: names and the flags `imsU`.
fn push_group(out: &mut String, reader: &mut Reader<'_>) -> Result<(), InvalidPattern> {
    out.push('(');
    if !reader.take("?") {
        return Ok(());
    }
    out.push('?');
    // A name: the crate reads `(?P<name>` and `(?<name>` as Go does, and more names.
    let mut ahead = *reader;
    if ahead.take("P<") || ahead.take("<") {
        ahead.take_while(|c| c.is_ascii_alphanumeric() || c == '_');
        let is_legal = matches!(ahead.peek(), Some('>') | None);
        return if is_legal { Ok(()) } else { Err(InvalidPattern::new("invalid named capture")) };
    }
    out.push_str(reader.take_while(|c| "imsU-".contains(c)));
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
        if c == '\\' && reader.take("E") {
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
    let mut is_open = reader.peek() == Some('{');
    while let Some(c) = reader.next() {
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
        '1'..='7' if !reader.peek().is_some_and(is_octal) => return Err(invalid()),
        '0'..='7' => {
            let mut code = c.to_digit(8).unwrap_or_default();
            for _ in 0..2 {
                let Some(digit) = reader.next_if(is_octal) else { break };
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
    let is_braced = reader.take("{");
    let most = if is_braced { usize::MAX } else { 2 };
    let digits: String =
        iter::from_fn(|| reader.next_if(|c| c.is_ascii_hexdigit())).take(most).collect();
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

/// A pattern of real keys takes some thousand bytes once compiled; time grows with them.
const MAX_COMPILED: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_has_at_most_4096_bytes() {
        assert!(Pattern::parse(&"a".repeat(Pattern::MAX_BYTES)).is_ok());
        let error = Pattern::parse(&"a".repeat(Pattern::MAX_BYTES + 1)).unwrap_err();
        assert!(error.to_string().ends_with("longer than 4096 bytes"), "{error}");
    }

    /// Bytes are counted in place of seconds: each of these once took time in its square.
    #[test]
    fn hostile_patterns_are_gone_over_a_few_times_at_most() {
        for part in [
            "a{",
            "{1",
            "{1,",
            "{1,2",
            "(?:a)",
            "(?i)",
            "(?P<a>b)",
            "(?<a>b)",
            "[[.",
            "[[:a]",
            "[[:^",
            "[[:alpha:]]",
            "[a-",
            "\\Q",
            "\\p{",
            "\\x{",
            "(?P<",
            "1",
        ] {
            for text in [part.repeat(20_000), format!("[{}", part.repeat(20_000))] {
                reader::STEPS.set(0);
                // Whether Go takes it is not the point.
                translate(&text).ok();
                let steps = reader::STEPS.get();
                assert!(steps <= 3 * text.len(), "{part}: {steps} for {}", text.len());
            }
        }
    }

    #[test]
    fn a_look_ahead_knows_what_comes_later() {
        // Go looks for `:]` beyond the class.
        assert!(Pattern::parse("[[:a]b").is_ok());
        assert!(Pattern::parse("[[:a]b:]").is_err());
        assert!(Pattern::parse(":][[:a]b").is_ok());
        assert!(Pattern::parse("a{1001}").is_err());
        assert!(Pattern::parse("a{99999999999}").is_err());
        assert!(Pattern::parse("a{99999999999").is_ok());
        assert!(Pattern::parse("(?P<a-b>c)").is_err());
    }
}
