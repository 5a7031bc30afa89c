//! Two replicas and one Lease: whoever holds it works, and whoever loses it stops.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::bed::Controller;
use crate::objects::{api, eventually, kind_named, patch};
use crate::place::Place;

const ROLE: &str = "STSAssumeRoleToken";
const NAME: &str = "rolecall-controller";
const SHORT: [&str; 5] = [
    "--enable-leader-election=true",
    "--leader-election-namespace=rolecall",
    "--leader-election-lease-duration=1s",
    "--leader-election-renew-deadline=800ms",
    "--leader-election-retry-period=200ms",
];
/// So long that no test waits for its end.
const LONG: [&str; 5] = [
    "--enable-leader-election=true",
    "--leader-election-namespace=rolecall",
    "--leader-election-lease-duration=10m",
    "--leader-election-renew-deadline=9m",
    "--leader-election-retry-period=200ms",
];

// One test, since there is one Lease that the role allows.
#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_replicas_works() {
    a_leader_is_killed_twenty_times().await;
    a_lease_is_given_back_stolen_and_slept_over().await;
}

async fn a_leader_is_killed_twenty_times() {
    let mut place = Place::new("replicas", &["reader"], 1, &SHORT).await;
    let mut standby = place.bed.controller("replicas", &place.emulator, &SHORT).await;
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut dice = fastrand::Rng::with_seed(seed);
    place.role("reader", json!({})).await;
    for index in 0..5 {
        let name = format!("settled{index}");
        place.external_secret(&name, ROLE, "reader", json!({})).await;
        place.wait_ready(&name, "True").await;
    }
    let is_one = || async { leads(&place.controller).await != leads(&standby).await };
    assert!(eventually(10.0, is_one).await);
    if leads(&standby).await {
        std::mem::swap(&mut place.controller, &mut standby);
    }
    tells_of_no_object(&standby).await;
    let mut longest = Duration::ZERO;
    for round in 0..20 {
        let name = format!("k{round}");
        place.external_secret(&name, ROLE, "reader", json!({})).await;
        tokio::time::sleep(Duration::from_millis(dice.u64(0..60))).await;
        place.controller.kill();
        let killed = Instant::now();
        let next = format!("n{round}");
        place.external_secret(&next, ROLE, "reader", json!({})).await;
        place.controller = std::mem::replace(
            &mut standby,
            place.bed.controller("replicas", &place.emulator, &SHORT).await,
        );
        place.wait_ready(&next, "True").await;
        longest = longest.max(killed.elapsed());
        place.wait_ready(&name, "True").await;
        // The new standby may have been faster than the old one.
        if leads(&standby).await {
            std::mem::swap(&mut place.controller, &mut standby);
        }
    }
    println!(
        "a leader was killed 20 times, with a lease of 1 s: the next write at most {longest:.2?} later"
    );
    for index in 0..5 {
        assert_eq!(place.data(&format!("settled{index}")).await.len(), 4);
        assert_eq!(calls_for(&place, &format!("settled{index}")), 1);
    }
    // A machine that is slow for a second loses the lease by itself, perhaps between a call and a write.
    let lost = Controller::logs(&place.bed, "replicas").matches("the lease is lost").count();
    let mut twice = 0;
    for round in 0..20 {
        // Minted once, and once more where the kill came between the call and the write.
        let (name, next) = (format!("k{round}"), format!("n{round}"));
        assert!((1..=2 + lost).contains(&calls_for(&place, &name)), "{name}");
        twice += calls_for(&place, &next) - 1;
        assert_eq!(place.data(&name).await.len(), 4, "{name}");
    }
    assert!(twice <= lost, "{twice} were minted twice, and the lease was lost {lost} times");
    place.leaks_nothing().await;
    // The Lease is somebody's no longer once both have ended.
    standby.signal(Signal::TERM);
    place.controller.signal(Signal::TERM);
    assert!(standby.ended().await.success() && place.controller.ended().await.success());
    assert_eq!(holder(&place).await, "");
}

