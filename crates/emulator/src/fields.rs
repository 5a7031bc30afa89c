//! Field limits of requests (E32-E38, E43, E46-E48).
//!
//! Every violation is collected, counted and joined as AWS does (E35). Limits and patterns are
//! those of the published service model.

use crate::tags::is_tag_character;
use crate::wire::form::Form;
use crate::wire::refusal::Refusal;

/// Collects what is wrong with the fields of one request.
#[derive(Debug)]
pub(crate) struct Checks<'a> {
    form: &'a Form,
    violations: Vec<String>,
}

/// A kind of text: its length in characters and its alphabet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text {
    least: usize,
    most: usize,
    pattern: &'static str,
    admits: fn(char) -> bool,
    is_secret: bool,
}

impl Text {
    const fn new(
        least: usize,
        most: usize,
        pattern: &'static str,
        admits: fn(char) -> bool,
    ) -> Self {
        Self { least, most, pattern, admits, is_secret: false }
    }
}

pub(crate) const ARN: Text = Text::new(
    20,
    2048,
    "[\\u0009\\u000A\\u000D\\u0020-\\u007E\\u0085\\u00A0-\\uD7FF\\uE000-\\uFFFD\\u10000-\\u10FFFF]+",
    |c| matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..),
);
pub(crate) const SESSION_NAME: Text =
    Text::new(2, 64, "[\\w+=,.@-]*", |c| is_word(c) || "+=,.@-".contains(c));
pub(crate) const EXTERNAL_ID: Text =
    Text::new(2, 1224, "[\\w+=,.@:\\/-]*", |c| is_word(c) || "+=,.@:/-".contains(c));
pub(crate) const SERIAL_NUMBER: Text =
    Text::new(9, 256, "[\\w+=/:,.@-]*", |c| is_word(c) || "+=/:,.@-".contains(c));
pub(crate) const TOKEN_CODE: Text =
    Text { is_secret: true, ..Text::new(6, 6, "[\\d]*", |c| c.is_ascii_digit()) };
pub(crate) const WEB_IDENTITY_TOKEN: Text =
    Text { is_secret: true, ..Text::new(4, 20_000, "", |_| true) };
pub(crate) const PROVIDER_ID: Text = Text::new(4, 2048, "", |_| true);
/// One limit for all operations: the model has none for `AssumeRole`, its text says 2,048 (E47).
pub(crate) const POLICY: Text =
    Text::new(1, 2048, "[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+", |c| {
        matches!(c, '\t' | '\n' | '\r' | ' '..='\u{ff}')
    });
const TAG_KEY: Text = Text::new(1, 128, "[\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]+", is_tag_character);
const TAG_VALUE: Text = Text::new(0, 256, "[\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*", is_tag_character);

/// `\w`, which is ASCII here.
fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

impl<'a> Checks<'a> {
    pub(crate) fn new(form: &'a Form) -> Self {
        Self { form, violations: Vec::new() }
    }

    /// A field that must be there.
    pub(crate) fn required(&mut self, field: &str, kind: Text) -> &'a str {
        match self.form.get(field) {
            Some(value) => self.text(value, &camel(field), kind),
            None => {
                self.null(&camel(field));
                ""
            }
        }
    }

    /// A field that may be there.
    pub(crate) fn optional(&mut self, field: &str, kind: Text) -> Option<&'a str> {
        let value = self.form.get(field)?;
        Some(self.text(value, &camel(field), kind))
    }

    /// E32: `DurationSeconds`, or the default.
    pub(crate) fn duration(&mut self, most: u64, default: u64) -> u64 {
        let Some(text) = self.form.get("DurationSeconds") else {
            return default;
        };
        let at = "durationSeconds";
        match text.parse::<i64>() {
            Ok(number) if number < 900 => {
                self.note(text, at, "Member must have value greater than or equal to 900");
            }
            Ok(number) => match u64::try_from(number) {
                Ok(number) if number <= most => return number,
                _ => {
                    let limit = format!("Member must have value less than or equal to {most}");
                    self.note(text, at, &limit);
                }
            },
            Err(_) => self.note(text, at, "Member must be an integer"),
        }
        default
    }

    /// E43.
    pub(crate) fn tags(&mut self) {
        let tags = self.form.pairs("Tags", ["Key", "Value"]);
        self.count("tags", tags.len(), 50);
        for (index, [key, value]) in tags.iter().enumerate() {
            for (part, name, kind) in [(key, "key", TAG_KEY), (value, "value", TAG_VALUE)] {
                let at = format!("tags.{}.member.{name}", index + 1);
                match part {
                    Some(part) => {
                        self.text(part, &at, kind);
                    }
                    None => self.null(&at),
                }
            }
        }
        let transitive = self.form.list("TransitiveTagKeys");
        self.count("transitiveTagKeys", transitive.len(), 50);
        for (index, key) in transitive.iter().enumerate() {
            self.text(key, &format!("transitiveTagKeys.{}.member", index + 1), TAG_KEY);
        }
    }

    /// E48: the ARNs of managed session policies.
    pub(crate) fn policy_arns(&mut self) -> Vec<&'a str> {
        let arns: Vec<&str> =
            self.form.pairs("PolicyArns", ["arn", ""]).iter().filter_map(|[arn, _]| *arn).collect();
        self.count("policyArns", arns.len(), 10);
        for (index, arn) in arns.iter().enumerate() {
            self.text(arn, &format!("policyArns.{}.member.arn", index + 1), ARN);
        }
        arns
    }

    /// E35: nothing, or everything that is wrong.
    pub(crate) fn finish(self) -> Result<(), Refusal> {
        let count = self.violations.len();
        if count == 0 {
            return Ok(());
        }
        let errors = if count == 1 { "error" } else { "errors" };
        let list = self.violations.join("; ");
        Err(Refusal::validation(format!("{count} validation {errors} detected: {list}")))
    }

    fn text(&mut self, value: &'a str, at: &str, kind: Text) -> &'a str {
        let length = value.chars().count();
        let shown = if kind.is_secret { "" } else { value };
        if length < kind.least {
            let limit = format!("Member must have length greater than or equal to {}", kind.least);
            self.note(shown, at, &limit);
        }
        if length > kind.most {
            let limit = format!("Member must have length less than or equal to {}", kind.most);
            self.note(shown, at, &limit);
        }
        if !value.chars().all(kind.admits) {
            let limit = format!("Member must satisfy regular expression pattern: {}", kind.pattern);
            self.note(shown, at, &limit);
        }
        value
    }

    fn count(&mut self, at: &str, count: usize, most: usize) {
        if count > most {
            let limit = format!("Member must have length less than or equal to {most}");
            self.note(&format!("[{count} members]"), at, &limit);
        }
    }

    fn note(&mut self, value: &str, at: &str, limit: &str) {
        self.violations
            .push(format!("Value '{value}' at '{at}' failed to satisfy constraint: {limit}"));
    }

    fn null(&mut self, at: &str) {
        self.violations.push(format!(
            "Value null at '{at}' failed to satisfy constraint: Member must not be null"
        ));
    }
}

/// `RoleArn` is called `roleArn` in messages.
fn camel(field: &str) -> String {
    let mut characters = field.chars();
    let first = characters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(characters).collect()
}

#[cfg(test)]
mod tests;
