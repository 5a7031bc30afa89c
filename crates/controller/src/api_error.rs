//! Refusals of the API server, without its words: a message of it can hold what was written.

use std::fmt;

use kube::Error;

/// What kind of refusal it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ApiProblem {
    /// There is no such object.
    NotFound,
    /// The controller's role does not allow it.
    Forbidden,
    /// Somebody else changed the object in between.
    Conflict,
    /// The object is not valid: the fields, and what is wrong with each.
    Invalid(String),
    /// Not now.
    Unavailable,
}

impl fmt::Display for ApiProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str("not found"),
            Self::Forbidden => f.write_str("forbidden"),
            Self::Conflict => f.write_str("it was changed in between"),
            Self::Invalid(fields) if fields.is_empty() => f.write_str("it is not valid"),
            Self::Invalid(fields) => write!(f, "it is not valid: {fields}"),
            Self::Unavailable => f.write_str("the API server gave no answer that can be used"),
        }
    }
}

/// The kind of a failure of the client.
pub fn problem_of(error: &Error) -> ApiProblem {
    let Error::Api(status) = error else { return ApiProblem::Unavailable };
    match status.code {
        404 => ApiProblem::NotFound,
        401 | 403 => ApiProblem::Forbidden,
        409 => ApiProblem::Conflict,
        400 | 413 | 422 => ApiProblem::Invalid(fields_of(status)),
        _ => ApiProblem::Unavailable,
    }
}

/// The paths and reasons of a refusal, never its sentences.
fn fields_of(status: &kube::core::Status) -> String {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let mut fields: Vec<String> = causes
        .map(|cause| {
            // A path may hold a key that was rendered.
            let path = cause.field.split(['[', '(']).next().unwrap_or_default();
            format!("{path} ({})", cause.reason)
        })
        .collect();
    fields.sort();
    fields.dedup();
    fields.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_servers_words_do_not_leave() {
        let status = json!({"code": 422, "message": "Secret \"t\" is invalid: canary", "reason": "Invalid",
        "details": {"causes": [
            {"reason": "FieldValueInvalid", "message": "Invalid value: \"canary\"", "field": "data[canary]"},
            {"reason": "FieldValueInvalid", "message": "canary", "field": "type"},
        ]}});
        let status: kube::core::Status = serde_json::from_value(status).unwrap();
        let problem = problem_of(&Error::Api(Box::new(status)));
        let text = format!("{problem} {problem:?}");
        assert!(!text.contains("canary"), "{text}");
        assert!(problem.to_string().contains("data (FieldValueInvalid), type (FieldValueInvalid)"));
    }
}
