//! The token that `aws sso login` leaves behind, for an `sso_session` or for a start URL.
//!
//! Read here: the SDK's reader refuses the times of older tools, which end in `UTC`, and never
//! looks whether the token has ended.

use std::fmt::Write;
use std::path::Path;

use jiff::Timestamp;
use secrecy::SecretString;
use serde::Deserialize;
use sha1::{Digest, Sha1};

use crate::files;

/// A token of IAM Identity Center, and when it ends.
pub(super) struct CachedToken {
    pub(super) access_token: SecretString,
    pub(super) ends_at: Timestamp,
}

/// The cached token under the name of a session, or a start URL; nothing where there is none, or
/// none that can be read.
pub(super) fn read(cache: &Path, key: &str) -> Option<CachedToken> {
    let mut name = String::new();
    for byte in Sha1::digest(key) {
        write!(name, "{byte:02x}").ok()?;
    }
    let bytes = files::read(&cache.join(format!("{name}.json"))).ok()?;
    parse(&bytes)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    access_token: SecretString,
    expires_at: String,
}

fn parse(bytes: &[u8]) -> Option<CachedToken> {
    let File { access_token, expires_at } = serde_json::from_slice(bytes).ok()?;
    let ends_at = match expires_at.strip_suffix("UTC") {
        Some(time) => format!("{time}Z").parse(),
        None => expires_at.parse(),
    };
    Some(CachedToken { access_token, ends_at: ends_at.ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_end_in_z_or_in_utc() {
        let ends = |time: &str| {
            let file = format!(r#"{{"accessToken": "t", "expiresAt": "{time}", "region": "x"}}"#);
            parse(file.as_bytes()).map(|token| token.ends_at.to_string())
        };
        for time in ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00UTC"] {
            assert_eq!(ends(time).unwrap(), "2026-01-01T00:00:00Z");
        }
        for odd in ["", "soon", "2026-01-01"] {
            assert_eq!(ends(odd), None, "{odd}");
        }
        assert!(parse(b"{}").is_none() && parse(b"").is_none() && parse(b"\xff").is_none());
    }
}
