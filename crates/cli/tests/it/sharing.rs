//! Fifty waiters on one prefix, counted in the emulator's own log.

use std::pin::Pin;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use rolecall_aws::{AwsClient, Destination, Endpoint, Network, PlainHttp};
use rolecall_emulator::FaultRule;
use rolecall_engine::arn::{Dialect, RoleArn};
use rolecall_engine::error::{Error, SourceError};
use rolecall_engine::mint::{Minted, Minter};
use rolecall_engine::plan::{Plan, SourceSpec};
use rolecall_engine::ports::{Aws, Clock, Source};
use rolecall_engine::region::Region;
use rolecall_engine::request::{MfaCode, MfaSerial, RoleRequest, SessionName};
use rolecall_engine::session::{Credentials, Identity};
use secrecy::SecretString;

use crate::harness::{ALICE_KEY_ID, Sts, wait};

const HUB: &str = "arn:aws:iam::111122223333:role/hub";
const SPOKE: &str = "arn:aws:iam::444455556666:role/spoke";

struct Alice {
    secret: String,
    /// Each is asked for once.
    codes: Mutex<Vec<String>>,
}

impl Source for Alice {
    fn identity<'a>(
        &'a self,
        spec: &'a SourceSpec,
        _: &'a Region,
    ) -> Pin<Box<dyn Future<Output = Result<Identity, SourceError>> + Send + 'a>> {
        let credentials = keys(&self.secret);
        let origin = spec.to_string();
        Box::pin(async move { Ok(Identity::Keys { credentials, expires_at: None, origin }) })
    }

    fn mfa_code<'a>(
        &'a self,
        _: &'a MfaSerial,
    ) -> Pin<Box<dyn Future<Output = Result<MfaCode, SourceError>> + Send + 'a>> {
        let given = self.codes.lock().unwrap().pop();
        Box::pin(async move { Ok(MfaCode::parse(&given.unwrap()).unwrap()) })
    }
}

struct MachineClock;

impl Clock for MachineClock {
    #[expect(clippy::disallowed_methods, reason = "the test's clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

fn keys(secret: &str) -> Credentials {
    Credentials {
        access_key_id: ALICE_KEY_ID.to_owned(),
        secret_access_key: SecretString::from(secret),
        session_token: None,
    }
}

fn client(sts: &Sts) -> Arc<AwsClient> {
    let endpoint = Endpoint::parse(&sts.emulator.sts_url(), PlainHttp::Loopback).unwrap();
    let network = Network::at(Destination::Endpoint(endpoint));
    Arc::new(AwsClient::new(network, Arc::new(MachineClock)))
}

fn minter(sts: &Sts) -> Arc<Minter> {
    minter_with(sts, Vec::new())
}

fn minter_with(sts: &Sts, codes: Vec<String>) -> Arc<Minter> {
    let source = Arc::new(Alice { secret: sts.alice_secret.clone(), codes: Mutex::new(codes) });
    Arc::new(Minter::new(source, client(sts), Arc::new(MachineClock)))
}

fn plan() -> Plan {
    let request = |role: &str| {
        let role = RoleArn::parse(role, Dialect::Aws).unwrap();
        RoleRequest::new(role, SessionName::made_from("shared"))
    };
    let region = Region::parse("eu-west-1").unwrap();
    Plan::assume_role(region, SourceSpec::Ambient, vec![request(HUB)], request(SPOKE))
}

/// Slow enough that all fifty wait at once.
fn slow_hub(sts: &Sts) {
    sts.emulator.inject(format!("role={HUB} latency=300ms").parse::<FaultRule>().unwrap());
}

async fn fifty(minter: &Arc<Minter>) -> Vec<Result<Minted, Arc<Error>>> {
    let mint = || {
        let minter = Arc::clone(minter);
        tokio::spawn(async move { minter.mint(&plan()).await })
    };
    let waiters: Vec<_> = (0..50).map(|_| mint()).collect();
    let mut results = Vec::new();
    for waiter in waiters {
        results.push(waiter.await.unwrap());
    }
    results
}

fn calls_of(sts: &Sts, role: &str) -> usize {
    sts.emulator.requests().iter().filter(|r| r.role.as_deref() == Some(role)).count()
}

#[test]
fn fifty_waiters_cost_one_call_of_the_prefix() {
    let sts = Sts::start();
    slow_hub(&sts);
    let results = wait(fifty(&minter(&sts)));
    assert!(results.iter().all(Result::is_ok));
    assert_eq!((calls_of(&sts, HUB), calls_of(&sts, SPOKE)), (1, 50));
}

#[test]
fn fifty_waiters_cost_one_call_that_is_denied() {
    let sts = Sts::start();
    slow_hub(&sts);
    sts.emulator.inject(format!("role={HUB} deny").parse::<FaultRule>().unwrap());
    let results = wait(fifty(&minter(&sts)));
    assert!(results.iter().all(|result| result.as_ref().unwrap_err().code() == "denied"));
    assert_eq!((calls_of(&sts, HUB), calls_of(&sts, SPOKE)), (1, 0));
}

#[test]
fn fifty_waiters_cost_one_call_though_the_first_has_gone() {
    let sts = Sts::start();
    slow_hub(&sts);
    let minter = minter(&sts);
    let results = wait(async {
        let first = {
            let minter = Arc::clone(&minter);
            tokio::spawn(async move { minter.mint(&plan()).await })
        };
        // The first caller has started the call once its request has arrived.
        while calls_of(&sts, HUB) == 0 {
            tokio::task::yield_now().await;
        }
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        fifty(&minter).await
    });
    assert!(results.iter().all(Result::is_ok));
    assert_eq!((calls_of(&sts, HUB), calls_of(&sts, SPOKE)), (1, 50));
    wait(minter.drain());
}

#[test]
fn what_was_minted_is_who_it_should_be() {
    let sts = Sts::start();
    let minted = wait(minter(&sts).mint(&plan())).unwrap();
    let region = Region::parse("eu-west-1").unwrap();
    let client = client(&sts);
    let session = minted.issued.session().unwrap();
    let who = wait(client.caller_identity(&region, &session.credentials)).unwrap();
    assert_eq!(who.arn, "arn:aws:sts::444455556666:assumed-role/spoke/shared");
    assert_eq!(who.account, "444455556666");
}

/// The second run of one process asks for no code and makes no call for the prefix.
#[test]
fn a_chain_behind_a_code_is_walked_once() {
    const DEVICE: &str = "arn:aws:iam::111122223333:mfa/alice";
    let sts = Sts::start();
    let minter = minter_with(&sts, vec![sts.emulator.mfa_code(DEVICE).unwrap()]);
    let plan = plan().with_mfa(&MfaSerial::parse(DEVICE).unwrap()).unwrap();
    for _ in 0..2 {
        wait(minter.mint(&plan)).unwrap();
    }
    assert_eq!((calls_of(&sts, HUB), calls_of(&sts, SPOKE)), (1, 2));
}
