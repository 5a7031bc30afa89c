//! Verifies AWS Signature Version 4, over what came in and never over what was parsed from it.
//!
//! Two forms: the `Authorization` header, and presigned query parameters (E4, E5). The body's hash
//! is always taken from the raw bytes (E2, E7).
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html>

mod canonical;

use aws_lc_rs::{constant_time, digest, hmac};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::random::hex;
use crate::wire::form::Form;
use crate::wire::refusal::Refusal;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// E8.
const SKEW: SignedDuration = SignedDuration::from_mins(15);
const TIME: &str = "%Y%m%dT%H%M%SZ";

/// A signature as it was sent. Nothing is proven yet.
#[derive(Clone, Eq, PartialEq)]
pub(crate) struct Signature {
    pub(crate) access_key_id: String,
    pub(crate) region: String,
    pub(crate) session_token: Option<String>,
    date: String,
    service: String,
    terminator: String,
    signed_headers: Vec<String>,
    mark: String,
    time: Timestamp,
    /// How long a presigned URL lives, in seconds; nothing for the header form.
    presigned_for: Option<i64>,
}

impl std::fmt::Debug for Signature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signature")
            .field("access_key_id", &self.access_key_id)
            .field("region", &self.region)
            .field("time", &self.time)
            .finish_non_exhaustive()
    }
}

impl Signature {
    /// Reads the signature of a request; nothing when it has none.
    ///
    /// # Errors
    ///
    /// `IncompleteSignature` for one with parts missing (E12).
    pub(crate) fn read(parts: &Parts) -> Result<Option<Self>, Refusal> {
        if let Some(header) = parts.headers.get("authorization") {
            let header = String::from_utf8_lossy(header.as_bytes());
            return Self::from_header(&header, &parts.headers).map(Some);
        }
        let query = Form::parse(parts.uri.query().unwrap_or_default().as_bytes());
        if query.get("X-Amz-Algorithm").is_some() {
            Self::from_query(&query).map(Some)
        } else {
            Ok(None)
        }
    }

