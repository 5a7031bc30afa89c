//! Keys from the places where AWS tools put them, over `aws-config`.
//!
//! The default chain is walked here, provider by provider, so that each one can say why it gave
//! nothing. The order is the Rust SDK's: environment, profile, web identity, container, instance.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::web_identity_token::WebIdentityTokenCredentialsProvider;
use aws_credential_types::Credentials as SdkCredentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::config::Region as SdkRegion;
use aws_sdk_sts::error::SdkError;
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_sdk_sts::operation::assume_role_with_web_identity::AssumeRoleWithWebIdentityError;
use aws_types::os_shim_internal::Env;
use jiff::Timestamp;
use rolecall_engine::error::{Attempt, Class, SourceError, StsFailure};
use rolecall_engine::region::Region;
use rolecall_engine::session::{Credentials, Identity};
use secrecy::SecretString;

use crate::endpoint::Destination;
use crate::failure::failure_of;
use crate::shared_config::{SharedConfig, one_line};
use crate::{container, instance};

/// Keys of a named profile: its own, or those of whatever it points to.
///
/// Where the profile has to call AWS for them, it does so in `region`, in the form of address that
/// `destination` says; an endpoint of `destination` is not that profile's.
///
/// # Errors
///
/// [`SourceError`] when the profile gives none.
pub async fn profile(
    name: &str,
    region: &Region,
    destination: &Destination,
) -> Result<Identity, SourceError> {
    let provider = ProfileFileCredentialsProvider::builder()
        .configure(&provider_config(region, destination))
        .profile_name(name)
        .build();
    let origin = format!("profile {name}");
    refuse_calling_itself(Some(name)).await?;
    match within(MOST_WAIT, provider.provide_credentials()).await {
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
pub async fn default_chain(
    region: &Region,
    destination: &Destination,
) -> Result<Identity, SourceError> {
    let config = provider_config(region, destination);
    let (mut tried, mut advice) = (Vec::new(), None);
    for place in Place::CHAIN {
        match place.identity(&config).await {
            Ok(identity) => return Ok(identity),
            Err(Gap::Nothing { reason, hint }) => {
                tried.push(Attempt { source: place.name(), reason });
                advice = hint;
            }
            Err(Gap::Fault(error)) => return Err(error),
        }
    }
    Err(SourceError::Nothing { tried, hint: advice })
}

fn provider_config(region: &Region, destination: &Destination) -> ProviderConfig {
    let region = SdkRegion::new(region.as_str().to_owned());
    let config = ProviderConfig::without_region().with_region(Some(region));
    match destination {
        Destination::Regional { fips, dual_stack } => {
            config.with_use_fips(Some(*fips)).with_use_dual_stack(Some(*dual_stack))
        }
        Destination::Endpoint(_) => config,
    }
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

    async fn identity(self, config: &ProviderConfig) -> Result<Identity, Gap> {
        let result = match self {
            Self::Environment => {
                EnvironmentVariableCredentialsProvider::new().provide_credentials().await
            }
            Self::Profile => {
                refuse_calling_itself(None).await.map_err(Gap::Fault)?;
                let provider = ProfileFileCredentialsProvider::builder().configure(config).build();
                within(MOST_WAIT, provider.provide_credentials()).await
            }
            Self::WebIdentity => {
                let builder = WebIdentityTokenCredentialsProvider::builder();
                within(MOST_WAIT, builder.configure(config).build().provide_credentials()).await
            }
            Self::Container => return container::container(config).await.map_err(Gap::of),
            Self::Instance => return instance::instance(config).await.map_err(Gap::of),
        };
        let origin = self.name().to_owned();
        match result {
            Ok(credentials) => identity(&credentials, origin).map_err(Gap::Fault),
            Err(CredentialsError::CredentialsNotLoaded(_)) => {
                if self == Self::Environment {
                    refuse_half_a_key().map_err(Gap::Fault)?;
                }
                Err(Gap::Nothing { reason: self.reason().to_owned(), hint: None })
            }
            Err(error) => Err(Gap::Fault(failed(origin, &error))),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Environment => "environment variables",
            Self::Profile => "AWS config files",
            Self::WebIdentity => "web identity token file",
            Self::Container => container::NAME,
            Self::Instance => instance::NAME,
        }
    }

    /// Why it has nothing, in words for those who do not know the SDK.
    fn reason(self) -> &'static str {
        match self {
            Self::Environment => "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not both set",
            Self::Profile => "the profile is missing or has no credentials",
            Self::WebIdentity => "AWS_WEB_IDENTITY_TOKEN_FILE or AWS_ROLE_ARN is not set",
            // They say it themselves.
            Self::Container | Self::Instance => "it has none",
        }
    }
}

/// Why a place of the chain gives no identity.
enum Gap {
    /// It has none: the next place is to be asked.
    Nothing { reason: String, hint: Option<String> },
    /// It is configured and fails: the next place would be somebody else.
    Fault(SourceError),
}

impl Gap {
    /// Of the places that say by the class that they have nothing.
    fn of(error: SourceError) -> Self {
        match error {
            SourceError::Failed { class: Class::NoSource, reason, hint, .. } => {
                Self::Nothing { reason, hint }
            }
            error => Self::Fault(error),
        }
    }
}

/// Bounds what a provider may take: a command, a login service or an STS of its own.
pub(crate) async fn within(
    most: Duration,
    credentials: impl Future<Output = Result<SdkCredentials, CredentialsError>>,
) -> Result<SdkCredentials, CredentialsError> {
    match tokio::time::timeout(most, credentials).await {
        Ok(result) => result,
        Err(_) => Err(CredentialsError::provider_timed_out(most)),
    }
}

/// A key that is only half there must not fall through to somebody else's identity.
fn refuse_half_a_key() -> Result<(), SourceError> {
    const ID: &str = "AWS_ACCESS_KEY_ID";
    const SECRET: &str = "AWS_SECRET_ACCESS_KEY";
    let environment = Env::real();
    let is_set = |name| environment.get(name).is_ok_and(|value| !value.trim().is_empty());
    let (set, missing) = match (is_set(ID), is_set(SECRET)) {
        (true, false) => (ID, SECRET),
        (false, true) => (SECRET, ID),
        _ => return Ok(()),
    };
    Err(SourceError::Missing {
        what: format!("{set} is set and {missing} is not"),
        hint: Some("set both, or neither".to_owned()),
    })
}

/// A profile whose `credential_process` is rolecall on the same profile would run itself for ever.
async fn refuse_calling_itself(profile: Option<&str>) -> Result<(), SourceError> {
    let config = SharedConfig::load(profile).await?;
    let Some(command) = config.credential_process() else { return Ok(()) };
    if !calls_itself(command, config.name()) {
        return Ok(());
    }
    Err(SourceError::Missing {
        what: format!("the credential_process of profile {} would call itself", config.name()),
        hint: Some("give the rolecall in it another --profile, one that has keys".to_owned()),
    })
}

fn calls_itself(command: &str, profile: &str) -> bool {
    let mut words = command.split_whitespace().map(|word| word.trim_matches(['"', '\'']));
    let program = words.next().and_then(|word| word.rsplit(['/', '\\']).next());
    if !matches!(program, Some("rolecall" | "rolecall.exe")) {
        return false;
    }
    let words: Vec<&str> = words.collect();
    let mut named = words.windows(2).filter_map(|pair| match pair {
        ["--profile", name] => Some(*name),
        _ => None,
    });
    let joined = words.iter().find_map(|word| word.strip_prefix("--profile="));
    named.next().or(joined).is_none_or(|name| name == profile)
}

pub(crate) fn identity(
    credentials: &SdkCredentials,
    origin: String,
) -> Result<Identity, SourceError> {
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
        Err(problems) => Err(SourceError::Invalid { origin, problems }),
    }
}

