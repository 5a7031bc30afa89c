//! The verifier against AWS's own example and odd headers.

use axum::http::Request;
use proptest::prelude::*;

use super::*;

fn read(header: &str) -> Result<Option<Signature>, Refusal> {
    let request = Request::builder()
        .header("authorization", header)
        .header("x-amz-date", "20260101T000000Z")
        .body(())
        .unwrap();
    Signature::read(&request.into_parts().0)
}

#[test]
fn the_documented_signing_key() {
    // "Examples of how to derive a signing key", AWS General Reference.
    let key =
        signing_key("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "20120215", "us-east-1", "iam");
    let expected = "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d";
    assert_eq!(hex(key.as_ref()), expected);
}

#[test]
fn e12_parts_of_the_header_are_missing() {
    for header in [
        "AWS4-HMAC-SHA256 SignedHeaders=host, Signature=00",
        "AWS4-HMAC-SHA256 Credential=A/20260101/r/sts/aws4_request, Signature=00",
        "AWS4-HMAC-SHA256 Credential=A/20260101/r/sts/aws4_request, SignedHeaders=host",
        "AWS4-HMAC-SHA256 Credential=A/r/sts, SignedHeaders=host, Signature=00",
        "AWS4-HMAC-SHA256",
        "Bearer x",
    ] {
        let refusal = read(header).unwrap_err();
        assert_eq!((refusal.status, refusal.code.as_str()), (400, "IncompleteSignature"));
    }
}

#[track_caller]
fn check_scope(scope: &str, expected: &str) {
    let header = format!("AWS4-HMAC-SHA256 Credential=A/{scope}, SignedHeaders=host, Signature=00");
    let refusal = read(&header).unwrap().unwrap().check_scope("sts").unwrap_err();
    assert!(refusal.message.starts_with(expected), "{}", refusal.message);
    assert_eq!((refusal.status, refusal.code.as_str()), (403, "SignatureDoesNotMatch"));
}

#[test]
fn e11_wrong_scopes() {
    check_scope("20260101/Bad_Region/sts/aws4_request", "Credential should be scoped to a valid");
    check_scope("20260101/us-east-1/iam/aws4_request", "Credential should be scoped to correct");
    check_scope("20260101/us-east-1/sts/aws3", "Credential should be scoped with a valid");
    check_scope("20260102/us-east-1/sts/aws4_request", "Date in Credential scope does not match");
}

#[test]
fn e8_fifteen_minutes_either_way() {
    let header = "AWS4-HMAC-SHA256 Credential=A/20260101/r/sts/aws4_request, SignedHeaders=host, \
                  Signature=00";
    let signature = read(header).unwrap().unwrap();
    let at = |minutes| {
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        signature.check_time(start + SignedDuration::from_mins(minutes))
    };
    assert_eq!((at(14), at(-14)), (Ok(()), Ok(())));
    assert_eq!(
        at(16).unwrap_err().message,
        "Signature expired: 20260101T000000Z is now earlier than 20260101T000100Z \
         (20260101T001600Z - 15 min.)"
    );
    assert_eq!(
        at(-16).unwrap_err().message,
        "Signature not yet current: 20260101T000000Z is still later than 20251231T235900Z \
         (20251231T234400Z + 15 min.)"
    );
}

proptest! {
    #[test]
    fn no_header_makes_the_parser_panic(header in "[ -~]*") {
        let _answer = read(&header);
        let _answer = read(&format!("AWS4-HMAC-SHA256 {header}"));
    }
}
