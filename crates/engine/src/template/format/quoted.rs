//! Strings and characters in quotes, as Go's `strconv` writes them.

use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

use crate::template::fault::Fault;
use crate::template::run::Buffer;

/// Go's `strconv.Quote`.
pub(in crate::template) fn quote(buffer: &mut Buffer<'_>, bytes: &[u8]) -> Result<(), Fault> {
    buffer.push(b"\"")?;
    let mut piece = String::new();
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_ascii_graphic() && c != '"' && c != '\\' || c == ' ' {
                buffer.push_char(c)?;
                continue;
            }
            piece.clear();
            push_quoted_char(&mut piece, c, '"');
            buffer.push(piece.as_bytes())?;
        }
        for byte in chunk.invalid() {
            buffer.push(format!("\\x{byte:02x}").as_bytes())?;
        }
    }
    buffer.push(b"\"")
}

pub(super) fn push_quoted_char(out: &mut String, c: char, quote: char) {
    match c {
        '\x07' => out.push_str("\\a"),
        '\x08' => out.push_str("\\b"),
        '\x0c' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\x0b' => out.push_str("\\v"),
        '\\' => out.push_str("\\\\"),
        c if c == quote => out.extend(['\\', c]),
        c if is_printable(c) => out.push(c),
        c => {
            let escape = match u32::from(c) {
                code @ (..0x20 | 0x7f) => format!("\\x{code:02x}"),
                code @ ..0x1_0000 => format!("\\u{code:04x}"),
                code => format!("\\U{code:08x}"),
            };
            out.push_str(&escape);
        }
    }
}

/// Go's `unicode.IsPrint`.
fn is_printable(c: char) -> bool {
    let group = c.general_category_group();
    c == ' '
        || matches!(
            group,
            GeneralCategoryGroup::Letter
                | GeneralCategoryGroup::Mark
                | GeneralCategoryGroup::Number
                | GeneralCategoryGroup::Punctuation
                | GeneralCategoryGroup::Symbol
        )
}