fn timestamp(time: SystemTime) -> Option<Timestamp> {
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    Timestamp::from_second(i64::try_from(since.as_secs()).ok()?).ok()
}

/// Keeps what kind of failure it was, and of foreign text only what holds no server's sentence: a
/// server may repeat keys that are not known here and so cannot be cut out.
fn failed(origin: String, error: &CredentialsError) -> SourceError {
    if let Some(failure) = sts_failure(error) {
        let reason = match &failure {
            StsFailure::Refused { code, .. } => format!("STS answered {code}"),
            other => other.to_string(),
        };
        let hint = match failure.class() {
            Class::Denied => Some("check the trust policy of the role that it assumes"),
            Class::Token | Class::ExpiredCaller => {
                Some("get a fresh token; its file holds the token and no line break after it")
            }
            _ => None,
        };
        let hint = hint.map(str::to_owned);
        return SourceError::Failed { origin, reason, class: failure.class(), hint };
    }
    let (class, reason) = match error {
        CredentialsError::ProviderTimedOut(_) => {
            (Class::Unavailable, "it took too long".to_owned())
        }
        error => (Class::NoSource, reason_of(error)),
    };
    SourceError::Failed { origin, reason, class, hint: None }
}

/// The STS failure behind a provider's error, if there is one.
fn sts_failure(error: &CredentialsError) -> Option<StsFailure> {
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref::<SdkError<AssumeRoleError>>() {
            return Some(failure_of(error, &[]));
        }
        if let Some(error) = error.downcast_ref::<SdkError<AssumeRoleWithWebIdentityError>>() {
            return Some(failure_of(error, &[]));
        }
        source = error.source();
    }
    None
}

/// The sentences behind a provider's error, without those that are debug forms: these may hold what
/// a server said.
fn reason_of(error: &CredentialsError) -> String {
    let mut sentences: Vec<String> = Vec::new();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        let sentence = one_line(&error.to_string());
        let is_known = sentences.iter().any(|known| known.contains(&sentence));
        if !sentence.contains('{') && !is_known && !error.is::<CredentialsError>() {
            sentences.push(sentence);
        }
        source = error.source();
    }
    if sentences.is_empty() { one_line(&error.to_string()) } else { sentences.join(": ") }
}

/// As long as a `credential_process` may take.
const MOST_WAIT: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests {
    use super::calls_itself;

    #[test]
    fn a_process_of_ours_on_the_same_profile_is_found() {
        for (command, found) in [
            ("rolecall assume ROLE -o credential-process", true),
            ("/usr/bin/rolecall assume ROLE --profile dev", true),
            ("\"/opt/bin/rolecall\" assume ROLE --profile=dev", true),
            ("rolecall assume ROLE --profile base", false),
            ("aws-vault export dev", false),
            ("", false),
        ] {
            assert_eq!(calls_itself(command, "dev"), found, "{command}");
        }
    }
}
