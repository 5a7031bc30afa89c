//! The second factor of a request (E50-E53).

use jiff::Timestamp;

use crate::authenticate::Authenticated;
use crate::session::Subject;
use crate::state::State;
use crate::wire::form::Form;
use crate::wire::refusal::Refusal;

/// When the caller proved a second factor with this request: `now`, or nothing when none was sent.
///
/// Asked for also when no policy wants it (E51). A right code is used up by it, whatever becomes of
/// the request (E53).
pub(super) fn proven_at(
    state: &State,
    form: &Form,
    caller: &Authenticated,
    now: Timestamp,
) -> Result<Option<Timestamp>, Refusal> {
    let (serial, code) = match (form.get("SerialNumber"), form.get("TokenCode")) {
        (None, None) => return Ok(None),
        (Some(serial), Some(code)) => (serial, code),
        // E50.
        _ => {
            return Err(refusal(", must provide both MFA serial number and one time pass code."));
        }
    };
    let device = state
        .world
        .mfa_device(serial)
        .filter(|(owner, _)| matches!(&caller.subject, Subject::User(arn) if *arn == owner.arn));
    // E51.
    let Some((_, device)) = device else {
        return Err(refusal(
            ", unable to validate MFA code.  Please verify your MFA serial number is valid and \
             associated with this user.",
        ));
    };
    if state.mfa().take(device, code, now) {
        Ok(Some(now))
    } else {
        Err(refusal(" with invalid MFA one time pass code."))
    }
}

fn refusal(rest: &str) -> Refusal {
    Refusal::denied(format!("MultiFactorAuthentication failed{rest}"))
}
