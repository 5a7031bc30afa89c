//! What a match is replaced by, in the syntax of Go's `Regexp.Expand`.
//!
//! Not the `regex` crate's own: Go ends a name without braces at the first character that is no
//! letter or digit of any script, takes `$01` for a name, and leaves a malformed `$` as it is.
//! <https://pkg.go.dev/regexp#Regexp.Expand>

use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

use super::Pattern;

/// A parsed replacement; its groups are those of one pattern.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Replacement {
    text: String,
    parts: Vec<Part>,
}

/// A piece of a replacement.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Part {
    /// Text as it is.
    Literal(String),
    /// What the group of this index matched.
    Group(usize),
    /// A group that the pattern does not have: nothing.
    Absent(String),
}

impl Replacement {
    /// Reads `text` as a replacement for matches of `pattern`; every text is one.
    pub fn parse(text: &str, pattern: &Pattern) -> Self {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((literal, after)) = rest.split_once('$') {
            push_literal(&mut parts, literal);
            rest = after;
            if let Some(after) = rest.strip_prefix('$') {
                push_literal(&mut parts, "$");
                rest = after;
            } else if let Some((name, after)) = name_of(rest) {
                parts.push(match pattern.group_index(name) {
                    Some(index) => Part::Group(index),
                    None => Part::Absent(name.to_owned()),
                });
                rest = after;
            } else {
                push_literal(&mut parts, "$");
            }
        }
        push_literal(&mut parts, rest);
        Self { text: text.to_owned(), parts }
    }

    /// The replacement as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The names that stand for nothing, since the pattern has no such group.
    pub fn absent_groups(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Absent(name) => Some(name.as_str()),
            Part::Literal(_) | Part::Group(_) => None,
        })
    }

    /// Go's `ReplaceAllString`: gives the result to `push`, piece by piece, until that fails.
    pub(crate) fn replace_all<E>(
        &self,
        pattern: &Pattern,
        text: &str,
        mut push: impl FnMut(&str) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut end = 0;
        for captures in pattern.regex().captures_iter(text) {
            let Some(found) = captures.get(0) else { continue };
            push(text.get(end..found.start()).unwrap_or_default())?;
            end = found.end();
            for part in &self.parts {
                match part {
                    Part::Literal(literal) => push(literal)?,
                    Part::Group(index) => {
                        push(captures.get(*index).map_or("", |group| group.as_str()))?;
                    }
                    Part::Absent(_) => {}
                }
            }
        }
        push(text.get(end..).unwrap_or_default())
    }
}

fn push_literal(parts: &mut Vec<Part>, text: &str) {
    match parts.last_mut() {
        _ if text.is_empty() => {}
        Some(Part::Literal(literal)) => literal.push_str(text),
        _ => parts.push(Part::Literal(text.to_owned())),
    }
}

/// The name after a `$`, as long as possible, and what follows it.
fn name_of(text: &str) -> Option<(&str, &str)> {
    let (text, is_braced) = match text.strip_prefix('{') {
        Some(inner) => (inner, true),
        None => (text, false),
    };
    let end = text.find(|c| !is_name_character(c)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if name.is_empty() {
        return None;
    }
    let rest = if is_braced { rest.strip_prefix('}')? } else { rest };
    Some((name, rest))
}

/// Go's `unicode.IsLetter`, `unicode.IsDigit` and `_`.
fn is_name_character(c: char) -> bool {
    c == '_'
        || c.general_category_group() == GeneralCategoryGroup::Letter
        || c.general_category() == GeneralCategory::DecimalNumber
}
