//! Names of roles: the ARN that is asked for and the ARN that STS answers with.
//!
//! Not a general ARN library. A role's ARN is checked against AWS's form unless the STS endpoint
//! was overridden: STS-compatible servers have forms of their own.
//! Bounds: <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>.

use std::fmt;

use crate::violation::{ARN_TEXT, InvalidText, is_name_character};

/// Whose rules an ARN is held against.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Dialect {
    /// AWS itself: the form, the account and the partition count.
    Aws,
    /// A server behind an endpoint override: length and characters only.
    Compatible,
}

/// The ARN of an IAM role, 20 to 2,048 characters long.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct RoleArn {
    text: String,
    partition: Option<String>,
}

impl RoleArn {
    /// Reads the ARN of a role.
    ///
    /// # Errors
    ///
    /// [`InvalidRoleArn`] says which part is wrong. Under [`Dialect::Compatible`] only length and
    /// white space are checked.
    pub fn parse(text: &str, dialect: Dialect) -> Result<Self, InvalidRoleArn> {
        ARN_TEXT.check(text)?;
        let partition = match dialect {
            Dialect::Aws => Some(partition_of_role(text)?.to_owned()),
            Dialect::Compatible => None,
        };
        Ok(Self { text: text.to_owned(), partition })
    }

    /// The ARN as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// `aws`, `aws-cn`, …; nothing where AWS's rules do not hold.
    pub fn partition(&self) -> Option<&str> {
        self.partition.as_deref()
    }
}

impl fmt::Display for RoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A text that is not the ARN of a role.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRoleArn {
    /// Too short, too long, or with a character that no ARN holds.
    #[error("is not the ARN of a role: it {0}")]
    Text(#[from] InvalidText),
    /// Not six parts separated by colons, the first of them `arn`.
    #[error("is not the ARN of a role: it does not read arn:PARTITION:iam::ACCOUNT:role/NAME")]
    Form,
    /// Of another service than IAM.
    #[error("is not the ARN of a role: it belongs to the service '{0}', a role's to 'iam'")]
    Service(String),
    /// With a region, which IAM has not.
    #[error("is not the ARN of a role: it names a region, which IAM has not")]
    Region,
    /// Without a twelve-digit account.
    #[error("is not the ARN of a role: the account must be 12 digits")]
    Account,
    /// Of something in IAM that is no role.
    #[error("is the ARN of a {0}, not of a role")]
    NotARole(String),
    /// With a path or name that IAM does not allow.
    #[error("is not the ARN of a role: the name must be 1 to 64 letters, digits or _+=,.@-")]
    Name,
}

/// Checks AWS's form of a role's ARN; gives its partition.
fn partition_of_role(text: &str) -> Result<&str, InvalidRoleArn> {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let &["arn", partition, service, region, account, resource] = parts.as_slice() else {
        return Err(InvalidRoleArn::Form);
    };
    if partition.is_empty() || !partition.bytes().all(|b| b.is_ascii_lowercase() || b == b'-') {
        return Err(InvalidRoleArn::Form);
    }
    // The commonest slip: the session's ARN, copied from `aws sts get-caller-identity`.
    if service == "sts" && resource.starts_with("assumed-role/") {
        return Err(InvalidRoleArn::NotARole("role session".to_owned()));
    }
    if service != "iam" {
        return Err(InvalidRoleArn::Service(service.chars().take(32).collect()));
    }
    if !region.is_empty() {
        return Err(InvalidRoleArn::Region);
    }
    let Some(path_and_name) = resource.strip_prefix("role/") else {
        let kind = resource.split(['/', ':']).next().unwrap_or_default();
        return Err(InvalidRoleArn::NotARole(kind.chars().take(32).collect()));
    };
    if account.len() != 12 || !account.bytes().all(|b| b.is_ascii_digit()) {
        return Err(InvalidRoleArn::Account);
    }
    let name = path_and_name.rsplit('/').next().unwrap_or_default();
    if name.is_empty() || name.len() > 64 || !name.chars().all(is_name_character) {
        return Err(InvalidRoleArn::Name);
    }
    Ok(partition)
}

/// The ARN of a role session, as STS answers it: the role's path is not part of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SessionArn {
    text: String,
    partition: String,
    account: String,
    role_name: String,
}

