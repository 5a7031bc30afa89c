//! `requestParameters`: what one hop asks beside its role.

use serde_json::Value;

use crate::arn::RoleArn;
use crate::fields::Fields;
use crate::request::{
    ExternalId, PolicyArn, RoleRequest, SessionDuration, SessionName, SessionPolicy, SessionTags,
    SourceIdentity,
};
use crate::violation::Violations;

/// The parameters of one hop.
#[derive(Clone, Debug, Default)]
pub struct Parameters {
    /// `roleSessionName`.
    pub session_name: Option<SessionName>,
    /// `sessionDuration`; never set on an earlier hop.
    pub duration: Option<SessionDuration>,
    /// `externalID`.
    pub external_id: Option<ExternalId>,
    /// `sourceIdentity`.
    pub source_identity: Option<SourceIdentity>,
    /// `tags` and `transitiveTagKeys`.
    pub tags: SessionTags,
    /// `policy`.
    pub policy: Option<SessionPolicy>,
    /// `policyARNs`.
    pub policy_arns: Vec<PolicyArn>,
}

impl Parameters {
    /// Reads the last hop's block: `requestParameters`, or the earlier draft's
    /// `roleAssumptionParameters`, and at most one of them.
    pub(super) fn read_in(spec: &mut Fields<'_>, violations: &mut Violations) -> Self {
        if spec.has(BLOCK) && spec.has(DRAFT_BLOCK) {
            let problem = "stands beside requestParameters: write one of them";
            violations.push(spec.path_of(DRAFT_BLOCK), problem);
        }
        let draft = spec.object(DRAFT_BLOCK, violations).map(|f| Self::read_draft(f, violations));
        let block = spec.object(BLOCK, violations).map(|f| Self::read_block(f, true, violations));
        block.or(draft).unwrap_or_default()
    }

    /// Reads the parameters of a request whose duration is written elsewhere.
    pub fn read(value: &Value, path: &str, violations: &mut Violations) -> Self {
        let fields = Fields::of(value, path, violations);
        fields.map(|fields| Self::read_block(fields, false, violations)).unwrap_or_default()
    }

    /// Reads an earlier hop's block, which has no duration.
    pub(super) fn read_hop(hop: &mut Fields<'_>, violations: &mut Violations) -> Self {
        match hop.object(BLOCK, violations) {
            Some(block) => Self::read_block(block, false, violations),
            None => Self::default(),
        }
    }

    /// These parameters as a request for `role`.
    pub fn request(&self, role: RoleArn, default_name: &SessionName) -> RoleRequest {
        RoleRequest {
            role,
            session_name: self.session_name.as_ref().unwrap_or(default_name).clone(),
            duration: self.duration,
            external_id: self.external_id.clone(),
            source_identity: self.source_identity.clone(),
            tags: self.tags.clone(),
            policy: self.policy.clone(),
            policy_arns: self.policy_arns.clone(),
            mfa: None,
        }
    }

    fn read_draft(mut block: Fields<'_>, violations: &mut Violations) -> Self {
        let parameters = Self {
            duration: read_duration(&mut block, violations),
            external_id: block.parsed("externalId", violations, ExternalId::parse),
            session_name: block.parsed("roleSessionName", violations, SessionName::parse),
            ..Self::default()
        };
        block.finish(violations, |_| Some("write requestParameters for this one".to_owned()));
        parameters
    }

    fn read_block(mut block: Fields<'_>, is_last: bool, violations: &mut Violations) -> Self {
        let duration = if is_last { read_duration(&mut block, violations) } else { None };
        let parameters = Self {
            duration,
            session_name: block.parsed("roleSessionName", violations, SessionName::parse),
            external_id: block.parsed("externalID", violations, ExternalId::parse),
            source_identity: block.parsed("sourceIdentity", violations, SourceIdentity::parse),
            tags: read_tags(&mut block, violations).unwrap_or_default(),
            policy: block.parsed("policy", violations, SessionPolicy::parse),
            policy_arns: read_policy_arns(&mut block, violations),
        };
        block.finish(violations, |word| match word {
            "sessionDuration" => Some("an earlier hop has no duration of its own".to_owned()),
            "sessionTags" => Some("the word here is tags".to_owned()),
            "sessionTagsPolicy" => Some("write each tag under tags".to_owned()),
            "duration" => Some("the word here is sessionDuration".to_owned()),
            _ => None,
        });
        parameters
    }
}

fn read_duration(block: &mut Fields<'_>, violations: &mut Violations) -> Option<SessionDuration> {
    let seconds = block.integer("sessionDuration", violations)?;
    violations.keep(&block.path_of("sessionDuration"), SessionDuration::from_seconds(seconds))
}

fn read_tags(block: &mut Fields<'_>, violations: &mut Violations) -> Option<SessionTags> {
    let items = block.list("tags", violations).unwrap_or_default();
    let tags: Vec<_> =
        items.iter().filter_map(|(path, item)| read_tag(item, path, violations)).collect();
    let transitive = block.texts("transitiveTagKeys", violations).unwrap_or_default();
    let transitive = transitive.into_iter().map(|(_, key)| key.to_owned()).collect();
    let (path, transitive_path) = (block.path_of("tags"), block.path_of("transitiveTagKeys"));
    SessionTags::new(tags, transitive, &path, &transitive_path)
        .map_err(|faults| violations.extend(faults))
        .ok()
}

/// A tag with its path.
fn read_tag(
    item: &Value,
    path: &str,
    violations: &mut Violations,
) -> Option<(String, String, String)> {
    let mut tag = Fields::of(item, path, violations)?;
    let key = tag.required_text("key", violations);
    let value = tag.required_text("value", violations);
    tag.finish(violations, |_| Some("a tag is {key: KEY, value: VALUE}".to_owned()));
    Some((path.to_owned(), key?.to_owned(), value?.to_owned()))
}

fn read_policy_arns(block: &mut Fields<'_>, violations: &mut Violations) -> Vec<PolicyArn> {
    let items = block.texts("policyARNs", violations).unwrap_or_default();
    check_policy_arn_count(&block.path_of("policyARNs"), items.len(), violations);
    items.iter().filter_map(|(path, text)| violations.keep(path, PolicyArn::parse(text))).collect()
}

/// A request names at most ten managed policies.
pub fn check_policy_arn_count(path: &str, count: usize, violations: &mut Violations) {
    let most = PolicyArn::MAX_COUNT;
    if count > most {
        violations.push(path, format_args!("must have at most {most} entries, has {count}"));
    }
}

const BLOCK: &str = "requestParameters";
const DRAFT_BLOCK: &str = "roleAssumptionParameters";
