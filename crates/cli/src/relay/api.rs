//! Relay's metadata API over http: retried, never through a proxy, and never with its address or
//! token in a message.

use std::time::Duration;

use backon::{BackoffBuilder, Retryable};
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use zeroize::Zeroizing;

use super::address::Address;

/// A client of the API.
#[derive(Debug)]
pub(crate) struct Api {
    transport: Transport,
    address: Address,
    /// How long all attempts of one request may take.
    patience: Duration,
}

/// TLS is set up where it is needed only: it is a good part of the memory of a run.
#[derive(Debug)]
enum Transport {
    Plain(Client<HttpConnector, Full<Bytes>>),
    Tls(Client<HttpsConnector<HttpConnector>, Full<Bytes>>),
}

/// What the API answered.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    body: Zeroizing<Vec<u8>>,
    /// What its texts may not show.
    address: Address,
}

/// Why there is no answer.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum Silence {
    #[error("it cannot be reached")]
    NotReached,
    #[error("it did not answer in time")]
    Late,
    #[error("the connection broke off")]
    Broken,
    #[error("the answer is larger than 16 MiB")]
    TooLarge,
}

impl Silence {
    fn is_passing(&self) -> bool {
        !matches!(self, Self::TooLarge)
    }
}

/// An answer or a silence that time may mend.
enum Attempt {
    Passing(Result<Answer, Silence>),
    Final(Silence),
}

impl Api {
    pub(crate) fn new(address: Address, patience: Duration) -> std::io::Result<Self> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(MOST_CONNECT));
        tcp.set_nodelay(true);
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_max_idle_per_host(0);
        let transport = if address.is_https() {
            let provider = rustls::crypto::aws_lc_rs::default_provider();
            let https = HttpsConnectorBuilder::new().with_provider_and_native_roots(provider)?;
            Transport::Tls(builder.build(https.https_only().enable_http1().wrap_connector(tcp)))
        } else {
            Transport::Plain(builder.build(tcp))
        };
        Ok(Self { transport, address, patience })
    }

    /// Asks; the query is sent as it stands.
    pub(crate) async fn get(&self, path_and_query: &str) -> Result<Answer, Silence> {
        self.retried(Method::GET, path_and_query, &Bytes::new()).await
    }

    /// Writes JSON.
    pub(crate) async fn put(&self, path: &str, body: Bytes) -> Result<Answer, Silence> {
        self.retried(Method::PUT, path, &body).await
    }

    async fn retried(
        &self,
        method: Method,
        path_and_query: &str,
        body: &Bytes,
    ) -> Result<Answer, Silence> {
        let deadline = tokio::time::Instant::now() + self.patience;
        let work = || async {
            let answer = self.once(&method, path_and_query, body.clone()).await;
            match answer {
                Ok(answer) if answer.is_passing() => Err(Attempt::Passing(Ok(answer))),
                Ok(answer) => Ok(answer),
                Err(silence) if silence.is_passing() => Err(Attempt::Passing(Err(silence))),
                Err(silence) => Err(Attempt::Final(silence)),
            }
        };
        let retried = work
            .retry(FullJitter { rng: fastrand::Rng::new() })
            .when(|attempt| {
                matches!(attempt, Attempt::Passing(_)) && tokio::time::Instant::now() < deadline
            })
            .adjust(|_, delay| {
                // No wait reaches beyond the end.
                let left = deadline.saturating_duration_since(tokio::time::Instant::now());
                delay.filter(|delay| *delay <= left)
            })
            .await;
        match retried {
            Ok(answer) | Err(Attempt::Passing(Ok(answer))) => Ok(answer),
            Err(Attempt::Passing(Err(silence)) | Attempt::Final(silence)) => Err(silence),
        }
    }

    async fn once(
        &self,
        method: &Method,
        path_and_query: &str,
        body: Bytes,
    ) -> Result<Answer, Silence> {
        let uri = self.address.uri(path_and_query).ok_or(Silence::NotReached)?;
        let mut request = Request::builder().method(method.clone()).uri(uri);
        if let Some(authorization) = self.address.authorization() {
            request = request.header(header::AUTHORIZATION, authorization.clone());
        }
        if *method == Method::PUT {
            // Byte for byte: with a charset behind it the API answers 422.
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request
            .header(header::ACCEPT, "application/json")
            .body(Full::new(body))
            .map_err(|_| Silence::NotReached)?;
        let exchange = async {
            let response = match &self.transport {
                Transport::Plain(client) => client.request(request),
                Transport::Tls(client) => client.request(request),
            };
            let response = response.await.map_err(|error| {
                if error.is_connect() { Silence::NotReached } else { Silence::Broken }
            })?;
            let status = response.status();
            let limited = Limited::new(response.into_body(), MOST_BYTES);
            let collected = limited.collect().await.map_err(|error| {
                let is_length = error.is::<http_body_util::LengthLimitError>();
                if is_length { Silence::TooLarge } else { Silence::Broken }
            })?;
            let body = Zeroizing::new(collected.to_bytes().to_vec());
            Ok(Answer { status, body, address: self.address.clone() })
        };
        tokio::time::timeout(MOST_READ, exchange).await.unwrap_or(Err(Silence::Late))
    }
}

