//! Who a caller is, and the sessions handed out.
//!
//! Sessions live in memory by key id. One that expired is kept for a day, so that its late users
//! hear `ExpiredToken` rather than "unknown"; at [`MOST_SESSIONS`] the one that ends first goes.

use std::collections::HashMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp};

use crate::arn::Arn;
use crate::policy::Caller;
use crate::random::{self, NoRandomness};
use crate::tags::Tag;

/// The most sessions kept: at about 1 KiB each, 20 MiB.
const MOST_SESSIONS: usize = 20_000;
/// How long an expired session is remembered.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);

/// Who somebody is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Subject {
    /// A user, with long-term or `GetSessionToken` keys.
    User(Arn),
    /// A session of a role.
    Role { role: Arn, session_name: String, session_arn: String },
}

impl Subject {
    /// A session of `role`.
    pub(crate) fn role_session(role: &Arn, session_name: &str) -> Self {
        Self::Role {
            role: role.clone(),
            session_name: session_name.to_owned(),
            session_arn: role.assumed_role(session_name),
        }
    }

    /// The ARN that `GetCallerIdentity` shows (E17).
    pub(crate) fn arn(&self) -> &str {
        match self {
            Self::User(arn) => arn.as_str(),
            Self::Role { session_arn, .. } => session_arn,
        }
    }

    /// The ARN that `aws:PrincipalArn` holds: of the role, not of its session (E28a).
    pub(crate) fn principal(&self) -> &Arn {
        match self {
            Self::User(arn) => arn,
            Self::Role { role, .. } => role,
        }
    }

    /// `AIDA...`, or `AROA...:SESSION`.
    pub(crate) fn user_id(&self) -> String {
        match self {
            Self::User(arn) => random::stable_id("AIDA", arn.as_str()),
            Self::Role { role, session_name, .. } => {
                format!("{}:{session_name}", random::stable_id("AROA", role.as_str()))
            }
        }
    }

    /// The same for a policy to judge.
    pub(crate) fn as_caller(&self) -> Caller<'_> {
        match self {
            Self::User(arn) => Caller::User(arn),
            Self::Role { role, session_arn, .. } => Caller::Session { role, session: session_arn },
        }
    }
}

/// What a session takes along to the next one.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Baggage {
    /// All session tags.
    pub(crate) tags: Vec<Tag>,
    /// The keys of those that are transitive.
    pub(crate) transitive: Vec<String>,
    /// Sticks to every later hop (E38).
    pub(crate) source_identity: Option<String>,
    /// When the call that made this session brought a second factor (E53). The next call sees it;
    /// a session which that call makes has it only from a code of its own.
    pub(crate) mfa_at: Option<Timestamp>,
}

impl Baggage {
    /// The tags that ride along.
    pub(crate) fn transitive_tags(&self) -> impl Iterator<Item = &Tag> {
        self.tags.iter().filter(|tag| self.transitive.iter().any(|key| tag.has_key(key)))
    }
}

/// A session and its credentials.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
    pub(crate) token: String,
    pub(crate) expires_at: Timestamp,
    pub(crate) subject: Subject,
    pub(crate) baggage: Baggage,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("access_key_id", &self.access_key_id)
            .field("subject", &self.subject)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// Every session that may still be asked for.
#[derive(Debug, Default)]
pub(crate) struct Sessions(HashMap<String, Session>);

impl Sessions {
    /// Makes a session that lives for `life`, and keeps it.
    pub(crate) fn mint(
        &mut self,
        subject: Subject,
        baggage: Baggage,
        life: SignedDuration,
        now: Timestamp,
    ) -> Result<Session, NoRandomness> {
        self.prune(now);
        let session = Session {
            access_key_id: random::access_key_id()?,
            secret_access_key: random::secret_access_key()?,
            token: random::session_token()?,
            expires_at: whole_second(now.saturating_add(life).unwrap_or(Timestamp::MAX)),
            subject,
            baggage,
        };
        self.0.insert(session.access_key_id.clone(), session.clone());
        Ok(session)
    }

    /// The session of a key id, expired or not.
    pub(crate) fn find(&self, access_key_id: &str) -> Option<Session> {
        self.0.get(access_key_id).cloned()
    }

    /// Every session kept.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Session> {
        self.0.values()
    }

    fn prune(&mut self, now: Timestamp) {
        self.0.retain(|_, session| now.duration_since(session.expires_at) < REMEMBERED);
        if self.0.len() >= MOST_SESSIONS {
            let first = self.0.values().min_by_key(|session| session.expires_at);
            if let Some(id) = first.map(|session| session.access_key_id.clone()) {
                self.0.remove(&id);
            }
        }
    }
}

/// The wire has whole seconds; rounded up, so that a session never ends before it says.
pub(crate) fn whole_second(time: Timestamp) -> Timestamp {
    let more = i64::from(time.subsec_nanosecond() > 0);
    Timestamp::from_second(time.as_second().saturating_add(more)).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expired_session_is_remembered_for_a_day() {
        let start: Timestamp = "2026-01-01T00:00:00.5Z".parse().unwrap();
        let mut sessions = Sessions::default();
        let user = Subject::User(Arn::parse("arn:aws:iam::111122223333:user/alice").unwrap());
        let mut mint = |now| {
            let life = SignedDuration::from_secs(1);
            sessions.mint(user.clone(), Baggage::default(), life, now).unwrap()
        };
        let first = mint(start);
        assert_eq!(first.expires_at.to_string(), "2026-01-01T00:00:02Z");
        mint(start + SignedDuration::from_hours(24));
        mint(start + SignedDuration::from_hours(25));
        assert_eq!(sessions.iter().count(), 2);
        assert!(sessions.find(&first.access_key_id).is_none());
    }
}
