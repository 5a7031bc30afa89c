//! Judged from outside: somebody keeps every version of every Secret and asks AWS who each one is,
//! while AWS and the cluster misbehave.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::api::Api;
use kube::runtime::watcher::{self, Event};
use rolecall_aws::{AwsClient, Destination, Endpoint, Network, PlainHttp};
use rolecall_engine::ports::Aws as _;
use rolecall_engine::region::Region;
use rolecall_engine::session::Credentials;
use secrecy::SecretString;
use serde_json::json;

use crate::objects::{delete, eventually, make_namespace, patch, store_crd};
use crate::place::{Place, role_arn};

const ROLE: &str = "STSAssumeRoleToken";

/// Every version of every Secret, and what was wrong with one.
#[derive(Default)]
struct Kept {
    versions: usize,
    wrong: Vec<String>,
}

/// Watches until told to stop.
async fn observe(
    client: kube::Client,
    namespace: String,
    sts: String,
    stop: Arc<AtomicBool>,
) -> Kept {
    let api: Api<Secret> = Api::namespaced(client, &namespace);
    let only = watcher::Config::default().labels("reconcile.external-secrets.io/managed=true");
    let mut events = std::pin::pin!(watcher::watcher(api, only));
    let endpoint = Endpoint::parse(&sts, PlainHttp::Loopback).unwrap();
    let network = Network::at(Destination::Endpoint(endpoint));
    let aws = AwsClient::new(network, Arc::new(Wall));
    let region = Region::parse("eu-west-1").unwrap();
    let mut kept = Kept::default();
    let mut seen = BTreeSet::new();
    while !stop.load(Ordering::SeqCst) {
        let event = tokio::time::timeout(Duration::from_millis(200), events.try_next()).await;
        let Ok(Ok(Some(Event::Apply(secret) | Event::InitApply(secret)))) = event else { continue };
        let name = secret.metadata.name.clone().unwrap();
        let version = secret.metadata.resource_version.clone().unwrap();
        if !seen.insert((name.clone(), version)) {
            continue;
        }
        kept.versions += 1;
        let data = secret.data.unwrap_or_default();
        let text = |key: &str| data.get(key).map(|it| String::from_utf8_lossy(&it.0).into_owned());
        let parts = [text("access_key_id"), text("secret_access_key"), text("session_token")];
        let [Some(id), Some(secret), Some(token)] = parts else {
            kept.wrong.push(format!("{name}: not whole: {:?}", data.keys()));
            continue;
        };
        let expires: i64 = text("expiration").unwrap().parse().unwrap();
        if Timestamp::from_second(expires).unwrap() < Timestamp::now() {
            kept.wrong.push(format!("{name}: written though it had ended"));
        }
        let credentials = Credentials {
            access_key_id: id,
            secret_access_key: SecretString::from(secret),
            session_token: Some(SecretString::from(token)),
        };
        match aws.caller_identity(&region, &credentials).await {
            Ok(caller) if caller.arn.contains(&format!("/{namespace}.")) => {}
            Ok(caller) => kept.wrong.push(format!("{name}: is {}", caller.arn)),
            Err(error) => kept.wrong.push(format!("{name}: {error}")),
        }
    }
    kept
}

struct Wall;

