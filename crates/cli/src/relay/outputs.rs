//! The two outputs of the step.

use std::fmt;

use bytes::Bytes;
use rolecall_engine::arn::SessionArn;
use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::api::Api;
use super::ask::{refused, unanswered};
use super::say;
use crate::door::{in_seconds, unexpected};
use crate::report::Failure;
use crate::request::Answer;
use crate::terminal::Terminal;

/// The outputs as JSON.
pub(crate) struct Outputs {
    connection: Zeroizing<Vec<u8>>,
    role: Vec<u8>,
}

/// What later steps take for a connection; the spelling is Relay's.
#[derive(Serialize)]
struct Connection<'a> {
    #[serde(rename = "accessKeyID")]
    access_key_id: &'a str,
    #[serde(rename = "secretAccessKey")]
    secret_access_key: &'a str,
    #[serde(rename = "sessionToken")]
    session_token: &'a str,
}

impl Outputs {
    pub(crate) fn of(answer: &Answer) -> Result<Self, Failure> {
        let Answer { session, region } = answer;
        let credentials = &session.credentials;
        let token = credentials.session_token.as_ref().map(ExposeSecret::expose_secret);
        let connection = Connection {
            access_key_id: &credentials.access_key_id,
            secret_access_key: credentials.secret_access_key.expose_secret(),
            session_token: token.unwrap_or_default(),
        };
        // Room for any token, so that no copy is left behind by a growing buffer.
        let mut bytes = Zeroizing::new(Vec::with_capacity(ROOM));
        serde_json::to_writer(&mut *bytes, &connection).map_err(|error| unexpected(&error))?;
        let id = session.assumed_role.as_ref().map(|role| &role.id);
        let arn = session.arn();
        let mut role = json!({
            "assumedRoleId": id,
            "arn": arn.map(SessionArn::as_str),
            "accountId": arn.map(SessionArn::account),
            "expiration": in_seconds(session.ends_at()).to_string(),
            "region": region.as_str(),
        });
        if let Some(map) = role.as_object_mut() {
            // Servers that are not AWS may not say whose session it is.
            map.retain(|_, value| !value.is_null());
        }
        Ok(Self { connection: bytes, role: role.to_string().into_bytes() })
    }

    /// Writes both; `connection` is marked as sensitive before there is a value.
    pub(crate) async fn write(self, api: &Api, terminal: Terminal) -> Result<(), Failure> {
        say(ADDING_CONNECTION, false)?;
        let sensitive = Bytes::from_static(br#"{"sensitive":true}"#);
        let marked = put(api, "connection/metadata", "the mark of connection", sensitive).await;
        if let Err(failure) = marked {
            let why = failure.one_line();
            terminal.warn(&format!("the output connection is not marked as sensitive: {why}"));
        }
        // The client needs a buffer of its own; it lives as long as the process at most.
        let connection = Bytes::copy_from_slice(&self.connection);
        put(api, "connection", "the output connection", connection).await?;
        say(ADDING_ROLE, false)?;
        put(api, "role", "the output role", Bytes::from(self.role)).await
    }

    /// Both in one object.
    pub(crate) fn whole(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(ROOM));
        text.push_str("{\"connection\":");
        text.push_str(&String::from_utf8_lossy(&self.connection));
        text.push_str(",\"role\":");
        text.push_str(&String::from_utf8_lossy(&self.role));
        text.push_str("}\n");
        text
    }
}

async fn put(api: &Api, path: &str, what: &str, body: Bytes) -> Result<(), Failure> {
    let tried = format!("could not write {what} to Relay's metadata API");
    let answer = api.put(&format!("/outputs/{path}"), body).await;
    let answer = answer.map_err(|silence| unanswered(&tried, &silence))?;
    if answer.is_success() { Ok(()) } else { Err(refused(&tried, &answer, "")) }
}

/// Shows no value.
impl fmt::Debug for Outputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outputs").finish_non_exhaustive()
    }
}

// What the step that is replaced prints, to the letter.
const ADDING_CONNECTION: &str = "Adding temporary credentials to the output `connection`\n\n";
const ADDING_ROLE: &str = "Adding assumed role identifiers to the output `role`\n";
/// No session token of AWS comes near it.
const ROOM: usize = 64 * 1024;
