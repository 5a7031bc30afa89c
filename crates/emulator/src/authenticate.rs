//! From a signature to a caller (E9, E10, E58-E61).

use jiff::Timestamp;

use crate::operations::Call;
use crate::session::{Baggage, Subject};
use crate::state::State;
use crate::wire::refusal::Refusal;

/// A caller whose signature was found right.
#[derive(Clone, Debug)]
pub(crate) struct Authenticated {
    pub(crate) subject: Subject,
    /// Whether any temporary credentials signed: then `AssumeRole` is chaining (E62).
    pub(crate) is_temporary: bool,
    /// What the caller's session carries.
    pub(crate) baggage: Baggage,
}

/// Who the holder of this key id would be. Nothing is proven by it.
pub(crate) fn claimed(state: &State, access_key_id: &str) -> Option<String> {
    if let Some((user, _)) = state.world.long_term_key(access_key_id) {
        return Some(user.arn.to_string());
    }
    let session = state.sessions().find(access_key_id)?;
    Some(session.subject.arn().to_owned())
}

/// Proves who calls `service`.
pub(crate) fn authenticate(
    state: &State,
    call: &Call,
    service: &str,
    now: Timestamp,
) -> Result<Authenticated, Refusal> {
    let (parts, body) = (&call.parts, &call.body);
    let Some(signature) = call.signature.as_ref().map_err(Clone::clone)? else {
        // E10.
        let text = "Request is missing Authentication Token";
        return Err(Refusal::forbidden("MissingAuthenticationToken", text));
    };
    let token = signature.session_token.as_deref();
    if let Some((user, key)) = state.world.long_term_key(&signature.access_key_id) {
        // E60: a long-term key has no token.
        if token.is_some() {
            return Err(invalid_token());
        }
        signature.verify(&key.secret, service, parts, body, now)?;
        let subject = Subject::User(user.arn.clone());
        return Ok(Authenticated { subject, is_temporary: false, baggage: Baggage::default() });
    }
    // E9, E60.
    let session = state.sessions().find(&signature.access_key_id).ok_or_else(invalid_token)?;
    if token != Some(session.token.as_str()) {
        return Err(invalid_token());
    }
    // E61.
    if now >= session.expires_at {
        let text = "The security token included in the request is expired";
        return Err(Refusal::forbidden("ExpiredToken", text));
    }
    signature.verify(&session.secret_access_key, service, parts, body, now)?;
    Ok(Authenticated { subject: session.subject, is_temporary: true, baggage: session.baggage })
}

fn invalid_token() -> Refusal {
    let text = "The security token included in the request is invalid.";
    Refusal::forbidden("InvalidClientTokenId", text)
}
