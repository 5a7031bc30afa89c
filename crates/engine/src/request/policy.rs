//! Session policies: what a session may do at most.

use serde_json::Value;

use crate::violation::{ARN_TEXT, InvalidText, TextRule};

/// An inline session policy: a JSON policy of 1 to 2,048 characters.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct SessionPolicy(String);

impl SessionPolicy {
    /// Reads a policy as far as it can be judged here: only IAM knows its language whole.
    ///
    /// # Errors
    ///
    /// [`InvalidPolicy`] when STS would refuse it for its length, its characters or its form.
    pub fn parse(text: &str) -> Result<Self, InvalidPolicy> {
        POLICY.check(text)?;
        let value: Value = serde_json::from_str(text).map_err(|error| InvalidPolicy::NotJson {
            line: error.line(),
            column: error.column(),
        })?;
        match value.get("Statement") {
            Some(Value::Object(_)) => {}
            Some(Value::Array(statements)) if !statements.is_empty() => {}
            _ => return Err(InvalidPolicy::NoStatement),
        }
        Ok(Self(text.to_owned()))
    }

    /// The policy as it is sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that is no session policy.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidPolicy {
    /// Length or characters.
    #[error(transparent)]
    Text(#[from] InvalidText),
    /// Not JSON.
    #[error("is not JSON (line {line}, column {column})")]
    NotJson {
        /// From 1.
        line: usize,
        /// From 1; 0 at the end of a line.
        column: usize,
    },
    /// JSON, but no policy.
    #[error("is not a policy: it has no Statement")]
    NoStatement,
}

/// The ARN of a managed policy, 20 to 2,048 characters.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct PolicyArn(String);

impl PolicyArn {
    /// The most that one request may name.
    pub const MAX_COUNT: usize = 10;

    /// Reads an ARN.
    ///
    /// # Errors
    ///
    /// [`InvalidText`] with every bound that is broken.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        ARN_TEXT.check(text)?;
        Ok(Self(text.to_owned()))
    }

    /// The ARN as it is sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

const POLICY: TextRule = TextRule {
    min: 1,
    max: 2_048,
    allows: |c| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{ff}'),
    allowed: "characters up to U+00FF without control characters",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_json_with_a_statement() {
        assert!(SessionPolicy::parse(r#"{"Version":"2012-10-17","Statement":[{}]}"#).is_ok());
        assert!(SessionPolicy::parse(r#"{"Statement":{}}"#).is_ok());
        assert_eq!(SessionPolicy::parse(r#"{"Statement":[]}"#), Err(InvalidPolicy::NoStatement));
        assert_eq!(SessionPolicy::parse("{}"), Err(InvalidPolicy::NoStatement));
        assert_eq!(
            SessionPolicy::parse("{'a': 1}"),
            Err(InvalidPolicy::NotJson { line: 1, column: 2 })
        );
        assert!(SessionPolicy::parse("").is_err());
        let long = format!(r#"{{"Statement":"{}"}}"#, "x".repeat(2_048));
        assert!(SessionPolicy::parse(&long).is_err());
    }
}
