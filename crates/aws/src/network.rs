//! How services are reached: where each one is, whom TLS trusts, how long a call may take.

use std::time::Duration;

use aws_sdk_sts::config::{AppName, BehaviorVersion, Region as SdkRegion};
use aws_smithy_async::rt::sleep::default_async_sleep;
use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
use aws_smithy_http_client::Builder as HttpClientBuilder;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;

use crate::endpoint::Destination;
use crate::trust::{CaBundle, Proxy, https_client};

/// Where each service is, and whom TLS trusts.
#[derive(Clone, Debug)]
pub struct Network {
    /// Where STS is.
    pub sts: Destination,
    /// Where ECR is.
    pub ecr: Destination,
    /// Where public ECR is.
    pub ecr_public: Destination,
    /// The certificates that replace the machine's own.
    pub ca_bundle: Option<CaBundle>,
    /// Who tries again what is transient.
    pub retries: Retries,
}

/// Who tries again what is transient: there is one owner of it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Retries {
    /// The client, for somebody who waits: three attempts within 20 s in all.
    #[default]
    Client,
    /// Whoever calls, by a schedule: one attempt of at most 20 s.
    Caller,
}

impl Network {
    /// Every service at one place.
    pub fn at(destination: Destination) -> Self {
        Self {
            sts: destination.clone(),
            ecr: destination.clone(),
            ecr_public: destination,
            ca_bundle: None,
            retries: Retries::default(),
        }
    }

    /// The SDK's settings for one service in one region.
    pub(crate) fn config(&self, destination: &Destination, region: &str) -> SdkConfig {
        let (attempts, attempt) = match self.retries {
            Retries::Client => (ATTEMPTS, ATTEMPT),
            Retries::Caller => (1, TOTAL),
        };
        let timeouts = TimeoutConfig::builder()
            .operation_timeout(TOTAL)
            .operation_attempt_timeout(attempt)
            .build();
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(SdkRegion::new(region.to_owned()))
            .retry_config(RetryConfig::standard().with_max_attempts(attempts))
            .timeout_config(timeouts);
        config.set_app_name(AppName::new("rolecall").ok());
        config.set_sleep_impl(default_async_sleep());
        config.set_time_source(Some(SharedTimeSource::new(SystemTimeSource::new())));
        let bundle = self.ca_bundle.as_ref();
        let mut client = bundle.map(|it| https_client(Some(it), Proxy::OfEnvironment));
        match destination {
            Destination::Regional { fips, dual_stack } => {
                config = config.use_fips(*fips).use_dual_stack(*dual_stack);
            }
            Destination::Endpoint(endpoint) => {
                config = config.endpoint_url(endpoint.as_str());
                // No proxy: what goes to this machine stays on it.
                if endpoint.is_plain_local() {
                    client = Some(HttpClientBuilder::new().build_http());
                } else if endpoint.is_local() {
                    client = Some(https_client(bundle, Proxy::Never));
                }
            }
        }
        config.set_http_client(client);
        config.build()
    }
}

/// Whether a variable's value names a proxy that calls can go through; one that does not would be
/// passed over in silence.
pub fn is_proxy(text: &str) -> bool {
    let with_scheme = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let uri: Result<http::Uri, _> = with_scheme.parse();
    uri.is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.host().is_some_and(|host| !host.is_empty())
    })
}

/// A client that sends nothing in clear: a provider of the SDK may have taken another address from
/// the environment.
#[derive(Clone, Debug)]
pub(crate) struct TlsOnly(pub(crate) SharedHttpClient);

impl HttpClient for TlsOnly {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(TlsOnlyConnector(self.0.http_connector(settings, components)))
    }
}

#[derive(Debug)]
struct TlsOnlyConnector(SharedHttpConnector);

impl HttpConnector for TlsOnlyConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        if request.uri().starts_with("https://") {
            return self.0.call(request);
        }
        let error = ConnectorError::user("the address is not https".into());
        HttpConnectorFuture::ready(Err(error))
    }
}

const ATTEMPTS: u32 = 3;
const TOTAL: Duration = Duration::from_secs(20);
/// Less than half of the total, so that a call that hangs is tried again.
const ATTEMPT: Duration = Duration::from_secs(8);
