//! The calls of STS.
//!
//! What is tried again is what the engine's table of failure classes calls transient.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use aws_credential_types::Credentials as SdkCredentials;
use aws_sdk_sts::Client;
use aws_sdk_sts::config::{Builder, Config, SharedCredentialsProvider};
use aws_sdk_sts::operation::RequestId;
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_sdk_sts::operation::assume_role_with_web_identity::AssumeRoleWithWebIdentityError;
use aws_sdk_sts::operation::get_caller_identity::GetCallerIdentityError;
use aws_sdk_sts::operation::get_session_token::GetSessionTokenError;
use aws_sdk_sts::types::{AssumedRoleUser, PolicyDescriptorType, Tag};
use jiff::Timestamp;
use rolecall_engine::arn::SessionArn;
use rolecall_engine::error::CallFailure;
use rolecall_engine::plan::WebIdentityRequest;
use rolecall_engine::ports::{CallerIdentity, Clock};
use rolecall_engine::region::Region;
use rolecall_engine::request::{
    ExternalId, Mfa, PolicyArn, RoleRequest, SessionDuration, SessionTokenRequest,
};
use rolecall_engine::session::{AssumedRole, Credentials, Session};
use secrecy::{ExposeSecret, SecretString};

use crate::clock_offset::ClockOffset;
use crate::failure::{STS, TableClassifier, failure_of};
use crate::network::Network;
use crate::whole::WholeAnswer;

/// STS over `aws-sdk-sts`.
///
/// Holds one HTTP client per region, made when it is first used.
pub(crate) struct StsClient {
    network: Network,
    clock: Arc<dyn Clock>,
    clock_offset: ClockOffset,
    // A std mutex: held while a client is looked up or built, never across an await.
    clients: Mutex<HashMap<Region, Client>>,
}

impl StsClient {
    pub(crate) fn new(network: Network, clock: Arc<dyn Clock>, clock_offset: ClockOffset) -> Self {
        Self { network, clock, clock_offset, clients: Mutex::default() }
    }

    fn client(&self, region: &Region) -> Client {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let client = clients.entry(region.clone()).or_insert_with(|| {
            let shared = self.network.config(&self.network.sts, region.as_str());
            let config = Builder::from(&shared).interceptor(WholeAnswer::Xml);
            Client::from_conf(config.interceptor(self.clock_offset.clone()).build())
        });
        client.clone()
    }

    #[expect(deprecated, reason = "the packed size is what servers answer today")]
    pub(crate) async fn assume(
        &self,
        region: &Region,
        caller: &Credentials,
        request: &RoleRequest,
    ) -> Result<Session, CallFailure> {
        let (serial, code) = factor(request.mfa.as_ref())?;
        let call = self
            .client(region)
            .assume_role()
            .role_arn(request.role.as_str())
            .role_session_name(request.session_name.as_str())
            .duration_seconds(seconds(request.duration))
            .set_external_id(request.external_id.as_ref().map(|id| id.as_str().to_owned()))
            .set_source_identity(request.source_identity.as_ref().map(|id| id.as_str().to_owned()))
            .set_policy(request.policy.as_ref().map(|policy| policy.as_str().to_owned()))
            .set_policy_arns(descriptors(&request.policy_arns))
            .set_tags(tags(request)?)
            .set_transitive_tag_keys(some_if_any(request.tags.transitive_keys().to_vec()))
            .set_serial_number(serial.map(str::to_owned))
            .set_token_code(code.map(str::to_owned))
            .customize()
            .config_override(signed_by::<AssumeRoleError>(caller))
            .send()
            .await;
        let output = call.map_err(|error| {
            let mut secrets = secrets_of(caller);
            secrets.extend(request.external_id.as_ref().map(ExternalId::as_str));
            secrets.extend(code);
            failure_of(STS, &error, &secrets)
        })?;
        self.session(
            output.credentials(),
            output.assumed_role_user(),
            output.packed_policy_size(),
            output.source_identity(),
            output.request_id(),
        )
    }

    #[expect(deprecated, reason = "the packed size is what servers answer today")]
    pub(crate) async fn assume_with_token(
        &self,
        region: &Region,
        token: &SecretString,
        request: &WebIdentityRequest,
    ) -> Result<Session, CallFailure> {
        let classifier = TableClassifier::<AssumeRoleWithWebIdentityError>::new();
        let call = self
            .client(region)
            .assume_role_with_web_identity()
            .role_arn(request.role.as_str())
            .role_session_name(request.session_name.as_str())
            .web_identity_token(token.expose_secret())
            .duration_seconds(seconds(request.duration))
            .set_policy(request.policy.as_ref().map(|policy| policy.as_str().to_owned()))
            .set_policy_arns(descriptors(&request.policy_arns))
            .customize()
            .config_override(Config::builder().retry_classifier(classifier))
            .send()
            .await;
        let output = call.map_err(|error| failure_of(STS, &error, &[token.expose_secret()]))?;
        self.session(
            output.credentials(),
            output.assumed_role_user(),
            output.packed_policy_size(),
            output.source_identity(),
            output.request_id(),
        )
    }

    pub(crate) async fn own_session(
        &self,
        region: &Region,
        caller: &Credentials,
        request: &SessionTokenRequest,
    ) -> Result<Session, CallFailure> {
        let duration = request.duration.map(|duration| wire_seconds(duration.seconds()));
        let (serial, code) = factor(request.mfa.as_ref())?;
        let call = self
            .client(region)
            .get_session_token()
            .set_duration_seconds(duration)
            .set_serial_number(serial.map(str::to_owned))
            .set_token_code(code.map(str::to_owned))
            .customize()
            .config_override(signed_by::<GetSessionTokenError>(caller))
            .send()
            .await;
        let output = call.map_err(|error| {
            let mut secrets = secrets_of(caller);
            secrets.extend(code);
            failure_of(STS, &error, &secrets)
        })?;
        self.session(output.credentials(), None, None, None, output.request_id())
    }

