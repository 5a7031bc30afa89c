//! One profile: its keys, and whether its own credentials are whole.

use rolecall_engine::error::SourceError;
use secrecy::SecretString;

use super::SharedConfig;
use super::merge::Merged;
use super::syntax::FileKind;

/// A profile of the AWS config files.
#[derive(Clone, Copy, Debug)]
pub struct Profile<'a> {
    pub(super) name: &'a str,
    pub(super) group: &'a Merged,
}

/// Where a profile's own credentials come from, without a role.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CredentialKind {
    /// An access key of the credentials file.
    KeysOfCredentialsFile,
    /// An access key of the config file.
    KeysOfConfigFile,
    /// A session of IAM Identity Center.
    Sso,
    /// A session of `aws login`.
    Login,
    /// A command that prints keys.
    Process,
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

    /// Refuses a profile that has lines which nobody can read.
    pub(super) fn check_lines(&self) -> Result<(), SourceError> {
        if self.group.faults.is_empty() {
            return Ok(());
        }
        let what = format!("profile {} is broken: {}", self.name, self.group.faults.join("; "));
        Err(SourceError::Missing { what, hint: Some("write KEY = VALUE there".to_owned()) })
    }

    /// Refuses a profile and its `sso_session` that say different things of one login.
    fn check_against(&self, session: &Merged, name: &str) -> Result<(), SourceError> {
        let differs = |key: &&&str| {
            let (own, theirs) = (self.get(key), session.get(key));
            own.is_some() && theirs.is_some() && own != theirs
        };
        let Some(key) = ["sso_start_url", "sso_region"].iter().find(differs) else {
            return Ok(());
        };
        let problem = format_args!("has another {key} than its sso_session {name}");
        Err(self.refuse(problem, "leave it out of the profile"))
    }

    fn text(&self, key: &str) -> String {
        self.get(key).unwrap_or_default().to_owned()
    }

    fn without_credentials(&self) -> SourceError {
        if self.group.is_empty() {
            let hint = "its keys may live in a keychain: run rolecall inside of that tool, \
                        as in aws-vault exec NAME -- rolecall …";
            return self.refuse("is empty", hint);
        }
        if self.get("source_profile").is_some() {
            let hint = "write the role_arn that the source_profile assumes";
            return self.refuse("has a source_profile, and no role_arn", hint);
        }
        let hint = "give it keys, a credential_process or SSO, or a role_arn with a source_profile";
        self.refuse("has no credentials", hint)
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

    /// Where its own credentials come from, in the order of the AWS CLI; `None` when it has none.
    pub(super) fn kind(&self) -> Option<CredentialKind> {
        let has = |key: &str| self.get(key).is_some();
        // The other two do for a token of another service than AWS's accounts.
        if has("sso_account_id") || has("sso_role_name") {
            return Some(CredentialKind::Sso);
        }
        let key_file = self.group.file_of(KEY_ID);
        if key_file == Some(FileKind::Credentials) {
            return Some(CredentialKind::KeysOfCredentialsFile);
        }
        if has("login_session") {
            return Some(CredentialKind::Login);
        }
        if has("credential_process") {
            return Some(CredentialKind::Process);
        }
        match key_file.or_else(|| self.group.file_of(SECRET))? {
            FileKind::Config => Some(CredentialKind::KeysOfConfigFile),
            FileKind::Credentials => Some(CredentialKind::KeysOfCredentialsFile),
        }
    }

    /// The key, its secret and its token, which count only together: from one file.
    fn keys(&self) -> Result<Own, SourceError> {
        let (id_file, secret_file) = (self.group.file_of(KEY_ID), self.group.file_of(SECRET));
        let (Some(id), Some(secret)) = (self.get(KEY_ID), self.get(SECRET)) else {
            let (there, missing) =
                if id_file.is_some() { (KEY_ID, SECRET) } else { (SECRET, KEY_ID) };
            let problem = format_args!("has {there} and no {missing}");
            return Err(self.refuse(problem, "write both, or neither"));
        };
        if id_file != secret_file {
            let problem = format_args!("has its {KEY_ID} and its {SECRET} in different files");
            return Err(self.refuse(problem, "write both into the credentials file"));
        }
        let token = self.get(TOKEN).filter(|_| self.group.file_of(TOKEN) == id_file);
        Ok(Own::Keys {
            id: id.to_owned(),
            secret: SecretString::from(secret),
            token: token.map(SecretString::from),
        })
    }

    /// What stands beside the credentials that count, and does not.
    fn passed_over(&self, kind: CredentialKind) -> Option<String> {
        let (name, id_file) = (self.name, self.group.file_of(KEY_ID));
        let token_file = self.group.file_of(TOKEN);
        let has_process = self.get("credential_process").is_some();
        match kind {
            CredentialKind::KeysOfCredentialsFile if has_process => Some(format!(
                "profile {name} has keys beside its credential_process: the keys are used, \
                 and are never renewed"
            )),
            CredentialKind::KeysOfCredentialsFile | CredentialKind::KeysOfConfigFile
                if token_file.is_some() && token_file != id_file =>
            {
                Some(format!(
                    "profile {name} has its {TOKEN} in another file than its {KEY_ID}: the token \
                     is not used"
                ))
            }
            CredentialKind::Sso | CredentialKind::Login | CredentialKind::Process
                if self.has_keys() =>
            {
                let used = match kind {
                    CredentialKind::Sso => "SSO session",
                    CredentialKind::Login => "login_session",
                    _ => "credential_process",
                };
                Some(format!("profile {name} has keys beside its {used}: the keys are not used"))
            }
            _ => None,
        }
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
        let own = match profile.kind() {
            Some(CredentialKind::Sso) => self.sso(profile)?,
            Some(CredentialKind::KeysOfCredentialsFile | CredentialKind::KeysOfConfigFile) => {
                profile.keys()?
            }
            Some(CredentialKind::Login) => Own::Login { session: profile.text("login_session") },
            Some(CredentialKind::Process) => {
                Own::Process { command: profile.text("credential_process") }
            }
            None if SSO_BEGUN.iter().any(|key| profile.get(key).is_some()) => self.sso(profile)?,
            None => return Err(profile.without_credentials()),
        };
        let warning = profile.kind().and_then(|kind| profile.passed_over(kind));
        Ok((own, warning))
    }

    /// Where a profile's own credentials come from, without a role.
    ///
    /// # Errors
    ///
    /// [`SourceError::Missing`] when there is no such profile, or it has none, or half of some.
    pub fn credential_kind(&self, name: &str) -> Result<CredentialKind, SourceError> {
        let profile = self.profile(name)?;
        self.own(profile)?;
        profile.kind().ok_or_else(|| profile.without_credentials())
    }

    fn sso(&self, profile: Profile<'_>) -> Result<Own, SourceError> {
        let session = profile.get("sso_session");
        let group = session.map(|name| self.sso_session(profile, name)).transpose()?;
        if let (Some(group), Some(name)) = (group, session) {
            profile.check_against(group, name)?;
        }
        let of_session = |key: &str| match group {
            Some(group) => group.get(key).or(profile.get(key)),
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
        let Some(group) = self.sso_sessions.get(name) else {
            let names: Vec<&str> = self.sso_sessions.keys().map(String::as_str).collect();
            let hint = if names.is_empty() {
                "there is no [sso-session NAME] at all".to_owned()
            } else {
                format!("there are: {}", names.join(", "))
            };
            let problem = format_args!("names the sso_session {name}, which is not there");
            return Err(profile.refuse(problem, &hint));
        };
        if !group.faults.is_empty() {
            let problem = format_args!(
                "has the sso_session {name}, which is broken: {}",
                group.faults.join("; ")
            );
            return Err(profile.refuse(problem, "write KEY = VALUE there"));
        }
        Ok(group)
    }
}

const KEY_ID: &str = "aws_access_key_id";
const SECRET: &str = "aws_secret_access_key";
const TOKEN: &str = "aws_session_token";
/// With these alone a profile has begun with IAM Identity Center and not gone on.
const SSO_BEGUN: [&str; 2] = ["sso_session", "sso_start_url"];
