//! From what was issued to bytes: pure, and with `render` the only place of the engine that exposes
//! a secret.
//!
//! The bytes are zeroed when dropped and written by a door's one writer.

mod json;
mod shell;

pub use json::{KeyMap, assume_role_json, credential_process, pretty};
pub use shell::{Dialect, key_lines, shell};

use secrecy::ExposeSecret;
use zeroize::Zeroizing;

use crate::region::Region;
use crate::render::Text;
use crate::session::{Issued, RegistryToken, Session};

/// The variables of a session, as the AWS SDKs read them.
///
/// Both names of the region, since SDKs differ in which they read; the expiry as aws-vault and
/// others name it, where STS said it.
pub fn variables(session: &Session, region: &Region) -> Vec<(&'static str, Text)> {
    let credentials = &session.credentials;
    let mut variables = vec![
        ("AWS_ACCESS_KEY_ID", text(&credentials.access_key_id)),
        ("AWS_SECRET_ACCESS_KEY", text(credentials.secret_access_key.expose_secret())),
    ];
    if let Some(token) = &credentials.session_token {
        variables.push(("AWS_SESSION_TOKEN", text(token.expose_secret())));
    }
    if let Some(expires_at) = session.expires_at {
        variables.push(("AWS_CREDENTIAL_EXPIRATION", text(&json::whole_seconds(expires_at))));
    }
    variables.push(("AWS_REGION", text(region.as_str())));
    variables.push(("AWS_DEFAULT_REGION", text(region.as_str())));
    variables
}

/// The output keys of the generators, as ESO names and encodes them: the expiry is Unix seconds.
pub fn generator_keys(issued: &Issued) -> Vec<(&'static str, Text)> {
    match issued {
        Issued::Session(session) => session_keys(session),
        Issued::RegistryToken(token) => registry_keys(token),
    }
}

fn text(text: &str) -> Text {
    Zeroizing::new(text.to_owned())
}

fn session_keys(session: &Session) -> Vec<(&'static str, Text)> {
    let credentials = &session.credentials;
    let mut keys = vec![
        ("access_key_id", text(&credentials.access_key_id)),
        ("secret_access_key", text(credentials.secret_access_key.expose_secret())),
    ];
    if let Some(token) = &credentials.session_token {
        keys.push(("session_token", text(token.expose_secret())));
    }
    if let Some(expires_at) = session.expires_at {
        keys.push(("expiration", text(&expires_at.as_second().to_string())));
    }
    keys
}

/// Public ECR has no proxy endpoint, and then no such key.
fn registry_keys(token: &RegistryToken) -> Vec<(&'static str, Text)> {
    let mut keys = vec![
        ("username", text(&token.username)),
        ("password", text(token.password.expose_secret())),
    ];
    keys.extend(token.proxy_endpoint.as_deref().map(|url| ("proxy_endpoint", text(url))));
    keys.push(("expires_at", text(&token.expires_at.as_second().to_string())));
    keys
}

#[cfg(test)]
mod tests;
