//! From the SDK's errors to the engine's, and which of them are tried again.
//!
//! The SDK's error is not kept as a `source`: its debug form prints the raw response body, which
//! after a half-read success holds live credentials.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::marker::PhantomData;

use aws_sdk_sts::config::retry::{ClassifyRetry, RetryAction};
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::operation::RequestId;
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::result::DispatchFailure;
use aws_smithy_runtime_api::client::retries::classifiers::RetryClassifierPriority;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_xml::decode::{Document, ScopedDecoder, try_data};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};
use rolecall_engine::error::{CallFailure, Class, Silence, classify};

/// The services, as messages name them.
pub(crate) const STS: &str = "STS";
pub(crate) const ECR: &str = "ECR";

/// Takes code and sentence out of an SDK error, and drops the rest.
///
/// `secrets` are cut out of the sentence: some servers repeat the request in it.
pub(crate) fn failure_of<E>(
    service: &'static str,
    error: &SdkError<E>,
    secrets: &[&str],
) -> CallFailure
where
    E: ProvideErrorMetadata + RequestId,
{
    match error {
        SdkError::ServiceError(context) => {
            let status = context.raw().status().as_u16();
            let (code, message) = match (context.err().code(), context.err().message()) {
                (Some(code), message) => (code.to_owned(), message.unwrap_or_default().to_owned()),
                (None, _) => match foreign_error(context.raw()) {
                    Some(found) => found,
                    None => return CallFailure::Unreadable { service, status },
                },
            };
            let request_id = context.err().request_id().map(str::to_owned);
            CallFailure::Refused {
                service,
                status,
                code: code_shown(code),
                message: shown(&message, secrets),
                request_id,
            }
        }
        SdkError::ResponseError(context) => {
            CallFailure::Unreadable { service, status: context.raw().status().as_u16() }
        }
        SdkError::TimeoutError(_) => CallFailure::NoAnswer { service, silence: Silence::TimedOut },
        SdkError::DispatchFailure(failure) => no_answer(service, failure),
        // A bad region, endpoint or header value: the caller's mistake, so never retried.
        _ => CallFailure::NotSendable { reason: "the endpoint or a header value is not valid" },
    }
}

fn no_answer(service: &'static str, failure: &DispatchFailure) -> CallFailure {
    let silence = if failure.is_timeout() {
        Silence::TimedOut
    } else if failure.is_user() {
        let reason = "the endpoint or a header value is not valid";
        return CallFailure::NotSendable { reason };
    } else {
        failure.as_connector_error().map_or(Silence::Broken, |error| silence_of(error))
    };
    CallFailure::NoAnswer { service, silence }
}

/// Looks through the layers of a failed connection for what it was.
fn silence_of(error: &(dyn StdError + 'static)) -> Silence {
    if error.is::<rustls::Error>() {
        return Silence::Tls;
    }
    if let Some(io) = error.downcast_ref::<io::Error>() {
        if io.kind() == io::ErrorKind::ConnectionRefused {
            return Silence::Refused;
        }
        // What an I/O error wraps is not its `source`.
        if let Some(inner) = io.get_ref() {
            let found = silence_of(inner);
            if found != Silence::Broken {
                return found;
            }
        }
    }
    // The resolver's error has no type of its own that could be asked for.
    if error.to_string() == "dns error" {
        return Silence::NoName;
    }
    error.source().map_or(Silence::Broken, silence_of)
}

/// Code and message of an error in another server's XML: bare `<Error>`, `<Errors>` around it, any
/// namespace. Only of a refusal: the body of a success is never looked at.
fn foreign_error(response: &Response) -> Option<(String, String)> {
    if response.status().is_success() {
        return None;
    }
    let body = std::str::from_utf8(response.body().bytes()?).ok()?;
    let mut document = Document::new(body);
    let mut root = document.root_element().ok()?;
    let mut found = Found::default();
    found.look_in(&mut root, 0);
    Some((found.code?, found.message.unwrap_or_default()))
}

#[derive(Default)]
struct Found {
    code: Option<String>,
    message: Option<String>,
}

impl Found {
    fn look_in(&mut self, element: &mut ScopedDecoder<'_, '_>, depth: u8) {
        const MAX_DEPTH: u8 = 4;
        while let Some(mut child) = element.next_tag() {
            let name = child.start_el().local().to_owned();
            match name.as_str() {
                "Code" => self.code = try_data(&mut child).ok().map(|text| text.trim().to_owned()),
                "Message" => self.message = try_data(&mut child).ok().map(|t| t.trim().to_owned()),
                "Error" | "Errors" if depth < MAX_DEPTH => self.look_in(&mut child, depth + 1),
                _ => {}
            }
        }
    }
}

/// A server's sentence, fit to be shown: one line, at most 1 000 characters, no secret.
fn shown(text: &str, secrets: &[&str]) -> String {
    const MAX: usize = 1_000;
    // Shorter ones stand in every sentence, and the longest first leaves no rest of it.
    const SHORTEST: usize = 4;
    let mut text = text.to_owned();
    let mut secrets: Vec<&&str> = secrets.iter().filter(|it| it.len() >= SHORTEST).collect();
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    for secret in secrets {
        let percent = percent_encoding::utf8_percent_encode(secret, UNRESERVED).to_string();
        for form in [*secret, percent.as_str()] {
            text = text.replace(form, "[redacted]");
        }
    }
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX).collect()
}

