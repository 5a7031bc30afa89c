//! E22: what the caller's own policies have to say; and how an emulator ends.

use rolecall_emulator::World;

use crate::signer::{Keys, raw};
use crate::{Scene, alice, bob};

/// The default world with `identityPolicies` on one entry.
async fn scene(arn: &str, policies: &str) -> Scene {
    let line = format!("  - arn: {arn}\n");
    let with = format!("{line}    identityPolicies: {policies}\n");
    assert!(World::DEFAULT_YAML.contains(&line), "{arn}");
    Scene::of(World::parse(&World::DEFAULT_YAML.replace(&line, &with)).unwrap()).await
}

const ALLOW: &str = "[{Statement: {Effect: Allow, Action: 'sts:*', Resource: '*'}}]";
const DENY: &str = "[{Statement: {Effect: Deny, Action: '*', Resource: '*/team/*'}}]";

#[tokio::test]
async fn e22_a_trusted_account_needs_a_policy_of_the_caller() {
    let user = "arn:aws:iam::111122223333:user/bob";
    let scene_of = async |policies| scene(user, policies).await;
    let none = scene_of("[]").await;
    none.assume(&bob(), "deployer", "").await.check(403, "AccessDenied");
    // Named exactly, in the same account: none is needed.
    none.assume(&bob(), "team/app", "").await.check(200, "app");
    scene_of(ALLOW).await.assume(&bob(), "deployer", "").await.check(200, "deployer");
    let denied = scene_of(DENY).await;
    denied.assume(&bob(), "team/app", "").await.check(403, "AccessDenied");
    // E17: no Deny stops this one.
    denied.who(&bob()).await.check(200, "user/bob");
}

#[tokio::test]
async fn e22_another_account_needs_one_too() {
    let spoke =
        "Action=AssumeRole&RoleSessionName=two&RoleArn=arn:aws:iam::444455556666:role/spoke";
    for (policies, status) in [("[]", 403), (ALLOW, 200)] {
        let scene = scene("arn:aws:iam::111122223333:role/hub", policies).await;
        let hub: Keys = scene.assume(&alice(), "hub", "").await.keys();
        scene.call(&hub, spoke).await.check(status, "");
    }
}

#[test]
fn a_dropped_emulator_keeps_no_runtime_from_ending() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let scene = Scene::new().await;
        scene.emulator.inject("hang".parse().unwrap());
        let host = scene.host.clone();
        let bytes = "GET /?Action=X HTTP/1.1\r\nhost: x\r\n\r\n";
        let hanging = tokio::spawn(async move { raw(&host, bytes).await });
        while scene.emulator.requests().is_empty() {
            tokio::task::yield_now().await;
        }
        drop(scene);
        assert_eq!(hanging.await.unwrap(), "");
    });
    drop(runtime);
}
