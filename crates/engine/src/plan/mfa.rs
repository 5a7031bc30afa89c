//! The second factor in a plan: where it is sent, and how one code serves a whole run.
//!
//! STS takes a code with the call that a user's own keys sign, and each code once. MFA:
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_mfa_configure-api-require.html>.

use std::collections::HashSet;

use super::{Hop, Plan, PlanError, SourceSpec};
use crate::region::Region;
use crate::request::{Mfa, MfaSerial, RoleRequest, SessionTokenRequest};

impl Plan {
    /// Asks for the second factor at the first call, the one that the source's keys sign; a call
    /// that names a device itself keeps it.
    ///
    /// # Errors
    ///
    /// [`PlanError::NotWithWebIdentity`] when a token makes the first call: it has no user and so
    /// no device.
    pub fn with_mfa(mut self, serial: &MfaSerial) -> Result<Self, PlanError> {
        let mfa = Some(Mfa::asked_of(serial.clone()));
        match self.first_mut() {
            Hop::AssumeRole(request) => request.mfa = request.mfa.take().or(mfa),
            Hop::SessionToken(request) => request.mfa = request.mfa.take().or(mfa),
            Hop::WebIdentity(request) => {
                let (role, parameters) = (request.role.clone(), vec!["mfa"]);
                return Err(PlanError::NotWithWebIdentity { role, parameters });
            }
            Hop::RegistryToken(_) => self.prefix.insert(0, session_with(serial.clone())),
        }
        Ok(self)
    }

    /// Whether the first call names a device itself.
    pub fn names_a_device(&self) -> bool {
        matches!(
            self.first(),
            Hop::AssumeRole(RoleRequest { mfa: Some(_), .. })
                | Hop::SessionToken(SessionTokenRequest { mfa: Some(_), .. })
        )
    }

    /// The devices whose codes have to be asked for, in the order of the calls.
    pub fn devices(&self) -> impl Iterator<Item = &MfaSerial> {
        self.hops().filter_map(|hop| match hop {
            Hop::AssumeRole(RoleRequest { mfa: Some(mfa), .. })
            | Hop::SessionToken(SessionTokenRequest { mfa: Some(mfa), .. })
                if mfa.code.is_none() =>
            {
                Some(&mfa.serial)
            }
            _ => None,
        })
    }

    /// The device that the first call asks a code of, where that call can be shared: a session
    /// that is itself what was asked for is always made anew.
    fn shareable_device(&self) -> Option<&MfaSerial> {
        match self.first() {
            Hop::SessionToken(_) if self.prefix.is_empty() => None,
            Hop::AssumeRole(RoleRequest { mfa: Some(Mfa { serial, code: None }), .. })
            | Hop::SessionToken(SessionTokenRequest {
                mfa: Some(Mfa { serial, code: None }),
                ..
            }) => Some(serial),
            _ => None,
        }
    }

    /// Two plans whose first call is the same and shared need one code.
    fn shares_first_call_with(&self, other: &Self) -> bool {
        !self.prefix.is_empty()
            && !other.prefix.is_empty()
            && self.first() == other.first()
            && self.source == other.source
            && self.region == other.region
    }

    /// Takes the code in a GetSessionToken of its own, whose session then makes the first call.
    fn take_code_first(&mut self) {
        let Some(serial) = self.shareable_device().cloned() else { return };
        if let Hop::AssumeRole(request) = self.first_mut() {
            request.mfa = None;
            self.prefix.insert(0, session_with(serial));
        }
    }

    fn first(&self) -> &Hop {
        self.prefix.first().unwrap_or(&self.last)
    }

    fn first_mut(&mut self) -> &mut Hop {
        self.prefix.first_mut().unwrap_or(&mut self.last)
    }
}

/// Makes one code do for all plans of a run.
///
/// Plans that share their first call need nothing. Others, of one source and one device, get a
/// GetSessionToken with the code before them, which they share; the roles after it are chained,
/// with the cap of an hour that goes with it.
pub fn share_mfa<'a>(plans: impl Iterator<Item = &'a mut Plan>) {
    let mut plans: Vec<&mut Plan> = plans.collect();
    let needs_sharing: Vec<bool> = plans
        .iter()
        .enumerate()
        .map(|(index, plan)| {
            let device = plan.shareable_device();
            let others = plans.iter().enumerate().filter(|(other, _)| *other != index);
            device.is_some()
                && others.map(|(_, other)| &**other).any(|other| {
                    other.shareable_device() == device
                        && other.source == plan.source
                        && !plan.shares_first_call_with(other)
                })
        })
        .collect();
    for (plan, needs_sharing) in plans.iter_mut().zip(needs_sharing) {
        if needs_sharing {
            plan.take_code_first();
        }
    }
}

/// How many codes a run of these plans asks for: one for each call of a prefix that is not the same
/// as another's, and one for each last call.
pub fn codes_needed<'a>(plans: impl Iterator<Item = &'a Plan>) -> usize {
    let mut shared: HashSet<(&SourceSpec, &Region, &[Hop])> = HashSet::new();
    let mut count = 0;
    for plan in plans {
        for (index, hop) in plan.hops().enumerate() {
            if !asks_a_code(hop) {
                continue;
            }
            match plan.prefix.get(..=index) {
                Some(prefix) => {
                    shared.insert((&plan.source, &plan.region, prefix));
                }
                None => count += 1,
            }
        }
    }
    count + shared.len()
}

fn asks_a_code(hop: &Hop) -> bool {
    match hop {
        Hop::AssumeRole(RoleRequest { mfa: Some(mfa), .. })
        | Hop::SessionToken(SessionTokenRequest { mfa: Some(mfa), .. }) => mfa.code.is_none(),
        _ => false,
    }
}

fn session_with(serial: MfaSerial) -> Hop {
    let mfa = Some(Mfa::asked_of(serial));
    Hop::SessionToken(SessionTokenRequest { duration: None, mfa })
}
