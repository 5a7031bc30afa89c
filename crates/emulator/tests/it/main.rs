//! Conversations with a running emulator, over real sockets and with a signer of their own.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

mod ecr;
mod faults;
mod identity;
mod mfa;
mod roles;
mod signatures;
mod signer;
mod tls;
mod web;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};
use rolecall_emulator::{Emulator, Options, Transport, World};
use signer::{Keys, Reply, Signing, send, signed};

/// An emulator with a clock that tests move.
pub(crate) struct Scene {
    pub(crate) emulator: Emulator,
    pub(crate) host: String,
    time: Arc<AtomicI64>,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        Self::of(World::builtin().unwrap()).await
    }

    pub(crate) async fn of(world: World) -> Self {
        Self::over(world, Transport::Http).await
    }

    pub(crate) async fn over(world: World, transport: Transport) -> Self {
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let time = Arc::new(AtomicI64::new(start.as_second()));
        let shared = Arc::clone(&time);
        let clock = move || Timestamp::from_second(shared.load(Ordering::SeqCst)).unwrap();
        let listen = ([127, 0, 0, 1], 0).into();
        let options = Options { listen, transport, clock: Arc::new(clock) };
        let emulator = Emulator::start(world, options).await.unwrap();
        let host = emulator.sts_url().split_once("://").unwrap().1.to_owned();
        Self { emulator, host, time }
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_second(self.time.load(Ordering::SeqCst)).unwrap()
    }

    pub(crate) fn pass(&self, seconds: i64) {
        self.time.fetch_add(seconds, Ordering::SeqCst);
    }

    /// A signed POST.
    pub(crate) async fn call(&self, keys: &Keys, fields: &str) -> Reply {
        let body = format!("{fields}&Version=2011-06-15");
        let how = Signing::default();
        send(&self.host, &signed(&self.host, &body, keys, self.now(), &how)).await
    }

    /// `AssumeRole` of a role in the first account.
    pub(crate) async fn assume(&self, keys: &Keys, role: &str, more: &str) -> Reply {
        let role = format!("arn:aws:iam::111122223333:role/{role}");
        let fields = format!("Action=AssumeRole&RoleArn={role}&RoleSessionName=test{more}");
        self.call(keys, &fields).await
    }

    pub(crate) async fn who(&self, keys: &Keys) -> Reply {
        self.call(keys, "Action=GetCallerIdentity").await
    }
}

pub(crate) fn alice() -> Keys {
    user(0)
}

pub(crate) fn bob() -> Keys {
    user(1)
}

fn user(index: usize) -> Keys {
    let user = World::builtin().unwrap().users().remove(index);
    Keys { id: user.access_key_id, secret: user.secret_access_key, token: None }
}

