//! `status` of an ExternalSecret: read at a start, written at the end of a pass.
//!
//! The words of `Ready` are ESO's, and constant: Argo CD and `kubectl wait` read them. Nothing
//! variable stands in a condition but names that the objects themselves have.

use std::collections::BTreeSet;

use jiff::{Timestamp, Unit};
use serde_json::{Map, Value, json};

use crate::decide::Verdict;
use crate::failure::{Failure, Reason};
use crate::seen::{Past, Ready, Refreshing, Synced};

impl Ready {
    /// Every form, in the order of the documentation.
    pub const ALL: [Self; 8] = [
        Self::Synced,
        Self::Missing,
        Self::NoData,
        Self::NotWritten,
        Self::Immutable,
        Self::NotTaken,
        Self::OwnedByAnother,
        Self::NotDeleted,
    ];

    /// Whether the condition is `True`.
    pub fn is_ready(self) -> bool {
        matches!(self, Self::Synced | Self::Missing)
    }

    /// The condition's reason.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Synced => "SecretSynced",
            Self::Missing => "SecretMissing",
            _ => "SecretSyncedError",
        }
    }

    /// The condition's message.
    pub fn message(self) -> &'static str {
        match self {
            Self::Synced => "secret synced",
            Self::Missing => "secret will not be created due to CreationPolicy=Merge",
            Self::NoData => "could not get secret data from provider",
            Self::NotWritten => "could not update secret",
            Self::Immutable => "could not update secret, target is immutable",
            Self::NotTaken => "failed to take ownership of target secret",
            Self::OwnedByAnother => "target is owned by another ExternalSecret",
            Self::NotDeleted => "could not delete secret",
        }
    }

    fn of_message(message: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|ready| ready.message() == message)
    }
}

impl Refreshing {
    /// The condition's reason.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Scheduled => "Scheduled",
            Self::PolicyNever => "PolicyNever",
            Self::Failed(reason) => reason.as_str(),
        }
    }

    /// Whether it goes on by itself.
    pub fn is_planned(self) -> bool {
        self == Self::Scheduled
    }

    fn of_reason(word: &str) -> Option<Self> {
        match word {
            "Scheduled" => Some(Self::Scheduled),
            "PolicyNever" => Some(Self::PolicyNever),
            word => Reason::of_word(word).map(Self::Failed),
        }
    }

    fn message(self, failure: Option<&Failure>) -> String {
        match (self, failure) {
            (Self::Scheduled, _) => "the next renewal is planned".to_owned(),
            (Self::PolicyNever, _) => {
                "refreshPolicy or refreshInterval asks for no renewal".to_owned()
            }
            (Self::Failed(_), Some(failure)) => failure.message.clone(),
            (Self::Failed(reason), None) => reason.cure().to_owned(),
        }
    }
}

/// Which fields of `status` the API server knows: a patch that names another one is refused whole.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServedStatus {
    /// The names under `status`.
    pub fields: BTreeSet<String>,
    /// Whether a condition may be of type `Refreshing`.
    pub has_refreshing: bool,
}

impl ServedStatus {
    /// What our own CRD has.
    pub fn ours() -> Self {
        let fields = FIELDS.iter().map(|field| (*field).to_owned()).collect();
        Self { fields, has_refreshing: true }
    }

    /// Whether the status says when the credentials end.
    pub fn has_times(&self) -> bool {
        self.fields.contains("expirationTime") && self.fields.contains("renewalTime")
    }

    /// Reads the document that `/openapi/v3/apis/external-secrets.io/v1` answers.
    pub fn read(document: &Value) -> Option<Self> {
        let schemas = document.pointer("/components/schemas")?.as_object()?;
        let (_, schema) = schemas.iter().find(|(name, _)| name.ends_with(".ExternalSecret"))?;
        let status = schema.pointer("/properties/status/properties")?.as_object()?;
        let types = status.get("conditions")?.pointer("/items/properties/type/enum");
        let types = types.and_then(Value::as_array);
        Some(Self {
            fields: status.keys().cloned().collect(),
            has_refreshing: types.is_none_or(|types| types.iter().any(|it| it == "Refreshing")),
        })
    }
}

/// The status of one object as it is to be.
#[derive(Clone, Debug)]
pub struct Report<'a> {
    /// What was decided.
    pub verdict: &'a Verdict,
    /// What stands behind it, as it is after this pass.
    pub past: &'a Past,
    /// `metadata.generation`.
    pub generation: i64,
    /// The Secret's name; empty until there is one.
    pub binding: Option<&'a str>,
    /// The status as it is, for the times of transition.
    pub before: Option<&'a Value>,
    /// The present time.
    pub now: Timestamp,
}

