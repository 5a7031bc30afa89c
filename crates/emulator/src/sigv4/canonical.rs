//! The canonical form of a request: what both sides hash.

use aws_lc_rs::digest;
use axum::http::request::Parts;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};

use crate::random::hex;

/// RFC 3986: letters, digits and `-._~` stay.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const PATH: &AsciiSet = &UNRESERVED.remove(b'/');

/// The canonical request, with the hash of the raw body.
pub(super) fn request(
    parts: &Parts,
    body: &[u8],
    signed_headers: &[String],
    presigned: bool,
) -> Vec<u8> {
    let mut text = Vec::new();
    let path = utf8_percent_encode(parts.uri.path(), PATH).to_string();
    let query = query(parts.uri.query().unwrap_or_default(), presigned);
    for line in [parts.method.as_str(), &path, &query] {
        text.extend_from_slice(line.as_bytes());
        text.push(b'\n');
    }
    for name in signed_headers {
        text.extend_from_slice(name.as_bytes());
        text.push(b':');
        for (index, value) in parts.headers.get_all(name.as_str()).iter().enumerate() {
            if index > 0 {
                text.push(b',');
            }
            text.extend(trimmed(value.as_bytes()));
        }
        text.push(b'\n');
    }
    let hash = hex(digest::digest(&digest::SHA256, body).as_ref());
    text.extend_from_slice(format!("\n{}\n{hash}", signed_headers.join(";")).as_bytes());
    text
}

/// Decoded, encoded anew and sorted: any legal way to write a parameter comes to the same (E2).
fn query(raw: &str, presigned: bool) -> String {
    let encode = |part: &str| {
        let part = part.replace('+', " ");
        let bytes = percent_decode(part.as_bytes()).decode_utf8_lossy().into_owned();
        utf8_percent_encode(&bytes, UNRESERVED).to_string()
    };
    let mut pairs: Vec<(String, String)> = raw
        .split('&')
        .filter(|part| !part.is_empty())
        .map(|part| part.split_once('=').unwrap_or((part, "")))
        .map(|(name, value)| (encode(name), encode(value)))
        .filter(|(name, _)| !(presigned && name == "X-Amz-Signature"))
        .collect();
    pairs.sort();
    let pairs: Vec<String> =
        pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

/// Without spaces at the ends, and with one space for several inside.
fn trimmed(value: &[u8]) -> Vec<u8> {
    let words = value.split(|&byte| byte == b' ' || byte == b'\t');
    let words: Vec<&[u8]> = words.filter(|word| !word.is_empty()).collect();
    words.join(&b' ')
}
