//! Keys from the places where AWS tools put them, over `aws-config`.
//!
//! The default chain is walked here, provider by provider, so that each one can say why it gave
//! nothing. The order is the Rust SDK's: environment, profile, web identity, container, instance.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_config::ecs::EcsCredentialsProvider;
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::imds;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::web_identity_token::WebIdentityTokenCredentialsProvider;
use aws_credential_types::Credentials as SdkCredentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::config::Region as SdkRegion;
use jiff::Timestamp;
use rolecall_engine::error::{Attempt, Class, SourceError};
use rolecall_engine::region::Region;
use rolecall_engine::session::{Credentials, Identity};
use secrecy::SecretString;

use crate::shared_config::reason_of;

/// Keys of a named profile: its own, or those of whatever it points to.
///
/// Where the profile has to call AWS for them, it does so in `region`.
///
/// # Errors
///
/// [`SourceError`] when the profile gives none.
pub async fn profile(name: &str, region: &Region) -> Result<Identity, SourceError> {
    let provider = ProfileFileCredentialsProvider::builder()
        .configure(&provider_config(region))
        .profile_name(name)
        .build();
    let origin = format!("profile {name}");
    match provider.provide_credentials().await {
        Ok(credentials) => identity(&credentials, origin),
        Err(error) => Err(failed(origin, &error)),
    }
}

/// Keys of the first source of the default chain that has any.
///
/// # Errors
///
/// [`SourceError::Nothing`] with every source and its reason; another error as soon as a source
/// that is configured fails, since the next one would be somebody else.
pub async fn default_chain(region: &Region) -> Result<Identity, SourceError> {
    let config = provider_config(region);
    let mut tried = Vec::new();
    for place in Place::CHAIN {
        match place.credentials(&config).await {
            Ok(credentials) => return identity(&credentials, place.name().to_owned()),
            Err(error) if place.has_nothing(&error) => {
                tried.push(Attempt { source: place.name(), reason: place.reason(&error) });
            }
            Err(error) => return Err(failed(place.name().to_owned(), &error)),
        }
    }
    Err(SourceError::Nothing { tried })
}

fn provider_config(region: &Region) -> ProviderConfig {
    let region = SdkRegion::new(region.as_str().to_owned());
    ProviderConfig::without_region().with_region(Some(region))
}

/// One place of the default chain.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    Environment,
    Profile,
    WebIdentity,
    Container,
    Instance,
}

impl Place {
    /// The Rust SDK's order.
    const CHAIN: [Self; 5] =
        [Self::Environment, Self::Profile, Self::WebIdentity, Self::Container, Self::Instance];

    /// Whether the error means that the next place is to be asked. Where nothing answers at the
    /// instance's address, this is no instance.
    fn has_nothing(self, error: &CredentialsError) -> bool {
        self == Self::Instance || matches!(error, CredentialsError::CredentialsNotLoaded(_))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Environment => "environment variables",
            Self::Profile => "AWS config files",
            Self::WebIdentity => "web identity token file",
            Self::Container => "container credentials",
            Self::Instance => "instance metadata (IMDSv2)",
        }
    }

    /// Why it has nothing, in words for those who do not know the SDK.
    fn reason(self, error: &CredentialsError) -> String {
        match self {
            Self::Environment => {
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not both set".to_owned()
            }
            Self::Profile => "the profile is missing or has no credentials".to_owned(),
            Self::WebIdentity => {
                "AWS_WEB_IDENTITY_TOKEN_FILE or AWS_ROLE_ARN is not set".to_owned()
            }
            Self::Container => "AWS_CONTAINER_CREDENTIALS_FULL_URI is not set".to_owned(),
            Self::Instance => reason_of(error),
        }
    }

    async fn credentials(
        self,
        config: &ProviderConfig,
    ) -> Result<SdkCredentials, CredentialsError> {
        match self {
            Self::Environment => {
                EnvironmentVariableCredentialsProvider::new().provide_credentials().await
            }
            Self::Profile => {
                let provider = ProfileFileCredentialsProvider::builder().configure(config).build();
                provider.provide_credentials().await
            }
            Self::WebIdentity => {
                let builder = WebIdentityTokenCredentialsProvider::builder();
                builder.configure(config).build().provide_credentials().await
            }
            Self::Container => {
                let provider = EcsCredentialsProvider::builder().configure(config).build();
                provider.provide_credentials().await
            }
            Self::Instance => instance(config).await,
        }
    }
}

/// One attempt of at most a second: off EC2 nothing answers, and nobody should wait for that.
async fn instance(config: &ProviderConfig) -> Result<SdkCredentials, CredentialsError> {
    const MOST: Duration = Duration::from_secs(1);
    let client = imds::Client::builder()
        .configure(config)
        .max_attempts(1)
        .connect_timeout(MOST)
        .read_timeout(MOST)
        .build();
    let provider = ImdsCredentialsProvider::builder().configure(config).imds_client(client).build();
    match tokio::time::timeout(MOST, provider.provide_credentials()).await {
        Ok(result) => result,
        Err(_) => Err(CredentialsError::not_loaded("nothing answered within 1 s")),
    }
}

fn identity(credentials: &SdkCredentials, origin: String) -> Result<Identity, SourceError> {
    let accepted = Credentials::accept(
        credentials.access_key_id().to_owned(),
        SecretString::from(credentials.secret_access_key()),
        credentials.session_token().map(SecretString::from),
    );
    match accepted {
        Ok(keys) => Ok(Identity::Keys {
            credentials: keys,
            expires_at: credentials.expiry().and_then(timestamp),
            origin,
        }),
        Err(problem) => Err(SourceError::Invalid { origin, problem }),
    }
}

fn timestamp(time: SystemTime) -> Option<Timestamp> {
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    Timestamp::from_second(i64::try_from(since.as_secs()).ok()?).ok()
}

fn failed(origin: String, error: &CredentialsError) -> SourceError {
    let class = match error {
        CredentialsError::ProviderTimedOut(_) => Class::Unavailable,
        _ => Class::NoSource,
    };
    SourceError::Failed { origin, reason: reason_of(error), class, hint: None }
}