impl Report<'_> {
    /// The value of `status`, with what the server knows of it.
    pub fn status(&self, served: &ServedStatus) -> Value {
        let Self { verdict, past, generation, .. } = self;
        let mut conditions = vec![self.condition(
            "Ready",
            verdict.ready.is_ready(),
            verdict.ready.reason(),
            verdict.ready.message(),
        )];
        if served.has_refreshing {
            let message = verdict.refreshing.message(verdict.failure.as_ref());
            let (reason, planned) = (verdict.refreshing.reason(), verdict.refreshing.is_planned());
            conditions.push(self.condition("Refreshing", planned, reason, &message));
        }
        let time = |time: Timestamp| json!(whole_seconds(time).to_string());
        let mut status = Map::new();
        let mut put = |field: &str, value: Value| {
            if served.fields.contains(field) {
                status.insert(field.to_owned(), value);
            }
        };
        put("conditions", Value::Array(conditions));
        put("observedGeneration", json!(generation));
        put("binding", json!({"name": self.binding.unwrap_or_default()}));
        if let Some(synced) = &past.synced {
            put("refreshTime", time(synced.at));
            put("syncedResourceVersion", json!(synced.version));
        }
        if let Some(ends) = past.lives.iter().map(|life| life.ends).min() {
            put("expirationTime", time(ends));
        }
        if let Some(renewal) = past.renewal {
            put("renewalTime", time(renewal));
        }
        if let Some(next) = verdict.next {
            put("nextRefreshTime", time(next));
        }
        if let Some(plan) = &past.plan {
            put("planHash", json!(plan));
        }
        if let Some(failure) = &verdict.failure {
            let error = json!({
                "class": failure.reason.as_str(),
                "code": failure.code,
                "message": failure.message,
                "since": whole_seconds(failure.since).to_string(),
                "attempts": failure.attempts,
            });
            put("lastError", error);
        }
        Value::Object(status)
    }

    fn condition(&self, kind: &str, is_true: bool, reason: &str, message: &str) -> Value {
        let status = if is_true { "True" } else { "False" };
        let before = self.before.and_then(|status| condition_of(status, kind));
        let same = before.filter(|it| it.get("status").and_then(Value::as_str) == Some(status));
        let moved = || json!(whole_seconds(self.now).to_string());
        let since = same.and_then(|it| it.get("lastTransitionTime").cloned()).unwrap_or_else(moved);
        let mut condition = json!({
            "type": kind,
            "status": status,
            "reason": reason,
            "message": message,
            "lastTransitionTime": since,
        });
        if let Some(object) = condition.as_object_mut()
            && kind == "Refreshing"
        {
            object.insert("observedGeneration".to_owned(), json!(self.generation));
        }
        condition
    }
}

/// What a status says of the passes before this process was started.
pub fn past_of(status: Option<&Value>, generation: i64) -> Past {
    let Some(status) = status else { return Past { is_first: true, ..Past::default() } };
    let text = |field: &str| status.get(field).and_then(Value::as_str);
    let time = |field: &str| text(field).and_then(|text| text.parse::<Timestamp>().ok());
    let synced = time("refreshTime").zip(text("syncedResourceVersion"));
    let synced = synced.map(|(at, version)| Synced { at, version: version.to_owned() });
    let life = time("expirationTime").zip(synced.as_ref().map(|synced| synced.at));
    let life = life.map(|(ends, issued)| crate::schedule::Life { issued: issued.min(ends), ends });
    let ready = condition_of(status, "Ready").and_then(|it| it.get("message")?.as_str());
    let refreshing = condition_of(status, "Refreshing").and_then(|it| it.get("reason")?.as_str());
    let observed = status.get("observedGeneration").and_then(Value::as_i64);
    Past {
        synced,
        lives: life.into_iter().collect(),
        renewal: time("renewalTime"),
        plan: text("planHash").map(str::to_owned),
        failure: failure_of(status, time("nextRefreshTime"), observed == Some(generation)),
        ready: ready.and_then(Ready::of_message),
        refreshing: refreshing.and_then(Refreshing::of_reason),
        is_first: true,
        ..Past::default()
    }
}

