//! Keys of a container: the endpoints of ECS and of EKS Pod Identity, and whoever speaks like them.
//!
//! The SDK's provider asks. When it fails, what its HTTP exchanges came to says why: see
//! [`crate::observer`].

mod setup;

use std::net::IpAddr;
use std::time::Duration;

use aws_config::ecs::EcsCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::provider::ProvideCredentials;
use aws_types::os_shim_internal::Env;
use rolecall_engine::error::{Class, SourceError, classify};
use rolecall_engine::session::Identity;

use crate::key_document::Flaw;
use crate::observer::{Answer, Observer, Outcome, Transport};
use crate::sources::{identity, within};
use crate::trust::CaBundle;
use setup::{Agent, FULL_URI, Setup, TOKEN_FILE, missing};

/// The place in the default chain.
pub(crate) const NAME: &str = "container credentials";

/// Keys of the container that this process runs in.
///
/// The token file is read anew at each call. An answer that time may mend is asked for three times,
/// all within 10 s.
///
/// # Errors
///
/// [`SourceError::Failed`] of class [`Class::NoSource`] where no endpoint is configured: the next
/// place of a chain may be asked. Every other error is that of an endpoint that is configured.
pub(crate) async fn container(
    config: &ProviderConfig,
    bundle: Option<&CaBundle>,
) -> Result<Identity, SourceError> {
    let environment = Env::real();
    let Some(setup) = Setup::read(|name| environment.get(name).ok())? else {
        return Err(SourceError::Failed {
            origin: NAME.to_owned(),
            reason: format!("{FULL_URI} is not set"),
            class: Class::NoSource,
            hint: Some("ECS and EKS Pod Identity set it by themselves".to_owned()),
        });
    };
    let observer = Observer::new(setup.transport, bundle);
    let config = config.clone().with_http_client(observer.clone());
    let provider = EcsCredentialsProvider::builder().configure(&config).build();
    match within(MOST_WAIT, provider.provide_credentials()).await {
        Ok(credentials) => identity(&credentials, setup.origin()),
        // The SDK's error may hold what the server said.
        Err(_) => Err(setup.failure(observer.exchanges().last().map(|exchange| &exchange.outcome))),
    }
}

impl Setup {
    /// For people.
    fn origin(&self) -> String {
        match self.agent {
            Agent::PodIdentity => format!("{NAME} (EKS Pod Identity)"),
            Agent::Ecs => format!("{NAME} (ECS)"),
            Agent::Other => format!("{NAME} ({})", self.address),
        }
    }

    /// Why there are no keys, from how the last exchange ended; `None` where nothing was sent.
    fn failure(&self, outcome: Option<&Outcome>) -> SourceError {
        let address = &self.address;
        match outcome {
            None => self.nothing_sent(),
            Some(Outcome::Silence) => self.failed(
                Class::Unavailable,
                format!("{address} did not answer in time"),
                "try again later; the agent there may be overloaded",
            ),
            Some(Outcome::NotConnected) => self.failed(
                Class::Unavailable,
                format!("nobody listens at {address}"),
                match self.agent {
                    Agent::PodIdentity => {
                        "check that the eks-pod-identity-agent add-on runs on this node"
                    }
                    Agent::Ecs => "check that this is an ECS task, and that its agent runs",
                    Agent::Other => "check that what serves credentials there still runs",
                },
            ),
            Some(Outcome::Broken) => self.failed(
                Class::Unavailable,
                format!("the connection to {address} broke, or its answer had no end"),
                match self.transport {
                    Transport::Direct => "try again later",
                    Transport::Tls => {
                        "try again later, or check that this machine trusts its certificate"
                    }
                },
            ),
            Some(Outcome::Answered(answer)) => self.answered(answer),
        }
    }

    fn nothing_sent(&self) -> SourceError {
        if let Some(fault) = self.token_fault() {
            return fault;
        }
        if self.transport == Transport::Direct {
            let host = &self.host;
            let why = match host.trim_matches(['[', ']']).parse::<IpAddr>() {
                Ok(_) => "where credentials must not go in clear",
                Err(_) => "which does not resolve, or not to addresses that may be asked in clear",
            };
            return missing(
                format!("{FULL_URI} is http and names {host}, {why}"),
                "plain http may name loopback, 169.254.170.2 (ECS), 169.254.170.23 or [fd00:ec2::23] \
                 (EKS); a name must resolve to these alone",
            );
        }
        let reason = format!("nothing could be sent to {}", self.address);
        self.failed(Class::Unavailable, reason, "check the host, and that its name resolves")
    }

    fn answered(&self, answer: &Answer) -> SourceError {
        let Answer { status, code, flaw } = answer;
        let shown = shown(*status, code.as_deref());
        let by_code = code.as_ref().map(|code| classify(*status, code, ""));
        let time_mends = [Class::Throttled, Class::Unavailable];
        let class = match (status, by_code) {
            (_, Some(class)) if time_mends.contains(&class) => class,
            (429, _) => Class::Throttled,
            (408 | 500.., _) => Class::Unavailable,
            (200..=299, _) => return self.unusable(flaw.as_ref(), &shown),
            (400 | 401, _) => Class::Token,
            (402..=499, _) => Class::Denied,
            _ => Class::Unreadable,
        };
        match class {
            Class::Throttled => self.failed(
                class,
                format!("too many requests ({shown})"),
                "try again later: the agent's limit is shared by everybody on this machine",
            ),
            Class::Unavailable => {
                self.failed(class, format!("the agent has a fault ({shown})"), "try again later")
            }
            Class::Unreadable => self.failed(
                class,
                format!("the answer is not one of a credentials endpoint ({shown})"),
                "check the path of the endpoint",
            ),
            _ => self.refused(class, *status, code.as_deref(), &shown),
        }
    }

