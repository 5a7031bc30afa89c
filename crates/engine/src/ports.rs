//! What the engine asks of the world: an identity, an STS call, the time.
//!
//! Dyn-compatible, so that a door puts its own parts together at run time. A further port needs a
//! decision record.

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use secrecy::SecretString;

use crate::error::{CallFailure, SourceError};
use crate::plan::{SourceSpec, WebIdentityRequest};
use crate::region::Region;
use crate::request::{MfaCode, MfaSerial, Registry, RoleRequest, SessionTokenRequest};
use crate::session::{Credentials, Identity, RegistryToken, Session};

/// Finds out who we are.
pub trait Source: Send + Sync {
    /// Reads the identity that `spec` names, anew at each call; a source that has to call AWS for
    /// it does so in `region`.
    ///
    /// # Errors
    ///
    /// [`SourceError`] when there is none, or none that could work.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves nothing half-done.
    fn identity<'a>(
        &'a self,
        spec: &'a SourceSpec,
        region: &'a Region,
    ) -> BoxFuture<'a, Result<Identity, SourceError>>;

    /// The present code of a user's MFA device, asked for just before the call that it is for.
    ///
    /// # Errors
    ///
    /// [`SourceError`] when nobody gives one. A code works once, so each call asks anew.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves a prompt or a command without a reader.
    fn mfa_code<'a>(&'a self, serial: &'a MfaSerial)
    -> BoxFuture<'a, Result<MfaCode, SourceError>>;
}

/// The calls of STS and ECR.
///
/// Retries are the implementation's: it keeps trying what is transient within a bounded time, and
/// what it returns is final.
pub trait Aws: Send + Sync {
    /// AssumeRole, signed by `caller`.
    fn assume_role<'a>(
        &'a self,
        region: &'a Region,
        caller: &'a Credentials,
        request: &'a RoleRequest,
    ) -> BoxFuture<'a, Result<Session, CallFailure>>;

    /// AssumeRoleWithWebIdentity, unsigned.
    fn assume_role_with_web_identity<'a>(
        &'a self,
        region: &'a Region,
        token: &'a SecretString,
        request: &'a WebIdentityRequest,
    ) -> BoxFuture<'a, Result<Session, CallFailure>>;

    /// GetSessionToken, signed by `caller`.
    fn session_token<'a>(
        &'a self,
        region: &'a Region,
        caller: &'a Credentials,
        request: &'a SessionTokenRequest,
    ) -> BoxFuture<'a, Result<Session, CallFailure>>;

    /// ECR's GetAuthorizationToken, signed by `caller`; public ECR is always asked in us-east-1.
    fn registry_token<'a>(
        &'a self,
        region: &'a Region,
        caller: &'a Credentials,
        registry: Registry,
    ) -> BoxFuture<'a, Result<RegistryToken, CallFailure>>;

    /// GetCallerIdentity, signed by `caller`: who these credentials are.
    fn caller_identity<'a>(
        &'a self,
        region: &'a Region,
        caller: &'a Credentials,
    ) -> BoxFuture<'a, Result<CallerIdentity, CallFailure>>;
}

/// Who a set of credentials is, as STS says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CallerIdentity {
    /// The caller's ARN.
    pub arn: String,
    /// The caller's account.
    pub account: String,
    /// The caller's unique ID.
    pub user_id: String,
}

/// The wall clock.
pub trait Clock: Send + Sync {
    /// The present time.
    fn now(&self) -> Timestamp;
}
