//! The control port: faults on cue and the request log, for tests in other processes.
//!
//! Loopback only, and every request needs the token of this start.

use std::sync::Arc;

use aws_lc_rs::constant_time;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State as Shared};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;

use crate::fault::{FaultRule, InvalidFault};
use crate::state::State;

/// The routes, behind the token.
pub(crate) fn router(state: Arc<State>, token: &str) -> Router {
    let expected: Arc<str> = format!("Bearer {token}").into();
    Router::new()
        .route("/_emulator/fault", post(add_fault).delete(clear_faults))
        .route("/_emulator/requests", get(requests))
        .fallback(|| async { refuse(StatusCode::NOT_FOUND, "no such path") })
        .with_state(state)
        .layer(middleware::from_fn_with_state(expected, demand_token))
}

async fn demand_token(
    Shared(expected): Shared<Arc<str>>,
    request: Request<Body>,
    next: Next,
) -> Response {
    let given = request.headers().get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
    let given = given.unwrap_or_default();
    if constant_time::verify_slices_are_equal(expected.as_bytes(), given).is_err() {
        return refuse(
            StatusCode::UNAUTHORIZED,
            "the token of the control port is missing or wrong",
        );
    }
    next.run(request).await
}

async fn add_fault(Shared(state): Shared<Arc<State>>, body: Bytes) -> Response {
    match rule_of(&body) {
        Ok(rule) => {
            state.faults().push(rule);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(problem) => refuse(StatusCode::BAD_REQUEST, &problem),
    }
}

/// A rule as JSON, or in its text form, which is easier to type.
fn rule_of(body: &[u8]) -> Result<FaultRule, String> {
    if body.trim_ascii_start().starts_with(b"{") {
        return serde_json::from_slice(body).map_err(|error| error.to_string());
    }
    let text = std::str::from_utf8(body).map_err(|error| error.to_string())?;
    text.trim().parse().map_err(|error: InvalidFault| error.to_string())
}

async fn clear_faults(Shared(state): Shared<Arc<State>>) -> StatusCode {
    state.faults().clear();
    StatusCode::NO_CONTENT
}

async fn requests(Shared(state): Shared<Arc<State>>) -> Response {
    let records = state.log().to_vec();
    Json(records).into_response()
}

fn refuse(status: StatusCode, text: &str) -> Response {
    (status, Json(json!({ "error": text }))).into_response()
}
