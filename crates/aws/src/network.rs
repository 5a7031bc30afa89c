//! How services are reached: where each one is, whom TLS trusts, how long a call may take.

use std::time::Duration;

use aws_sdk_sts::config::{AppName, BehaviorVersion, Region as SdkRegion};
use aws_smithy_http_client::Builder as HttpClientBuilder;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;

use crate::endpoint::Destination;
use crate::trust::CaBundle;

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
}

impl Network {
    /// Every service at one place.
    pub fn at(destination: Destination) -> Self {
        Self {
            sts: destination.clone(),
            ecr: destination.clone(),
            ecr_public: destination,
            ca_bundle: None,
        }
    }

    /// The SDK's settings for one service in one region.
    ///
    /// Retries are the SDK's: three attempts, within 20 s in all.
    pub(crate) fn config(&self, destination: &Destination, region: &str) -> SdkConfig {
        let timeouts = TimeoutConfig::builder()
            .operation_timeout(TOTAL)
            .operation_attempt_timeout(ATTEMPT)
            .build();
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(SdkRegion::new(region.to_owned()))
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(timeouts);
        config.set_app_name(AppName::new("rolecall").ok());
        config.set_sleep_impl(aws_smithy_async::rt::sleep::default_async_sleep());
        let mut client = self.ca_bundle.as_ref().map(CaBundle::https_client);
        match destination {
            Destination::Regional { fips, dual_stack } => {
                config = config.use_fips(*fips).use_dual_stack(*dual_stack);
            }
            Destination::Endpoint(endpoint) => {
                config = config.endpoint_url(endpoint.as_str());
                if endpoint.is_plain_local() {
                    // No TLS and no proxy: what goes to this machine stays on it.
                    client = Some(HttpClientBuilder::new().build_http());
                }
            }
        }
        config.set_http_client(client);
        config.build()
    }
}

const ATTEMPTS: u32 = 3;
const TOTAL: Duration = Duration::from_secs(20);
/// Less than half of the total, so that a call that hangs is tried again.
const ATTEMPT: Duration = Duration::from_secs(8);
