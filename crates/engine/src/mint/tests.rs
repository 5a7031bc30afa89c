//! Plans run against scripted ports, on paused time.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};

use super::*;
use crate::arn::{Dialect, RoleArn};
use crate::error::Silence;
use crate::error::SourceError;
use crate::plan::{TokenFrom, WebIdentityRequest};
use crate::ports::CallerIdentity;
use crate::request::{MfaCode, MfaSerial, Registry, SessionDuration, SessionName};
use crate::session::{Credentials, RegistryToken};

const HUB: &str = "arn:aws:iam::111122223333:role/hub";
const SPOKE: &str = "arn:aws:iam::444455556666:role/spoke";

/// One STS and one source whose answers a test chooses.
#[derive(Default)]
struct World {
    hub_calls: AtomicUsize,
    spoke_calls: AtomicUsize,
    identity_calls: AtomicUsize,
    seconds: AtomicI64,
    /// What the hub answers; a session by default.
    hub_refusal: Option<CallFailure>,
    /// What the first call of the spoke answers; a session by default.
    spoke_refusal: Mutex<Option<CallFailure>>,
    /// Whether the source's keys are those of a session.
    is_temporary: bool,
    /// The secret of the source's keys, or its token.
    secret: Mutex<String>,
    /// Whether the source has a token instead of keys.
    has_token: bool,
    /// How long sessions live; an hour by default.
    lifetime: Option<SignedDuration>,
    /// Who signed each AssumeRole, and for which role.
    signed: Mutex<Vec<(String, String)>>,
    /// How often a code was asked for.
    codes_asked: AtomicUsize,
    /// The codes that came with each AssumeRole.
    codes_sent: Mutex<Vec<Option<String>>>,
}

impl World {
    fn session(&self) -> Session {
        let received_at = self.now();
        Session {
            credentials: keys(true),
            expires_at: Some(received_at + self.lifetime.unwrap_or(SignedDuration::from_hours(1))),
            received_at,
            assumed_role: None,
            packed_policy_percent: None,
            source_identity: None,
            request_id: None,
        }
    }
}

fn keys(is_temporary: bool) -> Credentials {
    Credentials {
        access_key_id: "AKIAX".to_owned(),
        secret_access_key: SecretString::from("secret"),
        session_token: is_temporary.then(|| SecretString::from("token")),
    }
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_767_225_600 + self.seconds.load(Ordering::SeqCst)).unwrap()
    }
}

impl Source for World {
    fn identity<'a>(
        &'a self,
        spec: &'a SourceSpec,
        _: &'a Region,
    ) -> BoxFuture<'a, Result<Identity, SourceError>> {
        async move {
            self.identity_calls.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_secs(1)).await;
            let secret = SecretString::from(self.secret.lock().unwrap().as_str());
            if self.has_token {
                return Ok(Identity::Token { token: secret, origin: spec.to_string() });
            }
            let credentials = Credentials { secret_access_key: secret, ..keys(self.is_temporary) };
            Ok(Identity::Keys { credentials, expires_at: None, origin: spec.to_string() })
        }
        .boxed()
    }

    fn mfa_code<'a>(&'a self, _: &'a MfaSerial) -> BoxFuture<'a, Result<MfaCode, SourceError>> {
        let number = self.codes_asked.fetch_add(1, Ordering::SeqCst);
        async move { Ok(MfaCode::parse(&format!("{number:06}")).unwrap()) }.boxed()
    }
}

impl Aws for World {
    fn assume_role<'a>(
        &'a self,
        _: &'a Region,
        caller: &'a Credentials,
        request: &'a RoleRequest,
    ) -> BoxFuture<'a, Result<Session, CallFailure>> {
        async move {
            let role = request.role.as_str().to_owned();
            let code = request.mfa.as_ref().and_then(|mfa| mfa.code.as_ref());
            self.codes_sent.lock().unwrap().push(code.map(|code| code.as_str().to_owned()));
            self.signed.lock().unwrap().push((caller.access_key_id.clone(), role));
            let is_hub = request.role.as_str() == HUB;
            let calls = if is_hub { &self.hub_calls } else { &self.spoke_calls };
            calls.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_secs(1)).await;
            let refusal = if is_hub {
                self.hub_refusal.clone()
            } else {
                self.spoke_refusal.lock().unwrap().take()
            };
            let mut session = self.session();
            // Each session's key names its role and its number.
            let number = self.signed.lock().unwrap().len();
            session.credentials.access_key_id = format!("{}#{number}", request.role.as_str());
            refusal.map_or(Ok(session), Err)
        }
        .boxed()
    }

    fn assume_role_with_web_identity<'a>(
        &'a self,
        _: &'a Region,
        token: &'a SecretString,
        _: &'a WebIdentityRequest,
    ) -> BoxFuture<'a, Result<Session, CallFailure>> {
        async move {
            self.hub_calls.fetch_add(1, Ordering::SeqCst);
            // Whoever is refused gets another token next time.
            if token.expose_secret() == "old" {
                "new".clone_into(&mut self.secret.lock().unwrap());
                return Err(refused("InvalidIdentityToken", 400));
            }
            if token.expose_secret() == "bad" {
                return Err(refused("InvalidIdentityToken", 400));
            }
            Ok(self.session())
        }
        .boxed()
    }

    fn session_token<'a>(
        &'a self,
        _: &'a Region,
        _: &'a Credentials,
        _: &'a SessionTokenRequest,
    ) -> BoxFuture<'a, Result<Session, CallFailure>> {
        async { Ok(self.session()) }.boxed()
    }

    fn registry_token<'a>(
        &'a self,
        _: &'a Region,
        _: &'a Credentials,
        _: Registry,
    ) -> BoxFuture<'a, Result<RegistryToken, CallFailure>> {
        async { Err(CallFailure::NoAnswer { service: "ECR", silence: Silence::Broken }) }.boxed()
    }

    fn caller_identity<'a>(
        &'a self,
        _: &'a Region,
        _: &'a Credentials,
    ) -> BoxFuture<'a, Result<CallerIdentity, CallFailure>> {
        async { Err(CallFailure::NoAnswer { service: "STS", silence: Silence::Broken }) }.boxed()
    }
}

