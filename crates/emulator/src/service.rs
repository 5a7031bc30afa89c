//! From an HTTP request to an HTTP answer on the port of STS and ECR, faults included.
//!
//! The decision is `operations::judge` or `ecr::judge`; this reads, delays, spoils and writes.

use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{Method, Request, Response, StatusCode, header};
use futures_util::StreamExt as _;
use futures_util::stream;

use crate::authenticate::claimed;
use crate::ecr::{self, Registry};
use crate::fault::Fault;
use crate::operations::{Call, judge};
use crate::random;
use crate::record::RequestRecord;
use crate::sigv4::Signature;
use crate::state::State;
use crate::wire::form::Form;
use crate::wire::json::{self, JsonCall};
use crate::wire::refusal::Refusal;

/// The longest body read. The longest legal one, a SAML assertion, is below 100 KiB.
const MAX_BODY_BYTES: usize = 256 * 1024;

const XML: &str = "text/xml";
const HTML: &str = "text/html";
const HTML_PAGE: &str = "<html><head><title>502 Bad Gateway</title></head>\
                         <body><h1>502 Bad Gateway</h1></body></html>\n";

/// The connection is to be closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("closed on cue")]
pub(crate) struct Dropped;

/// What goes back: status, kind and text.
struct Reply {
    status: u16,
    kind: &'static str,
    text: String,
}

/// Answers one request.
///
/// # Cancellation
///
/// Dropped when the client leaves or the emulator stops; the request is in the log all the same.
pub(crate) async fn answer(
    state: Arc<State>,
    request: Request<Body>,
) -> Result<Response<Body>, Dropped> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, MAX_BODY_BYTES).await;
    let too_large = body.is_err();
    let body = body.unwrap_or_default();
    let json = JsonCall::read(&parts, &body);
    let mut form = Form::parse(parts.uri.query().unwrap_or_default().as_bytes());
    if parts.method == Method::POST && json.is_none() {
        form.extend(Form::parse(&body));
    }
    let signature = Signature::read(&parts);
    let call = Call { parts, body, form, json, signature };
    let id = random::request_id();

    let mut record = RequestRecord::new(state.now(), &call);
    // Noted as it arrives, so that a client that leaves early is counted too.
    let number = state.log().push(record.clone());

    let cue = state.faults().take(call.operation(), call.form.get("RoleArn"));
    if let Some(latency) = cue.latency {
        tokio::time::sleep(latency).await;
        record.time = state.now();
    }
    let reply = if too_large {
        let text = "The request body is too large.";
        let refusal = Refusal { status: 413, ..Refusal::bad("RequestEntityTooLarge", text) };
        Some(refused(&call, &refusal, &mut record, &id))
    } else {
        reply(&state, &call, cue.fault.as_ref(), &mut record, &id)
    };
    record.status = reply.as_ref().map(|reply| reply.status);
    let time = record.time;
    state.log().complete(number, record);
    match reply {
        Some(reply) => {
            let truncate = cue.fault == Some(Fault::Truncate);
            Ok(respond(reply, truncate, time, &id))
        }
        None if cue.fault == Some(Fault::Hang) => std::future::pending().await,
        None => Err(Dropped),
    }
}

/// The reply, or none for a fault that gives none.
fn reply(
    state: &State,
    call: &Call,
    fault: Option<&Fault>,
    record: &mut RequestRecord,
    id: &str,
) -> Option<Reply> {
    let expiration = match fault {
        Some(Fault::Drop | Fault::Hang) => return None,
        Some(Fault::Html) => {
            return Some(Reply { status: 502, kind: HTML, text: HTML_PAGE.to_owned() });
        }
        Some(Fault::Expiry(text)) => Some(text.as_str()),
        Some(fault) => match refusal_of(state, call, fault) {
            Some(refusal) => return Some(refused(call, &refusal, record, id)),
            None => None,
        },
        None => None,
    };
    let now = record.time;
    let text = match &call.json {
        Some(json) => {
            ecr::judge(state, call, json, now, record).map(|answer| answer.document(expiration))
        }
        None => judge(state, call, now, record).map(|answer| answer.document(expiration, id)),
    };
    Some(match text {
        Ok(text) => Reply { status: 200, kind: kind(call), text },
        Err(refusal) => refused(call, &refusal, record, id),
    })
}

fn refused(call: &Call, refusal: &Refusal, record: &mut RequestRecord, id: &str) -> Reply {
    record.error_code = Some(refusal.code.clone());
    let text = match &call.json {
        Some(_) => refusal.json_document(),
        None => refusal.document(id),
    };
    Reply { status: refusal.status, kind: kind(call), text }
}

fn kind(call: &Call) -> &'static str {
    if call.json.is_some() { json::CONTENT_TYPE } else { XML }
}

/// The faults that are a refusal, in the words of the service that was called.
fn refusal_of(state: &State, call: &Call, fault: &Fault) -> Option<Refusal> {
    let refusal = match fault {
        Fault::Throttle => Refusal::bad("Throttling", "Rate exceeded"),
        Fault::InternalFailure => Refusal::internal(),
        Fault::Unavailable => Refusal {
            status: 503,
            code: "ServiceUnavailable".to_owned(),
            message: "The request has failed due to a temporary failure of the server.".to_owned(),
        },
        Fault::Error { code, status, message } => {
            return Some(Refusal { status: *status, code: code.clone(), message: message.clone() });
        }
        Fault::Deny => denied(state, call),
        _ => return None,
    };
    Some(if call.json.is_some() { refusal.in_json() } else { refusal })
}

/// The fault `deny`: as if no policy spoke of the caller.
fn denied(state: &State, call: &Call) -> Refusal {
    let signature = call.signature.as_ref().ok().and_then(Option::as_ref);
    let caller = signature.and_then(|it| claimed(state, &it.access_key_id));
    if let Some(registry) = call.json.as_ref().and_then(Registry::of) {
        return ecr::not_authorized(caller.as_deref().unwrap_or("anonymous"), registry);
    }
    let action = call.operation().unwrap_or("AssumeRole");
    let role = call.form.get("RoleArn").unwrap_or("*");
    match caller {
        Some(caller) => Refusal::not_authorized(&caller, &format!("sts:{action}"), role),
        None => Refusal::denied(format!("Not authorized to perform sts:{action}")),
    }
}

fn respond(reply: Reply, truncate: bool, now: jiff::Timestamp, id: &str) -> Response<Body> {
    let text = Bytes::from(reply.text);
    let length = text.len();
    let body = if truncate { half(&text) } else { Body::from(text) };
    let date = now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let response = Response::builder()
        .status(reply.status)
        .header(header::CONTENT_TYPE, reply.kind)
        .header(header::CONTENT_LENGTH, length)
        .header(header::DATE, date)
        .header("x-amzn-requestid", id)
        .body(body);
    response.unwrap_or_else(|_unfit_header| {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}

/// Half of the body, then an error, at which the server closes the connection.
fn half(text: &Bytes) -> Body {
    let half = text.slice(..text.len() / 2);
    let end = stream::once(async {
        // The server sends what it has when the body lets it wait, and only then.
        tokio::task::yield_now().await;
        Err(Dropped)
    });
    Body::from_stream(stream::iter([Ok(half)]).chain(end))
}
