//! From a signature to a caller (E9, E10, E58-E61).

use axum::http::request::Parts;
use jiff::Timestamp;

use crate::session::{Baggage, Subject};
use crate::sigv4::Signature;
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

/// Proves who calls.
pub(crate) fn authenticate(
    state: &State,
    signature: Option<&Signature>,
    parts: &Parts,
    body: &[u8],
    now: Timestamp,
) -> Result<Authenticated, Refusal> {
    let Some(signature) = signature else {
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
        signature.verify(&key.secret, parts, body, now)?;
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
    signature.verify(&session.secret_access_key, parts, body, now)?;
    Ok(Authenticated { subject: session.subject, is_temporary: true, baggage: session.baggage })
}

fn invalid_token() -> Refusal {
    let text = "The security token included in the request is invalid.";
    Refusal::forbidden("InvalidClientTokenId", text)
}
