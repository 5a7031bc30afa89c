//! What several operations do alike: limits of roles, session policies, packed size, minting.

use jiff::{SignedDuration, Timestamp};

use crate::arn::Arn;
use crate::fields::{self, Checks};
use crate::policy::parse::{Place, policy};
use crate::session::{Baggage, Session, Subject};
use crate::state::State;
use crate::tags::Tag;
use crate::wire::form::Form;
use crate::wire::refusal::Refusal;
use crate::wire::xml::Xml;
use crate::world::Role;
use crate::world::reader::{Node, Violations};

/// What a packed policy may come to, in characters. AWS's figure is unknown; ours is simple.
const PACKED_LIMIT: usize = 4096;

/// What a role operation asks for, within its field limits.
#[derive(Debug)]
pub(super) struct RoleRequest<'a> {
    pub(super) role: Arn,
    pub(super) session_name: &'a str,
    pub(super) seconds: u64,
    pub(super) policy: Option<&'a str>,
    pub(super) policy_arns: Vec<&'a str>,
}

impl<'a> RoleRequest<'a> {
    /// Checks the fields that role operations have in common; `more` checks the others.
    pub(super) fn read(
        form: &'a Form,
        more: impl FnOnce(&mut Checks<'a>),
    ) -> Result<Self, Refusal> {
        let mut checks = Checks::new(form);
        let role = checks.required("RoleArn", fields::ARN);
        let session_name = checks.required("RoleSessionName", fields::SESSION_NAME);
        let seconds = checks.duration(43_200, 3600);
        let policy = checks.optional("Policy", fields::POLICY);
        let policy_arns = checks.policy_arns();
        more(&mut checks);
        checks.finish()?;
        // E31, E36.
        let role = Arn::parse(role)
            .filter(|arn| arn.iam_path("role").is_some())
            .ok_or_else(|| Refusal::validation(format!("{role} is invalid")))?;
        if let Some(text) = policy {
            check_session_policy(text)?;
        }
        Ok(Self { role, session_name, seconds, policy, policy_arns })
    }

    /// E33 and E48: what the role and its account allow.
    pub(super) fn check_limits(&self, state: &State, role: &Role) -> Result<(), Refusal> {
        if self.seconds > role.max_session_duration {
            return Err(Refusal::validation(
                "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
            ));
        }
        for text in &self.policy_arns {
            let Some(arn) = Arn::parse(text).filter(|arn| arn.iam_path("policy").is_some()) else {
                return Err(Refusal::validation(format!("{text} is invalid")));
            };
            let own = arn.account() == "aws" || arn.account() == role.arn.account();
            if !own || !state.world.has_managed_policy(&arn) {
                let text = format!("Policy {arn} does not exist or is not attachable.");
                return Err(Refusal::validation(text));
            }
        }
        Ok(())
    }

    /// E47: percent of the packed size used; nothing when there is nothing to pack.
    pub(super) fn packed_size(&self, tags: &[Tag]) -> Result<Option<usize>, Refusal> {
        let characters = |text: &str| text.chars().count();
        let policy: usize =
            self.policy.map_or(0, |text| text.chars().filter(|it| !it.is_whitespace()).count());
        let arns: usize = self.policy_arns.iter().map(|arn| characters(arn)).sum();
        let tags: usize =
            tags.iter().map(|tag| characters(&tag.key) + characters(&tag.value)).sum();
        let percent = ((policy + arns + tags) * 100).div_ceil(PACKED_LIMIT);
        if percent > 100 {
            return Err(Refusal::bad(
                "PackedPolicyTooLarge",
                format!(
                    "Packed policy consumes {percent}% of allotted space, please use smaller \
                     policy."
                ),
            ));
        }
        Ok(Some(percent).filter(|percent| *percent > 0))
    }

    /// The session, kept and ready to hand out.
    pub(super) fn mint(
        &self,
        state: &State,
        baggage: Baggage,
        now: Timestamp,
    ) -> Result<Session, Refusal> {
        let subject = Subject::role_session(&self.role, self.session_name);
        mint(state, subject, baggage, self.seconds, now)
    }
}

/// E46.
fn check_session_policy(text: &str) -> Result<(), Refusal> {
    let malformed = |text: &str| Refusal::bad("MalformedPolicyDocument", text);
    let value: serde_json::Value = serde_json::from_str(text)
        .map_err(|_not_json| malformed("This policy contains invalid Json"))?;
    let violations = Violations::default();
    let read = policy(&Node::root(&value, "policy", &violations), Place::Session);
    if read.is_none() || !violations.into_list().is_empty() {
        return Err(malformed("Syntax errors in policy."));
    }
    Ok(())
}

/// Makes a session of `seconds` divided by the world's divisor.
pub(super) fn mint(
    state: &State,
    subject: Subject,
    baggage: Baggage,
    seconds: u64,
    now: Timestamp,
) -> Result<Session, Refusal> {
    let seconds = (seconds / u64::from(state.world.lifetime_divisor)).max(1);
    let life = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
    Ok(state.sessions().mint(subject, baggage, life, now)?)
}

/// `AssumedRoleUser`.
pub(super) fn assumed_role_user(subject: &Subject) -> Xml {
    let user = Xml::default().leaf("AssumedRoleId", &subject.user_id()).leaf("Arn", subject.arn());
    Xml::default().tree("AssumedRoleUser", &user)
}