fn minter(world: World) -> (Arc<World>, Arc<Minter>) {
    let world = Arc::new(world);
    let (source, aws, clock) = (Arc::clone(&world), Arc::clone(&world), Arc::clone(&world));
    (world, Arc::new(Minter::new(source, aws, clock)))
}

fn request(role: &str) -> RoleRequest {
    let role = RoleArn::parse(role, Dialect::Aws).unwrap();
    RoleRequest::new(role, SessionName::made_from("test"))
}

fn hub_and_spoke() -> Plan {
    let region = Region::parse("eu-west-1").unwrap();
    Plan::assume_role(region, SourceSpec::Ambient, vec![request(HUB)], request(SPOKE))
}

fn denied() -> CallFailure {
    refused("AccessDenied", 403)
}

fn refused(code: &str, status: u16) -> CallFailure {
    let (code, message) = (code.to_owned(), String::new());
    CallFailure::Refused { service: "STS", status, code, message, request_id: None }
}

async fn fifty(minter: &Arc<Minter>) -> Vec<Result<Minted, Arc<Error>>> {
    let waiters: Vec<_> = (0..50)
        .map(|_| {
            let minter = Arc::clone(minter);
            tokio::spawn(async move { minter.mint(&hub_and_spoke()).await })
        })
        .collect();
    let mut results = Vec::new();
    for waiter in waiters {
        results.push(waiter.await.unwrap());
    }
    results
}

