//! Renaming, judged by what Go and ESO did.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;
use crate::error::Class;
use crate::grant::ExternalSecret;

/// The steps of `rewrite[]`, or what is wrong with them.
fn steps(rewrite: &Value) -> Result<Vec<Rewrite>, String> {
    let document = json!({
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": {"name": "a"},
        "spec": {"dataFrom": [{
            "sourceRef": {"generatorRef": {"kind": "STSSessionToken", "name": "g"}},
            "rewrite": rewrite,
        }]},
    });
    let secret = ExternalSecret::read(&document).map_err(|violations| violations.to_string())?;
    Ok(secret.entries.into_iter().flat_map(|entry| entry.rewrites).collect())
}

const SESSION: [&str; 4] = ["access_key_id", "secret_access_key", "session_token", "expiration"];

/// Every value is `canary-` and its key, so that a lost or swapped one is seen.
fn keys(names: &[&str]) -> Vec<(String, Text)> {
    names.iter().map(|name| ((*name).to_owned(), Text::new(format!("canary-{name}")))).collect()
}

fn rewritten(names: &[&str], asked: &Value) -> Result<Rewritten, String> {
    let told = rewrite(keys(names), &steps(asked)?, NOW);
    told.map_err(|error| error.to_string())
}

/// New names with the old ones that their values come from.
#[track_caller]
fn check(rewrite: &Value, expected: &[(&str, &str)]) {
    let told = rewritten(&SESSION, rewrite).unwrap();
    let pairs: Vec<_> =
        told.keys.iter().map(|(new, value)| (new.as_str(), &value["canary-".len()..])).collect();
    assert_eq!(pairs, expected);
    assert_eq!(told.warnings, [""; 0]);
}

fn regexp(source: &str, target: &str) -> Value {
    json!({"regexp": {"source": source, "target": target}})
}

/// The files `rw-*` of what ESO v2.9.0 did.
#[test]
fn keys_are_renamed_as_eso_did() {
    check(
        &json!([regexp("_([a-z])", "-${1}x")]),
        &[
            ("access-kxey-ixd", "access_key_id"),
            ("expiration", "expiration"),
            ("secret-axccess-kxey", "secret_access_key"),
            ("session-txoken", "session_token"),
        ],
    );
    check(
        &json!([regexp("^expiration$", "")]),
        &[
            ("access_key_id", "access_key_id"),
            ("secret_access_key", "secret_access_key"),
            ("session_token", "session_token"),
        ],
    );
    // rw-order, with its `transform` written as a regexp.
    check(
        &json!([regexp("^access_", ""), regexp("^", "k."), regexp("key", "K")]),
        &[
            ("k.K_id", "access_key_id"),
            ("k.expiration", "expiration"),
            ("k.secret_access_K", "secret_access_key"),
            ("k.session_token", "session_token"),
        ],
    );
}

#[track_caller]
fn check_refused(rewrite: &Value, expected: &str) {
    let told = rewritten(&SESSION, rewrite).unwrap_err();
    assert!(told.contains(expected), "{told}");
    assert!(!told.contains("canary"), "{told}");
}

/// The files `rw-*` again.
#[test]
fn what_eso_refused_is_refused() {
    check_refused(
        &json!([regexp("(", "")]),
        "regexp failed with failed to compile: unclosed group",
    );
    check_refused(
        &json!([regexp("^", "a/")]),
        "invalid secret keys (TIP: use rewrite or conversionStrategy to change keys): key has invalid character /, only alphanumeric, '-', '.' and '_' are allowed: a/access_key_id",
    );
    check_refused(
        &json!([{"transform": {"template": "{{ .nope }}"}}]),
        "error applying rewrite to keys: failed rewrite operation[0]: 1:3: map has no entry for key \"nope\"",
    );
}

/// What Go 1.26 made of patterns and replacements; `null` where its `regexp` refuses the pattern.
#[test]
fn go_agrees() {
    let rows: Vec<Value> = serde_json::from_str(include_str!("go.json")).unwrap();
    let mut wrong = Vec::new();
    for row in &rows {
        let text = |field: &str| row[field].as_str().unwrap();
        let told = Pattern::parse(text("source")).ok().and_then(|source| {
            let target = Replacement::parse(text("target"), &source);
            replace_all(text("key"), &source, &target)
        });
        if told.as_deref() != row["gives"].as_str() {
            wrong.push(format!("{row}: {told:?}"));
        }
    }
    assert!(rows.len() > 100 && wrong.is_empty(), "{}", wrong.join("\n"));
}

