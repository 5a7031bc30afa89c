//! What a web identity token says of itself, for people: read, never verified.
//!
//! Verifying is STS's work. The token itself is in no message.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

/// Issuer, audience, subject and expiry of a token; nothing where it is no readable JWT.
pub fn claims_for_people(token: &SecretString) -> Option<String> {
    let claims = claims_of(token)?;
    let text = |name: &str| match claims.get(name) {
        Some(Value::String(text)) => shown(text),
        Some(Value::Array(items)) => {
            items.iter().filter_map(Value::as_str).map(shown).collect::<Vec<_>>().join(",")
        }
        _ => "(none)".to_owned(),
    };
    let expiry = claims
        .get("exp")
        .and_then(Value::as_i64)
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .map_or_else(|| "(none)".to_owned(), |time| time.to_string());
    Some(format!("iss {}, aud {}, sub {}, exp {expiry}", text("iss"), text("aud"), text("sub")))
}

/// The namespace and name of the Kubernetes service account that a token is of, where it is one's.
pub fn service_account_of(token: &SecretString) -> Option<(String, String)> {
    let claims = claims_of(token)?;
    let subject = claims.get("sub")?.as_str()?;
    let (namespace, name) = subject.strip_prefix("system:serviceaccount:")?.split_once(':')?;
    Some((namespace.to_owned(), name.to_owned()))
}

fn claims_of(token: &SecretString) -> Option<Map<String, Value>> {
    let payload = token.expose_secret().split('.').nth(1)?;
    let bytes = URL_SAFE_NO_PAD.decode(payload).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// The web identity token that a text holds; white space around it is not part of it.
///
/// A token is 4 to 20000 visible ASCII characters
/// (<https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html>).
pub fn token_in(text: &str) -> Option<SecretString> {
    let token = text.trim();
    let is_token =
        (4..=20_000).contains(&token.len()) && token.bytes().all(|b| b.is_ascii_graphic());
    is_token.then(|| SecretString::from(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_shown_and_the_token_is_not() {
        let payload = URL_SAFE_NO_PAD
            .encode(r#"{"iss":"https://i","aud":["a","b"],"sub":"s","exp":1767225600}"#);
        let token = SecretString::from(format!("head.{payload}.canary"));
        assert_eq!(
            claims_for_people(&token).unwrap(),
            "iss https://i, aud a,b, sub s, exp 2026-01-01T00:00:00Z"
        );
        assert_eq!(service_account_of(&token), None);
        let payload = URL_SAFE_NO_PAD.encode(r#"{"sub":"system:serviceaccount:team-a:app"}"#);
        let account = service_account_of(&SecretString::from(format!("h.{payload}.s")));
        assert_eq!(account.unwrap(), ("team-a".to_owned(), "app".to_owned()));
        for garbage in ["", "a.b.c", "garbage", "..", "a.bm90IGpzb24.c"] {
            assert_eq!(claims_for_people(&SecretString::from(garbage)), None, "{garbage}");
        }
    }
}