    pub(crate) async fn identity_of(
        &self,
        region: &Region,
        caller: &Credentials,
    ) -> Result<CallerIdentity, CallFailure> {
        let call = self
            .client(region)
            .get_caller_identity()
            .customize()
            .config_override(signed_by::<GetCallerIdentityError>(caller))
            .send()
            .await;
        let output = call.map_err(|error| failure_of(STS, &error, &secrets_of(caller)))?;
        let part = |part: Option<&str>| part.unwrap_or_default().to_owned();
        Ok(CallerIdentity {
            arn: part(output.arn()),
            account: part(output.account()),
            user_id: part(output.user_id()),
        })
    }

    /// Takes over an answer: a success is a key ID, a secret and a token.
    ///
    /// The SDK fills what a server left out with empty text and the year 1970.
    fn session(
        &self,
        credentials: Option<&aws_sdk_sts::types::Credentials>,
        user: Option<&AssumedRoleUser>,
        packed_policy_size: Option<i32>,
        source_identity: Option<&str>,
        request_id: Option<&str>,
    ) -> Result<Session, CallFailure> {
        let unreadable = CallFailure::Unreadable { service: STS, status: 200 };
        let credentials = credentials.ok_or_else(|| unreadable.clone())?;
        let parts = [
            credentials.access_key_id(),
            credentials.secret_access_key(),
            credentials.session_token(),
        ];
        let [key_id, secret, token] = parts;
        if parts.iter().any(|part| part.is_empty() || !part.bytes().all(|b| b.is_ascii_graphic())) {
            return Err(unreadable);
        }
        let seconds = credentials.expiration().secs();
        let expires_at = match seconds {
            0 => None,
            seconds => Some(Timestamp::from_second(seconds).map_err(|_| unreadable)?),
        };
        let assumed_role = user.map(|user| AssumedRole {
            id: user.assumed_role_id().to_owned(),
            arn: SessionArn::parse(user.arn()),
        });
        Ok(Session {
            credentials: Credentials {
                access_key_id: key_id.to_owned(),
                secret_access_key: SecretString::from(secret),
                session_token: Some(SecretString::from(token)),
            },
            expires_at,
            received_at: self.clock.now(),
            assumed_role: assumed_role.filter(|role| !role.id.is_empty() || role.arn.is_some()),
            packed_policy_percent: packed_policy_size.and_then(|size| u8::try_from(size).ok()),
            source_identity: source_identity.map(str::to_owned),
            request_id: request_id.map(str::to_owned),
        })
    }
}

impl fmt::Debug for StsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StsClient").field("network", &self.network).finish_non_exhaustive()
    }
}

/// A config that signs one call and judges its failures by the engine's table.
fn signed_by<E>(caller: &Credentials) -> Builder
where
    TableClassifier<E>: aws_sdk_sts::config::retry::ClassifyRetry + 'static,
{
    Config::builder()
        .credentials_provider(signing(caller))
        .retry_classifier(TableClassifier::<E>::new())
}

/// The caller's keys as the SDK wants them.
pub(crate) fn signing(caller: &Credentials) -> SharedCredentialsProvider {
    SharedCredentialsProvider::new(SdkCredentials::new(
        caller.access_key_id.clone(),
        caller.secret_access_key.expose_secret(),
        caller.session_token.as_ref().map(|token| token.expose_secret().to_owned()),
        None,
        "rolecall",
    ))
}

/// What must never come back in a server's sentence.
pub(crate) fn secrets_of(caller: &Credentials) -> Vec<&str> {
    let token = caller.session_token.as_ref().map(ExposeSecret::expose_secret);
    // The ID is no secret, but somebody may have put the secret in its place.
    let keys = [caller.access_key_id.as_str(), caller.secret_access_key.expose_secret()];
    keys.into_iter().chain(token).collect()
}

fn seconds(duration: Option<SessionDuration>) -> i32 {
    wire_seconds(duration.unwrap_or(SessionDuration::DEFAULT).seconds())
}

fn wire_seconds(seconds: u32) -> i32 {
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

fn descriptors(arns: &[PolicyArn]) -> Option<Vec<PolicyDescriptorType>> {
    let descriptor = |arn: &PolicyArn| PolicyDescriptorType::builder().arn(arn.as_str()).build();
    some_if_any(arns.iter().map(descriptor).collect())
}

fn tags(request: &RoleRequest) -> Result<Option<Vec<Tag>>, CallFailure> {
    let tags: Result<Vec<Tag>, _> = request
        .tags
        .tags()
        .iter()
        .map(|tag| Tag::builder().key(tag.key()).value(tag.value()).build())
        .collect();
    let reason = "a session tag has no key or no value";
    tags.map(some_if_any).map_err(|_| CallFailure::NotSendable { reason })
}

/// Device and code, both or neither.
fn factor(mfa: Option<&Mfa>) -> Result<(Option<&str>, Option<&str>), CallFailure> {
    match mfa {
        None => Ok((None, None)),
        Some(Mfa { serial, code: Some(code) }) => Ok((Some(serial.as_str()), Some(code.as_str()))),
        Some(Mfa { code: None, .. }) => {
            Err(CallFailure::NotSendable { reason: "there is no MFA code" })
        }
    }
}

/// Nothing optional is sent of our own accord: some servers know three parameters only.
fn some_if_any<T>(items: Vec<T>) -> Option<Vec<T>> {
    if items.is_empty() { None } else { Some(items) }
}
