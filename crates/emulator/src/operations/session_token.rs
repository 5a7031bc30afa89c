//! `GetSessionToken` (E54-E56).

use jiff::Timestamp;

use crate::authenticate::Authenticated;
use crate::fields::{self, Checks};
use crate::session::Baggage;
use crate::state::State;
use crate::wire::form::Form;
use crate::wire::refusal::Refusal;
use crate::wire::xml::Xml;

use super::{Answer, mfa, shared};

/// Temporary credentials of the same user.
pub(super) fn get_session_token(
    state: &State,
    form: &Form,
    caller: &Authenticated,
    now: Timestamp,
) -> Result<Answer, Refusal> {
    let mut checks = Checks::new(form);
    let seconds = checks.duration(129_600, 43_200);
    checks.optional("SerialNumber", fields::SERIAL_NUMBER);
    checks.optional("TokenCode", fields::TOKEN_CODE);
    checks.finish()?;
    // E55.
    if caller.is_temporary {
        return Err(Refusal::denied("Cannot call GetSessionToken with session credentials"));
    }
    let mfa_at = mfa::proven_at(state, form, caller, now)?;
    let subject = caller.subject.clone();
    let baggage = Baggage { mfa_at, ..Baggage::default() };
    let session = shared::mint(state, subject, baggage, seconds, now)?;
    Ok(Answer { operation: "GetSessionToken", credentials: Some(session), rest: Xml::default() })
}
