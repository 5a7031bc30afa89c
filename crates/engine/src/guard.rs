//! Guards: what a door accepts of STS's answer before it prints one byte of it.
//!
//! Judged on the answer, never on the request, and closed where the answer does not say.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use crate::session::{Issued, Session};
use crate::violation::Violations;

/// What a session must fulfil; an empty list allows everything.
#[derive(Clone, Debug, Default)]
pub struct Guards {
    /// The accounts that the session may belong to.
    pub accounts: Vec<AccountId>,
    /// The roles that the session may be of.
    pub roles: Vec<RolePattern>,
    /// The least life that must remain.
    pub min_remaining: Option<SignedDuration>,
}

impl Guards {
    /// Checks what has just been issued; `caller` is the session that asked for it, which stands in
    /// for what has no ARN of its own (a registry's token).
    ///
    /// # Errors
    ///
    /// Every guard that it fails.
    pub fn check(
        &self,
        issued: &Issued,
        caller: Option<&Session>,
        now: Timestamp,
    ) -> Result<(), Violations> {
        let mut violations = Violations::new();
        let session = issued.session();
        let arn = session.or(caller).and_then(Session::arn);
        if !self.accounts.is_empty() {
            match arn {
                None => violations.push("--allow-account", NO_ARN),
                Some(arn) if self.accounts.iter().any(|id| id.0 == arn.account()) => {}
                Some(arn) => violations.push(
                    "--allow-account",
                    format_args!("the session is of account {}", arn.account()),
                ),
            }
        }
        if !self.roles.is_empty() {
            match arn {
                None => violations.push("--allow-role", NO_ARN),
                Some(arn) => {
                    let role = arn.role_arn_without_path();
                    if !self.roles.iter().any(|pattern| pattern.matches(&role, arn.role_name())) {
                        let problem = format_args!("the session is of the role {role}");
                        violations.push("--allow-role", problem);
                    }
                }
            }
        }
        if let Some(least) = self.min_remaining {
            // An unstated end is counted from the answer, so it has not begun to pass.
            let from =
                session.filter(|it| it.expires_at.is_none()).map_or(now, |it| it.received_at);
            let remaining = issued.ends_at().duration_since(from);
            if remaining < least {
                let problem = format_args!(
                    "{} s remain of the {} s that are demanded",
                    remaining.as_secs(),
                    least.as_secs()
                );
                violations.push("--min-ttl", problem);
            }
        }
        violations.into_result(Some(()))
    }
}

/// An account: twelve digits.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AccountId(String);

impl std::str::FromStr for AccountId {
    type Err = InvalidGuard;

    fn from_str(text: &str) -> Result<Self, InvalidGuard> {
        if text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidGuard::Account)
        }
    }
}

/// A role's name or ARN with `*` (any text) and `?` (any one character).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RolePattern(String);

impl RolePattern {
    fn matches(&self, arn: &str, name: &str) -> bool {
        glob(&self.0, if self.0.starts_with("arn:") { arn } else { name })
    }
}

impl std::str::FromStr for RolePattern {
    type Err = InvalidGuard;

    fn from_str(text: &str) -> Result<Self, InvalidGuard> {
        let is_arn = text.starts_with("arn:");
        let slashes = text.matches('/').count();
        if text.is_empty() || slashes > usize::from(is_arn) {
            return Err(InvalidGuard::RolePath);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for RolePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A guard that cannot be judged.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidGuard {
    /// Not twelve digits.
    #[error("an account is 12 digits")]
    Account,
    /// A pattern with a path.
    #[error(
        "write the role's NAME or arn:PARTITION:iam::ACCOUNT:role/NAME without its path: STS answers without the path"
    )]
    RolePath,
}

/// Matches without backtracking over more than the last star, so no pattern is slow.
fn glob(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&c) if c == '?' || Some(&c) == text.get(t) => {
                p += 1;
                t += 1;
            }
            _ => match &mut star {
                Some((at, taken)) => {
                    *taken += 1;
                    p = *at + 1;
                    t = *taken;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|c| *c == '*')
}

const NO_ARN: &str = "the answer names no role, so this guard cannot be judged";

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;
    use crate::arn::SessionArn;
    use crate::session::{AssumedRole, Credentials};

