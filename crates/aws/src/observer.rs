//! An HTTP client that remembers how each exchange with an endpoint of this machine ended.
//!
//! The SDK's providers say why they failed in sentences that may hold a server's own words, and
//! hide the status. What people are told is made from what is remembered here instead: a status, a
//! code, a verdict on the body, never its text.

use std::error::Error as StdError;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_http_client::Builder;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use http_body_util::{BodyExt as _, Limited};

use crate::key_document::{Flaw, code_in, flaw_of};
use crate::trust::{CaBundle, Proxy, https_client};

/// What was asked, and what came of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Exchange {
    /// `PUT` or `GET`.
    pub(crate) method: String,
    pub(crate) outcome: Outcome,
}

/// How one exchange ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    /// Not at all: nothing came while somebody waited.
    Silence,
    /// Nobody listens at the address.
    NotConnected,
    /// The connection broke inside of the exchange, or the answer never stopped.
    Broken,
    /// With an answer.
    Answered(Answer),
}

/// What is kept of an answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The code of a refusal, where it has the form of one.
    pub(crate) code: Option<String>,
    /// What is wrong with the body, if keys were asked for.
    pub(crate) flaw: Option<Flaw>,
}

/// How the endpoint is reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Transport {
    /// Plain HTTP, which never takes a proxy: the endpoint is on this machine or one link away, and
    /// a proxy of the environment would be handed the token.
    Direct,
    /// TLS, by the proxy of the environment where there is one.
    Tls,
}

/// The client; clones share what they remember.
#[derive(Clone, Debug)]
pub(crate) struct Observer {
    inner: SharedHttpClient,
    // A std mutex: held while an entry is written, never across an await.
    seen: Arc<Mutex<Vec<Exchange>>>,
}

impl Observer {
    /// A client that has seen nothing yet.
    pub(crate) fn new(transport: Transport, bundle: Option<&CaBundle>) -> Self {
        let inner = match transport {
            Transport::Direct => Builder::new().build_http(),
            Transport::Tls => https_client(bundle, Proxy::OfEnvironment),
        };
        Self { inner, seen: Arc::default() }
    }

    /// Every exchange, oldest first; retries are exchanges of their own.
    pub(crate) fn exchanges(&self) -> Vec<Exchange> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl HttpClient for Observer {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(ObservedConnector { inner, seen: Arc::clone(&self.seen) })
    }
}

#[derive(Debug)]
struct ObservedConnector {
    inner: SharedHttpConnector,
    seen: Arc<Mutex<Vec<Exchange>>>,
}

impl HttpConnector for ObservedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let seen = Arc::clone(&self.seen);
        let index = {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            let method = request.method().to_owned();
            seen.push(Exchange { method, outcome: Outcome::Silence });
            seen.len() - 1
        };
        let answer = self.inner.call(request);
        HttpConnectorFuture::new(async move {
            let (result, outcome) = whole(answer.await).await;
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(exchange) = seen.get_mut(index) {
                exchange.outcome = outcome;
            }
            result
        })
    }
}

/// Reads the body to its end and judges it.
async fn whole(
    answer: Result<HttpResponse, ConnectorError>,
) -> (Result<HttpResponse, ConnectorError>, Outcome) {
    let mut response = match answer {
        Ok(response) => response,
        Err(error) => {
            let outcome = outcome_of(&error);
            return (Err(error), outcome);
        }
    };
    let status = response.status().as_u16();
    let body = std::mem::replace(response.body_mut(), SdkBody::taken());
    let Ok(collected) = Limited::new(body, MOST_BYTES).collect().await else {
        let error = ConnectorError::io("the answer is cut off or too long".into());
        return (Err(error), Outcome::Broken);
    };
    let bytes = collected.to_bytes();
    let answer = Answer { status, code: code_in(&bytes), flaw: flaw_of(&bytes) };
    *response.body_mut() = SdkBody::from(bytes);
    (Ok(response), Outcome::Answered(answer))
}

fn outcome_of(error: &ConnectorError) -> Outcome {
    if error.is_timeout() {
        return Outcome::Silence;
    }
    let mut source = StdError::source(error);
    while let Some(cause) = source {
        match cause.downcast_ref::<io::Error>().map(io::Error::kind) {
            Some(
                io::ErrorKind::ConnectionRefused
                | io::ErrorKind::HostUnreachable
                | io::ErrorKind::NetworkUnreachable
                | io::ErrorKind::AddrNotAvailable
                | io::ErrorKind::PermissionDenied,
            ) => return Outcome::NotConnected,
            _ => source = cause.source(),
        }
    }
    Outcome::Broken
}

/// A session token has no upper length, but an answer of a mebibyte has never been seen.
const MOST_BYTES: usize = 1024 * 1024;
