//! Claims that `World::sign_token` never writes.

use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::world::World;

const ISSUER: &str = "https://oidc.emulated.example";

/// Signs `claims` over good ones and asks for role `web`.
fn ask(claims: Value) -> Result<Answer, Refusal> {
    let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let world = World::builtin().unwrap();
    let mut all = json!({
        "iss": ISSUER,
        "sub": "system:serviceaccount:team-a:app",
        "aud": ["other", "sts.amazonaws.com"],
        "exp": now.as_second() + 60,
    });
    let Value::Object(claims) = claims else { panic!("claims are an object") };
    all.as_object_mut().unwrap().extend(claims);
    let token = world.providers[0].test_key.as_ref().unwrap().sign(&all).unwrap();
    let form = format!(
        "RoleArn=arn:aws:iam::111122223333:role/web&RoleSessionName=pod&WebIdentityToken={token}"
    );
    let state = State::new(world, Arc::new(move || now));
    assume_role_with_web_identity(&state, &Form::parse(form.as_bytes()), now)
}

#[track_caller]
fn check(claims: Value, code: &str, part: &str) {
    let refusal = ask(claims).unwrap_err();
    assert!(refusal.code == code && refusal.message.contains(part), "{refusal:?}");
}

#[test]
fn e64a_tags_come_as_claims() {
    let tags = |transitive: &str| {
        json!({ TAGS: {
            "principal_tags": { "Team": ["a"], "Cost": ["7"] },
            "transitive_tag_keys": [transitive],
        } })
    };
    let answer = ask(tags("Team")).unwrap();
    let baggage = answer.credentials.unwrap().baggage;
    assert_eq!((baggage.tags.len(), baggage.transitive.len()), (2, 1));
    check(tags("Absent"), "InvalidParameterValue", "transitive tag key");
    check(json!({ SOURCE_IDENTITY: "me" }), "AccessDenied", "perform sts:SetSourceIdentity");
}

#[test]
fn e65_e67_e69_claims_that_are_missing_or_of_the_wrong_kind() {
    check(json!({ "exp": null }), "InvalidIdentityToken", "exp must be an integer");
    check(json!({ "exp": 1.5 }), "InvalidIdentityToken", "exp must be an integer");
    check(json!({ "exp": 0 }), "ExpiredTokenException", "Token expired: current date/time");
    check(json!({ "nbf": 4_000_000_000_i64 }), "InvalidIdentityToken", "not yet valid");
    check(json!({ "iss": 1 }), "InvalidIdentityToken", "Missing a required claim: iss");
    check(json!({ "sub": null }), "InvalidIdentityToken", "Missing a required claim: sub");
    check(json!({ "aud": "other" }), "InvalidIdentityToken", "Incorrect token audience");
    check(json!({ "iss": format!("{ISSUER}/") }), "InvalidIdentityToken", "No OpenIDConnect");
}
