//! What an endpoint that hands out keys answered: whether it is whole, and the code of a refusal.
//!
//! Containers' agents and the instance metadata service share one shape of answer. The SDK reads
//! the keys out of it; here it is only judged, so that a failure can be told without a word of the
//! server's: it may repeat keys.

use jiff::Timestamp;
use serde_json::{Map, Value};

/// What is wrong with an answer that should hold keys.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Flaw {
    /// It is no JSON object.
    NotJson,
    /// It is an error in spite of its status.
    Refusal,
    /// Members that are needed are not there, or are no text.
    Lacks(Vec<&'static str>),
    /// Its `Expiration` is no time that ends in `Z`.
    Expiration,
}

/// Finds what is wrong with the body of a success.
pub(crate) fn flaw_of(body: &[u8]) -> Option<Flaw> {
    let Ok(members) = serde_json::from_slice::<Map<String, Value>>(body) else {
        return Some(Flaw::NotJson);
    };
    if text(&members, &["Code"]).is_some_and(|code| code != "Success") {
        return Some(Flaw::Refusal);
    }
    let lacks: Vec<&'static str> = NEEDED
        .iter()
        .filter(|names| text(&members, names).is_none())
        .map(|names| names.first().copied().unwrap_or_default())
        .collect();
    if !lacks.is_empty() {
        return Some(Flaw::Lacks(lacks));
    }
    let expiration = text(&members, EXPIRATION).unwrap_or_default();
    let is_time = expiration.ends_with('Z') && expiration.parse::<Timestamp>().is_ok();
    (!is_time).then_some(Flaw::Expiration)
}

/// The code of a refusal: a member `code` of JSON, or `(Code):` in the text of the EKS agent.
///
/// Only what has the form of a code is one: `[A-Za-z.]{1,64}`.
pub(crate) fn code_in(body: &[u8]) -> Option<String> {
    let code = match serde_json::from_slice::<Map<String, Value>>(body) {
        Ok(members) => text(&members, &["Code"])?.to_owned(),
        Err(_) => {
            let sentence = std::str::from_utf8(body).ok()?;
            let (before, _) = sentence.split_once("):")?;
            before.rsplit_once('(')?.1.to_owned()
        }
    };
    let is_code = (1..=64).contains(&code.len())
        && code.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'.');
    (is_code && code != "Success").then_some(code)
}

/// A member that is text; names are compared without case, as the SDK does.
fn text<'a>(members: &'a Map<String, Value>, names: &[&str]) -> Option<&'a str> {
    let is_named = |name: &String| names.iter().any(|known| known.eq_ignore_ascii_case(name));
    members.iter().find(|(name, _)| is_named(name)).and_then(|(_, value)| value.as_str())
}

const EXPIRATION: &[&str] = &["Expiration", "ExpiresAt"];

/// Each member that the SDK needs, with the other name that it takes.
const NEEDED: [&[&str]; 4] =
    [&["AccessKeyId"], &["SecretAccessKey"], &["Token", "SessionToken"], EXPIRATION];

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, expected: Option<&Flaw>) {
        assert_eq!(flaw_of(body.as_bytes()).as_ref(), expected, "{body}");
    }

    #[test]
    fn each_flaw_is_told_from_the_others() {
        let keys = r#""AccessKeyId":"a","secretaccesskey":"b","SessionToken":"c""#;
        check(&format!(r#"{{{keys},"Expiration":"2030-01-01T00:00:00Z"}}"#), None);
        check(&format!(r#"{{{keys},"ExpiresAt":"2030-01-01T00:00:00.123456789Z"}}"#), None);
        check(&format!(r#"{{{keys},"Code":"Success","Expiration":"2030-01-01T00:00:00Z"}}"#), None);
        for expiration in ["2030-01-01T00:00:00+00:00", "soon", "", "Z", "1893456000"] {
            let body = format!(r#"{{{keys},"Expiration":"{expiration}"}}"#);
            check(&body, Some(&Flaw::Expiration));
        }
        check(&format!("{{{keys}}}"), Some(&Flaw::Lacks(vec!["Expiration"])));
        check("{}", Some(&Flaw::Lacks(NEEDED.map(|names| names[0]).to_vec())));
        check(r#"{"AccessKeyId":12}"#, Some(&Flaw::Lacks(NEEDED.map(|names| names[0]).to_vec())));
        check(r#"{"code":"Failed"}"#, Some(&Flaw::Refusal));
        for body in ["", "[]", "\"text\"", "<html>", "{"] {
            check(body, Some(&Flaw::NotJson));
        }
    }

    #[test]
    fn a_code_is_shown_only_in_the_form_of_one() {
        for (body, code) in [
            (r#"{"code":"AccessDenied","message":"m"}"#, Some("AccessDenied")),
            (r#"{"Code":"a.B"}"#, Some("a.B")),
            ("[3f2a]: (ExpiredTokenException): no, fault: client", Some("ExpiredTokenException")),
            (r#"{"Code":"Success"}"#, None),
            (r#"{"Code":"wJalrXUtnFEMI/K7MDENG"}"#, None),
            (r#"{"Code":""}"#, None),
            (r#"{"Code":403}"#, None),
            (r#"{"message":"(NoCode): x"}"#, None),
            ("no such code", None),
            ("(two words): x", None),
            ("): (", None),
        ] {
            assert_eq!(code_in(body.as_bytes()).as_deref(), code, "{body}");
        }
        assert_eq!(code_in(format!(r#"{{"Code":"{}"}}"#, "x".repeat(65)).as_bytes()), None);
    }
}
