//! E49-E53: the second factor.

use rolecall_emulator::World;

use crate::signer::{Keys, Reply};
use crate::{Scene, alice, bob};

const SERIAL: &str = "arn:aws:iam::111122223333:mfa/alice";
const REFUSED: &str = "User: arn:aws:iam::111122223333:user/alice is not authorized to perform: \
                       sts:AssumeRole on resource: arn:aws:iam::111122223333:role/guarded";
const INVALID: &str =
    "<Message>MultiFactorAuthentication failed with invalid MFA one time pass code.</Message>";
const UNKNOWN: &str = "<Message>MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your \
     MFA serial number is valid and associated with this user.</Message>";
const HALF: &str = "<Message>MultiFactorAuthentication failed, must provide both MFA serial number \
                    and one time pass code.</Message>";

fn factor(serial: &str, code: &str) -> String {
    format!("&SerialNumber={serial}&TokenCode={code}")
}

/// The fields with the code that alice's device shows next.
fn fresh(scene: &Scene) -> String {
    factor(SERIAL, &scene.emulator.mfa_code(SERIAL).unwrap())
}

/// A world whose role `guarded` has another condition, and trusts its own sessions too.
async fn guarded_by(condition: &str) -> Scene {
    let bool = "{Bool: {\"aws:MultiFactorAuthPresent\": true}}";
    let head = "role/guarded\n    maxSessionDuration: 43200\n    trustPolicy:\n      Version: \
                \"2012-10-17\"\n      Statement:\n        - Effect: Allow\n          Principal: ";
    let alice = format!("{head}{{AWS: \"arn:aws:iam::111122223333:user/alice\"}}");
    let anyone = format!("{head}\"*\"");
    assert!(World::DEFAULT_YAML.contains(bool) && World::DEFAULT_YAML.contains(&alice));
    let yaml = World::DEFAULT_YAML.replace(bool, condition).replace(&alice, &anyone);
    Scene::of(World::parse(&yaml).unwrap()).await
}

async fn session(scene: &Scene, more: &str) -> Reply {
    scene.call(&alice(), &format!("Action=GetSessionToken{more}")).await
}

#[tokio::test]
async fn e49_a_role_that_wants_a_second_factor() {
    let scene = Scene::new().await;
    scene.assume(&alice(), "guarded", "").await.check(403, REFUSED);
    let reply = scene.assume(&alice(), "guarded", &fresh(&scene)).await;
    reply.check(200, "assumed-role/guarded/test");
}

#[tokio::test]
async fn e50_e51_e52_what_is_refused_whether_or_not_the_role_asks() {
    let scene = Scene::new().await;
    let right = scene.emulator.mfa_code(SERIAL).unwrap();
    let serial = format!("&SerialNumber={SERIAL}");
    let others = "arn:aws:iam::111122223333:mfa/bob";
    for role in ["hub", "guarded"] {
        for (more, status, text) in [
            (serial.clone(), 403, HALF),
            (format!("&TokenCode={right}"), 403, HALF),
            (factor(SERIAL, "000000"), 403, INVALID),
            (factor(others, &right), 403, UNKNOWN),
            (factor(SERIAL, "12345"), 400, "<Code>ValidationError</Code>"),
            (factor(SERIAL, "12345a"), 400, "<Code>ValidationError</Code>"),
            (factor("short123", &right), 400, "<Code>ValidationError</Code>"),
        ] {
            scene.assume(&alice(), role, &more).await.check(status, text);
        }
    }
    session(&scene, &serial).await.check(403, HALF);
    session(&scene, &factor(SERIAL, "000000")).await.check(403, INVALID);
    // Of another user, and of a role's session, which has no device.
    scene.assume(&bob(), "team/app", &factor(SERIAL, &right)).await.check(403, UNKNOWN);
    let hub: Keys = scene.assume(&alice(), "hub", "").await.keys();
    scene.assume(&hub, "hub", &factor(SERIAL, &right)).await.check(403, UNKNOWN);
    // None of this used the code up.
    scene.assume(&alice(), "guarded", &factor(SERIAL, &right)).await.check(200, "guarded");
}

