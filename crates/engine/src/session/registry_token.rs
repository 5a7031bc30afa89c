//! What ECR gave: a name and a password for a registry.

use jiff::Timestamp;
use secrecy::SecretString;

/// A registry's user and password, as ECR gave them.
#[derive(Clone, Debug)]
pub struct RegistryToken {
    /// `AWS`, always, at AWS.
    pub username: String,
    /// The password, several kilobytes long.
    pub password: SecretString,
    /// The registry's address with its scheme, verbatim; public ECR gives none.
    pub proxy_endpoint: Option<String>,
    /// When the password ends, as ECR said; twelve hours at AWS.
    pub expires_at: Timestamp,
    /// ECR's own name for the call.
    pub request_id: Option<String>,
}
