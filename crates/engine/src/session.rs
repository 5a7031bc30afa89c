//! Credentials: what a source has, and what AWS gave.
//!
//! Secrets are zeroed when dropped and redacted in debug forms (`secrecy`); only `output` and
//! `rolecall-aws` expose them.

mod registry_token;

use std::fmt;

pub use registry_token::RegistryToken;

use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::arn::SessionArn;
use crate::grant::placeholder_in;
use crate::plan::Caller;

/// An access key, perhaps of a session.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// `AKIA…` or `ASIA…` at AWS; other servers have other forms.
    pub access_key_id: String,
    /// The key itself.
    pub secret_access_key: SecretString,
    /// What makes the credentials temporary.
    pub session_token: Option<SecretString>,
}

impl Credentials {
    /// Accepts keys that a person or a machine configured.
    ///
    /// An empty session token counts as absent.
    ///
    /// # Errors
    ///
    /// Everything that would only end in an obscure refusal; no message holds a value.
    pub fn accept(
        access_key_id: String,
        secret_access_key: SecretString,
        session_token: Option<SecretString>,
    ) -> Result<Self, Vec<InvalidCredentials>> {
        let session_token = session_token.filter(|token| !token.expose_secret().is_empty());
        let secret = secret_access_key.expose_secret();
        let token = session_token.as_ref().map(ExposeSecret::expose_secret);
        let mut problems: Vec<InvalidCredentials> = [
            Some(("access key ID", access_key_id.as_str())),
            Some(("secret access key", secret)),
            token.map(|token| ("session token", token)),
        ]
        .into_iter()
        .flatten()
        .filter_map(|(part, value)| check_part(part, value).err())
        .collect();
        if is_aws_key_id(secret) && !is_aws_key_id(&access_key_id) {
            problems.push(InvalidCredentials::Swapped);
        }
        if access_key_id.starts_with("ASIA") && session_token.is_none() {
            problems.push(InvalidCredentials::NoSessionToken);
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self { access_key_id, secret_access_key, session_token })
    }

    /// Whether these are a user's own keys or those of a session.
    pub fn caller(&self) -> Caller {
        if self.session_token.is_some() { Caller::Temporary } else { Caller::LongTerm }
    }
}

/// `AKIA…` or `ASIA…`, 20 upper-case letters and digits.
fn is_aws_key_id(text: &str) -> bool {
    text.len() == 20
        && (text.starts_with("AKIA") || text.starts_with("ASIA"))
        && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

fn check_part(part: &'static str, value: &str) -> Result<(), InvalidCredentials> {
    if value.is_empty() {
        return Err(InvalidCredentials::Empty { part });
    }
    let is_variable = value.starts_with("AWS_") && !value.contains(|c: char| c.is_lowercase());
    if is_variable || value.starts_with('$') || placeholder_in(value).is_some() {
        return Err(InvalidCredentials::Placeholder { part });
    }
    if let Some(odd) = value.chars().find(|c| c.is_whitespace() || c.is_control()) {
        let what = match odd {
            '\n' | '\r' => "a line break",
            ' ' => "a space",
            _ => "white space or a control character",
        };
        let at_end = !value.trim_end().contains(|c: char| c.is_whitespace() || c.is_control());
        return Err(InvalidCredentials::WhiteSpace { part, what, at_end });
    }
    if !value.is_ascii() {
        return Err(InvalidCredentials::NotAscii { part });
    }
    Ok(())
}

/// Keys that STS could only refuse.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidCredentials {
    /// A part is the empty text.
    #[error("the {part} is empty")]
    Empty {
        /// Which part.
        part: &'static str,
    },
    /// A part has white space, most often a line break at its end.
    #[error("the {part} {} {what}", if *at_end { "ends in" } else { "holds" })]
    WhiteSpace {
        /// Which part.
        part: &'static str,
        /// The first character of that kind.
        what: &'static str,
        /// Whether nothing else follows it.
        at_end: bool,
    },
    /// A part is a variable's name or an unfilled placeholder.
    #[error("the {part} is the name of a variable or a placeholder, not a value")]
    Placeholder {
        /// Which part.
        part: &'static str,
    },
    /// A part has other characters than keys have.
    #[error("the {part} holds characters that are not ASCII")]
    NotAscii {
        /// Which part.
        part: &'static str,
    },
    /// The secret is where the ID should be.
    #[error("the secret access key is an access key ID: the two are swapped")]
    Swapped,
    /// `ASIA…` keys work only with their token.
    #[error("the access key ID begins ASIA, so it is temporary, but there is no session token")]
    NoSessionToken,
}

