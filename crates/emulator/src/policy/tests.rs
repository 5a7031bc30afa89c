//! E21-E29 as tables: a policy, who asks, what it says.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::parse::{Place, policy};
use super::*;
use crate::world::reader::{Node, Violations};

const ROLE: &str = "arn:aws:iam::111122223333:role/team/app";
const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/app/s";
const ALICE: &str = "arn:aws:iam::111122223333:user/alice";

fn read(value: &Value, place: Place) -> Result<Policy, Vec<String>> {
    let violations = Violations::default();
    let read = policy(&Node::root(value, "policy", &violations), place);
    let violations = violations.into_list();
    match read {
        Some(policy) if violations.is_empty() => Ok(policy),
        _ => Err(violations),
    }
}

#[track_caller]
fn check(statements: &Value, who: &str, expected: Verdict) {
    let policy = read(&json!({ "Statement": statements }), Place::Trust).unwrap();
    let arn = Arn::parse(who).unwrap_or_else(|| Arn::parse(ROLE).unwrap());
    let caller = match who {
        "session" => Caller::Session { role: &arn, session: SESSION },
        "provider" => Caller::Federated("arn:aws:iam::111122223333:oidc-provider/host"),
        _ => Caller::User(&arn),
    };
    let verdict = policy.judge(caller, "sts:AssumeRole", ROLE, &Context::default());
    assert_eq!(verdict, expected, "{statements} {who}");
}

fn allow(principal: &Value) -> Value {
    json!({ "Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole" })
}

#[test]
fn e22_e23_accounts_and_users() {
    check(&allow(&json!("*")), ALICE, Verdict::Allowed);
    check(&allow(&json!({ "AWS": "*" })), "session", Verdict::Allowed);
    check(&allow(&json!({ "AWS": "111122223333" })), ALICE, Verdict::AllowedToAccount);
    let root = allow(&json!({ "AWS": "arn:aws:iam::111122223333:root" }));
    check(&root, "session", Verdict::AllowedToAccount);
    check(&root, "arn:aws:iam::444455556666:user/alice", Verdict::Silent);
    check(&allow(&json!({ "AWS": ALICE })), ALICE, Verdict::Allowed);
    check(&allow(&json!({ "AWS": ALICE })), "arn:aws:iam::111122223333:user/bob", Verdict::Silent);
}

#[test]
fn e24_roles_and_sessions() {
    check(&allow(&json!({ "AWS": ROLE })), "session", Verdict::Allowed);
    check(&allow(&json!({ "AWS": SESSION })), "session", Verdict::Allowed);
    let no_path = "arn:aws:iam::111122223333:role/app";
    check(&allow(&json!({ "AWS": no_path })), "session", Verdict::Silent);
    check(&allow(&json!({ "AWS": format!("{SESSION}2") })), "session", Verdict::Silent);
    check(&allow(&json!({ "AWS": ALICE })), "session", Verdict::Silent);
}

#[test]
fn e25_mixed_maps() {
    let mixed = allow(&json!({
        "Service": "ec2.amazonaws.com",
        "Federated": "arn:aws:iam::111122223333:oidc-provider/host",
        "AWS": ["444455556666", ALICE],
    }));
    check(&mixed, ALICE, Verdict::Allowed);
    check(&mixed, "provider", Verdict::Allowed);
    check(&mixed, "session", Verdict::Silent);
    let prefix = allow(&json!({ "Federated": "arn:aws:iam::111122223333:oidc-provider/ho" }));
    check(&prefix, "provider", Verdict::Silent);
}

#[test]
fn e70_a_star_lets_no_web_identity_in() {
    check(&allow(&json!("*")), "provider", Verdict::Silent);
    let federated = json!({ "Federated": "arn:aws:iam::111122223333:oidc-provider/host" });
    let deny = json!({ "Effect": "Deny", "Principal": "*", "Action": "*" });
    check(&json!([allow(&federated), deny]), "provider", Verdict::Denied);
}

#[test]
fn e26_deny_beats_allow_in_any_order() {
    let deny = json!({ "Effect": "Deny", "Principal": { "AWS": ALICE }, "Action": "*" });
    let allow = allow(&json!("*"));
    for statements in [json!([deny, allow]), json!([allow, deny])] {
        check(&statements, ALICE, Verdict::Denied);
        check(&statements, "arn:aws:iam::111122223333:user/bob", Verdict::Allowed);
    }
}

