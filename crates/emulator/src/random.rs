//! Secrets and identifiers.
//!
//! Everything a client could be tricked by is marked: key ids begin `ASIAEMULATED`, registry
//! passwords `EMULATED`, session tokens with the base64 of `rolecall-emulated`.

use aws_lc_rs::{digest, rand};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// The system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the system gave no random bytes")]
pub(crate) struct NoRandomness;

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const TOKEN_MARK: &[u8] = b"rolecall-emulated";

/// A key id of a session: 20 characters.
pub(crate) fn access_key_id() -> Result<String, NoRandomness> {
    Ok(format!("ASIAEMULATED{}", base32(&bytes::<8>()?)))
}

/// A secret key: 40 characters, as AWS's.
pub(crate) fn secret_access_key() -> Result<String, NoRandomness> {
    Ok(STANDARD.encode(bytes::<30>()?))
}

/// A session token: 492 characters, with `/`, `+` and `=` among them, as clients meet them.
pub(crate) fn session_token() -> Result<String, NoRandomness> {
    loop {
        // 17 + 351 = 368 bytes, one short of a multiple of three: so the text ends with `=`.
        let text = STANDARD.encode([TOKEN_MARK, &bytes::<351>()?].concat());
        // One text in some thousand lacks one of the two.
        if text.contains('/') && text.contains('+') {
            return Ok(text);
        }
    }
}

/// A password for a container registry: 1,032 characters, with `=` at its end, without `:`.
pub(crate) fn registry_password() -> Result<String, NoRandomness> {
    Ok(format!("EMULATED{}", STANDARD.encode(bytes::<767>()?)))
}

/// A token for the control port.
pub(crate) fn control_token() -> Result<String, NoRandomness> {
    Ok(URL_SAFE_NO_PAD.encode(bytes::<32>()?))
}

/// A request id, in the form of a version 4 UUID.
pub(crate) fn request_id() -> String {
    // An id is for reading logs only, so zeros are better than no answer.
    let mut id = bytes::<16>().unwrap_or_default();
    id[6] = (id[6] & 0x0f) | 0x40;
    id[8] = (id[8] & 0x3f) | 0x80;
    let text = hex(&id);
    let part = |range: std::ops::Range<usize>| text.get(range).unwrap_or_default();
    format!("{}-{}-{}-{}-{}", part(0..8), part(8..12), part(12..16), part(16..20), part(20..32))
}

/// An id that is always the same for one ARN: `prefix` (`AROA`, `AIDA`) and 17 characters.
pub(crate) fn stable_id(prefix: &str, arn: &str) -> String {
    let hash = digest::digest(&digest::SHA256, arn.as_bytes());
    format!("{prefix}{}", base32(hash.as_ref().get(..17).unwrap_or_default()))
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn bytes<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut buffer = [0; N];
    rand::fill(&mut buffer).map_err(|_unspecified| NoRandomness)?;
    Ok(buffer)
}

/// One character per byte: 5 of its 8 bits.
fn base32(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(BASE32[usize::from(byte & 31)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e16_shapes_of_identifiers() {
        let id = access_key_id().unwrap();
        assert!(id.len() == 20 && id.starts_with("ASIAEMULATED"), "{id}");
        assert_eq!(secret_access_key().unwrap().len(), 40);
        let token = session_token().unwrap();
        assert_eq!(token.len(), 492);
        assert!(token.contains('/') && token.contains('+') && token.ends_with('='));
        let password = registry_password().unwrap();
        assert_eq!(password.len(), 1032);
        assert!(password.starts_with("EMULATED") && password.ends_with('='));
        assert_eq!(stable_id("AROA", "x").len(), 21);
        assert_eq!(stable_id("AROA", "x"), stable_id("AROA", "x"));
        assert_eq!(request_id().len(), 36);
    }
}