impl InvalidCredentials {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::WhiteSpace { .. } => {
                "write the value without it, for example with printf %s or kubectl create secret --from-literal"
            }
            Self::Placeholder { .. } => "put the value there",
            Self::Swapped => "exchange them",
            Self::NoSessionToken => "give the session token beside the two keys",
            Self::Empty { .. } | Self::NotAscii { .. } => {
                "check the value against the one AWS showed"
            }
        }
    }
}

/// What a source turned out to be.
#[derive(Clone, Debug)]
pub enum Identity {
    /// Keys that sign calls.
    Keys {
        /// The keys.
        credentials: Credentials,
        /// When they end, where that is known.
        expires_at: Option<Timestamp>,
        /// Where they came from, for people.
        origin: String,
    },
    /// A web identity token, which is sent instead of a signature.
    Token {
        /// The token.
        token: SecretString,
        /// Where it came from, for people.
        origin: String,
    },
}

impl Identity {
    /// Where it came from, for people.
    pub fn origin(&self) -> &str {
        match self {
            Self::Keys { origin, .. } | Self::Token { origin, .. } => origin,
        }
    }

    /// Tells one identity from another; covers the secrets, so that a corrected key is another.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        let mut digest = Sha256::new();
        let mut part = |bytes: &[u8]| {
            digest.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
            digest.update(bytes);
        };
        match self {
            Self::Keys { credentials, .. } => {
                part(credentials.access_key_id.as_bytes());
                part(credentials.secret_access_key.expose_secret().as_bytes());
                if let Some(token) = &credentials.session_token {
                    part(token.expose_secret().as_bytes());
                }
            }
            Self::Token { token, .. } => part(token.expose_secret().as_bytes()),
        }
        Fingerprint(digest.finalize().into())
    }
}

/// A digest of an identity. Lives in memory only: a stored one would need a salt.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub(crate) struct Fingerprint([u8; 32]);

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint(..)")
    }
}

/// A live session, as STS gave it.
#[derive(Clone, Debug)]
pub struct Session {
    /// The session's keys.
    pub credentials: Credentials,
    /// When it ends, as STS said; absent where a server did not say.
    pub expires_at: Option<Timestamp>,
    /// When the answer came.
    pub received_at: Timestamp,
    /// Whose session it is; absent for GetSessionToken and for servers that do not say.
    pub assumed_role: Option<AssumedRole>,
    /// How full the packed policies and tags are, in percent.
    pub packed_policy_percent: Option<u8>,
    /// The source identity that stands in the session.
    pub source_identity: Option<String>,
    /// STS's own name for the call.
    pub request_id: Option<String>,
}

impl Session {
    /// When the session must be taken to end: what STS said, else 15 minutes after the answer,
    /// since no expiry never means "for ever".
    pub fn ends_at(&self) -> Timestamp {
        const UNSTATED: SignedDuration = SignedDuration::from_mins(15);
        self.expires_at
            .unwrap_or_else(|| self.received_at.checked_add(UNSTATED).unwrap_or(Timestamp::MAX))
    }

    /// How long the session lasts from when it was received.
    pub fn lifetime(&self) -> SignedDuration {
        self.ends_at().duration_since(self.received_at)
    }

    /// The ARN of the session, where the server gave one in AWS's form.
    pub fn arn(&self) -> Option<&SessionArn> {
        self.assumed_role.as_ref()?.arn.as_ref()
    }
}

