//! What a web identity token says of itself, for people: read, never verified.
//!
//! Verifying is STS's work. The token itself is in no message.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

/// Issuer, audience, subject and expiry of a token; nothing where it is no readable JWT.
pub fn claims_for_people(token: &SecretString) -> Option<String> {
    let payload = token.expose_secret().split('.').nth(1)?;
    let bytes = URL_SAFE_NO_PAD.decode(payload).ok()?;
    let claims: Value = serde_json::from_slice(&bytes).ok()?;
    let claims = claims.as_object()?;
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

fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
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
        for garbage in ["", "a.b.c", "garbage", "..", "a.bm90IGpzb24.c"] {
            assert_eq!(claims_for_people(&SecretString::from(garbage)), None, "{garbage}");
        }
    }
}