impl rolecall_engine::ports::Clock for Wall {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// Never emptied, never half-written, never expired while STS could be reached in time: with STS
/// denying, throttling, failing, hanging, talking nonsense, and the controller killed.
#[tokio::test(flavor = "multi_thread")]
async fn credentials_stay_good_whatever_happens() {
    let deep = format!("{}deep", "level/".repeat(31));
    // An hour is 36 s here: renewed from 18 s before the end.
    let mut place = Place::new("observed", &["reader", &deep], 100, &[]).await;
    let stop = Arc::new(AtomicBool::new(false));
    let sts = place.emulator.sts_url();
    let observer = tokio::spawn(observe(
        place.bed.client.clone(),
        "observed".to_owned(),
        sts,
        Arc::clone(&stop),
    ));
    place.role("reader", json!({})).await;
    place.role("deep", json!({"role": role_arn(&deep)})).await;
    let mut names = Vec::new();
    for index in 0..8 {
        let generator = if index == 7 { "deep" } else { "reader" };
        let name = format!("s{index}");
        place.external_secret(&name, ROLE, generator, json!({})).await;
        names.push(name);
    }
    place
        .apply(
            "external-secrets.io/v1",
            "ExternalSecret",
            "odd",
            json!({"spec": {
                "refreshInterval": "1 day",
                "dataFrom": [{"sourceRef": {"generatorRef": {"kind": ROLE, "name": "reader"}}}],
            }}),
        )
        .await;
    for name in &names {
        place.wait_ready(name, "True").await;
    }
    place.wait_ready("odd", "False").await;
    // Each for less than the margin, so that whoever tries again loses nothing.
    let faults = ["deny", "throttle", "500", "html", "drop", "hang", "truncate", "expiry=nonsense"];
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut dice = fastrand::Rng::with_seed(seed);
    for (round, fault) in faults.into_iter().enumerate() {
        place.emulator.inject(format!("operation=AssumeRole {fault}").parse().unwrap());
        tokio::time::sleep(Duration::from_millis(dice.u64(1_000..3_000))).await;
        place.emulator.clear_faults();
        if round % 2 == 0 {
            place.restart().await;
        }
        // Within the margin everybody has a good one again.
        tokio::time::sleep(Duration::from_millis(dice.u64(2_000..4_000))).await;
        let now = Timestamp::now();
        for name in &names {
            let ends = place.data(name).await["expiration"].parse::<i64>().unwrap();
            assert!(Timestamp::from_second(ends).unwrap() > now, "{name} has ended, after {fault}");
        }
    }
    stop.store(true, Ordering::SeqCst);
    let kept = observer.await.unwrap();
    assert!(kept.versions > names.len() * 2, "{} versions", kept.versions);
    assert!(kept.wrong.is_empty(), "{:#?}", kept.wrong);
    place.leaks_nothing().await;
}

/// Killed at twenty random points: nothing is lost, and nothing is half done.
#[tokio::test(flavor = "multi_thread")]
async fn a_kill_at_any_point_loses_nothing() {
    let mut place = Place::new("killed", &["reader"], 1, &[]).await;
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut dice = fastrand::Rng::with_seed(seed);
    place.role("reader", json!({})).await;
    let mut names = Vec::new();
    for index in 0..5 {
        let name = format!("settled{index}");
        place.external_secret(&name, ROLE, "reader", json!({})).await;
        place.wait_ready(&name, "True").await;
        names.push(name);
    }
    for round in 0..20 {
        let name = format!("k{round}");
        place.external_secret(&name, ROLE, "reader", json!({})).await;
        names.push(name);
        tokio::time::sleep(Duration::from_millis(dice.u64(0..60))).await;
        place.restart().await;
    }
    for name in &names {
        place.wait_ready(name, "True").await;
        assert_eq!(place.data(name).await.len(), 4, "{name}");
    }
    // Nobody is asked for what was there before.
    for index in 0..5 {
        let name = Some(format!("killed.settled{index}"));
        let calls = place.calls("AssumeRole").into_iter().filter(|it| it.session_name == name);
        assert_eq!(calls.count(), 1, "{name:?}");
    }
    place.leaks_nothing().await;
}

/// What is named goes and comes back; a namespace goes for good.
#[tokio::test(flavor = "multi_thread")]
async fn inputs_may_go_and_come_back() {
    let place = Place::new("inputs", &["reader", "app"], 1, &[]).await;
    place.role("reader", json!({})).await;
    place.external_secret("i", ROLE, "reader", json!({})).await;
    place.wait_ready("i", "True").await;
    let data = place.data("i").await;
    delete(&place.bed.client, [ROLE, "inputs", "reader"], 5).await;
    place.annotate("ExternalSecret", "i", "force-sync", "1").await;
    place.wait_refreshing("i", "MissingInput").await;
    assert_eq!(place.data("i").await["access_key_id"], data["access_key_id"]);
    place.role("reader", json!({})).await;
    place.wait_refreshing("i", "Scheduled").await;
    // The key Secret is in no watch: it is looked at.
    delete(&place.bed.client, ["Secret", "inputs", "base"], 5).await;
    place.external_secret("k", ROLE, "reader", json!({})).await;
    place.wait_refreshing("k", "MissingInput").await;
    let keys = json!({"id": crate::bed::BASE_KEY, "secret": crate::bed::BASE_SECRET});
    place.apply("v1", "Secret", "base", json!({"stringData": keys})).await;
    place.wait_ready("k", "True").await;
    // A service account that comes late, and its role later.
    let auth = json!({"jwt": {"serviceAccountRef": {"name": "late"}}});
    let spec = json!({"region": "eu-west-1", "role": role_arn("app"), "auth": auth});
    place.generator(ROLE, "late", spec).await;
    place.external_secret("late", ROLE, "late", json!({})).await;
    place.wait_refreshing("late", "MissingInput").await;
    place.apply("v1", "ServiceAccount", "late", json!({})).await;
    assert!(
        eventually(10.0, || async {
            let message = place.status("late").await["lastError"]["message"].clone();
            message.as_str().unwrap_or_default().contains("an IAM role must be associated")
        })
        .await
    );
    place.annotate("ServiceAccount", "late", "eks.amazonaws.com/role-arn", &role_arn("app")).await;
    place.wait_ready("late", "True").await;
    delete(&place.bed.client, ["Namespace", "", "inputs"], 60).await;
    assert!(place.get("Secret", "i").await.is_none());
    place.leaks_nothing().await;
}

/// What comes while no controller runs is found at its start, and not at the next step of a ladder.
#[tokio::test(flavor = "multi_thread")]
async fn what_came_while_nobody_looked_is_found_at_once() {
    let mut place = Place::new("nobody", &["reader"], 1, &[]).await;
    let keys = json!({"secretRef": {"accessKeyIDSecretRef": {"name": "late", "key": "id"},
        "secretAccessKeySecretRef": {"name": "late", "key": "secret"}}});
    place.role("reader", json!({"auth": keys})).await;
    place.external_secret("without-key", ROLE, "reader", json!({})).await;
    place.external_secret("without-generator", ROLE, "later", json!({})).await;
    for name in ["without-key", "without-generator"] {
        place.wait_refreshing(name, "MissingInput").await;
    }
    place.controller.kill();
    let data = json!({"id": crate::bed::BASE_KEY, "secret": crate::bed::BASE_SECRET});
    place.apply("v1", "Secret", "late", json!({"stringData": data})).await;
    place.role("later", json!({"role": role_arn("reader")})).await;
    place.restart().await;
    for name in ["without-key", "without-generator"] {
        place.wait_ready(name, "True").await;
    }
    place.leaks_nothing().await;
}

/// One call that hangs holds up nobody else.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_hangs_holds_up_nobody() {
    let place = Place::new("hangs", &["stuck", "reader"], 1, &[]).await;
    place.emulator.inject("operation=AssumeRole role=stuck hang".parse().unwrap());
    place.role("stuck", json!({})).await;
    place.role("reader", json!({})).await;
    for index in 0..3 {
        place.external_secret(&format!("stuck{index}"), ROLE, "stuck", json!({})).await;
    }
    for index in 0..10 {
        place.external_secret(&format!("r{index}"), ROLE, "reader", json!({})).await;
    }
    for index in 0..10 {
        place.wait_ready(&format!("r{index}"), "True").await;
    }
    let answer = crate::bed::get(place.controller.live, "/healthz").await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// Sessions of 15 minutes are not made at each pass.
#[tokio::test(flavor = "multi_thread")]
async fn a_short_session_is_not_minted_at_each_pass() {
    let place = Place::new("short", &["reader"], 1, &[]).await;
    place.role("reader", json!({"requestParameters": {"sessionDuration": 900}})).await;
    place.external_secret("s", ROLE, "reader", json!({})).await;
    place.wait_ready("s", "True").await;
    for round in 0..5 {
        place.annotate("ExternalSecret", "s", "note", &round.to_string()).await;
        let version = round + 1;
        assert!(
            eventually(10.0, || async {
                let object = place.get("Secret", "s").await.unwrap();
                object.metadata.annotations.unwrap().get("note") == Some(&round.to_string())
            })
            .await,
            "{version}"
        );
    }
    assert_eq!(place.calls("AssumeRole").len(), 1);
}

/// Beside another controller: what is not ours is never written.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_out_of_scope_is_never_written() {
    let place = Place::new("beside", &["reader"], 1, &["--controller-class=rolecall"]).await;
    let client = &place.bed.client;
    store_crd(client).await;
    let store = json!({"spec": {"controller": "rolecall", "provider": {"fake": {"data": []}}}});
    place.apply("external-secrets.io/v1", "SecretStore", "rolecall", store).await;
    place.role("reader", json!({})).await;
    let named = json!({"secretStoreRef": {"name": "rolecall", "kind": "SecretStore"}});
    place.external_secret("unnamed", ROLE, "reader", json!({})).await;
    let stored = json!({"spec": {"secretStoreRef": {"name": "rolecall"},
        "data": [{"secretKey": "k", "remoteRef": {"key": "x"}}]}});
    place.apply("external-secrets.io/v1", "ExternalSecret", "stored", stored).await;
    let mixed = json!({"secretStoreRef": {"name": "rolecall"}, "dataFrom": [
        {"sourceRef": {"generatorRef": {"kind": ROLE, "name": "reader"}}}, {"extract": {"key": "x"}}]});
    place.external_secret("mixed", ROLE, "reader", mixed).await;
    let mut versions = BTreeMap::new();
    for name in ["unnamed", "stored", "mixed"] {
        let object = place.get("ExternalSecret", name).await.unwrap();
        versions.insert(name, object.metadata.resource_version);
    }
    place.external_secret("ours", ROLE, "reader", named).await;
    place.wait_ready("ours", "True").await;
    assert!(eventually(10.0, || async { place.events("mixed").await == ["MixedSources"] }).await);
    for (name, version) in versions {
        let object = place.get("ExternalSecret", name).await.unwrap();
        assert_eq!(object.metadata.resource_version, version, "{name} was written");
        assert!(place.get("Secret", name).await.is_none());
    }
    let metrics = crate::bed::get(place.controller.metrics, "/metrics").await.unwrap();
    assert!(metrics.contains("rolecall_externalsecrets_out_of_scope 3"), "{metrics}");
    assert!(!metrics.contains("name=\"mixed\""), "{metrics}");
    // One that leaves the scope leaves no series behind, and nothing that is waited for.
    let foreign = json!({"spec": {"secretStoreRef": {"name": "another"}, "refreshInterval": "2s"}});
    patch(client, ["ExternalSecret", "beside", "ours"], &foreign, None).await.unwrap();
    let is_left = || async {
        let metrics = place.controller.metrics_text().await;
        let counter = "externalsecret_sync_calls";
        let told = metrics.lines().filter(|line| line.contains("name=\"ours\""));
        told.into_iter().all(|line| line.starts_with(counter))
            && metrics.contains("\nrolecall_queue_lag_seconds 0\n")
            && metrics.contains("rolecall_externalsecrets_out_of_scope 4")
    };
    let store = json!({"spec": {"controller": "another", "provider": {"fake": {"data": []}}}});
    place.apply("external-secrets.io/v1", "SecretStore", "another", store).await;
    let is_so = eventually(40.0, is_left).await;
    assert!(is_so, "{}", place.controller.metrics_text().await);
    make_namespace(client, "beside-done").await;
}

/// Two that want one target at the same moment: one has it, the other says so and takes over.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_race_for_a_target_is_a_conflict() {
    let place = Place::new("race", &["reader"], 1, &[]).await;
    place.role("reader", json!({})).await;
    let target = json!({"target": {"name": "shared"}});
    for name in ["one", "two"] {
        place.external_secret(name, ROLE, "reader", target.clone()).await;
    }
    let loser = |statuses: [String; 2]| statuses.iter().position(|it| it == "TargetConflict");
    assert!(
        eventually(20.0, || async {
            loser([place.refreshing("one").await, place.refreshing("two").await]).is_some()
        })
        .await
    );
    let loser = loser([place.refreshing("one").await, place.refreshing("two").await]).unwrap();
    let (winner, loser) = if loser == 0 { ("two", "one") } else { ("one", "two") };
    delete(&place.bed.client, ["ExternalSecret", "race", winner], 10).await;
    place.wait_ready(loser, "True").await;
    // The key that asks is no target.
    let own = json!({"target": {"name": "base"}});
    place.external_secret("own", ROLE, "reader", own).await;
    place.wait_refreshing("own", "InvalidSpec").await;
    assert_eq!(place.data("base").await.len(), 2);
}
