//! The engine's `Aws` port over the SDK.

use std::sync::Arc;

use jiff::SignedDuration;
use rolecall_engine::error::CallFailure;
use rolecall_engine::plan::WebIdentityRequest;
use rolecall_engine::ports::{Aws, CallerIdentity, Clock};
use rolecall_engine::region::Region;
use rolecall_engine::request::{Registry, RoleRequest, SessionTokenRequest};
use rolecall_engine::session::{Credentials, RegistryToken, Session};
use secrecy::SecretString;

use crate::clock_offset::ClockOffset;
use crate::ecr::EcrClient;
use crate::network::Network;
use crate::sts::StsClient;

type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// STS and ECR over the AWS SDK.
///
/// Retries are the SDK's: three attempts of what the engine's table of failure classes calls
/// transient, within 20 s in all. An HTTP client is made when a region is first used.
#[derive(Debug)]
pub struct AwsClient {
    sts: StsClient,
    clock_offset: ClockOffset,
    ecr: EcrClient,
}

impl AwsClient {
    /// Reaches the services by `network`.
    pub fn new(network: Network, clock: Arc<dyn Clock>) -> Self {
        let clock_offset = ClockOffset::new(Arc::clone(&clock));
        let sts = StsClient::new(network.clone(), clock, clock_offset.clone());
        Self { sts, clock_offset, ecr: EcrClient::new(network) }
    }

    /// How far the clock of STS was ahead of ours at its last answer; nothing before the first one.
    pub fn clock_offset(&self) -> Option<SignedDuration> {
        self.clock_offset.last()
    }
}

impl Aws for AwsClient {
    fn assume_role<'a>(
        &'a self,
        region: &'a Region,
        caller: &'a Credentials,
        request: &'a RoleRequest,
    ) -> BoxFuture<'a, Result<Session, CallFailure>> {
        Box::pin(self.sts.assume(region, caller, request))
    }

    fn assume_role_with_web_identity<'a>(
        &'a self,
        region: &'a Region,
        token: &'a SecretString,
        request: &'a WebIdentityRequest,
    ) -> BoxFuture<'a, Result<Session, CallFailure>> {
        Box::pin(self.sts.assume_with_token(region, token, request))
    }

    fn session_token<'a>(
        &'a self,
        region: &'a Region,
        caller: &'a Credentials,
        request: &'a SessionTokenRequest,
    ) -> BoxFuture<'a, Result<Session, CallFailure>> {
        Box::pin(self.sts.own_session(region, caller, request))
    }

    fn registry_token<'a>(
        &'a self,
        region: &'a Region,
        caller: &'a Credentials,
        registry: Registry,
    ) -> BoxFuture<'a, Result<RegistryToken, CallFailure>> {
        Box::pin(self.ecr.token(region, caller, registry))
    }

    fn caller_identity<'a>(
        &'a self,
        region: &'a Region,
        caller: &'a Credentials,
    ) -> BoxFuture<'a, Result<CallerIdentity, CallFailure>> {
        Box::pin(self.sts.identity_of(region, caller))
    }
}
