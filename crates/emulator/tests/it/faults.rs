//! Faults on cue and the control port.

use std::time::Duration;

use rolecall_emulator::FaultRule;

use crate::signer::{Signing, at, raw, send, signed};
use crate::{Scene, alice};

fn rule(text: &str) -> FaultRule {
    text.parse().unwrap()
}

#[tokio::test]
async fn refusals_and_pages() {
    let scene = Scene::new().await;
    for (text, status, part) in [
        ("throttle", 400, "<Code>Throttling</Code><Message>Rate exceeded</Message>"),
        ("deny", 403, "User: arn:aws:iam::111122223333:user/alice is not authorized to perform"),
        ("500", 500, "<Code>InternalFailure</Code>"),
        ("503", 503, "<Code>ServiceUnavailable</Code>"),
        ("html", 502, "<html>"),
        ("error=RegionDisabledException:403:STS is not activated: ask", 403, "activated: ask"),
    ] {
        scene.emulator.inject(rule(&format!("times=1 {text}")));
        scene.assume(&alice(), "hub", "").await.check(status, part);
    }
    scene.assume(&alice(), "hub", "").await.check(200, "hub");
}

#[tokio::test]
async fn only_what_a_rule_names() {
    let scene = Scene::new().await;
    scene.emulator.inject(rule("role=hub operation=AssumeRole throttle"));
    scene.assume(&alice(), "hub", "").await.check(400, "Throttling");
    scene.assume(&alice(), "team/app", "").await.check(200, "app");
    scene.emulator.clear_faults();
    scene.assume(&alice(), "hub", "").await.check(200, "hub");
}

#[tokio::test]
async fn expiry_is_replaced_or_left_out() {
    let scene = Scene::new().await;
    scene.emulator.inject(rule("times=1 expiry=2026-01-01T00:00:00.5Z"));
    let reply = scene.assume(&alice(), "hub", "").await;
    reply.check(200, "<Expiration>2026-01-01T00:00:00.5Z</Expiration>");
    scene.emulator.inject(rule("times=1 expiry="));
    let reply = scene.assume(&alice(), "hub", "").await;
    assert!(reply.status == 200 && reply.text("Expiration").is_none(), "{reply:?}");
}

#[tokio::test]
async fn dropped_and_truncated_answers() {
    let scene = Scene::new().await;
    let body = "Action=GetCallerIdentity&Version=2011-06-15";
    let bytes = signed(&scene.host, body, &alice(), scene.now(), &Signing::default());
    scene.emulator.inject(rule("times=1 drop"));
    assert_eq!(raw(&scene.host, &bytes).await, "");
    scene.emulator.inject(rule("times=1 truncate"));
    let cut = raw(&scene.host, &bytes).await;
    let (head, half) = cut.split_once("\r\n\r\n").unwrap();
    let head = head.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    assert_eq!(half.len(), length.parse::<usize>().unwrap() / 2, "{cut}");
    assert!(head.starts_with("http/1.1 200"), "{head}");
}

#[tokio::test]
async fn a_hanging_request_ends_with_the_emulator() {
    let scene = Scene::new().await;
    scene.emulator.inject(rule("hang"));
    let host = scene.host.clone();
    let bytes = signed(&host, "Action=X", &alice(), scene.now(), &Signing::default());
    let hanging = tokio::spawn(async move { raw(&host, &bytes).await });
    while scene.emulator.requests().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(!hanging.is_finished());
    scene.emulator.shutdown().await;
    assert_eq!(hanging.await.unwrap(), "");
}

#[tokio::test]
async fn latency_delays_and_goes_with_the_rest() {
    let scene = Scene::new().await;
    scene.emulator.inject(rule("operation=AssumeRole latency=300ms"));
    scene.emulator.inject(rule("operation=AssumeRole throttle"));
    let keys = alice();
    let slow = scene.assume(&keys, "hub", "");
    tokio::pin!(slow);
    // The slow one is asked first and overtaken.
    tokio::select! {
        biased;
        _ = &mut slow => panic!("not delayed"),
        quick = scene.who(&keys) => quick.check(200, "alice"),
    }
    slow.await.check(400, "Throttling");
}

#[tokio::test]
async fn the_control_port_demands_its_token() {
    let scene = Scene::new().await;
    let host = scene.emulator.control_url().strip_prefix("http://").unwrap().to_owned();
    let token = scene.emulator.control_token().to_owned();
    let ask = async |method: &str, path: &str, token: &str, body: &str| {
        let headers = [("host", host.clone()), ("authorization", format!("Bearer {token}"))];
        send(&host, &at(method, path, &headers, body)).await
    };
    let fault = "/_emulator/fault";
    let json = r#"{"fault":"throttle","operation":"GetCallerIdentity","times":5}"#;
    ask("POST", fault, "wrong", json).await.check(401, "\"error\"");
    scene.who(&alice()).await.check(200, "alice");
    ask("POST", fault, &token, r#"{"fault":"nonsense"}"#).await.check(400, "\"error\"");
    ask("POST", fault, &token, r#"{"fault":"hang","tims":1}"#).await.check(400, "tims");
    for body in [json, "operation=GetCallerIdentity times=5 throttle\n"] {
        ask("DELETE", fault, &token, "").await.check(204, "");
        ask("POST", fault, &token, body).await.check(204, "");
        scene.who(&alice()).await.check(400, "Throttling");
    }
    ask("DELETE", fault, &token, "").await.check(204, "");
    scene.who(&alice()).await.check(200, "alice");
    let log = ask("GET", "/_emulator/requests", &token, "").await;
    log.check(200, "\"error_code\":\"Throttling\"");
    ask("GET", "/other", &token, "").await.check(404, "\"error\"");
}
