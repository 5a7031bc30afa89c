//! Faults on cue: what the emulator does instead of, or with, its normal answer.
//!
//! Every fault has a text form, used in the world file, on the control port and on a command line.
//! Rules are asked in order; the first that matches and has times left applies. `latency` goes
//! with the rest: a matching latency delays, and the next match among the other rules applies too.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One thing that goes wrong.
///
/// The text forms: `throttle`, `deny`, `500`, `503`, `html`, `drop`, `hang`, `truncate`,
/// `expiry=TEXT`, `latency=250ms` or `latency=2s`, `error=CODE:STATUS:message`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum Fault {
    /// 400 Throttling "Rate exceeded".
    Throttle,
    /// 403 `AccessDenied`, worded as a refused trust.
    Deny,
    /// 500 `InternalFailure`.
    InternalFailure,
    /// 503 `ServiceUnavailable`.
    Unavailable,
    /// 502 with an HTML page, as a proxy gives.
    Html,
    /// The connection closes without an answer.
    Drop,
    /// No answer comes; the request is held until the client leaves or the emulator stops.
    Hang,
    /// The right `Content-Length`, half of the body, then the connection closes.
    Truncate,
    /// Success with this text as `Expiration`; without that element when empty.
    Expiry(String),
    /// The answer comes later; other rules still apply.
    Latency(Duration),
    /// Any error of STS.
    Error {
        /// The wire code.
        code: String,
        /// The HTTP status, 400..=599.
        status: u16,
        /// The sentence.
        message: String,
    },
}

/// A text that names no fault or no rule.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "no fault {text:?}: known are throttle, deny, 500, 503, html, drop, hang, truncate, \
     expiry=TEXT, latency=250ms, error=CODE:STATUS:message"
)]
pub struct InvalidFault {
    text: String,
}

impl InvalidFault {
    fn new(text: &str) -> Self {
        Self { text: text.to_owned() }
    }
}

impl FromStr for Fault {
    type Err = InvalidFault;

    fn from_str(text: &str) -> Result<Self, InvalidFault> {
        Ok(match text.split_once('=') {
            Some(("expiry", text)) => Self::Expiry(text.to_owned()),
            Some(("latency", length)) => {
                Self::Latency(duration(length).ok_or_else(|| InvalidFault::new(text))?)
            }
            Some(("error", error)) => sts_error(error).ok_or_else(|| InvalidFault::new(text))?,
            _ => match text {
                "throttle" => Self::Throttle,
                "deny" => Self::Deny,
                "500" => Self::InternalFailure,
                "503" => Self::Unavailable,
                "html" => Self::Html,
                "drop" => Self::Drop,
                "hang" => Self::Hang,
                "truncate" => Self::Truncate,
                _ => return Err(InvalidFault::new(text)),
            },
        })
    }
}

fn duration(text: &str) -> Option<Duration> {
    if let Some(number) = text.strip_suffix("ms") {
        return number.parse().ok().map(Duration::from_millis);
    }
    text.strip_suffix('s')?.parse().ok().map(Duration::from_secs)
}

fn sts_error(text: &str) -> Option<Fault> {
    let mut parts = text.splitn(3, ':');
    let (code, status, message) = (parts.next()?, parts.next()?, parts.next()?);
    let status = status.parse().ok().filter(|status| (400..=599).contains(status))?;
    let code = Some(code).filter(|code| !code.is_empty())?.to_owned();
    Some(Fault::Error { code, status, message: message.to_owned() })
}

impl TryFrom<String> for Fault {
    type Error = InvalidFault;

    fn try_from(text: String) -> Result<Self, InvalidFault> {
        text.parse()
    }
}

impl From<Fault> for String {
    fn from(fault: Fault) -> Self {
        fault.to_string()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Throttle => f.write_str("throttle"),
            Self::Deny => f.write_str("deny"),
            Self::InternalFailure => f.write_str("500"),
            Self::Unavailable => f.write_str("503"),
            Self::Html => f.write_str("html"),
            Self::Drop => f.write_str("drop"),
            Self::Hang => f.write_str("hang"),
            Self::Truncate => f.write_str("truncate"),
            Self::Expiry(text) => write!(f, "expiry={text}"),
            Self::Latency(length) => write!(f, "latency={}ms", length.as_millis()),
            Self::Error { code, status, message } => write!(f, "error={code}:{status}:{message}"),
        }
    }
}