    fn session(arn: Option<&str>, expires_at: Option<&str>) -> Session {
        Session {
            credentials: Credentials {
                access_key_id: "ASIAX".to_owned(),
                secret_access_key: SecretString::from("s"),
                session_token: Some(SecretString::from("t")),
            },
            expires_at: expires_at.map(|text| text.parse().unwrap()),
            received_at: now(),
            assumed_role: arn
                .map(|arn| AssumedRole { id: "AROAX:me".to_owned(), arn: SessionArn::parse(arn) }),
            packed_policy_percent: None,
            source_identity: None,
            request_id: None,
        }
    }

    fn now() -> Timestamp {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    #[track_caller]
    fn check(guards: &Guards, session: &Session, expected: &[&str]) {
        let issued = Issued::Session(session.clone());
        let told = match guards.check(&issued, None, now()) {
            Ok(()) => Vec::new(),
            Err(violations) => violations.iter().map(ToString::to_string).collect(),
        };
        assert_eq!(told, expected);
    }

    const READER: &str = "arn:aws:sts::111122223333:assumed-role/reader/me";

    #[test]
    fn accounts_and_roles_are_judged_on_the_answer() {
        let guards = Guards {
            accounts: vec!["111122223333".parse().unwrap()],
            roles: vec!["read*".parse().unwrap()],
            min_remaining: None,
        };
        check(&guards, &session(Some(READER), None), &[]);
        check(
            &guards,
            &session(Some("arn:aws:sts::444455556666:assumed-role/admin/me"), None),
            &[
                "--allow-account: the session is of account 444455556666",
                "--allow-role: the session is of the role arn:aws:iam::444455556666:role/admin",
            ],
        );
        check(
            &guards,
            &session(Some(""), None),
            &[
                "--allow-account: the answer names no role, so this guard cannot be judged",
                "--allow-role: the answer names no role, so this guard cannot be judged",
            ],
        );
    }

    #[test]
    fn a_pattern_is_a_name_or_an_arn_without_a_path() {
        assert!("arn:aws:iam::*:role/reader".parse::<RolePattern>().is_ok());
        assert!("arn:aws:iam::*:role/team/*".parse::<RolePattern>().is_err());
        assert!("team/app".parse::<RolePattern>().is_err());
        assert!(glob("arn:aws:iam::*:role/re?der", "arn:aws:iam::111122223333:role/reader"));
        assert!(!glob("read", "reader"));
        assert!(glob("*", ""));
        assert!(!glob("a*b*c", "aXXbYY"));
    }

    #[test]
    fn a_pattern_that_is_an_arn_is_held_against_the_arn() {
        let guards =
            |pattern: &str| Guards { roles: vec![pattern.parse().unwrap()], ..Guards::default() };
        check(&guards("arn:aws:iam::111122223333:role/read*"), &session(Some(READER), None), &[]);
        check(
            &guards("arn:aws:iam::444455556666:role/reader"),
            &session(Some(READER), None),
            &["--allow-role: the session is of the role arn:aws:iam::111122223333:role/reader"],
        );
    }

    #[test]
    fn a_stated_expiry_is_counted_from_now() {
        let least =
            Guards { min_remaining: Some(SignedDuration::from_mins(30)), ..Guards::default() };
        let mut old = session(None, Some("2026-01-01T00:20:00Z"));
        old.received_at = now() - SignedDuration::from_hours(1);
        check(&least, &old, &["--min-ttl: 1200 s remain of the 1800 s that are demanded"]);
    }

    #[test]
    fn an_unstated_expiry_counts_as_fifteen_minutes() {
        let least = |minutes| Guards {
            min_remaining: Some(SignedDuration::from_mins(minutes)),
            ..Guards::default()
        };
        check(&least(15), &session(None, None), &[]);
        check(
            &least(16),
            &session(None, None),
            &["--min-ttl: 900 s remain of the 960 s that are demanded"],
        );
        check(&least(60), &session(None, Some("2026-01-01T01:00:00Z")), &[]);
    }
}