#[test]
fn e27_not_principal() {
    let deny = |list: &Value| {
        let deny = json!({ "Effect": "Deny", "NotPrincipal": { "AWS": list }, "Action": "*" });
        json!([deny, allow(&json!("*"))])
    };
    check(&deny(&json!(ALICE)), ALICE, Verdict::Allowed);
    check(&deny(&json!(ALICE)), "session", Verdict::Denied);
    check(&deny(&json!(ROLE)), "session", Verdict::Denied);
    check(&deny(&json!([ROLE, SESSION])), "session", Verdict::Allowed);
}

#[test]
fn e28_actions() {
    for (action, expected) in [
        ("sts:assumerole", Verdict::Allowed),
        ("sts:*", Verdict::Allowed),
        ("*", Verdict::Allowed),
        ("sts:TagSession", Verdict::Silent),
        ("sts:AssumeRoleWithWebIdentity", Verdict::Silent),
    ] {
        let statement = json!({ "Effect": "Allow", "Principal": "*", "Action": [action] });
        check(&statement, ALICE, expected);
    }
}

#[track_caller]
fn check_refused(statement: &Value, part: &str) {
    let violations = read(&json!({ "Statement": [statement] }), Place::Trust).unwrap_err();
    assert!(violations.iter().any(|it| it.contains(part)), "{violations:?}");
}

#[test]
fn e27_e28a_e29_what_is_not_understood_is_an_error() {
    let mut statement = allow(&json!("*"));
    statement["Condition"] = json!({ "StringEqualz": { "a": "b" } });
    check_refused(&statement, "policy.Statement[0].Condition.StringEqualz: operator not known");
    let mut statement = allow(&json!("*"));
    statement["Condition"] = json!({ "StringEquals": { "a": "${aws:username}" } });
    check_refused(&statement, "policy variables");
    let not = json!({ "Effect": "Allow", "NotPrincipal": { "AWS": ALICE }, "Action": "*" });
    check_refused(&not, "Allow with NotPrincipal");
    check_refused(&allow(&json!({ "AWS": "arn:aws:iam::111122223333:role/*" })), "without `*`");
    check_refused(&allow(&json!({ "AWS": 12 })), "twelve digits");
    check_refused(&allow(&json!({})), "must not be empty");
    check_refused(&json!({ "Effect": "Allow", "Principal": "*" }), "needs Action");
    check_refused(&json!({ "Effect": "Maybe", "Principal": "*", "Action": "*" }), "Allow or Deny");
    let empty = read(&json!({ "Statement": [] }), Place::Trust).unwrap_err();
    assert_eq!(empty, ["policy.Statement: must not be empty"]);
}

#[test]
fn e28a_condition_values_may_be_booleans_and_numbers() {
    let mut statement = allow(&json!("*"));
    statement["Condition"] = json!({});
    check(&statement, ALICE, Verdict::Allowed);
    statement["Condition"] = json!({ "Bool": { "aws:MultiFactorAuthPresent": true } });
    check(&statement, ALICE, Verdict::Silent);
    statement["Condition"] = json!({ "BoolIfExists": { "aws:MultiFactorAuthPresent": true } });
    check(&statement, ALICE, Verdict::Allowed);
    statement["Condition"] = json!({ "NumericLessThan": { "sts:DurationSeconds": 5 } });
    check(&statement, ALICE, Verdict::Silent);
}

fn any_json() -> impl Strategy<Value = Value> {
    let words = prop::sample::select(vec![
        "Version",
        "Statement",
        "Effect",
        "Allow",
        "Principal",
        "AWS",
        "*",
        "Action",
        "Condition",
        "StringEquals",
        "Bool",
        "sts:AssumeRole",
        "NotPrincipal",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        words.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 40, 5, move |inner| {
        let map = prop::collection::btree_map(words.clone(), inner.clone(), 0..5);
        let map = map.prop_map(|map| {
            Value::Object(map.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
        });
        prop_oneof![prop::collection::vec(inner, 0..4).prop_map(Value::from), map]
    })
}

proptest! {
    #[test]
    fn no_document_makes_the_parser_panic(value in any_json()) {
        for place in [Place::Trust, Place::Identity, Place::Session] {
            if let Err(violations) = read(&value, place) {
                prop_assert!(!violations.is_empty());
            }
        }
    }
}
