//! Keys of an EC2 instance, from its metadata service.
//!
//! The SDK's client asks. When it fails, what its HTTP exchanges came to says why: see
//! [`crate::observer`]. Off EC2 nothing answers, and nobody should wait for that.

use std::time::Duration;

use aws_config::imds;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials as SdkCredentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_types::os_shim_internal::Env;
use rolecall_engine::error::{Class, SourceError};
use rolecall_engine::session::Identity;

use crate::container::{shown, unusable};
use crate::observer::{Answer, Exchange, Observer, Outcome, Transport};
use crate::sources::identity;
use crate::trust::CaBundle;

/// The place in the default chain.
pub(crate) const NAME: &str = "instance metadata (IMDSv2)";

/// Keys of the role of the instance that this process runs on.
///
/// One attempt of at most 1 s in all.
///
/// # Errors
///
/// [`SourceError::Failed`] of class [`Class::NoSource`] where this is no instance, or one without a
/// role. Every other error is that of a metadata service that answered.
pub(crate) async fn instance(
    config: &ProviderConfig,
    bundle: Option<&CaBundle>,
) -> Result<Identity, SourceError> {
    let environment = Env::real();
    let variable = |name: &str| environment.get(name).ok().filter(|value| !value.is_empty());
    if variable(DISABLED).is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        let reason = format!("it is switched off by {DISABLED}");
        return Err(failed(Class::NoSource, reason, None));
    }
    let endpoint = variable(ENDPOINT);
    let is_tls = endpoint.as_ref().is_some_and(|url| url.starts_with("https:"));
    let transport = if is_tls { Transport::Tls } else { Transport::Direct };
    let observer = Observer::new(transport, bundle);
    let config = config.clone().with_http_client(observer.clone());
    let stop = match tokio::time::timeout(MOST_WAIT, keys(&config)).await {
        Ok(Ok(credentials)) => return identity(&credentials, NAME.to_owned()),
        Ok(Err(stop)) => stop,
        Err(_) => Stop::Exchange,
    };
    let place = match variable("KUBERNETES_SERVICE_HOST") {
        Some(_) => Place::Pod,
        None if endpoint.is_some() => Place::Named,
        None => Place::Machine,
    };
    Err(match stop {
        Stop::NoRole => no_role("the metadata names no role"),
        Stop::OddRole => failed(
            Class::Unreadable,
            "the answer is not the name of a role",
            Some("check that the address is one of an instance metadata service"),
        ),
        Stop::Exchange => failure(&observer.exchanges(), place),
    })
}

/// Where this process runs, as far as it decides what to do without metadata.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    /// A pod of Kubernetes, which is one network hop further than the instance.
    Pod,
    /// Anywhere, with an address for the metadata in the environment.
    Named,
    /// A machine, perhaps no instance.
    Machine,
}

/// Why there are no keys.
enum Stop {
    /// As the last exchange says.
    Exchange,
    /// The list of roles is empty.
    NoRole,
    /// The list of roles is something else.
    OddRole,
}

async fn keys(config: &ProviderConfig) -> Result<SdkCredentials, Stop> {
    let client = imds::Client::builder()
        .configure(config)
        .max_attempts(1)
        // The whole attempt is bounded by the caller, so that it always ends with the same words.
        .connect_timeout(MOST_WAIT * 2)
        .read_timeout(MOST_WAIT * 2)
        .build();
    let roles = client.get("/latest/meta-data/iam/security-credentials/").await;
    let roles = roles.map_err(|_| Stop::Exchange)?;
    let role = roles.as_ref().trim_ascii_end();
    if role.is_empty() {
        return Err(Stop::NoRole);
    }
    // The SDK would make a URL of anything, and panics where it is none.
    if !role.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte)) {
        return Err(Stop::OddRole);
    }
    let provider =
        ImdsCredentialsProvider::builder().configure(config).imds_client(client).profile(role);
    provider.build().provide_credentials().await.map_err(|_| Stop::Exchange)
}

/// Why there are no keys, from how the exchanges ended.
fn failure(exchanges: &[Exchange], place: Place) -> SourceError {
    let Some(Exchange { method, outcome }) = exchanges.last() else {
        let hint = "check AWS_EC2_METADATA_SERVICE_ENDPOINT and \
                    AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE, and their settings of the profile";
        return SourceError::Missing {
            what: format!("{NAME}: its address is not an http URL"),
            hint: Some(hint.to_owned()),
        };
    };
    let is_token = method == "PUT";
    match outcome {
        Outcome::Silence if is_token => absent("nothing answered within 1 s", place),
        Outcome::NotConnected if is_token => absent("nobody listens at its address", place),
        Outcome::Silence => failed(
            Class::Unavailable,
            "it gave a metadata token and no keys within 1 s",
            Some("try again later"),
        ),
        Outcome::NotConnected | Outcome::Broken => failed(
            Class::Unavailable,
            "the connection broke, or the answer had no end",
            Some("try again later"),
        ),
        Outcome::Answered(answer) if is_token => token_refused(answer),
        Outcome::Answered(answer) => {
            let is_list = exchanges.iter().filter(|exchange| exchange.method != "PUT").count() == 1;
            keys_refused(answer, is_list)
        }
    }
}

