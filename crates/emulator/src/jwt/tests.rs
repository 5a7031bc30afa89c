//! Tokens: taken apart, verified, signed.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::world::reader::Violations;

fn key(jwk: &Value) -> Option<PublicKey> {
    let violations = Violations::default();
    let key = PublicKey::read(&Node::root(jwk, "key", &violations));
    key.filter(|_| violations.into_list().is_empty())
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

#[test]
fn e66_an_elliptic_key_verifies_its_own_algorithm_only() {
    let random = rand::SystemRandom::new();
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
    let [x, y] = [x, y].map(|half| URL_SAFE_NO_PAD.encode(half));
    let public = key(&json!({ "kty": "EC", "crv": "P-256", "kid": "a", "x": x, "y": y })).unwrap();
    let sign = |algorithm: &str| {
        let header = part(&json!({ "alg": algorithm, "kid": "a" }));
        let signed = format!("{header}.{}", part(&json!({ "iss": "i" })));
        let mark = pair.sign(&random, signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mark))
    };
    for (algorithm, expected) in
        [("ES256", true), ("ES384", false), ("RS256", false), ("HS256", false), ("none", false)]
    {
        let token = sign(algorithm);
        let jwt = Jwt::parse(&token).unwrap();
        assert_eq!(jwt.is_signed_by(&public), expected, "{algorithm}");
        assert_eq!(jwt.text("iss"), Some("i"));
        assert_eq!(jwt.candidates(std::slice::from_ref(&public)).len(), 1);
    }
}

#[test]
fn e66_an_unknown_key_id_has_no_candidates() {
    let public = key(&json!({ "kty": "RSA", "kid": "a", "n": "AQAB", "e": "AQAB" })).unwrap();
    let token = format!("{}.{}.AA", part(&json!({ "alg": "RS256", "kid": "b" })), part(&json!({})));
    assert!(Jwt::parse(&token).unwrap().candidates(&[public]).is_empty());
}

#[test]
fn keys_that_cannot_be_read() {
    for jwk in [json!({}), json!({ "kty": "oct" }), json!({ "kty": "RSA", "n": "!", "e": "AQAB" })]
    {
        assert_eq!(key(&jwk), None, "{jwk}");
    }
}

proptest! {
    #[test]
    fn no_token_makes_the_parser_panic(token in "[A-Za-z0-9._-]*|.*") {
        let _jwt = Jwt::parse(&token);
    }
}
