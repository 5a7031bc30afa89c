//! What follows a `%` in a format.

use super::{UNSUPPORTED, Written, is_text};
use crate::template::fault::Fault;
use crate::template::value::Value;

/// One `%…` of a format.
#[derive(Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "they are the flags of a format")]
pub(super) struct Spec {
    pub(super) verb: char,
    pub(super) minus: bool,
    pub(super) plus: bool,
    pub(super) space: bool,
    pub(super) sharp: bool,
    pub(super) zero: bool,
    pub(super) width: usize,
    pub(super) precision: Option<usize>,
}

impl Spec {
    pub(super) fn plain(verb: char) -> Self {
        Self {
            verb,
            minus: false,
            plus: false,
            space: false,
            sharp: false,
            zero: false,
            width: 0,
            precision: None,
        }
    }

    /// Reads what follows a `%`; nothing where the text ends before the verb.
    pub(super) fn read(text: &str) -> Result<(Option<Self>, &str), Fault> {
        let mut spec = Self::plain('v');
        let mut rest = text;
        while let Some(flag) = rest.chars().next().filter(|c| "-+ #0".contains(*c)) {
            match flag {
                '-' => spec.minus = true,
                '+' => spec.plus = true,
                ' ' => spec.space = true,
                '#' => spec.sharp = true,
                _ => spec.zero = true,
            }
            rest = rest.get(1..).unwrap_or_default();
        }
        if rest.starts_with(['*', '[']) {
            return Err(UNSUPPORTED);
        }
        (spec.width, rest) = count(rest)?;
        if let Some(after) = rest.strip_prefix('.') {
            if after.starts_with(['*', '[']) {
                return Err(UNSUPPORTED);
            }
            let (precision, after) = count(after)?;
            (spec.precision, rest) = (Some(precision), after);
        }
        let mut characters = rest.chars();
        let Some(verb) = characters.next() else { return Ok((None, rest)) };
        spec.verb = verb;
        Ok((Some(spec), characters.as_str()))
    }

    /// Refuses what Go has and is not written here: another result would be worse than none.
    pub(super) fn check(&self, value: &Value) -> Written {
        let is_supported = match (self.verb, value) {
            ('T' | 'U' | 'O' | 'E' | 'G' | 'p', _) | ('x' | 'X', Value::Float(_)) => false,
            ('v', _) => !self.sharp && !self.plus && (self.precision.is_none() || is_text(value)),
            ('x' | 'X', Value::Text(_)) => !self.sharp && !self.space && self.precision.is_none(),
            ('q', _) => !self.sharp && !self.plus,
            ('g', _) => self.precision.is_none() && !self.sharp,
            ('e' | 'f' | 'F', _) => !self.sharp && self.precision.unwrap_or(6) <= 100,
            _ => true,
        };
        if is_supported { Ok(()) } else { Err(UNSUPPORTED) }
    }

    pub(super) fn is_plain(&self) -> bool {
        !(self.minus || self.plus || self.space || self.sharp || self.zero)
            && self.width == 0
            && self.precision.is_none()
    }
}

/// The digits at the beginning, as a number up to Go's own bound of a million.
fn count(text: &str) -> Result<(usize, &str), Fault> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    if digits.is_empty() {
        return Ok((0, rest));
    }
    match digits.parse() {
        Ok(number) if number <= 1_000_000 => Ok((number, rest)),
        _ => Err(UNSUPPORTED),
    }
}