    fn from_header(header: &str, headers: &HeaderMap) -> Result<Self, Refusal> {
        let (algorithm, rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
        if algorithm != ALGORITHM {
            return Err(incomplete(
                "Authorization header requires the algorithm AWS4-HMAC-SHA256.",
            ));
        }
        let field = |name: &str| {
            let parts = rest.split(',').filter_map(|part| part.trim().split_once('='));
            parts.into_iter().find(|(known, _)| *known == name).map(|(_, value)| value)
        };
        let missing: Vec<_> = ["Credential", "Signature", "SignedHeaders"]
            .into_iter()
            .filter(|name| field(name).is_none_or(str::is_empty))
            .map(|name| format!("Authorization header requires '{name}' parameter."))
            .collect();
        if !missing.is_empty() {
            return Err(incomplete(missing.join(" ")));
        }
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let time = match (text("x-amz-date"), text("date")) {
            (Some(date), _) => parse_time(date),
            (None, Some(date)) => parse_http_date(date),
            (None, None) => None,
        };
        let time = time.ok_or_else(|| {
            incomplete(
                "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' \
                 header.",
            )
        })?;
        Self::assemble(
            field("Credential").unwrap_or_default(),
            field("SignedHeaders").unwrap_or_default(),
            field("Signature").unwrap_or_default(),
            text("x-amz-security-token"),
            (time, None),
        )
    }

    fn from_query(query: &Form) -> Result<Self, Refusal> {
        let field = |name: &str| {
            let value = query.get(name).filter(|value| !value.is_empty());
            value.ok_or_else(|| {
                incomplete(format!("AWS query-string parameters must include '{name}'."))
            })
        };
        if field("X-Amz-Algorithm")? != ALGORITHM {
            return Err(incomplete("X-Amz-Algorithm must be AWS4-HMAC-SHA256."));
        }
        let time = parse_time(field("X-Amz-Date")?)
            .ok_or_else(|| incomplete("X-Amz-Date must be like 20260101T000000Z."))?;
        let expires = field("X-Amz-Expires")?.parse().ok();
        let expires = expires
            .filter(|seconds| (1..=604_800).contains(seconds))
            .ok_or_else(|| incomplete("X-Amz-Expires must be between 1 and 604800 seconds."))?;
        Self::assemble(
            field("X-Amz-Credential")?,
            field("X-Amz-SignedHeaders")?,
            field("X-Amz-Signature")?,
            query.get("X-Amz-Security-Token"),
            (time, Some(expires)),
        )
    }

    fn assemble(
        credential: &str,
        signed_headers: &str,
        mark: &str,
        token: Option<&str>,
        (time, presigned_for): (Timestamp, Option<i64>),
    ) -> Result<Self, Refusal> {
        let parts: Vec<&str> = credential.split('/').collect();
        let [access_key_id, date, region, service, terminator] = parts.as_slice() else {
            return Err(incomplete(
                "Credential must have exactly 5 slash-delimited elements, e.g. \
                 keyid/date/region/service/term.",
            ));
        };
        Ok(Self {
            access_key_id: (*access_key_id).to_owned(),
            region: (*region).to_owned(),
            session_token: token.map(str::to_owned),
            date: (*date).to_owned(),
            service: (*service).to_owned(),
            terminator: (*terminator).to_owned(),
            signed_headers: signed_headers.split(';').map(str::to_owned).collect(),
            mark: mark.to_owned(),
            time,
            presigned_for,
        })
    }

    /// Checks scope, time and signature, in this order.
    pub(crate) fn verify(
        &self,
        secret: &str,
        service: &str,
        parts: &Parts,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), Refusal> {
        self.check_scope(service)?;
        self.check_time(now)?;
        let signs = |name: &str| self.signed_headers.iter().any(|signed| signed == name);
        if !signs("host") {
            return Err(Refusal::signature(
                "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
            ));
        }
        let canonical =
            canonical::request(parts, body, &self.signed_headers, self.presigned_for.is_some());
        let scope = format!("{}/{}/{}/{}", self.date, self.region, self.service, self.terminator);
        let hash = hex(digest::digest(&digest::SHA256, &canonical).as_ref());
        let to_sign = format!("{ALGORITHM}\n{}\n{scope}\n{hash}", stamp(self.time));
        let key = signing_key(secret, &self.date, &self.region, &self.service);
        let expected = hex(hmac_sha256(&key, to_sign.as_bytes()).as_ref());
        constant_time::verify_slices_are_equal(expected.as_bytes(), self.mark.as_bytes()).map_err(
            |_different| {
                // E6, E7.
                Refusal::signature(
                    "The request signature we calculated does not match the signature you \
                     provided. Check your AWS Secret Access Key and signing method. Consult the \
                     service documentation for details.",
                )
            },
        )
    }

    /// E11.
    fn check_scope(&self, service: &str) -> Result<(), Refusal> {
        if !is_region(&self.region) {
            return Err(Refusal::signature("Credential should be scoped to a valid region."));
        }
        if self.service != service {
            return Err(Refusal::signature(format!(
                "Credential should be scoped to correct service: '{service}'."
            )));
        }
        if self.terminator != "aws4_request" {
            return Err(Refusal::signature(
                "Credential should be scoped with a valid terminator: 'aws4_request'.",
            ));
        }
        let stamp = stamp(self.time);
        let day = stamp.get(..8).unwrap_or_default();
        if self.date != day {
            return Err(Refusal::signature(format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date \
                 from HTTP: '{}' != '{day}', from '{stamp}'.",
                self.date
            )));
        }
        Ok(())
    }

    /// E8 for the header form, E5 for presigned URLs.
    fn check_time(&self, now: Timestamp) -> Result<(), Refusal> {
        let life = self.presigned_for.map_or(SKEW, SignedDuration::from_secs);
        let age = now.duration_since(self.time);
        let at = |time: Result<Timestamp, _>| time.map(stamp).unwrap_or_default();
        let (date, now_text) = (stamp(self.time), stamp(now));
        if age > life {
            let least = at(now.checked_sub(life));
            let minutes = life.as_mins();
            return Err(Refusal::signature(format!(
                "Signature expired: {date} is now earlier than {least} ({now_text} - {minutes} min.)"
            )));
        }
        if -age > SKEW {
            let most = at(now.checked_add(SKEW));
            return Err(Refusal::signature(format!(
                "Signature not yet current: {date} is still later than {most} ({now_text} + 15 min.)"
            )));
        }
        Ok(())
    }
}

/// One label of lower-case letters, digits and hyphens (E11).
pub(crate) fn is_region(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(legal)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn signing_key(secret: &str, date: &str, region: &str, service: &str) -> hmac::Tag {
    let day = hmac_sha256(&format!("AWS4{secret}"), date.as_bytes());
    let region = hmac_sha256(&day, region.as_bytes());
    let service = hmac_sha256(&region, service.as_bytes());
    hmac_sha256(&service, b"aws4_request")
}

fn hmac_sha256(key: &impl AsRef<[u8]>, message: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()), message)
}

fn incomplete(message: impl Into<String>) -> Refusal {
    Refusal::bad("IncompleteSignature", message)
}

fn stamp(time: Timestamp) -> String {
    time.strftime(TIME).to_string()
}

fn parse_time(text: &str) -> Option<Timestamp> {
    let time = DateTime::strptime(TIME, text).ok()?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

fn parse_http_date(text: &str) -> Option<Timestamp> {
    let time = DateTime::strptime("%a, %d %b %Y %H:%M:%S GMT", text).ok()?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests;
