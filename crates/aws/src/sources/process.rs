//! `credential_process`: a command of the user's that prints keys.
//!
//! Run by rolecall, not by the SDK, whose provider has no time limit and cannot mark the
//! environment. Form: <https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html>.

use jiff::Timestamp;
use rolecall_engine::error::{Class, SourceError};
use rolecall_engine::session::Identity;
use secrecy::SecretString;
use serde::Deserialize;

use super::keys_of;
use crate::command;

/// Names the profiles whose command is running, so that one that calls itself is found at the
/// first turn; names stand between line breaks, which no name can hold.
pub const MARKER: &str = "ROLECALL_CREDENTIAL_PROCESS";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Printed {
    version: u8,
    access_key_id: String,
    secret_access_key: SecretString,
    session_token: Option<SecretString>,
    expiration: Option<Timestamp>,
}

/// Runs the command of `profile`; `running` is what [`MARKER`] held when this process began.
pub(super) async fn keys(
    profile: &str,
    line: &str,
    running: Option<&str>,
) -> Result<Identity, SourceError> {
    let origin = format!("credential_process of profile {profile}");
    if running.is_some_and(|names| names.lines().any(|name| name == profile)) {
        return Err(SourceError::Missing {
            what: format!("the {origin} calls itself"),
            hint: Some("give the rolecall in it another --profile, one that has keys".to_owned()),
        });
    }
    let marked = running.map_or_else(|| profile.to_owned(), |names| format!("{names}\n{profile}"));
    let failed = |reason: String, class: Class| SourceError::Failed {
        origin: origin.clone(),
        reason,
        class,
        hint: Some("run the command by itself to see what it prints".to_owned()),
    };
    let printed = command::output(line, &[(MARKER, &marked)])
        .await
        .map_err(|error| failed(error.to_string(), Class::NoSource))?;
    let printed: Printed = serde_json::from_str(&printed)
        .map_err(|error| failed(problem_of(&error), Class::NoSource))?;
    if printed.version != 1 {
        let reason = format!("printed Version {}, and only 1 is known", printed.version);
        return Err(failed(reason, Class::NoSource));
    }
    let Printed { access_key_id, secret_access_key, session_token, expiration, .. } = printed;
    keys_of(access_key_id, secret_access_key, session_token, expiration, origin)
}

/// serde's own words, unless they would repeat a value.
fn problem_of(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let missing = text.split_once("missing field").map(|(_, rest)| rest);
    match missing.and_then(|rest| rest.split('`').nth(1)) {
        Some(field) => format!("printed no {field}"),
        None if error.is_data() => {
            format!("printed a field of the wrong form, at column {}", error.column())
        }
        None => "printed no JSON object with the keys".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_the_output_is_said_without_a_value() {
        for (printed, problem) in [
            ("", "printed no JSON object with the keys"),
            ("canary", "printed no JSON object with the keys"),
            (r#"{"Version":1,"AccessKeyId":"canary"}"#, "printed no SecretAccessKey"),
            (r#"{"Version":"canary"}"#, "printed a field of the wrong form, at column 19"),
        ] {
            let error = serde_json::from_str::<Printed>(printed).err().unwrap();
            assert_eq!(problem_of(&error), problem, "{printed}");
        }
    }
}
