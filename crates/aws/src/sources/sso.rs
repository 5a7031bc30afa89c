//! Sessions that a person signed in to: IAM Identity Center (SSO) and `aws login`, by the SDK.

use aws_config::login::LoginCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::sso::SsoCredentialsProvider;
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sso::operation::get_role_credentials::GetRoleCredentialsError;
use aws_sdk_sts::config::Region as SdkRegion;
use aws_sdk_sts::error::SdkError;
use rolecall_engine::error::{Class, SourceError};
use rolecall_engine::session::Identity;

use super::{MOST_WAIT, identity, within};
use crate::shared_config::Own;

/// Keys of an SSO session or of `aws login`; others are not handled here.
pub(super) async fn keys(
    profile: &str,
    own: &Own,
    config: &ProviderConfig,
) -> Option<Result<Identity, SourceError>> {
    let (found, kind, command) = match own {
        Own::Sso { session, start_url, region, account, role } => {
            let mut provider = SsoCredentialsProvider::builder()
                .configure(config)
                .start_url(start_url)
                .region(SdkRegion::new(region.clone()))
                .account_id(account)
                .role_name(role);
            provider.set_session_name(session.clone());
            let found = within(MOST_WAIT, provider.build().provide_credentials()).await;
            (found, "SSO session", "aws sso login")
        }
        Own::Login { session } => {
            let provider = LoginCredentialsProvider::builder(session).configure(config).build();
            let found = within(MOST_WAIT, provider.provide_credentials()).await;
            (found, "aws login session", "aws login")
        }
        Own::Keys { .. } | Own::Process { .. } => return None,
    };
    let origin = format!("{kind} of profile {profile}");
    Some(match found {
        Ok(credentials) => identity(&credentials, origin),
        Err(error) => Err(refused(origin, profile, command, &error)),
    })
}

/// Where the service answered, what it answered counts; where it could not be asked, there is no
/// session to ask with.
fn refused(origin: String, profile: &str, command: &str, error: &CredentialsError) -> SourceError {
    let sign_in = Some(format!("{command} --profile {profile}"));
    let (reason, class, hint) = match answer_of(error) {
        Answer::Status(401) => ("it has ended", Class::NeedsPerson, sign_in),
        Answer::Status(403 | 404) => (
            "it gives no access to that account and role",
            Class::Denied,
            Some("check sso_account_id and sso_role_name of the profile".to_owned()),
        ),
        Answer::Status(429) => {
            ("its service is throttling", Class::Throttled, Some(TRY_LATER.to_owned()))
        }
        Answer::Status(500..) => {
            ("its service is down", Class::Unavailable, Some(TRY_LATER.to_owned()))
        }
        Answer::Silence => {
            ("its service did not answer", Class::Unavailable, Some(TRY_LATER.to_owned()))
        }
        Answer::Status(_) => ("its service refused it", Class::NeedsPerson, sign_in),
        Answer::None => ("there is none, or it has ended", Class::NeedsPerson, sign_in),
    };
    SourceError::Failed { origin, reason: reason.to_owned(), class, hint }
}

const TRY_LATER: &str = "check the network and the sso_region, and try again";

enum Answer {
    Status(u16),
    Silence,
    None,
}

/// Looks for the call behind a provider's error.
fn answer_of(error: &CredentialsError) -> Answer {
    if matches!(error, CredentialsError::ProviderTimedOut(_)) {
        return Answer::Silence;
    }
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref::<SdkError<GetRoleCredentialsError>>() {
            return match error.raw_response() {
                Some(response) => Answer::Status(response.status().as_u16()),
                None => Answer::Silence,
            };
        }
        source = error.source();
    }
    Answer::None
}