#[tokio::test]
async fn e53_a_code_works_once() {
    let scene = Scene::new().await;
    let first = fresh(&scene);
    session(&scene, &first).await.check(200, "SessionToken");
    session(&scene, &first).await.check(403, INVALID);
    scene.assume(&alice(), "hub", &first).await.check(403, INVALID);
    let second = fresh(&scene);
    assert_ne!(first, second);
    session(&scene, &second).await.check(200, "SessionToken");
    assert_eq!(scene.emulator.mfa_code(SERIAL), None);
    assert_eq!(scene.emulator.mfa_code("arn:aws:iam::111122223333:mfa/bob"), None);
    scene.pass(30);
    session(&scene, &second).await.check(403, INVALID);
    session(&scene, &fresh(&scene)).await.check(200, "SessionToken");
    // A refused trust uses it up too, a fault does not.
    scene.pass(90);
    let third = fresh(&scene);
    scene.emulator.inject("times=1 throttle".parse().unwrap());
    scene.assume(&alice(), "locked", &third).await.check(400, "Throttling");
    scene.assume(&alice(), "locked", &third).await.check(403, "not authorized to perform");
    scene.assume(&alice(), "guarded", &third).await.check(403, INVALID);
}

#[tokio::test]
async fn e53_a_device_may_be_off_by_a_step() {
    let scene = Scene::new().await;
    let shown = factor(SERIAL, &World::builtin().unwrap().mfa_code(SERIAL, scene.now()).unwrap());
    scene.pass(60);
    session(&scene, &shown).await.check(403, INVALID);
    scene.pass(-30);
    session(&scene, &shown).await.check(200, "SessionToken");
}

#[tokio::test]
async fn e53_sessions_carry_the_mark() {
    let scene = guarded_by("{Bool: {\"aws:MultiFactorAuthPresent\": \"true\"}}").await;
    let marked = session(&scene, &fresh(&scene)).await.keys();
    let plain = session(&scene, "").await.keys();
    scene.assume(&marked, "guarded", "").await.check(200, "guarded");
    scene.assume(&plain, "guarded", "").await.check(403, REFUSED);
    let first = scene.assume(&alice(), "guarded", &fresh(&scene)).await.keys();
    let second = scene.assume(&first, "guarded", "").await.keys();
    // Made without a code of its own.
    scene.assume(&second, "guarded", "").await.check(403, "AccessDenied");
}

#[tokio::test]
async fn the_key_is_absent_for_long_term_keys_and_false_for_sessions() {
    let scene = guarded_by("{BoolIfExists: {\"aws:MultiFactorAuthPresent\": true}}").await;
    scene.assume(&alice(), "guarded", "").await.check(200, "guarded");
    let plain = session(&scene, "").await.keys();
    scene.assume(&plain, "guarded", "").await.check(403, REFUSED);
    let scene = guarded_by("{Bool: {\"aws:MultiFactorAuthPresent\": false}}").await;
    scene.assume(&alice(), "guarded", "").await.check(403, REFUSED);
    let plain = session(&scene, "").await.keys();
    scene.assume(&plain, "guarded", "").await.check(200, "guarded");
}

#[tokio::test]
async fn the_age_is_that_of_the_code() {
    for limit in ["3600", "\"3600\""] {
        let condition = format!("{{NumericLessThan: {{\"aws:MultiFactorAuthAge\": {limit}}}}}");
        let scene = guarded_by(&condition).await;
        scene.assume(&alice(), "guarded", "").await.check(403, REFUSED);
        scene.assume(&alice(), "guarded", &fresh(&scene)).await.check(200, "guarded");
        let marked = session(&scene, &fresh(&scene)).await.keys();
        scene.pass(3599);
        scene.assume(&marked, "guarded", "").await.check(200, "guarded");
        scene.pass(1);
        scene.assume(&marked, "guarded", "").await.check(403, REFUSED);
    }
}
