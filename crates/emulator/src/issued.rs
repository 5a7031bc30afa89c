//! What was handed out, for tests that search output for it.

use std::collections::VecDeque;
use std::fmt;

use crate::ecr;
use crate::random::{self, NoRandomness};
use crate::session::Session;

/// The most registry passwords kept: at about 1 KiB each, 10 MiB. The oldest goes first.
const MOST_PASSWORDS: usize = 10_000;

/// The secrets of one answer, for tests that search output for them. `Debug` hides them.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub enum IssuedSecrets {
    /// Of a session.
    Session {
        /// The secret key.
        secret_access_key: String,
        /// The session token.
        session_token: String,
    },
    /// For a container registry.
    Registry {
        /// What `docker login` takes.
        password: String,
        /// User name and password in base64, as the wire has them.
        authorization_token: String,
    },
}

impl IssuedSecrets {
    /// Every text that must not be seen.
    pub fn texts(&self) -> [&str; 2] {
        match self {
            Self::Session { secret_access_key, session_token } => {
                [secret_access_key, session_token]
            }
            Self::Registry { password, authorization_token } => [password, authorization_token],
        }
    }

    pub(crate) fn of_session(session: &Session) -> Self {
        Self::Session {
            secret_access_key: session.secret_access_key.clone(),
            session_token: session.token.clone(),
        }
    }

    pub(crate) fn of_registry(password: &str) -> Self {
        let authorization_token = ecr::authorization_token(password);
        Self::Registry { password: password.to_owned(), authorization_token }
    }
}

impl fmt::Debug for IssuedSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedSecrets").finish_non_exhaustive()
    }
}

/// The registry passwords handed out. No `Debug`.
#[derive(Default)]
pub(crate) struct Passwords(VecDeque<String>);

impl Passwords {
    /// Makes a password and keeps it.
    pub(crate) fn issue(&mut self) -> Result<String, NoRandomness> {
        if self.0.len() >= MOST_PASSWORDS {
            self.0.pop_front();
        }
        let password = random::registry_password()?;
        self.0.push_back(password.clone());
        Ok(password)
    }

    /// Every password kept, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}
