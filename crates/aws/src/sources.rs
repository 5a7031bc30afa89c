//! Identities of this machine: profiles, the environment, containers, instances.
//!
//! Which of them is asked is decided by the door, which knows the environment; here each one is
//! asked, and says in its own words why it gave nothing. No error of the SDK leaves this module.

mod process;
mod sso;
mod sso_cache;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials as SdkCredentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::config::Region as SdkRegion;
use jiff::Timestamp;
use rolecall_engine::error::SourceError;
use rolecall_engine::plan::SourceSpec;
use rolecall_engine::region::Region;
use rolecall_engine::session::{Credentials, Identity};
use secrecy::SecretString;

pub use process::MARKER as PROCESS_MARKER;

use crate::container::container;
use crate::endpoint::Destination;
use crate::instance::instance;
use crate::network::Network;
use crate::shared_config::{Own, SharedConfig};

/// What this machine is: its config files, and how it reaches a network.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The AWS config files, as they were read once: a pipe cannot be read twice.
    pub config: Arc<SharedConfig>,
    /// For services that a source has to call.
    pub network: Network,
    /// What [`PROCESS_MARKER`] holds: the profiles whose command this process runs in.
    pub running: Option<String>,
    /// Where `aws sso login` leaves its tokens: `~/.aws/sso/cache`.
    pub sso_cache: Option<PathBuf>,
    /// Tells the present time.
    pub clock: fn() -> Timestamp,
}

impl Machine {
    /// Reads the identity that `spec` names, anew at each call.
    ///
    /// # Errors
    ///
    /// [`SourceError`] when there is none, or none that could work.
    ///
    /// # Cancellation
    ///
    /// Dropping the future ends a command that it runs.
    pub async fn identity(
        &self,
        spec: &SourceSpec,
        region: &Region,
    ) -> Result<Identity, SourceError> {
        let config = || self.provider_config(region);
        match spec {
            SourceSpec::Profile(name) => self.profile(name, region).await,
            SourceSpec::Process(name) => self.process(name).await,
            SourceSpec::Environment => environment().await,
            SourceSpec::Container => container(&config(), self.network.ca_bundle.as_ref()).await,
            SourceSpec::Instance => instance(&config(), self.network.ca_bundle.as_ref()).await,
            SourceSpec::Secret { .. }
            | SourceSpec::Given
            | SourceSpec::Token { .. }
            | SourceSpec::ServiceAccount { .. }
            | SourceSpec::Ambient => Err(SourceError::Missing {
                what: format!("{spec} is nothing that this machine has"),
                hint: None,
            }),
        }
    }

    async fn profile(&self, name: &str, region: &Region) -> Result<Identity, SourceError> {
        let (own, _) = self.config.own(self.config.profile(name)?)?;
        if let Some(result) = sso::keys(name, &own, self, region).await {
            return result;
        }
        match own {
            Own::Keys { id, secret, token } => {
                keys_of(id, secret, token, None, format!("profile {name}"))
            }
            Own::Process { command } => {
                process::keys(name, &command, self.running.as_deref()).await
            }
            Own::Sso { .. } | Own::Login { .. } => Err(SourceError::Missing {
                what: format!("profile {name} has no keys"),
                hint: None,
            }),
        }
    }

    async fn process(&self, name: &str) -> Result<Identity, SourceError> {
        let profile = self.config.profile(name)?;
        let Some(command) = profile.get("credential_process") else {
            let what = format!("profile {name} has no credential_process");
            return Err(SourceError::Missing { what, hint: None });
        };
        process::keys(name, command, self.running.as_deref()).await
    }

    /// What a provider of the SDK is told; each gets an HTTP client of its own beside it.
    fn provider_config(&self, region: &Region) -> ProviderConfig {
        let region = SdkRegion::new(region.as_str().to_owned());
        let config = ProviderConfig::without_region().with_region(Some(region));
        match &self.network.sts {
            Destination::Regional { fips, dual_stack } => {
                config.with_use_fips(Some(*fips)).with_use_dual_stack(Some(*dual_stack))
            }
            Destination::Endpoint(_) => config,
        }
    }
}

async fn environment() -> Result<Identity, SourceError> {
    let found = EnvironmentVariableCredentialsProvider::new().provide_credentials().await;
    let credentials = found.map_err(|_| SourceError::Missing {
        what: "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not both set".to_owned(),
        hint: Some("set both, or neither".to_owned()),
    })?;
    identity(&credentials, SourceSpec::Environment.to_string())
}

/// Bounds what a provider may take.
pub(crate) async fn within(
    most: Duration,
    credentials: impl Future<Output = Result<SdkCredentials, CredentialsError>>,
) -> Result<SdkCredentials, CredentialsError> {
    match tokio::time::timeout(most, credentials).await {
        Ok(result) => result,
        Err(_) => Err(CredentialsError::provider_timed_out(most)),
    }
}

/// What a provider of the SDK found.
pub(crate) fn identity(
    credentials: &SdkCredentials,
    origin: String,
) -> Result<Identity, SourceError> {
    keys_of(
        credentials.access_key_id().to_owned(),
        SecretString::from(credentials.secret_access_key()),
        credentials.session_token().map(SecretString::from),
        credentials.expiry().and_then(timestamp),
        origin,
    )
}

fn keys_of(
    access_key_id: String,
    secret: SecretString,
    token: Option<SecretString>,
    expires_at: Option<Timestamp>,
    origin: String,
) -> Result<Identity, SourceError> {
    match Credentials::accept(access_key_id, secret, token) {
        Ok(credentials) => Ok(Identity::Keys { credentials, expires_at, origin }),
        Err(problems) => Err(SourceError::Invalid { origin, problems }),
    }
}

fn timestamp(time: SystemTime) -> Option<Timestamp> {
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    Timestamp::from_second(i64::try_from(since.as_secs()).ok()?).ok()
}

/// As long as a login service may take.
const MOST_WAIT: Duration = Duration::from_secs(20);
