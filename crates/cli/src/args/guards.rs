//! What is accepted: the flags that are held against STS's answer.
#![expect(clippy::doc_markdown, reason = "the comments of fields are help texts")]

use clap::Args;
use rolecall_engine::guard::{AccountId, Guards, RolePattern};
use rolecall_engine::request::seconds_from_text;
use rolecall_engine::violation::Violations;

#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Guards, checked on the answer before anything is printed")]
pub(crate) struct GuardArgs {
    /// An account that the session may be of (repeat for more)
    ///
    /// 12 digits.
    #[arg(long = "allow-account", value_name = "ACCOUNT")]
    accounts: Vec<String>,
    /// A role that the session may be of: a name or an ARN without its path, * and ? allowed
    /// (repeat for more)
    ///
    /// A role's name, or arn:PARTITION:iam::ACCOUNT:role/NAME, with * and ?. STS answers without the
    /// role's path, so a pattern has none.
    #[arg(long = "allow-role", value_name = "PATTERN")]
    roles: Vec<String>,
    /// The least life that must remain
    ///
    /// An answer without an expiry counts as 15 minutes.
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    min_ttl: Option<String>,
}

impl GuardArgs {
    /// The guards that could be read; the rest is among the violations.
    pub(crate) fn guards(&self, violations: &mut Violations) -> Guards {
        let accounts = self.accounts.iter();
        let roles = self.roles.iter();
        Guards {
            accounts: accounts
                .filter_map(|text| violations.keep("--allow-account", text.parse::<AccountId>()))
                .collect(),
            roles: roles
                .filter_map(|text| violations.keep("--allow-role", text.parse::<RolePattern>()))
                .collect(),
            min_remaining: self.min_ttl.as_deref().and_then(|text| {
                let seconds = violations.keep("--min-ttl", seconds_from_text(text))?;
                if seconds < 0 {
                    violations.push("--min-ttl", "must not be negative");
                }
                Some(jiff::SignedDuration::from_secs(seconds))
            }),
        }
    }
}