/// Which requests a fault meets, and how often.
///
/// As text: `[operation=NAME] [role=ARN-or-name] [times=N] FAULT`, the fault last.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// What happens.
    pub fault: Fault,
    /// Only this operation, such as `AssumeRole`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// Only requests for this role: its exact ARN, or its name without path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// How many requests it meets; without it, every one until the faults are cleared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
}

impl FaultRule {
    /// A fault for every request, until cleared.
    pub fn always(fault: Fault) -> Self {
        Self { fault, operation: None, role: None, times: None }
    }

    fn matches(&self, operation: Option<&str>, role: Option<&str>) -> bool {
        let role_matches = self.role.as_deref().is_none_or(|wanted| {
            role.is_some_and(|role| role == wanted || role.rsplit('/').next() == Some(wanted))
        });
        let operation_matches =
            self.operation.as_deref().is_none_or(|wanted| operation == Some(wanted));
        operation_matches && role_matches && self.times != Some(0)
    }
}

impl FromStr for FaultRule {
    type Err = InvalidFault;

    fn from_str(text: &str) -> Result<Self, InvalidFault> {
        let mut rest = text.trim_start();
        let mut rule = Self::always(Fault::Throttle);
        while let Some((word, after)) = rest.split_once(' ') {
            match word.split_once('=') {
                Some(("operation", name)) => rule.operation = Some(name.to_owned()),
                Some(("role", arn_or_name)) => rule.role = Some(arn_or_name.to_owned()),
                Some(("times", times)) => {
                    let times = times.parse().map_err(|_not_a_number| InvalidFault::new(text))?;
                    rule.times = Some(times);
                }
                _ => break,
            }
            rest = after.trim_start();
        }
        rule.fault = rest.parse()?;
        Ok(rule)
    }
}

/// The rules in force.
#[derive(Debug, Default)]
pub(crate) struct FaultBoard(Vec<FaultRule>);

/// What meets one request.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Cue {
    pub(crate) latency: Option<Duration>,
    pub(crate) fault: Option<Fault>,
}

impl FaultBoard {
    pub(crate) fn new(rules: Vec<FaultRule>) -> Self {
        Self(rules)
    }

    pub(crate) fn push(&mut self, rule: FaultRule) {
        self.0.push(rule);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Takes what meets a request: at most one latency and one other fault.
    pub(crate) fn take(&mut self, operation: Option<&str>, role: Option<&str>) -> Cue {
        let mut cue = Cue::default();
        for rule in self.0.iter_mut().filter(|rule| rule.matches(operation, role)) {
            match &rule.fault {
                Fault::Latency(length) if cue.latency.is_none() => cue.latency = Some(*length),
                Fault::Latency(_) => continue,
                fault if cue.fault.is_none() => cue.fault = Some(fault.clone()),
                _ => continue,
            }
            rule.times = rule.times.map(|times| times.saturating_sub(1));
        }
        cue
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn faults_have_a_text_form() {
        for text in ["throttle", "500", "expiry=", "latency=250ms", "error=A:400:b: c", "hang"] {
            assert_eq!(text.parse::<Fault>().unwrap().to_string(), text);
        }
        for text in ["", "latency=1", "error=A:99:b", "error=A:400", "Throttle"] {
            assert!(text.parse::<Fault>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_rule_is_used_up_and_latency_goes_with_the_rest() {
        let rules = ["times=1 role=app throttle", "latency=1s", "operation=AssumeRole deny"];
        let mut board = FaultBoard::new(rules.iter().map(|rule| rule.parse().unwrap()).collect());
        let role = Some("arn:aws:iam::111122223333:role/team/app");
        let latency = Some(Duration::from_secs(1));
        let mut next = |operation| board.take(Some(operation), role);
        assert_eq!(next("AssumeRole"), Cue { latency, fault: Some(Fault::Throttle) });
        assert_eq!(next("AssumeRole"), Cue { latency, fault: Some(Fault::Deny) });
        assert_eq!(next("GetCallerIdentity"), Cue { latency, fault: None });
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in ".*") {
            if let Ok(rule) = text.parse::<FaultRule>() {
                prop_assert_eq!(rule.fault.to_string().parse::<Fault>(), Ok(rule.fault));
            }
        }
    }
}