/// What the last call of a plan gave.
#[derive(Clone, Debug)]
pub enum Issued {
    /// STS gave a session.
    Session(Session),
    /// ECR gave a password for a registry.
    RegistryToken(RegistryToken),
}

impl Issued {
    /// The session, if it is one.
    pub fn session(&self) -> Option<&Session> {
        match self {
            Self::Session(session) => Some(session),
            Self::RegistryToken(_) => None,
        }
    }

    /// When it must be taken to end.
    pub fn ends_at(&self) -> Timestamp {
        match self {
            Self::Session(session) => session.ends_at(),
            Self::RegistryToken(token) => token.expires_at,
        }
    }

    /// The service's own name for the call.
    pub fn request_id(&self) -> Option<&str> {
        match self {
            Self::Session(session) => session.request_id.as_deref(),
            Self::RegistryToken(token) => token.request_id.as_deref(),
        }
    }
}

/// Whose session it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AssumedRole {
    /// `AROA…:SESSION`.
    pub id: String,
    /// The ARN, where it has AWS's form.
    pub arn: Option<SessionArn>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(id: &str, secret: &str, token: Option<&str>, expected: Result<Caller, &str>) {
        let token = token.map(SecretString::from);
        let told = Credentials::accept(id.to_owned(), SecretString::from(secret), token)
            .map(|credentials| credentials.caller())
            .map_err(|problems| {
                problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
            });
        assert_eq!(told.as_ref().map_err(String::as_str), expected.as_ref().map_err(|text| *text));
    }

    #[test]
    fn keys_that_could_only_be_refused_are_named() {
        check("AKIAX", "s3cr3t", None, Ok(Caller::LongTerm));
        check("AKIAX", "s3cr3t", Some(""), Ok(Caller::LongTerm));
        check("test", "s3cr3t", Some("token"), Ok(Caller::Temporary));
        check("AKIAX\n", "s3cr3t", None, Err("the access key ID ends in a line break"));
        check("AKIAX\r\n", "s3cr3t", None, Err("the access key ID ends in a line break"));
        check(
            "s/3+",
            "AKIAIOSFODNN7EXAMPLE",
            None,
            Err("the secret access key is an access key ID: the two are swapped"),
        );
        check(
            "a b",
            "",
            None,
            Err("the access key ID holds a space; the secret access key is empty"),
        );
        check("AKIAX", "s3 cr3t", None, Err("the secret access key holds a space"));
        check("AKIAX", "", None, Err("the secret access key is empty"));
        check(
            "AWS_ACCESS_KEY_ID",
            "s",
            None,
            Err("the access key ID is the name of a variable or a placeholder, not a value"),
        );
        check(
            "ASIAX",
            "s",
            None,
            Err("the access key ID begins ASIA, so it is temporary, but there is no session token"),
        );
    }

    #[test]
    fn another_secret_or_token_is_another_identity() {
        let identity = |secret: &str, token: Option<&str>| {
            let credentials = Credentials {
                access_key_id: "AKIAX".to_owned(),
                secret_access_key: SecretString::from(secret),
                session_token: token.map(SecretString::from),
            };
            let origin = String::new();
            Identity::Keys { credentials, expires_at: None, origin }.fingerprint()
        };
        let token = |token: &str| {
            let token = SecretString::from(token);
            Identity::Token { token, origin: String::new() }.fingerprint()
        };
        let all = [
            identity("a", None),
            identity("b", None),
            identity("a", Some("t")),
            identity("a", Some("u")),
            token("t"),
            token("u"),
        ];
        let distinct: std::collections::HashSet<_> = all.into_iter().collect();
        assert_eq!(distinct.len(), all.len());
        assert!(identity("a", None) == identity("a", None));
    }

    #[test]
    fn a_debug_form_shows_no_secret() {
        let credentials = Credentials::accept(
            "AKIAX".to_owned(),
            SecretString::from("canary-secret"),
            Some(SecretString::from("canary-token")),
        );
        assert!(!format!("{credentials:?}").contains("canary"));
    }
}