/// ESO keeps any of them; here it is always the last by its old name.
#[test]
fn of_keys_that_become_equal_the_last_is_kept_and_told() {
    let told = rewritten(&SESSION, &json!([regexp("^s.*", "same"), regexp("_id$", "")])).unwrap();
    assert_eq!(*told.keys["same"], "canary-session_token");
    assert_eq!(
        told.warnings,
        [
            "rewrite[0]: the keys secret_access_key and session_token both become same; session_token is kept"
        ]
    );
    // The order is that of the names, not of the generator.
    let reversed: Vec<_> = SESSION.into_iter().rev().collect();
    let told = rewritten(&reversed, &json!([regexp(".*", "one")])).unwrap();
    assert_eq!(*told.keys["one"], "canary-session_token");
    // Dropping several is meant.
    let told = rewritten(&SESSION, &json!([regexp("^s.*", "")])).unwrap();
    assert_eq!((told.keys.len(), told.warnings.len()), (2, 0));
}

#[test]
fn an_empty_key_can_come_back_before_the_last_step() {
    let told = rewritten(&SESSION, &json!([regexp("^expiration$", ""), regexp("^$", "until")]));
    assert_eq!(*told.unwrap().keys["until"], "canary-expiration");
}

#[track_caller]
fn check_key(key: &str, expected: Result<usize, &str>) {
    let told = rewritten(&[key], &json!([])).map(|told| told.warnings.len());
    match expected {
        Ok(warnings) => assert_eq!(told, Ok(warnings)),
        Err(text) => assert!(told.as_ref().unwrap_err().ends_with(text), "{told:?}"),
    }
}

#[test]
fn a_key_is_judged_as_eso_judges_it() {
    check_key("A-z.0_9", Ok(0));
    check_key(&"k".repeat(253), Ok(0));
    // ESO lets these pass, and the API server refuses them: so we say.
    check_key("schlüssel½", Ok(1));
    check_key("..", Ok(1));
    check_key(
        "a b",
        Err("has invalid character  , only alphanumeric, '-', '.' and '_' are allowed: a b"),
    );
    check_key(
        "a\nb",
        Err("has invalid character U+000A, only alphanumeric, '-', '.' and '_' are allowed: ab"),
    );
    // The cut falls into a character of two bytes.
    let long = format!("{}é", "k".repeat(252));
    let cut =
        format!("key has length 254 but max is 253: (following is truncated): {}", "k".repeat(252));
    check_key(&long, Err(&cut));
}

#[test]
fn a_rewrite_cannot_fill_the_memory() {
    let doubling: Vec<_> = (0..60).map(|_| regexp("(.+)", "$1$1")).collect();
    let told = rewrite(keys(&["ab"]), &steps(&json!(doubling)).unwrap(), NOW).unwrap_err();
    assert_eq!(told, RenderError::Growth { step: 11, most: MAX_GROWTH });
    assert_eq!(
        told.to_string(),
        "error applying rewrite to keys: failed rewrite operation[11]: a key grows beyond 4096 bytes"
    );
    assert_eq!(told.class(), Class::Configuration);
}

#[test]
fn a_debug_form_shows_no_value() {
    let told = rewritten(&SESSION, &json!([])).unwrap();
    let debug = format!("{told:?}");
    assert!(debug.contains("session_token") && !debug.contains("canary"), "{debug}");
}

proptest! {
    /// Any pattern is refused or works, and no value is lost but to an equal or an empty key.
    #[test]
    fn no_pattern_panics(
        source in r"[\[\]\\(){}?*+|^$\-:,.&<>=!PQEnbdwpxL012aé_ ]{0,12}",
        target in r"[${}0-9a-zé_\-\n]{0,8}",
        key in r"[a-c_\-é\n]{0,8}",
    ) {
        if let Ok(source) = Pattern::parse(&source) {
            let target = Replacement::parse(&target, &source);
            let step = Rewrite::Regexp { source, target };
            let keys = vec![(key, Text::new("canary".to_owned()))];
            match rewrite(keys, &[step], NOW) {
                Ok(told) => prop_assert!(told.keys.len() <= 1),
                Err(error) => prop_assert!(!error.to_string().contains("canary")),
            }
        }
    }
}