#[tokio::test(start_paused = true)]
async fn fifty_mints_share_the_prefix_and_not_the_last_hop() {
    let (world, minter) = minter(World::default());
    assert!(fifty(&minter).await.iter().all(Result::is_ok));
    assert_eq!(world.hub_calls.load(Ordering::SeqCst), 1);
    assert_eq!(world.spoke_calls.load(Ordering::SeqCst), 50);
    assert_eq!(world.identity_calls.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn fifty_mints_share_a_denial_of_the_prefix() {
    let (world, minter) = minter(World { hub_refusal: Some(denied()), ..World::default() });
    assert!(fifty(&minter).await.iter().all(Result::is_err));
    assert_eq!(world.hub_calls.load(Ordering::SeqCst), 1);
    assert_eq!(world.spoke_calls.load(Ordering::SeqCst), 0);
    // A denial is not remembered: the next one asks again.
    assert!(minter.mint(&hub_and_spoke()).await.is_err());
    assert_eq!(world.hub_calls.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn a_prefix_is_used_until_little_of_it_remains() {
    let (world, minter) = minter(World::default());
    for (seconds, calls) in [(0, 1), (3_000, 1), (3_299, 1), (3_300, 2), (3_301, 2)] {
        world.seconds.store(seconds, Ordering::SeqCst);
        minter.mint(&hub_and_spoke()).await.unwrap();
        assert_eq!(world.hub_calls.load(Ordering::SeqCst), calls, "{seconds}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_remembered_caller_that_has_expired_is_made_anew_once() {
    let (world, minter) = minter(World::default());
    minter.mint(&hub_and_spoke()).await.unwrap();
    *world.spoke_refusal.lock().unwrap() = Some(refused("ExpiredToken", 403));
    assert!(minter.mint(&hub_and_spoke()).await.is_ok());
    assert_eq!(world.hub_calls.load(Ordering::SeqCst), 2);
    assert_eq!(world.spoke_calls.load(Ordering::SeqCst), 3);
}

#[tokio::test(start_paused = true)]
async fn a_caller_just_made_is_not_made_again() {
    let spoke_refusal = Mutex::new(Some(refused("ExpiredToken", 403)));
    let (world, minter) = minter(World { spoke_refusal, ..World::default() });
    assert_eq!(minter.mint(&hub_and_spoke()).await.unwrap_err().code(), "expired-caller");
    assert_eq!(world.hub_calls.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_duration_over_the_chaining_cap_is_refused_before_the_role_call() {
    let (world, minter) = minter(World { is_temporary: true, ..World::default() });
    let mut last = request(SPOKE);
    last.duration = Some(SessionDuration::from_seconds(3_601).unwrap());
    let region = Region::parse("eu-west-1").unwrap();
    let plan = Plan::assume_role(region, SourceSpec::Ambient, Vec::new(), last);
    let error = minter.mint(&plan).await.unwrap_err();
    assert_eq!(error.code(), "invalid-request");
    assert_eq!(world.spoke_calls.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn a_denial_of_a_chained_hop_names_the_callers_role() {
    let (_, minter) =
        minter(World { spoke_refusal: Mutex::new(Some(denied())), ..World::default() });
    let error = minter.mint(&hub_and_spoke()).await.unwrap_err();
    assert_eq!(error.to_string(), format!("could not assume {SPOKE} as {HUB}"));
    assert!(error.hint().unwrap().contains(&format!("the caller's role {HUB}")));
}

#[tokio::test(start_paused = true)]
async fn another_identity_shares_no_prefix() {
    let (world, minter) = minter(World::default());
    minter.mint(&hub_and_spoke()).await.unwrap();
    "another".clone_into(&mut world.secret.lock().unwrap());
    minter.mint(&hub_and_spoke()).await.unwrap();
    assert_eq!(world.hub_calls.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn another_region_shares_no_prefix() {
    let (world, minter) = minter(World::default());
    for region in ["eu-west-1", "us-east-1", "eu-west-1"] {
        let plan = Plan { region: Region::parse(region).unwrap(), ..hub_and_spoke() };
        minter.mint(&plan).await.unwrap();
    }
    assert_eq!(world.hub_calls.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn each_hop_is_signed_by_the_one_before_it() {
    const MIDDLE: &str = "arn:aws:iam::111122223333:role/middle";
    let (world, minter) = minter(World::default());
    let mut plan = hub_and_spoke();
    plan.prefix.push(Hop::AssumeRole(request(MIDDLE)));
    minter.mint(&plan).await.unwrap();
    // The whole prefix is remembered, and a chain that leaves it out has a prefix of its own.
    minter.mint(&plan).await.unwrap();
    minter.mint(&hub_and_spoke()).await.unwrap();
    let signed = world.signed.lock().unwrap().clone();
    let signed: Vec<(&str, &str)> =
        signed.iter().map(|(by, role)| (by.split('#').next().unwrap(), role.as_str())).collect();
    assert_eq!(
        signed,
        [("AKIAX", HUB), (HUB, MIDDLE), (MIDDLE, SPOKE), (MIDDLE, SPOKE), (HUB, SPOKE)]
    );
}

#[tokio::test(start_paused = true)]
async fn a_short_prefix_is_used_for_half_its_life() {
    let lifetime = Some(SignedDuration::from_secs(60));
    let (world, minter) = minter(World { lifetime, ..World::default() });
    for (seconds, calls) in [(0, 1), (29, 1), (30, 2)] {
        world.seconds.store(seconds, Ordering::SeqCst);
        minter.mint(&hub_and_spoke()).await.unwrap();
        assert_eq!(world.hub_calls.load(Ordering::SeqCst), calls, "{seconds}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_refused_is_read_anew_once() {
    let plan = || {
        let source = SourceSpec::Token { from: TokenFrom::File("token".into()), account: None };
        let region = Region::parse("eu-west-1").unwrap();
        Plan::assume_role_with_token(region, source, Vec::new(), request(HUB)).unwrap()
    };
    let start = |secret: &str| {
        let secret = Mutex::new(secret.to_owned());
        minter(World { has_token: true, secret, ..World::default() })
    };
    let (world, minter) = start("old");
    assert!(minter.mint(&plan()).await.is_ok());
    assert_eq!(world.hub_calls.load(Ordering::SeqCst), 2);
    // The same token again is not worth a call.
    let (world, minter) = start("bad");
    assert_eq!(minter.mint(&plan()).await.unwrap_err().code(), "invalid-token");
    assert_eq!(world.hub_calls.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn two_sources_are_two_identities() {
    let (world, minter) = minter(World::default());
    let other = Plan { source: SourceSpec::Profile("other".to_owned()), ..hub_and_spoke() };
    let (one, two) = tokio::join!(minter.mint(&other), async {
        let plan = hub_and_spoke();
        minter.mint(&plan).await
    });
    assert_eq!(one.unwrap().origin, "profile other");
    assert_eq!(two.unwrap().origin, "default chain");
    assert_eq!(world.identity_calls.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn one_code_serves_a_prefix_for_as_long_as_it_lives() {
    let (world, minter) = minter(World::default());
    let serial = MfaSerial::parse("arn:aws:iam::111122223333:mfa/alice").unwrap();
    let plan = hub_and_spoke().with_mfa(&serial).unwrap();
    for _ in 0..2 {
        minter.mint(&plan).await.unwrap();
    }
    assert_eq!(world.codes_asked.load(Ordering::SeqCst), 1);
    let sent = world.codes_sent.lock().unwrap().clone();
    assert_eq!(sent, [Some("000000".to_owned()), None, None]);
}
