//! What is wrong with an input, all of it at once.
//!
//! A parser pushes one [`Violation`] for each fault and goes on, so that a person mends a file in
//! one round. A violation names a path and a rule; of a value it shows only what is no secret.

use std::fmt;

/// One fault of an input.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Violation {
    /// Where it is: a field path (`spec.auth.secretRef`), a flag (`--duration`) or a file.
    pub path: String,
    /// What is wrong there, as the rest of a sentence that begins with the path.
    pub problem: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.problem)
    }
}

/// All faults of an input; empty means that it is right.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Violations(Vec<Violation>);

impl Violations {
    /// Starts with none.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a fault.
    pub fn push(&mut self, path: impl Into<String>, problem: impl fmt::Display) {
        self.0.push(Violation { path: path.into(), problem: problem.to_string(), hint: None });
    }

    /// Adds a fault and what to do about it.
    pub fn push_with_hint(
        &mut self,
        path: impl Into<String>,
        problem: impl fmt::Display,
        hint: impl Into<String>,
    ) {
        let (path, problem, hint) = (path.into(), problem.to_string(), Some(hint.into()));
        self.0.push(Violation { path, problem, hint });
    }

    /// Keeps the value of a success, and the fault of a failure.
    pub fn keep<T, E: fmt::Display>(&mut self, path: &str, parsed: Result<T, E>) -> Option<T> {
        parsed.map_err(|problem| self.push(path, problem)).ok()
    }

    /// Takes over the faults of another input.
    pub fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// The same faults, as seen from outside of the thing that is at `place`.
    #[must_use]
    pub fn below(mut self, place: &str) -> Self {
        for violation in &mut self.0 {
            violation.path = format!("{place} {}", violation.path);
        }
        self
    }

    /// These faults, and of the others those at other paths: one answer for one mistake.
    #[must_use]
    pub fn and_elsewhere(mut self, others: Self) -> Self {
        let elsewhere: Vec<Violation> = others
            .0
            .into_iter()
            .filter(|other| self.0.iter().all(|known| known.path != other.path))
            .collect();
        self.0.extend(elsewhere);
        self
    }

    /// The faults, in the order they were found.
    pub fn iter(&self) -> impl Iterator<Item = &Violation> {
        self.0.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The value, if nothing is wrong.
    ///
    /// # Errors
    ///
    /// The violations themselves, if there are any, or if the value is missing.
    pub fn into_result<T>(self, value: Option<T>) -> Result<T, Self> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(self),
        }
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, violation) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{violation}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Violations {}

/// The bounds of a piece of text: how long, and of which characters.
///
/// Lengths count characters, as the STS service model does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TextRule {
    pub(crate) min: usize,
    pub(crate) max: usize,
    pub(crate) allows: fn(char) -> bool,
    /// The allowed characters, for people.
    pub(crate) allowed: &'static str,
}

impl TextRule {
    pub(crate) fn check(&self, text: &str) -> Result<(), InvalidText> {
        let length = text.chars().count();
        let odd = text.chars().enumerate().find(|(_, character)| !(self.allows)(*character));
        let mut faults = Vec::new();
        if !(self.min..=self.max).contains(&length) {
            let (min, max) = (self.min, self.max);
            let bounds = if min == max { format!("{min}") } else { format!("{min} to {max}") };
            faults.push(format!("must be {bounds} characters long, is {length}"));
        }
        if let Some((index, character)) = odd {
            let position = index + 1;
            let what = describe(character);
            faults.push(format!("may hold only {}; character {position} is {what}", self.allowed));
        }
        if faults.is_empty() { Ok(()) } else { Err(InvalidText { faults }) }
    }
}

/// A text that breaks the bounds of its field.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{}", faults.join(" and "))]
pub struct InvalidText {
    faults: Vec<String>,
}

/// Names one character so that it can be seen.
fn describe(character: char) -> String {
    match character {
        ' ' => "a space".to_owned(),
        '\n' => "a line break".to_owned(),
        '\r' => "a carriage return".to_owned(),
        '\t' => "a tab".to_owned(),
        c if c.is_control() || c.is_whitespace() => format!("U+{:04X}", u32::from(c)),
        c => format!("'{c}'"),
    }
}

/// What STS accepts as an ARN of anything.
pub(crate) const ARN_TEXT: TextRule = TextRule {
    min: 20,
    max: 2_048,
    allows: |c| c.is_ascii_graphic(),
    allowed: "visible ASCII characters",
};

/// `[\w+=,.@-]`, where `\w` is ASCII: session names and source identities.
pub(crate) fn is_name_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_+=,.@-".contains(c)
}

/// A word of an input, fit to be shown: at most 64 characters, none of them a control character.
pub fn shown(word: &str) -> String {
    word.chars().filter(|c| !c.is_control()).take(64).collect()
}

/// Says "did you mean …" for a word that is nearly one of `known`.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// No word that is meant is longer.
    const MAX: usize = 64;
    if word.chars().nth(MAX).is_some() {
        return None;
    }
    let limit = (word.chars().take(MAX).count() / 3).max(1);
    known
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// The Levenshtein distance without case: small words only, so the plain table does.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.to_lowercase().chars().enumerate() {
        let mut diagonal = i;
        let mut left_cell = i + 1;
        for (cell, b) in row.iter_mut().skip(1).zip(&right) {
            let changed = diagonal + usize::from(a != *b);
            diagonal = *cell;
            *cell = changed.min(*cell + 1).min(left_cell + 1);
            left_cell = *cell;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_mistake_finds_its_word() {
        let known = ["externalID", "sessionDuration", "tags"];
        assert_eq!(nearest("externalId", known), Some("externalID"));
        assert_eq!(nearest("sesionDuration", known), Some("sessionDuration"));
        assert_eq!(nearest("policy", known), None);
    }

    #[test]
    fn both_faults_of_a_text_are_told_at_once() {
        let rule = TextRule { min: 2, max: 3, allows: is_name_character, allowed: "letters" };
        let told = rule.check("a b\n").unwrap_err().to_string();
        assert_eq!(
            told,
            "must be 2 to 3 characters long, is 4 and may hold only letters; character 2 is a space"
        );
    }
}
