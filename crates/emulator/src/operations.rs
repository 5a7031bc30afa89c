//! The operations of STS: each a synchronous function from a request to an answer or a refusal.
//!
//! Order of the checks: action and version, authentication, field limits, MFA, trust, role and
//! chaining limits, packed size. One file per operation; what they share is in `shared`.

mod assume_role;
pub(crate) mod caller;
mod mfa;
mod session_token;
mod shared;
mod web_identity;

use axum::body::Bytes;
use axum::http::request::Parts;
use jiff::Timestamp;

use crate::arn::Arn;
use crate::authenticate::{Authenticated, authenticate};
use crate::record::RequestRecord;
use crate::session::Session;
use crate::sigv4::Signature;
use crate::state::State;
use crate::wire::form::Form;
use crate::wire::json::JsonCall;
use crate::wire::refusal::Refusal;
use crate::wire::xml::Xml;

const VERSION: &str = "2011-06-15";

/// A request, read but not judged.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) parts: Parts,
    pub(crate) body: Bytes,
    pub(crate) form: Form,
    /// Set for the JSON protocol; then `form` has the query's fields only.
    pub(crate) json: Option<JsonCall>,
    pub(crate) signature: Result<Option<Signature>, Refusal>,
}

impl Call {
    /// What is asked for, as sent.
    pub(crate) fn operation(&self) -> Option<&str> {
        match &self.json {
            Some(json) => Some(&json.operation),
            None => self.form.get("Action"),
        }
    }
}

/// A success.
#[derive(Debug)]
pub(crate) struct Answer {
    operation: &'static str,
    credentials: Option<Session>,
    rest: Xml,
}

impl Answer {
    /// The XML answer. `expiration` stands in for the true one; empty, the element is left out.
    pub(crate) fn document(&self, expiration: Option<&str>, request_id: &str) -> String {
        let mut result = Xml::default();
        if let Some(session) = &self.credentials {
            let end = session.expires_at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
            let end = expiration.unwrap_or(&end);
            let credentials = Xml::default()
                .leaf("AccessKeyId", &session.access_key_id)
                .leaf("SecretAccessKey", &session.secret_access_key)
                .leaf("SessionToken", &session.token)
                .optional("Expiration", Some(end).filter(|end| !end.is_empty()));
            result = result.tree("Credentials", &credentials);
        }
        let result = result.joined(&self.rest);
        let metadata = Xml::default().leaf("RequestId", request_id);
        Xml::default()
            .tree(&format!("{}Result", self.operation), &result)
            .tree("ResponseMetadata", &metadata)
            .document(&format!("{}Response", self.operation))
    }
}

/// Judges a request, and notes in `record` who called.
pub(crate) fn judge(
    state: &State,
    call: &Call,
    now: Timestamp,
    record: &mut RequestRecord,
) -> Result<Answer, Refusal> {
    let action = call.form.get("Action").filter(|action| !action.is_empty());
    let Some(action) = action else {
        // E13.
        let text = "The request is missing an action or a required parameter.";
        return Err(Refusal::bad("MissingAction", text));
    };
    let version = call.form.get("Version").unwrap_or_default();
    let operation: Operation = match action {
        "AssumeRole" => assume_role::assume_role,
        "GetSessionToken" => session_token::get_session_token,
        "GetCallerIdentity" => get_caller_identity,
        "AssumeRoleWithWebIdentity" if version == VERSION => {
            return web_identity::assume_role_with_web_identity(state, &call.form, now);
        }
        _ => return Err(no_operation(action, version)),
    };
    if version != VERSION {
        return Err(no_operation(action, version));
    }
    let caller = authenticate(state, call, "sts", now)?;
    record.caller = Some(caller.subject.arn().to_owned());
    operation(state, &call.form, &caller, now)
}

type Operation = fn(&State, &Form, &Authenticated, Timestamp) -> Result<Answer, Refusal>;

/// E13.
fn no_operation(action: &str, version: &str) -> Refusal {
    let text = format!("Could not find operation {action} for version {version}");
    Refusal::bad("InvalidAction", text)
}

/// E17: needs no permission, and no Deny stops it.
#[expect(clippy::unnecessary_wraps, reason = "one of several operations of one type")]
fn get_caller_identity(
    _state: &State,
    _form: &Form,
    caller: &Authenticated,
    _now: Timestamp,
) -> Result<Answer, Refusal> {
    let subject = &caller.subject;
    let rest = Xml::default()
        .leaf("Arn", subject.arn())
        .leaf("UserId", &subject.user_id())
        .leaf("Account", Arn::account(subject.principal()));
    Ok(Answer { operation: "GetCallerIdentity", credentials: None, rest })
}