impl SessionArn {
    /// Reads `arn:PARTITION:sts::ACCOUNT:assumed-role/ROLE/SESSION`.
    ///
    /// Nothing for any other form: servers that imitate STS answer all kinds of text here.
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let &["arn", partition, "sts", "", account, resource] = parts.as_slice() else {
            return None;
        };
        let mut resource = resource.split('/');
        let ("assumed-role", Some(role_name), Some(_), None) =
            (resource.next()?, resource.next(), resource.next(), resource.next())
        else {
            return None;
        };
        Some(Self {
            text: text.to_owned(),
            partition: partition.to_owned(),
            account: account.to_owned(),
            role_name: role_name.to_owned(),
        })
    }

    /// The ARN as STS wrote it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The account of the role.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The name of the role, without its path.
    pub fn role_name(&self) -> &str {
        &self.role_name
    }

    /// The role's ARN as far as a session tells it: without the path.
    pub fn role_arn_without_path(&self) -> String {
        format!("arn:{}:iam::{}:role/{}", self.partition, self.account, self.role_name)
    }
}

impl fmt::Display for SessionArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<&str, &str>) {
        let told = RoleArn::parse(text, Dialect::Aws).map_err(|problem| problem.to_string());
        let told = told.as_ref().map(|arn| arn.partition().unwrap());
        assert_eq!(told.map_err(String::as_str), expected, "{text}");
    }

    #[test]
    fn roles_of_every_partition_are_read() {
        for partition in ["aws", "aws-cn", "aws-us-gov", "aws-eusc", "aws-iso-b", "aws-iso-f"] {
            let arn = format!("arn:{partition}:iam::111122223333:role/team/reader");
            check(&arn, Ok(partition));
        }
    }

    #[test]
    fn what_is_not_a_role_is_named() {
        check("arn:aws:iam::111122223333:user/alice", Err("is the ARN of a user, not of a role"));
        check(
            "arn:aws:sts::111122223333:assumed-role/reader/me",
            Err("is the ARN of a role session, not of a role"),
        );
        check(
            "arn:aws:iam::11112222333:role/reader",
            Err("is not the ARN of a role: the account must be 12 digits"),
        );
        check(
            "my-role",
            Err("is not the ARN of a role: it must be 20 to 2048 characters long, is 7"),
        );
        check(
            "arn:aws:s3:::bucket/some-long-key",
            Err("is not the ARN of a role: it belongs to the service 's3', a role's to 'iam'"),
        );
    }

    #[test]
    fn other_servers_have_other_forms() {
        for text in
            ["urn:ecs:iam::NS123:role/X1234", "arn:xxx:xxx:xxx:xxxx", "arn:aws:iam:::role/R"]
        {
            assert!(RoleArn::parse(text, Dialect::Compatible).is_ok(), "{text}");
        }
        assert!(RoleArn::parse("short", Dialect::Compatible).is_err());
    }

    #[test]
    fn a_session_names_its_role_without_the_path() {
        let arn = SessionArn::parse("arn:aws-cn:sts::111122223333:assumed-role/app/me").unwrap();
        assert_eq!(arn.role_arn_without_path(), "arn:aws-cn:iam::111122223333:role/app");
        assert_eq!(SessionArn::parse(""), None);
        assert_eq!(SessionArn::parse("arn:aws:sts::1:federated-user/x"), None);
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_keeps_the_text(text in "\\PC{0,80}") {
            for dialect in [Dialect::Aws, Dialect::Compatible] {
                if let Ok(arn) = RoleArn::parse(&text, dialect) {
                    prop_assert_eq!(arn.as_str(), &text);
                }
            }
            prop_assert!(SessionArn::parse(&text).is_none_or(|arn| arn.as_str() == text));
        }

        #[test]
        fn every_legal_role_is_read(path in "(/[a-zA-Z0-9_-]{1,8}){0,3}", name in "[A-Za-z0-9_+=,.@-]{1,64}") {
            let text = format!("arn:aws:iam::111122223333:role{path}/{name}");
            prop_assert!(RoleArn::parse(&text, Dialect::Aws).is_ok());
        }
    }
}
