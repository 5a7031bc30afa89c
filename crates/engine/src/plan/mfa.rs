//! The second factor in a plan: where it is sent, and how one code serves a whole run.
//!
//! STS takes a code with the call that a user's own keys sign, and each code once. MFA:
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_mfa_configure-api-require.html>.

use super::{Hop, Plan, PlanError};
use crate::request::{Mfa, MfaSerial, RoleRequest, SessionTokenRequest};

impl Plan {
    /// Asks for the second factor at the first call, the one that the source's keys sign.
    ///
    /// # Errors
    ///
    /// [`PlanError::NotWithWebIdentity`] when a token makes the first call: it has no user and so
    /// no device.
    pub fn with_mfa(mut self, serial: &MfaSerial) -> Result<Self, PlanError> {
        let mfa = Some(Mfa::asked_of(serial.clone()));
        match self.first_mut() {
            Hop::AssumeRole(request) => request.mfa = mfa,
            Hop::SessionToken(request) => request.mfa = mfa,
            Hop::WebIdentity(request) => {
                let (role, parameters) = (request.role.clone(), vec!["mfa"]);
                return Err(PlanError::NotWithWebIdentity { role, parameters });
            }
            Hop::RegistryToken(_) => self.prefix.insert(0, session_with(serial.clone())),
        }
        Ok(self)
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

    /// The device that the first call asks a code of, if that call is an AssumeRole.
    fn device_of_first_role(&self) -> Option<&MfaSerial> {
        match self.first() {
            Hop::AssumeRole(RoleRequest { mfa: Some(Mfa { serial, code: None }), .. }) => {
                Some(serial)
            }
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
        let Some(serial) = self.device_of_first_role().cloned() else { return };
        if let Hop::AssumeRole(request) = self.first_mut() {
            request.mfa = None;
        }
        self.prefix.insert(0, session_with(serial));
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
            let device = plan.device_of_first_role();
            let others = plans.iter().enumerate().filter(|(other, _)| *other != index);
            device.is_some()
                && others.map(|(_, other)| &**other).any(|other| {
                    other.device_of_first_role() == device
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

fn session_with(serial: MfaSerial) -> Hop {
    let mfa = Some(Mfa::asked_of(serial));
    Hop::SessionToken(SessionTokenRequest { duration: None, mfa })
}
