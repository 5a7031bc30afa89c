//! E20-E48 and E62-E63 as a client meets them.

use crate::{Scene, alice, bob};

#[tokio::test]
async fn e20_to_e26_trust() {
    let scene = Scene::new().await;
    let (alice, bob) = (alice(), bob());
    scene.assume(&alice, "reader", "&ExternalId=abc").await.check(200, "assumed-role/reader/test");
    let refused = "User: arn:aws:iam::111122223333:user/alice is not authorized to perform: \
                   sts:AssumeRole on resource: arn:aws:iam::111122223333:role/reader";
    scene.assume(&alice, "reader", "").await.check(403, refused);
    scene.assume(&alice, "reader", "&ExternalId=ABC").await.check(403, "AccessDenied");
    scene.assume(&bob, "reader", "&ExternalId=abc").await.check(403, "user/bob is not authorized");
    scene.assume(&alice, "hub", "&ExternalId=unasked").await.check(200, "hub");
    scene.assume(&bob, "team/app", "").await.check(200, "assumed-role/app/test");
    scene.assume(&alice, "locked", "").await.check(403, "AccessDenied");
    scene.assume(&bob, "locked", "").await.check(200, "locked");
    // E30.
    scene.assume(&alice, "absent", "").await.check(403, "not authorized to perform");
}

#[tokio::test]
async fn e31_e33_e36_roles_and_durations() {
    let scene = Scene::new().await;
    let user =
        "Action=AssumeRole&RoleSessionName=test&RoleArn=arn:aws:iam::111122223333:user/alice";
    scene.call(&alice(), user).await.check(400, "<Code>ValidationError</Code>");
    let short = "Action=AssumeRole&RoleSessionName=t&RoleArn=arn:x";
    scene.call(&alice(), short).await.check(400, "2 validation errors detected: ");
    let reply = scene.assume(&alice(), "hub", "&DurationSeconds=3601").await;
    reply.check(400, "exceeds the MaxSessionDuration set for this role.");
    let reply = scene.assume(&alice(), "deployer", "&DurationSeconds=43200").await;
    reply.check(200, "<Expiration>2026-01-01T12:00:00Z</Expiration>");
    scene.assume(&alice(), "hub", "").await.check(200, "2026-01-01T01:00:00Z");
}

#[tokio::test]
async fn e38_to_e45_source_identity_and_tags() {
    let scene = Scene::new().await;
    let reply = scene.assume(&alice(), "deployer", "&SourceIdentity=me").await;
    reply.check(200, "<SourceIdentity>me</SourceIdentity>");
    // E38: inherited, required at the next hop, and not to be changed.
    let next = scene.assume(&reply.keys(), "deployer", "").await;
    next.check(200, "<SourceIdentity>me</SourceIdentity>");
    let changed = scene.assume(&reply.keys(), "deployer", "&SourceIdentity=other").await;
    changed.check(403, "sts:SetSourceIdentity");
    scene.assume(&alice(), "hub", "&SourceIdentity=me").await.check(403, "sts:SetSourceIdentity");
    scene.assume(&alice(), "deployer", "&SourceIdentity=aws:x").await.check(400, "ValidationError");

    let tag = "&Tags.member.1.Key=Team&Tags.member.1.Value=a";
    scene.assume(&alice(), "hub", tag).await.check(403, "sts:TagSession");
    let transitive = format!("{tag}&TransitiveTagKeys.member.1=Team");
    let reply = scene.assume(&alice(), "deployer", &transitive).await;
    reply.check(200, "<PackedPolicySize>1</PackedPolicySize>");
    // E47: inherited ones count; E45: they cannot be set again.
    scene.assume(&reply.keys(), "deployer", "").await.check(200, "PackedPolicySize");
    scene.assume(&reply.keys(), "deployer", tag).await.check(400, "InvalidParameterValue");
    let doubled = format!("{tag}&Tags.member.2.Key=TEAM&Tags.member.2.Value=b");
    scene.assume(&alice(), "deployer", &doubled).await.check(400, "Duplicate tag keys found");
}

#[tokio::test]
async fn e46_to_e48_session_policies() {
    let scene = Scene::new().await;
    let alice = alice();
    let statement = "{\"Effect\":\"Allow\",\"Action\":\"s3:*\",\"Resource\":\"*\",\
                     \"Condition\":{\"IpAddress\":{\"aws:SourceIp\":\"10.0.0.0/8\"}}}";
    let policy = |text: &str| format!("&Policy={text}");
    let legal = policy(&format!("{{\"Statement\":%0A%20[{statement}]}}"));
    scene.assume(&alice, "hub", &legal).await.check(200, "PackedPolicySize");
    for text in ["{", "{}", "[]", "1", "{\"Statement\":[]}"] {
        let reply = scene.assume(&alice, "hub", &policy(text)).await;
        reply.check(400, "<Code>MalformedPolicyDocument</Code>");
    }
    let long = policy(&format!("{{\"Id\":\"{}\",\"Statement\":{statement}}}", "a".repeat(2048)));
    scene.assume(&alice, "hub", &long).await.check(400, "<Code>ValidationError</Code>");
    let arn = |arn: &str| format!("&PolicyArns.member.1.arn={arn}");
    for known in
        ["arn:aws:iam::aws:policy/ReadOnlyAccess", "arn:aws:iam::111122223333:policy/ReadOnly"]
    {
        scene.assume(&alice, "hub", &arn(known)).await.check(200, "hub");
    }
    let unknown = arn("arn:aws:iam::111122223333:policy/Absent");
    scene.assume(&alice, "hub", &unknown).await.check(400, "<Code>ValidationError</Code>");
    let tags: Vec<String> = (1..=50)
        .map(|n| format!("&Tags.member.{n}.Key=k{n}&Tags.member.{n}.Value={}", "v".repeat(200)))
        .collect();
    scene
        .assume(&alice, "deployer", &tags.concat())
        .await
        .check(400, "<Code>PackedPolicyTooLarge</Code>");
}

#[tokio::test]
async fn e24_e62_e63_chains() {
    let scene = Scene::new().await;
    let hub = scene.assume(&alice(), "hub", "").await.keys();
    let spoke =
        "Action=AssumeRole&RoleSessionName=two&RoleArn=arn:aws:iam::444455556666:role/spoke";
    scene.call(&hub, spoke).await.check(200, "arn:aws:sts::444455556666:assumed-role/spoke/two");
    scene.call(&hub, &format!("{spoke}&DurationSeconds=3600")).await.check(200, "spoke");
    for seconds in ["3601", "43200"] {
        let fields = format!("{spoke}&DurationSeconds={seconds}");
        scene.call(&hub, &fields).await.check(
            400,
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by \
             role chaining.",
        );
    }
    scene.call(&alice(), spoke).await.check(403, "AccessDenied");
    let refused = "User: arn:aws:sts::111122223333:assumed-role/hub/test is not authorized";
    scene.assume(&hub, "reader", "&ExternalId=abc").await.check(403, refused);
}
