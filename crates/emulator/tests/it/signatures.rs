//! E1-E12: signatures and transport.

use jiff::SignedDuration;

use crate::signer::{Keys, Signing, presigned, request, send, sha256, signed};
use crate::{Scene, alice};

const WHO: &str = "Action=GetCallerIdentity&Version=2011-06-15";

#[track_caller]
fn is_alice(reply: &crate::signer::Reply) {
    reply.check(200, "<Arn>arn:aws:iam::111122223333:user/alice</Arn>");
}

async fn check(scene: &Scene, body: &str, how: Signing) {
    let bytes = signed(&scene.host, body, &alice(), scene.now(), &how);
    let reply = send(&scene.host, &bytes).await;
    assert_eq!(reply.status, 200, "{body} {how:?} {reply:?}");
}

#[tokio::test]
async fn e1_e2_known_tolerances() {
    let scene = Scene::new().await;
    check(&scene, WHO, Signing::default()).await;
    check(&scene, "Version=2011-06-15&Action=GetCallerIdentity", Signing::default()).await;
    let content_type = "application/x-www-form-urlencoded; charset=utf-8";
    check(&scene, WHO, Signing { content_type, ..Signing::default() }).await;
    let extra_headers = vec![
        ("amz-sdk-request", "attempt=1".to_owned()),
        ("x-amz-content-sha256", sha256(WHO.as_bytes())),
    ];
    check(&scene, WHO, Signing { extra_headers, ..Signing::default() }).await;
    check(&scene, WHO, Signing { region: "xx-other-9", ..Signing::default() }).await;
    let role = "Action=AssumeRole&Version=2011-06-15&RoleSessionName=a,b";
    for arn in [
        "arn:aws:iam::111122223333:role/deployer",
        "arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Fdeployer",
        "arn%3aaws%3aiam%3a%3a111122223333%3arole%2fdeployer",
    ] {
        let tags = "&Tags.member.1.Key=a+b%20c&Tags.member.1.Value=x";
        check(&scene, &format!("{role}&RoleArn={arn}{tags}"), Signing::default()).await;
    }
    for star in ["*", "%2A", "%2a"] {
        let policy = format!(
            "{{\"Statement\":{{\"Effect\":\"Allow\",\"Action\":\"{star}\",\"Resource\":\"{star}\"}}}}"
        );
        let arn = "arn:aws:iam::111122223333:role/deployer";
        check(&scene, &format!("{role}&RoleArn={arn}&Policy={policy}"), Signing::default()).await;
    }
}

#[tokio::test]
async fn e3_e4_e5_queries() {
    let scene = Scene::new().await;
    let how = Signing { method: "GET", query: WHO.to_owned(), ..Signing::default() };
    check(&scene, "", how).await;
    let bytes = presigned(&scene.host, WHO, &alice(), scene.now());
    is_alice(&send(&scene.host, &bytes).await);
    scene.pass(61);
    send(&scene.host, &bytes).await.check(403, "Signature expired: 20260101T000000Z is now");
}

#[tokio::test]
async fn e6_to_e11_refusals() {
    let scene = Scene::new().await;
    let host = &scene.host;
    let wrong = Keys { secret: "wrong".to_owned(), ..alice() };
    scene.who(&wrong).await.check(403, "The request signature we calculated does not match");
    let bytes = signed(host, WHO, &alice(), scene.now(), &Signing::default());
    let changed = bytes.replace("GetCallerIdentity", "GetCallerIdentitx");
    send(host, &changed).await.check(400, "InvalidAction");
    let changed = bytes.replace("2011-06-15", "2011%2D06-15").replace(
        &format!("content-length: {}", WHO.len()),
        &format!("content-length: {}", WHO.len() + 2),
    );
    send(host, &changed).await.check(403, "SignatureDoesNotMatch");
    for (minutes, expected) in
        [(14, None), (-14, None), (16, Some("yet current")), (-16, Some("expired"))]
    {
        let time = scene.now() + SignedDuration::from_mins(minutes);
        let reply = send(host, &signed(host, WHO, &alice(), time, &Signing::default())).await;
        match expected {
            Some(text) => reply.check(403, text),
            None => is_alice(&reply),
        }
    }
    let unknown = Keys { id: "AKIAUNKNOWN000000000".to_owned(), ..wrong };
    scene.who(&unknown).await.check(403, "<Code>InvalidClientTokenId</Code>");
    let bare = request("POST", "", &[("host", host.clone())], WHO);
    send(host, &bare).await.check(403, "<Code>MissingAuthenticationToken</Code>");
    let how = Signing { service: "iam", ..Signing::default() };
    let reply = send(host, &signed(host, WHO, &alice(), scene.now(), &how)).await;
    reply.check(403, "correct service: &apos;sts&apos;");
    let headers = [("host", host.clone()), ("authorization", "AWS4-HMAC-SHA256 x".to_owned())];
    send(host, &request("POST", "", &headers, WHO)).await.check(400, "IncompleteSignature");
}

#[tokio::test]
async fn a_body_over_the_cap_is_refused() {
    let scene = Scene::new().await;
    let body = format!("{WHO}&A={}", "a".repeat(300 * 1024));
    let bytes = request("POST", "", &[("host", scene.host.clone())], &body);
    let reply = crate::signer::raw(&scene.host, &bytes).await;
    assert!(reply.is_empty() || reply.starts_with("HTTP/1.1 413"), "{reply}");
}
