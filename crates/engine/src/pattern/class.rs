//! Character classes: `[…]`.

use super::{InvalidPattern, Reader, escaped, push_common_escape, push_literal};

/// A class after its `[`.
///
/// The crate has operators and classes within classes; Go has neither, so every character is
/// written as a number.
pub(super) fn push(out: &mut String, reader: &mut Reader<'_>) -> Result<(), InvalidPattern> {
    out.push('[');
    if reader.take("^") {
        out.push('^');
    }
    let mut is_first = true;
    loop {
        let Some(c) = reader.next() else {
            return Err(InvalidPattern::new("missing closing ]"));
        };
        match c {
            ']' if !is_first => break,
            '[' if push_named(out, reader)? => {}
            '\\' if matches!(
                reader.peek(),
                Some('d' | 'D' | 's' | 'S' | 'w' | 'W' | 'p' | 'P')
            ) =>
            {
                let c = reader.next().unwrap_or(c);
                push_common_escape(out, c, reader)?;
            }
            c => push_range(out, c, reader)?,
        }
        is_first = false;
    }
    out.push(']');
    Ok(())
}

/// `[:alpha:]` and its like, after the first `[`; false if it is a `[` that stands for itself.
fn push_named(out: &mut String, reader: &mut Reader<'_>) -> Result<bool, InvalidPattern> {
    const NAMES: [&str; 14] = [
        "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
        "space", "upper", "word", "xdigit",
    ];
    let mut ahead = *reader;
    // As in Go the end counts wherever it is, beyond the class too.
    if !ahead.take(":") || !ahead.has_name_end() {
        return Ok(false);
    }
    let negation = if ahead.take("^") { "^" } else { "" };
    let name = ahead.take_while(|c| c.is_ascii_lowercase());
    if !NAMES.contains(&name) || !ahead.take(":]") {
        return Err(InvalidPattern::new("invalid character class range"));
    }
    out.extend(["[:", negation, name, ":]"]);
    *reader = ahead;
    Ok(true)
}

/// One character, or two with a `-` between them.
fn push_range(
    out: &mut String,
    first: char,
    reader: &mut Reader<'_>,
) -> Result<(), InvalidPattern> {
    push_one(out, first, reader)?;
    let mut ahead = *reader;
    if ahead.take("-") && ahead.peek().is_some_and(|c| c != ']') {
        *reader = ahead;
        out.push('-');
        let last = reader.next().unwrap_or_default();
        push_one(out, last, reader)?;
    }
    Ok(())
}

fn push_one(out: &mut String, c: char, reader: &mut Reader<'_>) -> Result<(), InvalidPattern> {
    let c = match c {
        '\\' => match reader.next() {
            Some(c) => escaped(c, reader)?,
            None => return Err(InvalidPattern::new("trailing backslash at end of expression")),
        },
        c => c,
    };
    push_literal(out, c);
    Ok(())
}