async fn a_lease_is_given_back_stolen_and_slept_over() {
    let mut place = Place::new("lease", &["reader"], 1, &LONG).await;
    place.role("reader", json!({})).await;
    place.external_secret("first", ROLE, "reader", json!({})).await;
    place.wait_ready("first", "True").await;
    let mut standby = place.bed.controller("lease", &place.emulator, &LONG).await;
    tells_of_no_object(&standby).await;

    // A graceful stop gives it back: the other one works long before the lease would end.
    let stopped = Instant::now();
    place.controller.signal(Signal::TERM);
    assert!(place.controller.ended().await.success());
    println!("a graceful stop took {:.2?}", stopped.elapsed());
    place.external_secret("second", ROLE, "reader", json!({})).await;
    place.wait_ready("second", "True").await;
    assert!(leads(&standby).await);
    place.controller = place.bed.controller("lease", &place.emulator, &LONG).await;
    std::mem::swap(&mut place.controller, &mut standby);

    // Somebody takes it: nothing is written any more, and nothing told.
    hold(&place, "somebody").await;
    assert!(eventually(20.0, || async { !leads(&place.controller).await }).await);
    tells_of_no_object(&place.controller).await;
    place.external_secret("third", ROLE, "reader", json!({})).await;
    place.annotate("ExternalSecret", "first", "force-sync", "1").await;
    assert!(eventually(10.0, || async { log(&standby).contains("somebody") }).await);
    assert!(place.get("Secret", "third").await.is_none());
    assert_eq!(calls_for(&place, "first"), 1);
    // And gives it back: one of them goes on where it was.
    hold(&place, "").await;
    place.wait_ready("third", "True").await;
    if leads(&standby).await {
        std::mem::swap(&mut place.controller, &mut standby);
    }
    assert!(eventually(10.0, || async { calls_for(&place, "first") == 2 }).await);
    assert_eq!(calls_for(&place, "second"), 1);

    // One that sleeps over its time wakes up as nobody.
    place.controller.signal(Signal::STOP);
    hold(&place, "").await;
    place.external_secret("fourth", ROLE, "reader", json!({})).await;
    place.wait_ready("fourth", "True").await;
    place.controller.signal(Signal::CONT);
    assert!(eventually(20.0, || async { !leads(&place.controller).await }).await);
    for (name, calls) in [("first", 2), ("second", 1), ("third", 1), ("fourth", 1)] {
        assert_eq!(calls_for(&place, name), calls, "{name}");
    }
    place.leaks_nothing().await;
    standby.signal(Signal::TERM);
    assert!(standby.ended().await.success());
}

fn calls_for(place: &Place, name: &str) -> usize {
    let session = Some(format!("{}.{name}", place.namespace));
    place.calls("AssumeRole").iter().filter(|it| it.session_name == session).count()
}

async fn leads(controller: &Controller) -> bool {
    let line = format!("leader_election_master_status{{name=\"{NAME}\"}} 1");
    controller.metrics_text().await.contains(&line)
}

/// It is ready, and has no series of any object.
async fn tells_of_no_object(controller: &Controller) {
    let is_ready = crate::bed::get(controller.live, "/readyz").await.unwrap();
    assert!(is_ready.starts_with("HTTP/1.1 200"), "{is_ready}");
    let text = controller.metrics_text().await;
    let line = format!("leader_election_master_status{{name=\"{NAME}\"}} 0");
    assert!(text.contains(&line), "{text}");
    let objects: Vec<&str> = text.lines().filter(|line| line.contains("namespace=\"")).collect();
    assert!(objects.is_empty(), "{objects:?}");
}

fn log(controller: &Controller) -> String {
    std::fs::read_to_string(&controller.log).unwrap()
}

async fn holder(place: &Place) -> String {
    let lease = api(&place.bed.client, &kind_named("Lease"), "rolecall").get(NAME).await.unwrap();
    lease.data["spec"]["holderIdentity"].as_str().unwrap_or_default().to_owned()
}

/// Writes another holder into the Lease.
async fn hold(place: &Place, name: &str) {
    let spec: Value = json!({"spec": {"holderIdentity": name}});
    patch(&place.bed.client, ["Lease", "rolecall", NAME], &spec, None).await.unwrap();
}