    fn refused(&self, class: Class, status: u16, code: Option<&str>, shown: &str) -> SourceError {
        if let Some(fault) = self.token_fault() {
            return fault;
        }
        let is_unknown = status == 404 || code.is_some_and(|code| code.contains("NotFound"));
        let is_token = matches!(code, Some("ExpiredTokenException" | "InvalidTokenException"))
            || (class == Class::Token && !is_unknown);
        let claims = self.token_claims();
        let (reason, hint) = match (self.agent, is_token) {
            (Agent::PodIdentity, true) => (
                format!("the token was refused ({shown})"),
                format!(
                    "it must not have ended and must be for pods.eks.amazonaws.com; the token: {claims}"
                ),
            ),
            (Agent::PodIdentity, false) => (
                format!("the service account gets no credentials ({shown})"),
                format!(
                    "it needs a pod identity association, to a role whose trust policy admits \
                     pods.eks.amazonaws.com with sts:AssumeRole and sts:TagSession; the token: {claims}"
                ),
            ),
            (Agent::Ecs | Agent::Other, _) if is_unknown => (
                format!("there are no credentials at this path ({shown})"),
                "check the path of the endpoint, and that the task has a role".to_owned(),
            ),
            (Agent::Ecs | Agent::Other, _) => (
                format!("the token was refused ({shown})"),
                format!(
                    "check {TOKEN_FILE}, or AWS_CONTAINER_AUTHORIZATION_TOKEN where no file is named"
                ),
            ),
        };
        self.failed(class, reason, hint)
    }

    /// A success that gives no keys.
    fn unusable(&self, flaw: Option<&Flaw>, shown: &str) -> SourceError {
        let (class, reason) = unusable(flaw, shown);
        let hint = match class {
            Class::Denied => "check the role that the endpoint gives credentials of",
            _ => "check that the address is one of a credentials endpoint",
        };
        self.failed(class, reason, hint)
    }

    fn failed(&self, class: Class, reason: String, hint: impl Into<String>) -> SourceError {
        SourceError::Failed { origin: self.origin(), reason, class, hint: Some(hint.into()) }
    }
}

/// Status and code of an answer, for people.
pub(crate) fn shown(status: u16, code: Option<&str>) -> String {
    match code {
        Some(code) => format!("HTTP {status}, {code}"),
        None => format!("HTTP {status}"),
    }
}

/// Class and reason of a success that gives no keys.
pub(crate) fn unusable(flaw: Option<&Flaw>, shown: &str) -> (Class, String) {
    match flaw {
        Some(Flaw::Refusal) => (Class::Denied, format!("the answer is a refusal ({shown})")),
        Some(Flaw::NotJson) => (Class::Unreadable, "the answer is not JSON".to_owned()),
        Some(Flaw::Lacks(members)) => {
            (Class::Unreadable, format!("the answer has no {}", members.join(", no ")))
        }
        Some(Flaw::Expiration) => {
            let reason = "the answer's Expiration is not a time that ends in Z";
            (Class::Unreadable, reason.to_owned())
        }
        None => (Class::Unreadable, "the answer cannot be read".to_owned()),
    }
}

/// Three attempts of a second or two each, and no more than a person waits for.
const MOST_WAIT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    /// The agent at its own address, of which no test server can be.
    fn agent() -> Setup {
        let full = "http://169.254.170.23/v1/credentials";
        Setup::read(|name| (name == FULL_URI).then(|| full.to_owned())).unwrap().unwrap()
    }

    #[track_caller]
    fn check(status: u16, code: Option<&str>, expected: Class, word: &str) {
        let code = code.map(str::to_owned);
        let outcome = Outcome::Answered(Answer { status, code, flaw: Some(Flaw::NotJson) });
        match agent().failure(Some(&outcome)) {
            SourceError::Failed { class, reason, origin, hint } => {
                assert_eq!((class, reason.contains(word)), (expected, true), "{reason}");
                assert_eq!(origin, "container credentials (EKS Pod Identity)");
                assert!(hint.is_some());
            }
            error => panic!("{error}"),
        }
    }

    #[test]
    fn a_name_that_cannot_be_asked_is_told_from_an_address() {
        for (url, why) in [
            ("http://192.0.2.1/", "names 192.0.2.1, where credentials must not go in clear"),
            ("http://[2001:db8::1]/", "where credentials must not go in clear"),
            ("http://nowhere.invalid/", "names nowhere.invalid, which does not resolve"),
        ] {
            let setup = Setup::read(|name| (name == FULL_URI).then(|| url.to_owned()));
            let error = setup.unwrap().unwrap().failure(None).to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn status_and_code_decide_the_class() {
        check(400, Some("ThrottlingException"), Class::Throttled, "too many");
        check(400, Some("ServiceUnavailable"), Class::Unavailable, "fault");
        check(400, Some("InvalidTokenException"), Class::Token, "token");
        check(403, Some("ExpiredTokenException"), Class::Denied, "token was refused");
        check(400, Some("ResourceNotFoundException"), Class::Token, "gets no credentials");
        check(403, None, Class::Denied, "gets no credentials");
        check(408, None, Class::Unavailable, "fault");
        check(429, None, Class::Throttled, "too many");
        check(503, None, Class::Unavailable, "fault");
        check(200, None, Class::Unreadable, "not JSON");
        check(304, None, Class::Unreadable, "HTTP 304");
    }
}