fn failure_of(status: &Value, next: Option<Timestamp>, is_same: bool) -> Option<Failure> {
    let error = status.get("lastError")?;
    let text = |field: &str| error.get(field).and_then(Value::as_str);
    let reason = Reason::of_word(text("class")?)?;
    let since: Timestamp = text("since")?.parse().ok()?;
    let attempts = error.get("attempts").and_then(Value::as_u64).unwrap_or(1);
    let message = text("message").unwrap_or_default().to_owned();
    let mut failure = Failure::new(reason, text("code").unwrap_or_default(), message, since);
    failure.attempts = u32::try_from(attempts).unwrap_or(u32::MAX);
    // The ladder goes on where it was left. What is looked for without a call is looked for at once: it
    // may have come while nobody looked.
    let calls_nobody = matches!(reason, Reason::MissingInput | Reason::InvalidSpec);
    failure.planned = if calls_nobody { next.map(|_| since) } else { next };
    // What was edited while nobody looked is another question; so is what waits for a change, which
    // nobody may have seen either.
    failure.asking = (!is_same || next.is_none()).then(String::new);
    Some(failure)
}

fn condition_of<'a>(status: &'a Value, kind: &str) -> Option<&'a Value> {
    let conditions = status.get("conditions")?.as_array()?;
    conditions.iter().find(|it| it.get("type").and_then(Value::as_str) == Some(kind))
}

/// As Kubernetes writes times.
fn whole_seconds(time: Timestamp) -> Timestamp {
    time.round(jiff::TimestampRound::new().smallest(Unit::Second).mode(jiff::RoundMode::Trunc))
        .unwrap_or(time)
}

/// The fields of `status`: ESO's four, and ours.
const FIELDS: [&str; 10] = [
    "binding",
    "conditions",
    "refreshTime",
    "syncedResourceVersion",
    "expirationTime",
    "lastError",
    "nextRefreshTime",
    "observedGeneration",
    "planHash",
    "renewalTime",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::Seed;

    #[test]
    fn a_ladder_goes_on_where_an_earlier_process_left_it() {
        let status = json!({
            "refreshTime": "2026-01-01T00:00:00Z",
            "syncedResourceVersion": "1-a",
            "observedGeneration": 1,
            "nextRefreshTime": "2026-01-01T05:00:00Z",
            "lastError": {"class": "AccessDenied", "code": "AccessDenied", "message": "m",
                "since": "2026-01-01T01:00:00Z", "attempts": 9},
            "conditions": [
                {"type": "Ready", "status": "True", "reason": "SecretSynced", "message": "secret synced"},
                {"type": "Refreshing", "status": "False", "reason": "AccessDenied", "message": "m"},
            ],
        });
        let past = past_of(Some(&status), 1);
        let failure = past.failure.unwrap();
        let planned: Timestamp = "2026-01-01T05:00:00Z".parse().unwrap();
        assert_eq!(failure.next_try(&Seed { uid: "u", entry: 0 }, false), Some(planned));
        assert_eq!((failure.attempts, failure.asking), (9, None));
        assert_eq!(past.ready, Some(Ready::Synced));
        assert_eq!(past.refreshing, Some(Refreshing::Failed(Reason::AccessDenied)));
        // What was edited meanwhile is another question.
        let edited = past_of(Some(&status), 2).failure.unwrap();
        assert_eq!(edited.asking.as_deref(), Some(""));
    }

    #[test]
    fn what_was_missing_is_looked_for_at_once_after_a_start() {
        for (class, is_at_once) in
            [("MissingInput", true), ("InvalidSpec", true), ("Throttled", false)]
        {
            let status = json!({
                "observedGeneration": 1,
                "nextRefreshTime": "2026-01-01T05:00:00Z",
                "lastError": {"class": class, "code": "c", "message": "m",
                    "since": "2026-01-01T01:00:00Z", "attempts": 3},
            });
            let failure = past_of(Some(&status), 1).failure.unwrap();
            let next = failure.next_try(&Seed { uid: "u", entry: 0 }, false).unwrap();
            assert_eq!(next == failure.since, is_at_once, "{class}");
            assert_eq!(failure.attempts, 3);
        }
    }

    #[test]
    fn no_status_leads_to_a_panic() {
        for odd in [
            json!(null),
            json!([]),
            json!({"conditions": "x", "lastError": 3}),
            json!({"refreshTime": "soon", "lastError": {"class": "Else", "since": 1}}),
        ] {
            let past = past_of(Some(&odd), 1);
            assert!(past.synced.is_none() && past.failure.is_none());
        }
    }
}
