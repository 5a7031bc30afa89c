//! Sessions that a person signed in to: IAM Identity Center (SSO) and `aws login`, by the SDK.

use aws_config::login::LoginCredentialsProvider;
use aws_config::sso::SsoTokenProvider;
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::token::ProvideToken;
use aws_sdk_sso::operation::get_role_credentials::GetRoleCredentialsError;
use aws_sdk_sts::config::Region as SdkRegion;
use aws_sdk_sts::error::SdkError;
use aws_types::SdkConfig;
use jiff::Timestamp;
use rolecall_engine::error::{Class, SourceError};
use rolecall_engine::region::Region;
use rolecall_engine::session::Identity;
use secrecy::{ExposeSecret, SecretString};

use super::{MOST_WAIT, Machine, identity, keys_of, sso_cache, within};
use crate::endpoint::Destination;
use crate::network::TlsOnly;
use crate::shared_config::Own;
use crate::trust::{Proxy, https_client};

/// Keys of an SSO session or of `aws login`; others are not handled here.
pub(super) async fn keys(
    profile: &str,
    own: &Own,
    machine: &Machine,
    region: &Region,
) -> Option<Result<Identity, SourceError>> {
    match own {
        Own::Sso { .. } => Some(by_role(profile, own, machine).await),
        Own::Login { session } => {
            // What a person signed in with goes over TLS, whatever the environment says.
            let client = https_client(machine.network.ca_bundle.as_ref(), Proxy::OfEnvironment);
            let config = machine.provider_config(region).with_http_client(TlsOnly(client));
            let provider = LoginCredentialsProvider::builder(session).configure(&config).build();
            let found = within(MOST_WAIT, provider.provide_credentials()).await;
            Some(match found {
                Ok(credentials) => identity(&credentials, LOGIN.origin(profile)),
                Err(CredentialsError::ProviderTimedOut(_)) => {
                    Err(LOGIN.refused(profile, &Answer::Silence))
                }
                Err(_) => Err(LOGIN.refused(profile, &Answer::None)),
            })
        }
        Own::Keys { .. } | Own::Process { .. } => None,
    }
}

/// Keys of the account and role that the profile names, for the token that a person got.
///
/// Called here and not by the SDK's provider, which would send the token to whatever address
/// `AWS_ENDPOINT_URL` names.
async fn by_role(profile: &str, own: &Own, machine: &Machine) -> Result<Identity, SourceError> {
    let Own::Sso { session, start_url, region, account, role } = own else {
        return Err(SSO.refused(profile, &Answer::None));
    };
    let regional = Destination::Regional { fips: false, dual_stack: false };
    let config = machine.network.config(&regional, region);
    let token = match session {
        Some(session) => match of_cache(session, machine) {
            Err(_) => of_session(session, start_url, region, &config).await,
            found => found,
        },
        None => of_cache(start_url, machine),
    };
    let token = token.map_err(|answer| SSO.refused(profile, &answer))?;
    let client = aws_sdk_sso::Client::new(&config);
    let call = client
        .get_role_credentials()
        .access_token(token.expose_secret())
        .account_id(account)
        .role_name(role);
    let output = call.send().await.map_err(|error| SSO.refused(profile, &answer_to(&error)))?;
    let found = output.role_credentials().ok_or_else(|| SSO.refused(profile, &Answer::None))?;
    keys_of(
        found.access_key_id().unwrap_or_default().to_owned(),
        SecretString::from(found.secret_access_key().unwrap_or_default()),
        found.session_token().map(SecretString::from),
        Timestamp::from_millisecond(found.expiration()).ok(),
        SSO.origin(profile),
    )
}

/// The token of an `sso_session`, which the SDK renews and keeps while it can.
async fn of_session(
    session: &str,
    start_url: &str,
    region: &str,
    config: &SdkConfig,
) -> Result<SecretString, Answer> {
    let provider = SsoTokenProvider::builder()
        .configure(config)
        .session_name(session)
        .start_url(start_url)
        .region(SdkRegion::new(region.to_owned()))
        .build()
        .await;
    match tokio::time::timeout(MOST_WAIT, provider.provide_token()).await {
        Ok(Ok(token)) => Ok(SecretString::from(token.token())),
        Ok(Err(_)) => Err(Answer::None),
        Err(_) => Err(Answer::Silence),
    }
}

/// The token that was kept under the name of a session, or under a start URL, while it lasts.
fn of_cache(key: &str, machine: &Machine) -> Result<SecretString, Answer> {
    let cache = machine.sso_cache.as_deref();
    let token = cache.and_then(|cache| sso_cache::read(cache, key)).ok_or(Answer::None)?;
    if token.ends_at <= (machine.clock)() {
        return Err(Answer::Ended(token.ends_at));
    }
    Ok(token.access_token)
}

/// How a person signs in.
struct SignIn {
    kind: &'static str,
    command: &'static str,
}

const SSO: SignIn = SignIn { kind: "SSO session", command: "aws sso login" };
const LOGIN: SignIn = SignIn { kind: "aws login session", command: "aws login" };

impl SignIn {
    fn origin(&self, profile: &str) -> String {
        format!("{} of profile {profile}", self.kind)
    }

    /// Where the service answered, what it answered counts; where it could not be asked, there is
    /// no session to ask with.
    fn refused(&self, profile: &str, answer: &Answer) -> SourceError {
        let sign_in = format!("{} --profile {profile}", self.command);
        let (reason, class, hint) = match answer {
            Answer::Ended(at) => (format!("it ended at {at}"), Class::NeedsPerson, sign_in),
            Answer::Status(401) => ("it has ended".to_owned(), Class::NeedsPerson, sign_in),
            Answer::Status(403 | 404) => (
                "it gives no access to that account and role".to_owned(),
                Class::Denied,
                "check sso_account_id and sso_role_name of the profile".to_owned(),
            ),
            Answer::Status(429) => {
                ("its service is throttling".to_owned(), Class::Throttled, TRY_LATER.to_owned())
            }
            Answer::Status(500..) => {
                ("its service is down".to_owned(), Class::Unavailable, TRY_LATER.to_owned())
            }
            Answer::Silence => {
                ("its service did not answer".to_owned(), Class::Unavailable, TRY_LATER.to_owned())
            }
            Answer::Status(_) => ("its service refused it".to_owned(), Class::NeedsPerson, sign_in),
            Answer::None => {
                ("there is none, or it has ended".to_owned(), Class::NeedsPerson, sign_in)
            }
        };
        SourceError::Failed { origin: self.origin(profile), reason, class, hint: Some(hint) }
    }
}

const TRY_LATER: &str = "check the network and the sso_region, and try again";

enum Answer {
    Status(u16),
    /// Nothing was asked: the token had ended already.
    Ended(Timestamp),
    Silence,
    None,
}

fn answer_to(error: &SdkError<GetRoleCredentialsError>) -> Answer {
    match error.raw_response() {
        Some(response) => Answer::Status(response.status().as_u16()),
        None => Answer::Silence,
    }
}
