//! Field limits at their edges.

use super::*;

#[track_caller]
fn check(form: &str, expected: Option<&str>) {
    let form = Form::parse(form.as_bytes());
    let mut checks = Checks::new(&form);
    checks.required("RoleSessionName", SESSION_NAME);
    checks.optional("ExternalId", EXTERNAL_ID);
    checks.optional("SourceIdentity", SESSION_NAME);
    checks.optional("TokenCode", TOKEN_CODE);
    checks.duration(43_200, 3600);
    checks.tags();
    checks.policy_arns();
    let refusal = checks.finish().err();
    if let Some(refusal) = &refusal {
        assert_eq!((refusal.status, refusal.code.as_str()), (400, "ValidationError"));
    }
    let message = refusal.map(|refusal| refusal.message);
    match expected {
        Some(part) => {
            assert!(message.as_deref().is_some_and(|it| it.contains(part)), "{message:?}");
        }
        None => assert_eq!(message, None),
    }
}

#[test]
fn e32_durations() {
    for seconds in ["0", "1", "899", "-5"] {
        check(&format!("RoleSessionName=ab&DurationSeconds={seconds}"), Some("or equal to 900"));
    }
    check("RoleSessionName=ab&DurationSeconds=43201", Some("less than or equal to 43200"));
    check("RoleSessionName=ab&DurationSeconds=1h", Some("must be an integer"));
    check("RoleSessionName=ab&DurationSeconds=900", None);
    check("RoleSessionName=ab&DurationSeconds=43200", None);
}

#[test]
fn e34_e35_session_names() {
    check("RoleSessionName=%2b%3d,.@-_", None);
    check(&format!("RoleSessionName={}", "a".repeat(64)), None);
    check(&format!("RoleSessionName={}", "a".repeat(65)), Some("less than or equal to 64"));
    check("", Some("Value null at 'roleSessionName'"));
    for name in ["a%20b", "a/b", "a:b", "a%C3%A9"] {
        check(&format!("RoleSessionName={name}"), Some("pattern: [\\w+=,.@-]*"));
    }
    check(
        "RoleSessionName=a&ExternalId=b",
        Some(
            "2 validation errors detected: Value 'a' at 'roleSessionName' failed to satisfy \
             constraint: Member must have length greater than or equal to 2; Value 'b' at \
             'externalId' failed to satisfy constraint: Member must have length greater than or \
             equal to 2",
        ),
    );
}

#[test]
fn e37_e38_e52_other_texts() {
    check("RoleSessionName=ab&ExternalId=a%20b", Some("'externalId'"));
    check("RoleSessionName=ab&SourceIdentity=a", Some("'sourceIdentity'"));
    check("RoleSessionName=ab&TokenCode=12345", Some("Value '' at 'tokenCode'"));
    check("RoleSessionName=ab&TokenCode=12345a", Some("Value '' at 'tokenCode'"));
}

#[test]
fn e39_e43_tags() {
    let tags = |count: usize, key: usize, value: usize| {
        let tag = |n| {
            let (key, value) = (format!("{n}{}", "k".repeat(key - 1)), "v".repeat(value));
            format!("&Tags.member.{n}.Key={key}&Tags.member.{n}.Value={value}")
        };
        (1..=count).map(tag).fold("RoleSessionName=ab".to_owned(), |form, tag| form + &tag)
    };
    check(&tags(50, 5, 0), None);
    check(&tags(1, 128, 256), None);
    check(&tags(51, 5, 0), Some("at 'tags'"));
    check(&tags(1, 129, 0), Some("'tags.1.member.key'"));
    check(&tags(1, 1, 257), Some("'tags.1.member.value'"));
    check("RoleSessionName=ab&Tags.member.1.Value=x", Some("Value null at 'tags.1.member.key'"));
}

#[test]
fn e48_eleven_policy_arns() {
    let arn = |n| format!("&PolicyArns.member.{n}.arn=arn:aws:iam::aws:policy/ReadOnlyAccess");
    let arns = |count| (1..=count).map(arn).fold("RoleSessionName=ab".to_owned(), |f, a| f + &a);
    check(&arns(10), None);
    check(&arns(11), Some("at 'policyArns'"));
}
