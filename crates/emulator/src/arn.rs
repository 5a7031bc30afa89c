//! Amazon resource names, as far as STS looks into them.
//!
//! `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`. Any partition is fine; the account, where
//! there is one, is twelve digits.

use std::fmt;

/// A parsed ARN. Keeps its text, so that what was written is what is printed.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Arn {
    text: String,
    /// Where partition, service, region and account end.
    ends: [usize; 4],
}

impl Arn {
    /// Splits `text`; nothing when it is no ARN.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("arn:")?;
        let mut ends = [0; 4];
        let mut at = text.len() - rest.len();
        for end in &mut ends {
            *end = at + text.get(at..)?.find(':')?;
            at = *end + 1;
        }
        let arn = Self { text: text.to_owned(), ends };
        let account = arn.account();
        let whole_account = account.is_empty() || is_account(account) || account == "aws";
        let whole = !arn.partition().is_empty()
            && !arn.service().is_empty()
            && !arn.resource().is_empty()
            && whole_account
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        whole.then_some(arn)
    }

    /// The whole text.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// `aws`, `aws-cn` and so on.
    pub(crate) fn partition(&self) -> &str {
        self.text.get(4..self.ends[0]).unwrap_or_default()
    }

    /// `iam`, `sts`.
    pub(crate) fn service(&self) -> &str {
        self.text.get(self.ends[0] + 1..self.ends[1]).unwrap_or_default()
    }

    /// Twelve digits, `aws` for what AWS owns, or nothing.
    pub(crate) fn account(&self) -> &str {
        self.text.get(self.ends[2] + 1..self.ends[3]).unwrap_or_default()
    }

    /// What follows the account.
    pub(crate) fn resource(&self) -> &str {
        self.text.get(self.ends[3] + 1..).unwrap_or_default()
    }

    /// The resource's path and name, when this is an IAM resource of `kind` (`role`, `user` ...).
    pub(crate) fn iam_path(&self, kind: &str) -> Option<&str> {
        let path = self.resource().strip_prefix(kind)?.strip_prefix('/')?;
        let named = self.service() == "iam" && !path.is_empty() && !path.ends_with('/');
        named.then_some(path)
    }

    /// The last part of the resource's path: a role's name without its path.
    pub(crate) fn name(&self) -> &str {
        let resource = self.resource();
        resource.rsplit_once('/').map_or(resource, |(_, name)| name)
    }

    /// The session ARN that AWS makes of a role and a session name: it drops the role's path.
    pub(crate) fn assumed_role(&self, session_name: &str) -> String {
        let (partition, account, role) = (self.partition(), self.account(), self.name());
        format!("arn:{partition}:sts::{account}:assumed-role/{role}/{session_name}")
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Whether `text` is an account id: twelve digits.
pub(crate) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_role_with_a_path_loses_it_in_its_session() {
        let role = Arn::parse("arn:aws-cn:iam::111122223333:role/team/app").unwrap();
        assert_eq!(role.iam_path("role"), Some("team/app"));
        assert_eq!(role.assumed_role("s"), "arn:aws-cn:sts::111122223333:assumed-role/app/s");
    }

    #[test]
    fn what_is_no_arn_is_refused() {
        for text in ["", "arn:", "arn:aws:iam::1:role/x", "arn:aws:iam::111122223333:", "role/x"] {
            assert_eq!(Arn::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in ".*") {
            if let Some(arn) = Arn::parse(&text) {
                prop_assert_eq!(arn.as_str(), text);
            }
        }
    }
}
