//! E64-E71: web identity.

use jiff::SignedDuration;
use rolecall_emulator::{TokenRequest, World};

use crate::Scene;
use crate::signer::{Reply, request, send};

fn token(scene: &Scene, subject: &str, audience: &str, seconds: i64) -> String {
    let request = TokenRequest {
        issuer: None,
        subject: subject.to_owned(),
        audience: audience.to_owned(),
        lifetime: SignedDuration::from_secs(seconds),
    };
    World::builtin().unwrap().sign_token(&request, scene.now()).unwrap()
}

async fn assume(scene: &Scene, role: &str, token: &str, more: &str) -> Reply {
    let role = format!("arn:aws:iam::111122223333:role/{role}");
    let body = format!(
        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleSessionName=pod&RoleArn={role}\
         &WebIdentityToken={token}{more}"
    );
    send(&scene.host, &request("POST", "", &[("host", scene.host.clone())], &body)).await
}

const APP: &str = "system:serviceaccount:team-a:app";
const STS: &str = "sts.amazonaws.com";

#[tokio::test]
async fn e64_a_good_token() {
    let scene = Scene::new().await;
    let good = token(&scene, APP, STS, 600);
    let reply = assume(&scene, "web", &good, "&DurationSeconds=43200").await;
    reply.check(200, "<Expiration>2026-01-01T12:00:00Z</Expiration>");
    assert_eq!(reply.text("SubjectFromWebIdentityToken"), Some(APP));
    assert_eq!(reply.text("Audience"), Some(STS));
    let provider = "arn:aws:iam::111122223333:oidc-provider/oidc.emulated.example";
    assert_eq!(reply.text("Provider"), Some(provider));
    scene.who(&reply.keys()).await.check(200, "assumed-role/web/pod");
    let pod = assume(&scene, "pod", &good, "").await.keys();
    scene.assume(&pod, "target", "").await.check(200, "assumed-role/target/test");
    scene.assume(&pod, "target", "&DurationSeconds=3601").await.check(400, "role chaining");
    let record = &scene.emulator.requests()[0];
    assert!(record.unsigned && record.caller.is_none());
}

#[tokio::test]
async fn e65_to_e71_bad_tokens() {
    let scene = Scene::new().await;
    let good = token(&scene, APP, STS, 600);
    let check = async |role: &str, token: &str, status, part: &str| {
        assume(&scene, role, token, "").await.check(status, part);
    };
    check("web", "not-a-jwt", 400, "<Code>InvalidIdentityToken</Code>").await;
    check("web", "a", 400, "<Code>ValidationError</Code>").await;
    let unsigned = good.rsplit_once('.').unwrap().0;
    let other = token(&scene, APP, STS, 601);
    let swapped = format!("{unsigned}.{}", other.rsplit_once('.').unwrap().1);
    check("web", &swapped, 400, "<Code>InvalidIdentityToken</Code>").await;
    let payload = good.split('.').nth(1).unwrap();
    // {"alg":"none"} and {"alg":"HS256"}.
    for header in ["eyJhbGciOiJub25lIn0", "eyJhbGciOiJIUzI1NiJ9"] {
        let forged = format!("{header}.{payload}.");
        check("web", &forged, 400, "<Code>InvalidIdentityToken</Code>").await;
    }
    let expired = token(&scene, APP, STS, -10);
    let text = "Token expired: current date/time 1767225600 must be before the expiration \
                date/time 1767225590";
    check("web", &expired, 400, text).await;
    check("web", &expired, 400, "<Code>ExpiredTokenException</Code>").await;
    check("web", &token(&scene, APP, "other", 600), 400, "Incorrect token audience").await;
    let refused = "Not authorized to perform sts:AssumeRoleWithWebIdentity";
    check("web", &token(&scene, "someone", STS, 600), 403, refused).await;
    check("hub", &good, 403, refused).await;
    check("absent", &good, 403, refused).await;
    assume(&scene, "web", &good, "&DurationSeconds=899").await.check(400, "ValidationError");
    assume(&scene, "pod", &good, "&DurationSeconds=3601").await.check(400, "MaxSessionDuration");
}

#[tokio::test]
async fn e69_the_issuer_matches_exactly() {
    let yaml = World::DEFAULT_YAML.replace("oidc.emulated.example", "oidc.emulated.example.evil");
    let elsewhere = World::parse(&yaml).unwrap();
    let scene = Scene::new().await;
    let request = TokenRequest {
        issuer: None,
        subject: APP.to_owned(),
        audience: STS.to_owned(),
        lifetime: SignedDuration::from_mins(5),
    };
    let token = elsewhere.sign_token(&request, scene.now()).unwrap();
    let text = "No OpenIDConnect provider found in your account for \
                https://oidc.emulated.example.evil";
    assume(&scene, "web", &token, "").await.check(400, text);
}
