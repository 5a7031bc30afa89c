//! Session name, source identity and external ID.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::violation::{InvalidText, TextRule, is_name_character};

/// The name of a role session: 2 to 64 of the ASCII letters, digits and `_+=,.@-`.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct SessionName(String);

impl SessionName {
    const MAX: usize = 64;

    /// Reads a name that a person chose.
    ///
    /// # Errors
    ///
    /// [`InvalidText`] with every bound that is broken.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        NAME.check(text)?;
        Ok(Self(text.to_owned()))
    }

    /// Makes a name from words that nobody chose as one (`user@host`, `namespace.name`).
    ///
    /// Other characters become `-`. A text over 64 characters becomes its first 51, a `-` and 12
    /// hexadecimal digits of its SHA-256, so that two long texts stay apart and one text always
    /// gives one name.
    pub fn made_from(text: &str) -> Self {
        let mut name: String =
            text.chars().map(|c| if is_name_character(c) { c } else { '-' }).collect();
        while name.len() < 2 {
            name.push('-');
        }
        if name.len() > Self::MAX {
            let digest = Sha256::digest(text.as_bytes());
            name.truncate(51);
            name.push('-');
            for byte in digest.iter().take(6) {
                for nibble in [byte >> 4, byte & 0xf] {
                    name.extend(char::from_digit(u32::from(nibble), 16));
                }
            }
        }
        Self(name)
    }

    /// The name as it is sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Who is behind a session, for CloudTrail: as a session name, but not `aws:…`.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct SourceIdentity(String);

impl SourceIdentity {
    /// Reads a source identity.
    ///
    /// # Errors
    ///
    /// [`InvalidSourceIdentity`] when a bound is broken.
    pub fn parse(text: &str) -> Result<Self, InvalidSourceIdentity> {
        if text.to_ascii_lowercase().starts_with("aws:") {
            return Err(InvalidSourceIdentity::Reserved);
        }
        NAME.check(text)?;
        Ok(Self(text.to_owned()))
    }

    /// The identity as it is sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that cannot be a source identity.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSourceIdentity {
    /// Length or characters.
    #[error(transparent)]
    Text(#[from] InvalidText),
    /// Begins `aws:`.
    #[error("must not begin with aws:, which AWS keeps for itself")]
    Reserved,
}

/// The external ID of a trust policy: 2 to 1,224 of the ASCII letters, digits and `_+=,.@:/-`.
///
/// Not a secret by AWS's words, yet many treat it as one: it is in no message and no debug form.
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct ExternalId(String);

impl ExternalId {
    /// Reads an external ID.
    ///
    /// # Errors
    ///
    /// [`InvalidText`] with every bound that is broken.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        EXTERNAL_ID.check(text)?;
        Ok(Self(text.to_owned()))
    }

    /// The ID as it is sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ExternalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExternalId(..)")
    }
}

const NAME: TextRule = TextRule {
    min: 2,
    max: SessionName::MAX,
    allows: is_name_character,
    allowed: "letters A-Z a-z, digits and _+=,.@-",
};

const EXTERNAL_ID: TextRule = TextRule {
    min: 2,
    max: 1_224,
    allows: |c| is_name_character(c) || c == ':' || c == '/',
    allowed: "letters A-Z a-z, digits and _+=,.@:/-",
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_session_name_has_2_to_64_characters() {
        for (length, ok) in [(1, false), (2, true), (64, true), (65, false)] {
            assert_eq!(SessionName::parse(&"x".repeat(length)).is_ok(), ok, "{length}");
        }
        assert!(SessionName::parse("+=,.@-_").is_ok());
        for text in ["a b", "a/b", "a:b", "zoë"] {
            assert!(SessionName::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_long_name_is_shortened_the_same_from_run_to_run() {
        let long = format!("team-a.{}", "x".repeat(60));
        let name = SessionName::made_from(&long);
        assert_eq!(name.as_str().len(), 64);
        assert_eq!(&name.as_str()[..51], &long[..51]);
        assert_eq!(name, SessionName::made_from(&long));
        assert_ne!(name, SessionName::made_from(&format!("{long}y")));
    }

    #[test]
    fn an_external_id_is_in_no_debug_form() {
        let id = ExternalId::parse("abc/def:123").unwrap();
        assert_eq!(format!("{id:?}"), "ExternalId(..)");
    }

    #[test]
    fn a_source_identity_is_not_aws_own() {
        assert_eq!(SourceIdentity::parse("aws:alice"), Err(InvalidSourceIdentity::Reserved));
        assert!(SourceIdentity::parse("alice").is_ok());
    }

    proptest! {
        #[test]
        fn a_made_name_is_always_valid(text in "\\PC{0,100}") {
            let made = SessionName::made_from(&text);
            prop_assert!(SessionName::parse(made.as_str()).is_ok());
        }
    }
}
