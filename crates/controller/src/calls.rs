//! Every call of AWS is counted: those of earlier hops and second tries too.

use std::fmt;
use std::sync::Arc;

use jiff::SignedDuration;
use rolecall_aws::AwsClient;
use rolecall_engine::error::CallFailure;
use rolecall_engine::plan::WebIdentityRequest;
use rolecall_engine::ports::{Aws, CallerIdentity};
use rolecall_engine::region::Region;
use rolecall_engine::request::{Registry, RoleRequest, SessionTokenRequest};
use rolecall_engine::session::{Credentials, RegistryToken, Session};
use secrecy::SecretString;

use crate::metrics::Metrics;

type Answer<'a, T> = std::pin::Pin<Box<dyn Future<Output = Result<T, CallFailure>> + Send + 'a>>;

/// The engine's port to AWS, with a count of what goes through it.
pub struct CountedCalls {
    aws: AwsClient,
    metrics: Arc<Metrics>,
}

impl CountedCalls {
    /// Counts what this client does.
    pub fn new(aws: AwsClient, metrics: Arc<Metrics>) -> Self {
        Self { aws, metrics }
    }

    /// How far AWS's clock was ahead of ours at its last answer.
    pub fn clock_offset(&self) -> Option<SignedDuration> {
        self.aws.clock_offset()
    }

    fn counted<'a, T: Send + 'a>(
        &'a self,
        operation: &'static str,
        region: &'a Region,
        call: Answer<'a, T>,
    ) -> Answer<'a, T> {
        Box::pin(async move {
            let answer = call.await;
            // What could not be sent was no call.
            if !matches!(answer, Err(CallFailure::NotSendable { .. })) {
                let failed = answer.as_ref().err().map(CallFailure::class);
                self.metrics.called(operation, region.as_str(), failed);
            }
            answer
        })
    }
}

impl fmt::Debug for CountedCalls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CountedCalls").finish_non_exhaustive()
    }
}

impl Aws for CountedCalls {
    fn assume_role<'a>(
        &'a self,
        region: &'a Region,
        caller: &'a Credentials,
        request: &'a RoleRequest,
    ) -> Answer<'a, Session> {
        self.counted("AssumeRole", region, self.aws.assume_role(region, caller, request))
    }

    fn assume_role_with_web_identity<'a>(
        &'a self,
        region: &'a Region,
        token: &'a SecretString,
        request: &'a WebIdentityRequest,
    ) -> Answer<'a, Session> {
        let call = self.aws.assume_role_with_web_identity(region, token, request);
        self.counted("AssumeRoleWithWebIdentity", region, call)
    }

    fn session_token<'a>(
        &'a self,
        region: &'a Region,
        caller: &'a Credentials,
        request: &'a SessionTokenRequest,
    ) -> Answer<'a, Session> {
        self.counted("GetSessionToken", region, self.aws.session_token(region, caller, request))
    }

    fn registry_token<'a>(
        &'a self,
        region: &'a Region,
        caller: &'a Credentials,
        registry: Registry,
    ) -> Answer<'a, RegistryToken> {
        let call = self.aws.registry_token(region, caller, registry);
        self.counted("GetAuthorizationToken", region, call)
    }

    fn caller_identity<'a>(
        &'a self,
        region: &'a Region,
        caller: &'a Credentials,
    ) -> Answer<'a, CallerIdentity> {
        self.counted("GetCallerIdentity", region, self.aws.caller_identity(region, caller))
    }
}