/// No metadata service is here, as far as can be told.
fn absent(reason: &str, place: Place) -> SourceError {
    let hint = match place {
        Place::Pod => {
            "from a pod it is often one network hop too far: give the service account a role by EKS \
             Pod Identity or IRSA, or raise HttpPutResponseHopLimit of the instance from 1 to 2"
        }
        Place::Named => {
            "check AWS_EC2_METADATA_SERVICE_ENDPOINT; off EC2 set AWS_ACCESS_KEY_ID and \
             AWS_SECRET_ACCESS_KEY, or name a profile with --profile"
        }
        Place::Machine => {
            "off EC2 set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile with --profile \
             or a token with --web-identity-token-file, or try it without an account with --emulate"
        }
    };
    failed(Class::NoSource, reason, Some(hint))
}

fn token_refused(answer: &Answer) -> SourceError {
    let shown = shown(answer.status, None);
    match answer.status {
        403 => failed(
            Class::Denied,
            format!("the request for a metadata token was refused ({shown})"),
            Some(
                "instance metadata is switched off for this instance (HttpEndpoint), or the request \
                 came through a proxy or a hop that the instance does not allow",
            ),
        ),
        429 => throttled(&shown),
        408 | 500.. => faulty(&shown),
        400..=499 => failed(
            Class::Denied,
            format!("the address does not speak IMDSv2 ({shown})"),
            Some("rolecall uses version 2 of the metadata service only; check its address"),
        ),
        _ => failed(
            Class::Unreadable,
            format!("the answer holds no metadata token ({shown})"),
            Some("check that the address is one of an instance metadata service"),
        ),
    }
}

/// An answer to the request for the role's name (`is_list`) or for its keys.
fn keys_refused(answer: &Answer, is_list: bool) -> SourceError {
    let Answer { status, code, flaw } = answer;
    let shown = shown(*status, code.as_deref());
    match status {
        404 if is_list => no_role(&format!("no role is attached to the instance ({shown})")),
        404 => failed(
            Class::Denied,
            format!("it has no keys for the role that it names ({shown})"),
            Some("the role may just have been attached or taken away: check the instance profile"),
        ),
        401 => failed(
            Class::Token,
            format!("it does not accept the metadata token that it gave ({shown})"),
            Some("check that one metadata service answers at the address, and no proxy"),
        ),
        429 => throttled(&shown),
        408 | 500.. => faulty(&shown),
        400..=499 => failed(
            Class::Denied,
            format!("the metadata was refused ({shown})"),
            Some("check the metadata options of the instance"),
        ),
        _ if code.as_deref() == Some("AssumeRoleUnauthorizedAccess") => failed(
            Class::Denied,
            format!("EC2 may not assume the role of the instance ({shown})"),
            Some("the role's trust policy must admit ec2.amazonaws.com"),
        ),
        _ => {
            let (class, reason) = unusable(flaw.as_ref(), &shown);
            let hint = match class {
                Class::Denied => "check the instance profile and its role",
                _ => "check that the address is one of an instance metadata service",
            };
            failed(class, reason, Some(hint))
        }
    }
}

fn no_role(reason: &str) -> SourceError {
    let hint = "attach an instance profile with a role, or name a profile with --profile";
    failed(Class::NoSource, reason, Some(hint))
}

fn throttled(shown: &str) -> SourceError {
    let hint = "try again later: the limit is shared by everybody on this instance";
    failed(Class::Throttled, format!("too many requests ({shown})"), Some(hint))
}

fn faulty(shown: &str) -> SourceError {
    let reason = format!("the metadata service has a fault ({shown})");
    failed(Class::Unavailable, reason, Some("try again later"))
}

fn failed(class: Class, reason: impl Into<String>, hint: Option<&str>) -> SourceError {
    let hint = hint.map(str::to_owned);
    SourceError::Failed { origin: NAME.to_owned(), reason: reason.into(), class, hint }
}

const DISABLED: &str = "AWS_EC2_METADATA_DISABLED";
const ENDPOINT: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT";

/// The whole of it: token, name of the role, keys.
const MOST_WAIT: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(exchanges: &[(&str, Outcome)], expected: Class) -> String {
        let exchanges: Vec<Exchange> = exchanges
            .iter()
            .map(|(method, outcome)| Exchange {
                method: (*method).to_owned(),
                outcome: outcome.clone(),
            })
            .collect();
        match failure(&exchanges, Place::Machine) {
            SourceError::Failed { class, reason, hint, .. } => {
                assert_eq!(class, expected, "{reason}");
                hint.unwrap()
            }
            error => panic!("{error}"),
        }
    }

    /// Only the first request says whether this is an instance.
    #[test]
    fn silence_is_no_instance_only_before_a_token() {
        let answered = |status| Outcome::Answered(Answer { status, code: None, flaw: None });
        for outcome in [Outcome::Silence, Outcome::NotConnected] {
            let hint = check(&[("PUT", outcome.clone())], Class::NoSource);
            assert!(hint.starts_with("off EC2 set AWS_ACCESS_KEY_ID"), "{hint}");
            check(&[("PUT", answered(200)), ("GET", outcome)], Class::Unavailable);
        }
        check(&[("PUT", Outcome::Broken)], Class::Unavailable);
        check(&[("PUT", answered(429))], Class::Throttled);
        check(&[("PUT", answered(400))], Class::Denied);
        check(&[("PUT", answered(200)), ("GET", answered(404))], Class::NoSource);
        let keys = [("PUT", answered(200)), ("GET", answered(200)), ("GET", answered(404))];
        check(&keys, Class::Denied);
    }
}
