//! Who asks: the source, and the calls by which it becomes whoever makes the request.

use std::fmt;
use std::path::PathBuf;

use super::{Hop, WebIdentityRequest};
use crate::arn::RoleArn;
use crate::grant::{KeysRef, ServiceAccountRef};

/// Who we are before the first hop.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum SourceSpec {
    /// Keys in a Secret of a namespace.
    Secret {
        /// The grant's namespace.
        namespace: String,
        /// Where the parts of the key are.
        keys: KeysRef,
    },
    /// Keys that stand in the input itself.
    Given,
    /// A web identity token; read anew at each use.
    Token {
        /// Where the token is.
        from: TokenFrom,
        /// The service account that it stands for, where a grant names one.
        account: Option<ServiceAccountRef>,
    },
    /// A token that the API server of a cluster makes for a service account.
    ServiceAccount {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// Its UID: an account that was made anew is another one.
        uid: String,
        /// Whom the token is for.
        audiences: Vec<String>,
    },
    /// The own credentials of a named profile, without any role of it.
    Profile(String),
    /// The command of a profile's `credential_process`, whatever else the profile has.
    Process(String),
    /// The environment's `AWS_ACCESS_KEY_ID` and what belongs to it.
    Environment,
    /// The endpoint that ECS and EKS Pod Identity give a container.
    Container,
    /// The instance metadata service of EC2, version 2.
    Instance,
    /// The default chain, where only the machine that runs the plan can walk it.
    Ambient,
}

/// Where a web identity token is. Neither form of it shows the command, whose arguments may hold a
/// secret.
#[derive(Clone, Eq, Hash, PartialEq)]
pub enum TokenFrom {
    /// In a file.
    File(PathBuf),
    /// In an environment variable of this name.
    Variable(String),
    /// On the standard output of this command.
    Command(String),
    /// In the input itself.
    Given,
}

impl fmt::Display for SourceSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret { namespace, keys } => {
                write!(f, "Secret {namespace}/{}", keys.access_key_id.name)
            }
            Self::Given => f.write_str("the input"),
            Self::Token { from, account: Some(account) } => {
                write!(f, "token of ServiceAccount {} {from}", account.name)
            }
            Self::Token { from, account: None } => write!(f, "token {from}"),
            Self::ServiceAccount { namespace, name, .. } => {
                write!(f, "token of ServiceAccount {namespace}/{name}")
            }
            Self::Profile(name) => write!(f, "profile {name}"),
            Self::Process(name) => write!(f, "credential_process of profile {name}"),
            Self::Environment => f.write_str("environment variables"),
            Self::Container => f.write_str("container credentials"),
            Self::Instance => f.write_str("instance metadata (IMDSv2)"),
            Self::Ambient => f.write_str("default chain"),
        }
    }
}

/// Without the command: its arguments may hold a secret.
impl fmt::Display for TokenFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "in {}", path.display()),
            Self::Variable(name) => write!(f, "in the variable {name}"),
            Self::Command(_) => f.write_str("of the token command"),
            Self::Given => f.write_str("of the input"),
        }
    }
}

/// Without the command, as the other form.
impl fmt::Debug for TokenFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Variable(name) => f.debug_tuple("Variable").field(name).finish(),
            Self::Command(_) => f.debug_tuple("Command").finish_non_exhaustive(),
            Self::Given => f.write_str("Given"),
        }
    }
}

/// Who asks: a source, and the calls by which it becomes whoever makes the request.
///
/// A profile with a role is its own keys and one hop; a profile that points to another one is a
/// chain of hops.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Start {
    /// Who begins.
    pub source: SourceSpec,
    /// The roles that are passed through before the request, in order.
    pub hops: Vec<Hop>,
}

impl Start {
    /// A service account's token and its own role.
    pub fn of_account(source: SourceSpec, role: RoleArn) -> Self {
        Self { source, hops: vec![Hop::WebIdentity(WebIdentityRequest::of_account(role))] }
    }
}

impl From<SourceSpec> for Start {
    fn from(source: SourceSpec) -> Self {
        Self { source, hops: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_form_of_a_source_shows_the_token_command() {
        let from = TokenFrom::Command("vault read --token canary".to_owned());
        let source = SourceSpec::Token { from, account: None };
        for shown in [source.to_string(), format!("{source:?} {:?}", Start::from(source.clone()))] {
            assert!(!shown.contains("canary"), "{shown}");
            assert!(shown.to_lowercase().contains("command"), "{shown}");
        }
    }
}
