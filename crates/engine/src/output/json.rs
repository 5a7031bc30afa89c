//! JSON in shapes that other programs already read.

use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use zeroize::Zeroizing;

use super::generator_keys;
use crate::arn::SessionArn;
use crate::render::Text;
use crate::session::{Issued, Session};

/// What `aws sts assume-role` prints, so that people's `jq` goes on working.
///
/// A field that STS did not answer is left out.
///
/// # Errors
///
/// Never in practice: every part is text or a number.
pub fn assume_role_json(session: &Session) -> serde_json::Result<Text> {
    let credentials = &session.credentials;
    let role = session.assumed_role.as_ref();
    pretty(&AssumeRoleOutput {
        credentials: CredentialsOutput {
            access_key_id: &credentials.access_key_id,
            secret_access_key: credentials.secret_access_key.expose_secret(),
            session_token: credentials.session_token.as_ref().map(ExposeSecret::expose_secret),
            expiration: session.expires_at.map(whole_seconds),
        },
        assumed_role_user: role.map(|role| AssumedRoleUser {
            assumed_role_id: &role.id,
            arn: role.arn.as_ref().map(SessionArn::as_str),
        }),
        packed_policy_size: session.packed_policy_percent,
        source_identity: session.source_identity.as_deref(),
    })
}

/// What a `credential_process` prints for the AWS SDKs.
///
/// Always with an expiry: without one an SDK never asks again. Where STS gave none it is 15
/// minutes after the answer. Format:
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html>.
///
/// # Errors
///
/// Never in practice: every part is text or a number.
pub fn credential_process(session: &Session) -> serde_json::Result<Text> {
    let credentials = &session.credentials;
    pretty(&CredentialProcess {
        version: 1,
        credentials: CredentialsOutput {
            access_key_id: &credentials.access_key_id,
            secret_access_key: credentials.secret_access_key.expose_secret(),
            session_token: credentials.session_token.as_ref().map(ExposeSecret::expose_secret),
            expiration: Some(whole_seconds(session.ends_at())),
        },
        account_id: session.arn().map(SessionArn::account),
    })
}

/// The generator's output keys as a flat map of strings.
#[derive(Debug)]
pub struct KeyMap<'a>(pub &'a Issued);

impl Serialize for KeyMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let keys = generator_keys(self.0);
        let mut map = serializer.serialize_map(Some(keys.len()))?;
        for (key, value) in &keys {
            map.serialize_entry(key, value.as_str())?;
        }
        map.end()
    }
}

/// `YYYY-MM-DDTHH:MM:SSZ`: the Rust SDK refuses any other zone, old ones any fraction.
pub(super) fn whole_seconds(time: Timestamp) -> String {
    Timestamp::from_second(time.as_second()).unwrap_or(time).to_string()
}

/// Any map or struct as indented JSON, in memory that is zeroed when dropped.
///
/// # Errors
///
/// When the value itself cannot be JSON.
pub fn pretty(value: &impl Serialize) -> serde_json::Result<Text> {
    // Room for the longest token seen, so that no secret is left behind by a growing buffer.
    const ROOM: usize = 64 * 1024;
    let mut bytes = Zeroizing::new(Vec::with_capacity(ROOM));
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut *bytes, formatter);
    value.serialize(&mut serializer)?;
    bytes.push(b'\n');
    let text = String::from_utf8(std::mem::take(&mut *bytes));
    text.map(Zeroizing::new).map_err(serde::ser::Error::custom)
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct AssumeRoleOutput<'a> {
    credentials: CredentialsOutput<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    assumed_role_user: Option<AssumedRoleUser<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    packed_policy_size: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_identity: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CredentialsOutput<'a> {
    access_key_id: &'a str,
    secret_access_key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiration: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct AssumedRoleUser<'a> {
    assumed_role_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    arn: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CredentialProcess<'a> {
    version: u8,
    #[serde(flatten)]
    credentials: CredentialsOutput<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<&'a str>,
}
