//! The fields of the spec, from the metadata API.
//!
//! One request in the usual case. Where something of the spec cannot be resolved or evaluated, each
//! field that the step knows is asked for by itself: a field that it does not need must not break it.

use http::StatusCode;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::api::{Answer, Api, Silence};
use super::fields::{Field, Fields, PATHS, expression, field_of, unknown};
use crate::report::Failure;

/// Asks for the spec.
pub(crate) async fn spec(api: &Api) -> Result<Fields, Failure> {
    const TRIED: &str = "could not get the spec from Relay's metadata API";
    let answer = api.get("/spec").await.map_err(|silence| unanswered(TRIED, &silence))?;
    match answer.status {
        StatusCode::OK => {
            let envelope = Envelope::of(&answer).ok_or_else(|| no_answer(TRIED))?;
            if envelope.is_complete {
                return Ok(Fields::of(&envelope.value));
            }
            each(api, Some(&envelope.value)).await
        }
        StatusCode::UNPROCESSABLE_ENTITY => each(api, None).await,
        StatusCode::NOT_FOUND => Err(refused(TRIED, &answer, NO_SPEC)),
        _ => Err(refused(TRIED, &answer, "")),
    }
}

/// Asks for each field that may be there.
async fn each(api: &Api, whole: Option<&Value>) -> Result<Fields, Failure> {
    let mut fields = Fields::default();
    fields.unknown = whole.map(unknown).unwrap_or_default();
    for path in PATHS {
        let is_written = match (whole, path.first()) {
            (Some(Value::Object(whole)), Some(first)) => whole.contains_key(*first),
            _ => true,
        };
        if is_written {
            fields.set(path, one(api, path).await?);
        }
    }
    Ok(fields)
}

async fn one(api: &Api, path: &[&str]) -> Result<Field, Failure> {
    let tried = || {
        let path = path.join(".");
        format!("could not get {path} of the spec from Relay's metadata API")
    };
    let query = expression(path);
    let query = utf8_percent_encode(&query, NON_ALPHANUMERIC);
    let answer = api.get(&format!("/spec?q={query}")).await;
    let answer = answer.map_err(|silence| unanswered(&tried(), &silence))?;
    match answer.status {
        StatusCode::OK => {
            let envelope = Envelope::of(&answer).ok_or_else(|| no_answer(&tried()))?;
            Ok(if envelope.is_complete {
                field_of(&envelope.value)
            } else {
                Field::Unresolved(envelope.missing)
            })
        }
        StatusCode::UNPROCESSABLE_ENTITY => {
            let complaint = answer.complaint().ok_or_else(|| no_answer(&tried()))?;
            Ok(if answer.is_missing(path) {
                Field::Missing
            } else {
                Field::Invalid(format!("cannot be evaluated: {complaint}"))
            })
        }
        _ => Err(refused(&tried(), &answer, "")),
    }
}

/// What stands around each value.
struct Envelope {
    value: Value,
    is_complete: bool,
    /// What could not be resolved, for people.
    missing: String,
}

impl Envelope {
    fn of(answer: &Answer) -> Option<Self> {
        let mut json = answer.json()?;
        let is_complete = json.get("complete")?.as_bool()?;
        let missing = json.get("unresolvable").map(missing).unwrap_or_default();
        Some(Self { value: json.get_mut("value")?.take(), is_complete, missing })
    }
}

/// The first thing that is not there: `connection aws/name`, `output step.name`, `parameter name`.
fn missing(unresolvable: &Value) -> String {
    let first = unresolvable.as_object().into_iter().flatten().find_map(|(kind, items)| {
        let item = items.as_array()?.first()?;
        let text = |key: &str| item.get(key).and_then(Value::as_str);
        let name = text("name").unwrap_or("without a name");
        let name = match (text("type"), text("from")) {
            (Some(of), _) => format!("{of}/{name}"),
            (_, Some(from)) => format!("{from}.{name}"),
            _ => name.to_owned(),
        };
        Some(format!("the {} {name}", kind.trim_end_matches('s')))
    });
    first.unwrap_or_else(|| "something".to_owned())
}

/// The API gave no answer.
pub(crate) fn unanswered(tried: &str, silence: &Silence) -> Failure {
    let hint = match silence {
        Silence::TooLarge => {
            "METADATA_API_URL says where it is; what answered may be something else"
        }
        Silence::NotReached => {
            "METADATA_API_URL says where it is, and one of https needs a certificate that this \
             machine trusts; it is never asked through a proxy, and each request is tried for \
             RELAY_DEFAULT_TIMEOUT, 5 min without it"
        }
        Silence::Late | Silence::Broken => {
            "METADATA_API_URL says where it is; it is never asked through a proxy, and each request \
             is tried for RELAY_DEFAULT_TIMEOUT, 5 min without it"
        }
    };
    Failure::metadata(tried).cause(silence.to_string()).hint(hint)
}

/// What answered is not the API.
fn no_answer(tried: &str) -> Failure {
    Failure::metadata(tried)
        .cause("what answered is not the metadata API: it sent no JSON of its form")
        .hint("METADATA_API_URL says where it is; something else may stand in between")
}

/// The API refused.
pub(crate) fn refused(tried: &str, answer: &Answer, of_missing: &str) -> Failure {
    let status = answer.status.as_u16();
    let complaint = answer.complaint();
    let cause = complaint.map_or_else(
        || format!("it answered {status}"),
        |complaint| format!("it answered {status}: {complaint}"),
    );
    let hint = match status {
        404 if !of_missing.is_empty() => of_missing,
        401 => {
            "the step's token is not accepted: in a cluster it ends 1 h 5 min after the run was set \
             up; the URL's user must be empty or token"
        }
        403 => "only a step of a run may do that, with the URL that it was given",
        409 => "two steps wrote at once: run it again",
        413 => "all outputs of a run share 1 MiB",
        429 => "run it again later",
        500.. => "the API itself failed: run it again, and see the log of Relay's operator",
        _ => {
            "that is no answer of the metadata API to a step: METADATA_API_URL names something else"
        }
    };
    Failure::metadata(tried).cause(cause).hint(hint)
}

const NO_SPEC: &str = "the step has no spec: write one into the workflow";
