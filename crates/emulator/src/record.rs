//! The request log: what was asked and how it was answered, without a secret.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde::Serialize;

use crate::ecr::Registry;
use crate::operations::Call;

/// The most records kept; the oldest goes first.
const MOST_RECORDS: usize = 10_000;
/// The longest text kept of what a client names freely.
const LONGEST: usize = 256;

/// One request to the port of STS and ECR.
///
/// Holds names and numbers only: never a secret, a token or the value of an external ID.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RequestRecord {
    /// When it was judged, by the emulator's clock.
    pub time: Timestamp,
    /// `sts`, `ecr` or `ecr-public`; nothing for a target that is none of these.
    pub service: Option<String>,
    /// The operation, as sent: `Action`, or what `X-Amz-Target` ends with.
    pub operation: Option<String>,
    /// The caller's ARN once its signature was found right; before that, the access key id.
    pub caller: Option<String>,
    /// `RoleArn`.
    pub role: Option<String>,
    /// `RoleSessionName`.
    pub session_name: Option<String>,
    /// `DurationSeconds`, when it was sent and is a number.
    pub duration_seconds: Option<u64>,
    /// Whether an `ExternalId` was sent.
    pub external_id_given: bool,
    /// Whether the request had no signature.
    pub unsigned: bool,
    /// The names of all fields, in the order they came.
    pub parameters: Vec<String>,
    /// The region of the signature.
    pub region: Option<String>,
    /// The HTTP status; nothing when no answer was given.
    pub status: Option<u16>,
    /// The code of the error, if it was one.
    pub error_code: Option<String>,
}

impl RequestRecord {
    pub(crate) fn new(time: Timestamp, call: &Call) -> Self {
        let form = &call.form;
        let names: Vec<&str> = match &call.json {
            Some(json) => json.names().collect(),
            None => form.iter().map(|(name, _)| name).collect(),
        };
        let service = match &call.json {
            Some(json) => Registry::of(json).map(Registry::service),
            None => Some("sts"),
        };
        let signature = call.signature.as_ref().ok().and_then(Option::as_ref);
        let text = |name: &str| form.get(name).map(shortened);
        Self {
            time,
            service: service.map(str::to_owned),
            operation: call.operation().map(shortened),
            caller: signature.map(|signature| shortened(&signature.access_key_id)),
            role: text("RoleArn"),
            session_name: text("RoleSessionName"),
            duration_seconds: form.get("DurationSeconds").and_then(|text| text.parse().ok()),
            external_id_given: form.get("ExternalId").is_some(),
            unsigned: signature.is_none(),
            parameters: names.into_iter().take(LONGEST).map(shortened).collect(),
            region: signature.map(|signature| shortened(&signature.region)),
            status: None,
            error_code: None,
        }
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

/// The records kept, each with its number.
#[derive(Debug, Default)]
pub(crate) struct Log {
    records: VecDeque<(u64, RequestRecord)>,
    next: u64,
}

impl Log {
    /// Notes a request as it arrives; answers its number.
    pub(crate) fn push(&mut self, record: RequestRecord) -> u64 {
        if self.records.len() >= MOST_RECORDS {
            self.records.pop_front();
        }
        let number = self.next;
        self.next += 1;
        self.records.push_back((number, record));
        number
    }

    /// Notes how a request was answered, if its record is still kept.
    pub(crate) fn complete(&mut self, number: u64, record: RequestRecord) {
        if let Some((_, kept)) = self.records.iter_mut().rev().find(|(at, _)| *at == number) {
            *kept = record;
        }
    }

    pub(crate) fn to_vec(&self) -> Vec<RequestRecord> {
        self.records.iter().map(|(_, record)| record.clone()).collect()
    }
}