impl Answer {
    fn is_passing(&self) -> bool {
        matches!(self.status.as_u16(), 500 | 502 | 503 | 504)
    }

    pub(crate) fn is_success(&self) -> bool {
        self.status.is_success()
    }

    /// The first JSON document of the body: the API answers with two at times.
    pub(crate) fn json(&self) -> Option<Value> {
        serde_json::Deserializer::from_slice(&self.body).into_iter().next()?.ok()
    }

    /// What the API says to people of its refusal, in one line; nothing of a body that is no answer
    /// of its own.
    pub(crate) fn complaint(&self) -> Option<String> {
        let json = self.json()?;
        let text = json.pointer("/error/formatted/friendly")?.as_str()?;
        Some(self.address.shown(text).chars().take(MOST_COMPLAINT).collect())
    }

    /// Whether the API says that a path of the spec has no such key.
    pub(crate) fn is_missing(&self, path: &[&str]) -> bool {
        let Some(json) = self.json() else { return false };
        let text = |pointer: &str| json.pointer(pointer).and_then(Value::as_str);
        let said = text("/error/formatted/friendly").unwrap_or_default();
        text("/error/code") == Some("rma_expression_evaluation_error")
            && path.iter().any(|key| {
                let words = format!("path \"{}\": unknown key {key}", path.join("."));
                said.split_once(&words).is_some_and(|(_, rest)| {
                    !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_')
                })
            })
    }
}

/// Delays between no time and 250 ms, 500 ms, 1 s …, at most 30 s.
#[derive(Debug)]
struct FullJitter {
    rng: fastrand::Rng,
}

impl BackoffBuilder for FullJitter {
    type Backoff = Box<dyn Iterator<Item = Duration> + Send + Sync + Unpin>;

    fn build(mut self) -> Self::Backoff {
        Box::new(bounds().map(move |most| {
            Duration::from_millis(self.rng.u64(0..=u64::try_from(most.as_millis()).unwrap_or(0)))
        }))
    }
}

/// The longest that each delay may be.
fn bounds() -> impl Iterator<Item = Duration> {
    (0_u32..)
        .map(|attempt| FIRST_DELAY.saturating_mul(2_u32.saturating_pow(attempt)).min(MOST_DELAY))
}

const FIRST_DELAY: Duration = Duration::from_millis(250);
const MOST_DELAY: Duration = Duration::from_secs(30);
const MOST_CONNECT: Duration = Duration::from_secs(10);
/// The server may hold a request for 120 s, until the pod is there.
const MOST_READ: Duration = Duration::from_secs(150);
/// All state of a run shares one object of Kubernetes, 1 MiB; a spec is far below.
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// Relay cuts a stream of logs off at a line of 64 KiB.
const MOST_COMPLAINT: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_half_a_minute() {
        let first: Vec<u128> = bounds().take(9).map(|delay| delay.as_millis()).collect();
        assert_eq!(first, [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
        assert_eq!(bounds().nth(1_000), Some(MOST_DELAY));
        let delays = FullJitter { rng: fastrand::Rng::with_seed(7) }.build();
        assert!(delays.zip(bounds()).take(100).all(|(delay, most)| delay <= most));
    }
}