#[tokio::test]
async fn e16_e17_caller_identity() {
    let scene = Scene::new().await;
    let reply = scene.who(&alice()).await;
    reply.check(200, "xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"");
    assert_eq!(reply.text("Arn"), Some("arn:aws:iam::111122223333:user/alice"));
    assert_eq!(reply.text("Account"), Some("111122223333"));
    assert!(reply.text("UserId").unwrap().starts_with("AIDA"));
    let id = reply.text("RequestId").unwrap();
    assert!(reply.head.contains(&format!("x-amzn-requestid: {id}")), "{}", reply.head);
    assert!(reply.head.contains("date: thu, 01 jan 2026 00:00:00 gmt"), "{}", reply.head);
    assert!(reply.head.contains("content-type: text/xml"), "{}", reply.head);
}

#[tokio::test]
async fn e13_e14_actions_and_versions() {
    let scene = Scene::new().await;
    let alice = alice();
    scene.call(&alice, "Action=Nonsense").await.check(400, "<Code>InvalidAction</Code>");
    scene.call(&alice, "Action=GetFederationToken").await.check(400, "<Code>InvalidAction</Code>");
    scene.call(&alice, "Extra=1").await.check(400, "<Code>MissingAction</Code>");
    let reply = scene.call(&alice, "Action=GetCallerIdentity&Version=2010-01-01").await;
    reply.check(400, "Could not find operation GetCallerIdentity for version 2010-01-01");
    scene.call(&alice, "Action=GetCallerIdentity&Foo=bar").await.check(200, "alice");
}

#[tokio::test]
async fn e54_e55_e56_session_tokens_of_users() {
    let scene = Scene::new().await;
    let reply = scene.call(&alice(), "Action=GetSessionToken").await;
    reply.check(200, "<Expiration>2026-01-01T12:00:00Z</Expiration>");
    let session = reply.keys();
    assert!(session.id.starts_with("ASIAEMULATED"));
    scene.who(&session).await.check(200, "<Arn>arn:aws:iam::111122223333:user/alice</Arn>");
    let again = scene.call(&session, "Action=GetSessionToken").await;
    again.check(403, "Cannot call GetSessionToken with session credentials");
    scene.assume(&session, "team/app", "&DurationSeconds=3601").await.check(400, "role chaining");
    scene.assume(&session, "team/app", "").await.check(200, "assumed-role/app/test");
    for seconds in ["899", "129601"] {
        let fields = format!("Action=GetSessionToken&DurationSeconds={seconds}");
        scene.call(&alice(), &fields).await.check(400, "<Code>ValidationError</Code>");
    }
}

#[tokio::test]
async fn e58_to_e61_use_of_returned_credentials() {
    let scene = Scene::new().await;
    let keys = scene.assume(&alice(), "hub", "").await.keys();
    scene.who(&keys).await.check(200, "assumed-role/hub/test");
    let wrong_secret = Keys { secret: "x".to_owned(), ..keys.clone() };
    scene.who(&wrong_secret).await.check(403, "SignatureDoesNotMatch");
    let no_token = Keys { token: None, ..keys.clone() };
    scene.who(&no_token).await.check(403, "InvalidClientTokenId");
    let short = keys.token.as_ref().map(|token| token[1..].to_owned());
    scene.who(&Keys { token: short, ..keys.clone() }).await.check(403, "InvalidClientTokenId");
    let with_token = Keys { token: keys.token.clone(), ..alice() };
    scene.who(&with_token).await.check(403, "InvalidClientTokenId");
    scene.pass(3599);
    scene.who(&keys).await.check(200, "hub");
    scene.pass(1);
    let text = "The security token included in the request is expired";
    scene.who(&keys).await.check(403, text);
    scene.assume(&keys, "hub", "").await.check(403, "<Code>ExpiredToken</Code>");
}

#[tokio::test]
async fn lifetimes_are_divided_and_checks_are_not() {
    let yaml = World::DEFAULT_YAML.replace("lifetime_divisor: 1", "lifetime_divisor: 60");
    let scene = Scene::of(World::parse(&yaml).unwrap()).await;
    let reply = scene.assume(&alice(), "hub", "&DurationSeconds=3600").await;
    reply.check(200, "<Expiration>2026-01-01T00:01:00Z</Expiration>");
    scene.assume(&alice(), "hub", "&DurationSeconds=899").await.check(400, "ValidationError");
}

#[tokio::test]
async fn an_ambient_role_gets_a_session_at_start() {
    let ambient = "ambient: arn:aws:iam::111122223333:";
    let yaml = World::DEFAULT_YAML
        .replace(&format!("{ambient}user/alice"), &format!("{ambient}role/team/app"));
    let scene = Scene::of(World::parse(&yaml).unwrap()).await;
    let found = scene.emulator.ambient_credentials().unwrap();
    let keys = Keys {
        id: found.access_key_id,
        secret: found.secret_access_key,
        token: found.session_token,
    };
    scene.who(&keys).await.check(200, "assumed-role/app/ambient");
    assert_eq!(found.expires_at, Some(scene.now() + SignedDuration::from_hours(1)));
}

#[tokio::test]
async fn the_log_says_what_was_asked_and_holds_no_secret() {
    let scene = Scene::new().await;
    let keys = scene.assume(&alice(), "reader", "&ExternalId=abc&DurationSeconds=900").await.keys();
    scene.who(&keys).await.check(200, "reader");
    let log = scene.emulator.requests();
    let first = &log[0];
    assert_eq!(first.operation.as_deref(), Some("AssumeRole"));
    assert_eq!(first.caller.as_deref(), Some("arn:aws:iam::111122223333:user/alice"));
    assert_eq!(first.duration_seconds, Some(900));
    assert_eq!(first.service.as_deref(), Some("sts"));
    assert_eq!((first.external_id_given, first.unsigned), (true, false));
    assert_eq!((first.status, first.region.as_deref()), (Some(200), Some("eu-west-1")));
    let everything = format!("{log:?}{:?}", scene.emulator);
    for secret in scene.emulator.issued() {
        assert!(secret.texts().iter().all(|text| !everything.contains(text)));
    }
    assert_eq!(scene.emulator.issued().len(), 1);
    scene.emulator.shutdown().await;
}
