//! What a plan alone shows to be refused: caps of chained hops, partitions, what a chain inherits.

use super::{Caller, Hop, Plan};
use crate::arn::RoleArn;
use crate::region::Region;
use crate::request::{RoleRequest, SessionDuration};

impl Plan {
    /// Checks what the plan alone shows: caps of chained hops, the partition of each role, and what
    /// a chain inherits.
    ///
    /// # Errors
    ///
    /// Every [`PlanError`] with the number of its hop, from 0.
    pub fn check(&self) -> Result<(), Vec<(usize, PlanError)>> {
        let mut errors = Vec::new();
        for (index, hop) in self.hops().enumerate() {
            if index > 0 {
                errors
                    .extend(hop.check_caller(Caller::Temporary).err().map(|error| (index, error)));
            }
            let is_behind_a_role = self.hops().take(index).any(|earlier| earlier.role().is_some());
            if let (true, Hop::AssumeRole(RoleRequest { role, mfa: Some(_), .. })) =
                (is_behind_a_role, hop)
            {
                errors.push((index, PlanError::MfaBehindARole { role: role.clone() }));
            }
            let role = hop.role();
            let partitions = role.and_then(RoleArn::partition).zip(self.region.partition());
            if let Some((role, (of_role, of_region))) = role.zip(partitions)
                && of_role != of_region
            {
                let (role, region) = (role.clone(), self.region.clone());
                errors.push((
                    index,
                    PlanError::OtherPartition { role, region, partition: of_region },
                ));
            }
        }
        errors.extend(self.inherited_conflicts());
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    /// STS keeps a source identity and transitive tags for the whole chain, and refuses another
    /// value at a later hop.
    fn inherited_conflicts(&self) -> Vec<(usize, PlanError)> {
        let mut errors = Vec::new();
        let mut identity = None;
        let mut inherited: Vec<String> = Vec::new();
        for (index, hop) in self.hops().enumerate() {
            let Hop::AssumeRole(RoleRequest { role, source_identity, tags, .. }) = hop else {
                continue;
            };
            match (identity, source_identity) {
                (Some(first), Some(later)) if first != later => {
                    let role = role.clone();
                    errors.push((index, PlanError::SourceIdentityChanged { role }));
                }
                (None, Some(_)) => identity = source_identity.as_ref(),
                _ => {}
            }
            for tag in tags.tags() {
                if inherited.contains(&tag.key().to_lowercase()) {
                    let (role, key) = (role.clone(), tag.key().to_owned());
                    errors.push((index, PlanError::TagInherited { role, key }));
                }
            }
            inherited.extend(tags.transitive_keys().iter().map(|key| key.to_lowercase()));
        }
        errors
    }

    /// Checks the first hop against the keys that the source turned out to have.
    ///
    /// # Errors
    ///
    /// [`PlanError`] when STS would refuse the plan, now or at a later hop.
    pub fn check_caller(&self, caller: Caller) -> Result<(), PlanError> {
        match self.prefix.first() {
            Some(first) => first.check_caller(caller),
            None => self.last.check_caller(caller),
        }
    }
}

/// A plan that STS would refuse.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// A chained hop asks for more than an hour.
    #[error(
        "asks {} s of {role}, but role chaining allows at most 3600 s: the caller holds temporary credentials",
        asked.seconds()
    )]
    DurationOverChainingCap {
        /// The role asked for.
        role: RoleArn,
        /// The duration asked for.
        asked: SessionDuration,
    },
    /// GetSessionToken with temporary keys.
    #[error("cannot call GetSessionToken with temporary credentials: it needs a user's own keys")]
    SessionTokenOfSession,
    /// A web identity cannot carry what is asked.
    #[error("asks {} of {role}, which a web identity cannot carry", parameters.join(", "))]
    NotWithWebIdentity {
        /// The role of the first hop.
        role: RoleArn,
        /// The parameters that the call has not.
        parameters: Vec<&'static str>,
    },
    /// A code is asked for a call that a role's session signs.
    #[error(
        "asks an MFA code for {role}, which a role's session calls for: only users have a device"
    )]
    MfaBehindARole {
        /// The role of the later hop.
        role: RoleArn,
    },
    /// A later hop sets another source identity than an earlier one.
    #[error("sets another source identity for {role} than an earlier hop: a chain keeps the first")]
    SourceIdentityChanged {
        /// The role of the later hop.
        role: RoleArn,
    },
    /// A hop passes a tag that an earlier one made transitive.
    #[error("passes the tag '{key}' to {role}, which inherits it from an earlier hop")]
    TagInherited {
        /// The role of the later hop.
        role: RoleArn,
        /// The tag's key.
        key: String,
    },
    /// The role is in another partition than the region.
    #[error("{role} is of another partition than the region {region} (partition {partition})")]
    OtherPartition {
        /// The role asked for.
        role: RoleArn,
        /// The region of the plan.
        region: Region,
        /// The region's partition.
        partition: &'static str,
    },
}

impl PlanError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::DurationOverChainingCap { .. } => {
                "ask for 3600 s or less, or assume the role from a user's own keys or by web identity"
            }
            Self::SessionTokenOfSession => {
                "use kind STSAssumeRoleToken to go from temporary credentials to a role"
            }
            Self::NotWithWebIdentity { .. } => {
                "leave them out, or give them to a later hop; a token's claims bring its own tags and source identity"
            }
            Self::MfaBehindARole { .. } => {
                "take the device out of this hop; the first hop's code counts for its session alone"
            }
            Self::SourceIdentityChanged { .. } => "set the source identity on the first hop only",
            Self::TagInherited { .. } => "leave the tag out of the later hop",
            Self::OtherPartition { .. } => "name a region of the role's own partition",
        }
    }
}