/// A code is shown where it has the form of one, and then it is no secret: keys and tokens have
/// digits and signs, or are longer.
fn code_shown(code: String) -> String {
    let has_form = (1..=64).contains(&code.len())
        && code.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'.');
    if has_form { code } else { "an unknown code".to_owned() }
}

/// As a query-protocol body has it: all but RFC 3986's unreserved characters.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Says which failures the SDK tries again, by the engine's table.
pub(crate) struct TableClassifier<E>(PhantomData<fn() -> E>);

impl<E> TableClassifier<E> {
    pub(crate) fn new() -> Self {
        Self(PhantomData)
    }
}

impl<E> ClassifyRetry for TableClassifier<E>
where
    E: StdError + ProvideErrorMetadata + Send + Sync + 'static,
{
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let Some(Err(error)) = context.output_or_error() else {
            return RetryAction::NoActionIndicated;
        };
        let status = context.response().map_or(0, |response| response.status().as_u16());
        let modelled = error.as_operation_error().and_then(|error| error.downcast_ref::<E>());
        let Some(code) = modelled.and_then(ProvideErrorMetadata::code) else {
            return match status {
                429 => RetryAction::throttling_error(),
                408 => RetryAction::transient_error(),
                // A connection that broke inside of the answer.
                _ if error.is_response_error() || error.is_interceptor_error() => {
                    RetryAction::transient_error()
                }
                _ => RetryAction::NoActionIndicated,
            };
        };
        let message = modelled.and_then(ProvideErrorMetadata::message).unwrap_or_default();
        match classify(status, code, message) {
            Class::Throttled => RetryAction::throttling_error(),
            // After a wrong time the SDK knows the skew from the answer's `Date`, and signs the
            // next attempt right.
            Class::Unavailable | Class::Clock => RetryAction::transient_error(),
            _ => RetryAction::RetryForbidden,
        }
    }

    fn name(&self) -> &'static str {
        "rolecall failure classes"
    }

    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::run_after(RetryClassifierPriority::transient_error_classifier())
    }
}

impl<E> fmt::Debug for TableClassifier<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TableClassifier")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_that_repeats_a_secret_is_cut() {
        let text = "canonical string:\nx-amz-security-token:TOKEN== of TOKEN==";
        assert_eq!(
            shown(text, &["TOKEN==", ""]),
            "canonical string: x-amz-security-token:[redacted] of [redacted]"
        );
        assert_eq!(shown(&"x".repeat(5_000), &[]).len(), 1_000);
        assert_eq!(
            shown("secret and secret-long", &["secret", "secret-long"]),
            "[redacted] and [redacted]"
        );
        assert_eq!(shown("AccessDenied", &["ss"]), "AccessDenied");
        assert_eq!(code_shown("AccessDenied".to_owned()), "AccessDenied");
        assert_eq!(code_shown("wJalr/XUtn".to_owned()), "an unknown code");
    }
}
