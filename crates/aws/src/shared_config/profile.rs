//! One profile: its keys, and whether its own credentials are whole.

use rolecall_engine::error::SourceError;
use secrecy::SecretString;

use super::SharedConfig;
use super::merge::Merged;

/// A profile of the AWS config files.
#[derive(Clone, Copy, Debug)]
pub struct Profile<'a> {
    pub(super) name: &'a str,
    pub(super) group: &'a Merged,
}

/// How a profile has credentials of its own, without a role.
#[derive(Clone, Debug)]
pub(crate) enum Own {
    /// An access key in the files.
    Keys { id: String, secret: SecretString, token: Option<SecretString> },
    /// A session of IAM Identity Center.
    Sso {
        session: Option<String>,
        start_url: String,
        region: String,
        account: String,
        role: String,
    },
    /// A session of `aws login`.
    Login { session: String },
    /// A command that prints keys.
    Process { command: String },
}

impl<'a> Profile<'a> {
    /// The value of a key; an empty one counts as absent.
    pub fn get(&self, key: &str) -> Option<&'a str> {
        self.group.get(key)
    }

    /// The profile's name.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// Refuses a profile that has lines which nobody can read.
    pub(super) fn check_lines(&self) -> Result<(), SourceError> {
        if self.group.faults.is_empty() {
            return Ok(());
        }
        let what = format!("profile {} is broken: {}", self.name, self.group.faults.join("; "));
        Err(SourceError::Missing { what, hint: Some("write KEY = VALUE there".to_owned()) })
    }

    /// Whether either half of an access key is there.
    pub(super) fn has_keys(&self) -> bool {
        self.get(KEY_ID).is_some() || self.get(SECRET).is_some()
    }

    /// A violation of this profile.
    pub(super) fn refuse(&self, problem: impl std::fmt::Display, hint: &str) -> SourceError {
        SourceError::Missing {
            what: format!("profile {} {problem}", self.name),
            hint: Some(hint.to_owned()),
        }
    }

    fn keys(&self) -> Result<Own, SourceError> {
        let whole = |key: &str, other: &str| {
            self.get(key).ok_or_else(|| {
                self.refuse(format_args!("has {other} and no {key}"), "write both, or neither")
            })
        };
        Ok(Own::Keys {
            id: whole(KEY_ID, SECRET)?.to_owned(),
            secret: SecretString::from(whole(SECRET, KEY_ID)?),
            token: self.get("aws_session_token").map(SecretString::from),
        })
    }
}

impl SharedConfig {
    /// The profile's own credentials, in the order of the AWS CLI; what stands beside them is said
    /// in a warning.
    ///
    /// # Errors
    ///
    /// [`SourceError::Missing`] when it has none, or half of some.
    pub(crate) fn own(&self, profile: Profile<'_>) -> Result<(Own, Option<String>), SourceError> {
        let name = profile.name;
        if SSO_KEYS.iter().any(|key| profile.get(key).is_some()) {
            return Ok((self.sso(profile)?, None));
        }
        let command = profile.get("credential_process");
        if profile.has_keys() {
            let warning = command.map(|_| {
                format!(
                    "profile {name} has keys beside its credential_process: the keys are used, \
                     and are never renewed"
                )
            });
            return Ok((profile.keys()?, warning));
        }
        if let Some(session) = profile.get("login_session") {
            return Ok((Own::Login { session: session.to_owned() }, None));
        }
        if let Some(command) = command {
            return Ok((Own::Process { command: command.to_owned() }, None));
        }
        if profile.group.is_empty() {
            let hint = "its keys may live in a keychain: run rolecall inside of that tool, \
                        as in aws-vault exec NAME -- rolecall …";
            return Err(profile.refuse("is empty", hint));
        }
        let hint = "give it keys, a credential_process or SSO, or a role_arn with a source_profile";
        Err(profile.refuse("has no credentials", hint))
    }

    fn sso(&self, profile: Profile<'_>) -> Result<Own, SourceError> {
        let session = profile.get("sso_session");
        let group = session.map(|name| self.sso_session(profile, name)).transpose()?;
        let of_session = |key: &str| match group {
            Some(group) => group.get(key),
            None => profile.get(key),
        };
        let parts = [
            ("sso_start_url", of_session("sso_start_url")),
            ("sso_region", of_session("sso_region")),
            ("sso_account_id", profile.get("sso_account_id")),
            ("sso_role_name", profile.get("sso_role_name")),
        ];
        let missing: Vec<&str> =
            parts.iter().filter(|(_, value)| value.is_none()).map(|(key, _)| *key).collect();
        let [Some(start_url), Some(region), Some(account), Some(role)] = parts.map(|part| part.1)
        else {
            let problem = format!("has half of an SSO session: {} missing", missing.join(", "));
            return Err(profile.refuse(problem, "aws configure sso writes all of it"));
        };
        Ok(Own::Sso {
            session: session.map(str::to_owned),
            start_url: start_url.to_owned(),
            region: region.to_owned(),
            account: account.to_owned(),
            role: role.to_owned(),
        })
    }

    fn sso_session(&self, profile: Profile<'_>, name: &str) -> Result<&Merged, SourceError> {
        self.sso_sessions.get(name).ok_or_else(|| {
            let names: Vec<&str> = self.sso_sessions.keys().map(String::as_str).collect();
            let hint = if names.is_empty() {
                "there is no [sso-session NAME] at all".to_owned()
            } else {
                format!("there are: {}", names.join(", "))
            };
            profile.refuse(format_args!("names the sso_session {name}, which is not there"), &hint)
        })
    }
}

const KEY_ID: &str = "aws_access_key_id";
const SECRET: &str = "aws_secret_access_key";
/// What shows that a profile is one of IAM Identity Center.
const SSO_KEYS: [&str; 4] = ["sso_session", "sso_start_url", "sso_account_id", "sso_role_name"];
