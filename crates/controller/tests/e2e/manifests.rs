//! The manifests A to N of the reference, and what is said of them there.

use serde_json::json;

use crate::objects::{delete, eventually, is_out_of_reach, patch};
use crate::place::{Place, role_arn};

const ROLE: &str = "STSAssumeRoleToken";

/// A, B, K: one AssumeRole with the duration, the external ID and a name of its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_is_asked_for_as_the_manifest_says() {
    let place = Place::new("man-a", &["reader"], 1, &[]).await;
    let forms = [
        (
            "a",
            json!({"requestParameters": {"sessionDuration": 3600, "externalID": "abc"}}),
            Some(3_600),
            true,
        ),
        ("b", json!({}), Some(3_600), false),
        (
            "k",
            json!({"roleAssumptionParameters": {"sessionDuration": 1800, "externalId": "abc"}}),
            Some(1_800),
            true,
        ),
    ];
    for (name, more, duration, has_id) in forms {
        let mut spec = json!({"region": "eu-west-1", "role": role_arn("reader"), "auth": crate::place::keys()});
        for (key, value) in more.as_object().unwrap() {
            spec[key] = value.clone();
        }
        place.generator(ROLE, name, spec).await;
        let rewrite = json!([{"transform": {"template": "AWS_{{ .value | upper }}"}}]);
        let from = json!([{"sourceRef": {"generatorRef": {"kind": ROLE, "name": name}}, "rewrite": rewrite}]);
        place
            .external_secret(name, ROLE, name, json!({"dataFrom": from, "refreshInterval": "30m"}))
            .await;
        place.wait_ready(name, "True").await;
        let call = place.calls("AssumeRole").pop().unwrap();
        assert_eq!(call.session_name.as_deref(), Some(format!("man-a.{name}").as_str()));
        assert_eq!((call.duration_seconds, call.external_id_given), (duration, has_id), "{name}");
        assert_eq!(call.region.as_deref(), Some("eu-west-1"));
        let data = place.data(name).await;
        let keys: Vec<_> = data.keys().map(String::as_str).collect();
        assert_eq!(
            keys,
            ["AWS_ACCESS_KEY_ID", "AWS_EXPIRATION", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]
        );
        let status = place.status(name).await;
        assert_eq!(status["binding"]["name"], name);
        assert_eq!(status["observedGeneration"], 1);
    }
    assert_eq!(place.calls("AssumeRole").len(), 3);
    // The Event follows when it can.
    assert!(eventually(10.0, || async { place.events("a").await == ["Created"] }).await);
    place.leaks_nothing().await;
}

/// C: a service account's own role, and then the role that is asked for.
#[tokio::test(flavor = "multi_thread")]
async fn a_service_account_asks_by_its_token() {
    let place = Place::new("man-c", &["app", "reader"], 1, &[]).await;
    let annotations = json!({"eks.amazonaws.com/role-arn": role_arn("app")});
    place
        .apply("v1", "ServiceAccount", "app", json!({"metadata": {"annotations": annotations}}))
        .await;
    let auth = json!({"jwt": {"serviceAccountRef": {"name": "app"}}});
    let spec = |role: &str, seconds: u32| {
        json!({"region": "eu-west-1", "role": role_arn(role), "auth": auth,
            "requestParameters": {"sessionDuration": seconds}})
    };
    place.generator(ROLE, "two", spec("reader", 3_600)).await;
    place.external_secret("two", ROLE, "two", json!({})).await;
    place.wait_ready("two", "True").await;
    let first = place.calls("AssumeRoleWithWebIdentity").pop().unwrap();
    assert_eq!(first.session_name.as_deref(), Some("external-secrets-provider-aws"));
    assert_eq!(place.calls("AssumeRole").len(), 1);
    // Another one of the same account shares the base session.
    place.external_secret("again", ROLE, "two", json!({})).await;
    place.wait_ready("again", "True").await;
    assert_eq!(place.calls("AssumeRoleWithWebIdentity").len(), 1);
    assert_eq!(place.calls("AssumeRole").len(), 2);
    // More than an hour behind a role: refused before any call, naming role chaining.
    place.generator(ROLE, "long", spec("reader", 7_200)).await;
    place.external_secret("long", ROLE, "long", json!({})).await;
    place.wait_refreshing("long", "InvalidRequest").await;
    assert!(
        place.status("long").await["lastError"]["message"]
            .as_str()
            .unwrap()
            .contains("role chaining")
    );
    assert_eq!(place.calls("AssumeRole").len(), 2);
    // The account's own role: one call, as long as is asked for.
    place.generator(ROLE, "own", spec("app", 7_200)).await;
    place.external_secret("own", ROLE, "own", json!({})).await;
    place.wait_ready("own", "True").await;
    let call = place.calls("AssumeRoleWithWebIdentity").pop().unwrap();
    assert_eq!(
        (call.duration_seconds, call.session_name.as_deref()),
        (Some(7_200), Some("man-c.own"))
    );
    place.leaks_nothing().await;
}

/// H: equal keys of two entries: the later one wins, and if it fails nothing is written.
#[tokio::test(flavor = "multi_thread")]
async fn all_entries_or_nothing() {
    let place = Place::new("man-h", &["one", "two"], 1, &[]).await;
    place.role("one", json!({})).await;
    place.role("two", json!({})).await;
    let entry = |name: &str| json!({"sourceRef": {"generatorRef": {"kind": ROLE, "name": name}}});
    place
        .external_secret("both", ROLE, "one", json!({"dataFrom": [entry("one"), entry("two")]}))
        .await;
    place.wait_ready("both", "True").await;
    let calls = place.calls("AssumeRole");
    assert_eq!(calls.len(), 2);
    let key = place.data("both").await["access_key_id"].clone();
    let statuses: Vec<_> = calls.iter().map(|call| call.status).collect();
    assert_eq!(statuses, [Some(200), Some(200)]);
    assert!(key.starts_with("ASIAEMULATED"));
    place.role("gone", json!({})).await;
    place
        .external_secret("half", ROLE, "one", json!({"dataFrom": [entry("one"), entry("gone")]}))
        .await;
    place.wait_refreshing("half", "AccessDenied").await;
    assert!(place.get("Secret", "half").await.is_none());
    assert_eq!(place.status("half").await["binding"]["name"], "");
}

/// L: an interval that is longer than the session is overruled, and said once.
#[tokio::test(flavor = "multi_thread")]
async fn an_interval_longer_than_the_session_is_overruled() {
    let place = Place::new("man-l", &["reader"], 1, &[]).await;
    place.role("reader", json!({})).await;
    place.external_secret("l", ROLE, "reader", json!({"refreshInterval": "24h"})).await;
    place.wait_ready("l", "True").await;
    let status = place.status("l").await;
    let time = |field: &str| status[field].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let wait = time("nextRefreshTime").duration_since(time("refreshTime")).as_secs();
    assert!((18 * 60 - 2..=48 * 60).contains(&wait), "{wait}");
    assert!(
        eventually(10.0, || async {
            let mut events = place.events("l").await;
            events.sort();
            events == ["Created", "IntervalTooLong"]
        })
        .await
    );
}

/// M: a denied renewal is told at once; ready is lost only near the end, and comes back at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_denied_renewal_keeps_it_ready_for_a_while() {
    // An hour is 24 s here: renewed from 12 s before the end, in danger 6 s before it.
    let place = Place::new("man-m", &["reader"], 150, &["--alarm-margin=6s"]).await;
    place.role("reader", json!({})).await;
    place.external_secret("m", ROLE, "reader", json!({})).await;
    place.wait_ready("m", "True").await;
    let before = place.data("m").await;
    place.emulator.inject("operation=AssumeRole deny".parse().unwrap());
    place.wait_refreshing("m", "AccessDenied").await;
    let status = place.status("m").await;
    let now = jiff::Timestamp::now();
    let expires: jiff::Timestamp = status["expirationTime"].as_str().unwrap().parse().unwrap();
    if expires.duration_since(now).as_secs() > 7 {
        place.wait_ready("m", "True").await;
    }
    assert_eq!(place.data("m").await, before, "a failed refresh takes nothing away");
    place.wait_ready("m", "False").await;
    assert_eq!(place.data("m").await, before);
    let calls = place.calls("AssumeRole").len();
    assert!(calls <= 6, "{calls} calls: a denial is hammered");
    place.emulator.clear_faults();
    place.annotate("STSAssumeRoleToken", "reader", "touched", "1").await;
    // An annotation of a generator is no change of what is asked; its spec is.
    place.role("reader", json!({"requestParameters": {"sessionDuration": 3599}})).await;
    place.wait_ready("m", "True").await;
    assert_ne!(place.data("m").await, before);
    place.leaks_nothing().await;
}

/// N: what is edited or deleted comes back from the session that is held; force-sync makes a call.
#[tokio::test(flavor = "multi_thread")]
async fn a_repair_costs_no_call() {
    let place = Place::new("man-n", &["reader"], 1, &[]).await;
    place.role("reader", json!({})).await;
    place.external_secret("n", ROLE, "reader", json!({})).await;
    place.wait_ready("n", "True").await;
    let data = place.data("n").await;
    let with = json!({"data": {"access_key_id": "eA=="}});
    patch(&place.bed.client, ["Secret", "man-n", "n"], &with, None).await.unwrap();
    assert!(eventually(15.0, || async { place.data("n").await == data }).await, "edited");
    delete(&place.bed.client, ["Secret", "man-n", "n"], 0).await;
    assert!(eventually(15.0, || async { place.data("n").await == data }).await, "deleted");
    assert_eq!(place.calls("AssumeRole").len(), 1);
    place.annotate("ExternalSecret", "n", "force-sync", "1").await;
    assert!(eventually(15.0, || async { place.calls("AssumeRole").len() == 2 }).await);
    assert!(
        eventually(15.0, || async {
            let now = place.data("n").await;
            !now.is_empty() && now["access_key_id"] != data["access_key_id"]
        })
        .await
    );
    assert_eq!(place.calls("AssumeRole").len(), 2);
}

/// The controller's own identity is for whom the flag says.
#[tokio::test(flavor = "multi_thread")]
async fn the_ambient_identity_is_for_cluster_generators_alone() {
    if is_out_of_reach("a ClusterGenerator") {
        return;
    }
    let place = Place::new("man-ambient", &["reader"], 1, &["--ambient-identity=cluster"]).await;
    let spec = json!({"region": "eu-west-1", "role": role_arn("reader"),
        "requestParameters": {"roleSessionName": "somebody-else"}});
    place.generator(ROLE, "own", spec.clone()).await;
    place.external_secret("own", ROLE, "own", json!({})).await;
    place.wait_refreshing("own", "AmbientDenied").await;
    assert!(place.emulator.requests().is_empty());
    let wrapped = json!({"apiVersion": "generators.external-secrets.io/v1alpha1", "kind": "ClusterGenerator",
        "metadata": {"name": "man-ambient"},
        "spec": {"kind": ROLE, "generator": {"stsAssumeRoleTokenSpec": spec}}});
    crate::objects::apply(&place.bed.client, &wrapped).await.unwrap();
    place.external_secret("cluster", "ClusterGenerator", "man-ambient", json!({})).await;
    place.wait_ready("cluster", "True").await;
    // Where everybody asks as the controller, the name says who it was.
    let call = place.calls("AssumeRole").pop().unwrap();
    assert_eq!(call.session_name.as_deref(), Some("man-ambient.cluster"));
}

/// After a restart nothing is called that is not due, and the name stays the same over rotations.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_calls_nobody() {
    let mut place = Place::new("man-restart", &["reader"], 1, &[]).await;
    place.role("reader", json!({})).await;
    place.external_secret("r", ROLE, "reader", json!({})).await;
    place.wait_ready("r", "True").await;
    let object = place.get("ExternalSecret", "r").await.unwrap();
    place.restart().await;
    place.annotate("ExternalSecret", "r", "force-sync", "1").await;
    assert!(eventually(15.0, || async { place.calls("AssumeRole").len() == 2 }).await);
    let names: Vec<_> = place.calls("AssumeRole").into_iter().map(|it| it.session_name).collect();
    assert_eq!(names, [Some("man-restart.r".to_owned()), Some("man-restart.r".to_owned())]);
    let after = place.get("ExternalSecret", "r").await.unwrap();
    assert_eq!(after.metadata.uid, object.metadata.uid);
}

/// E, F, and the guide's pod that never restarts: one key each, and text that its readers take.
#[tokio::test(flavor = "multi_thread")]
async fn templates_make_what_readers_take() {
    let place = Place::new("man-f", &["reader"], 1, &[]).await;
    place.role("reader", json!({})).await;
    let process = r#"{"Version": 1, "AccessKeyId": "{{ .access_key_id }}", "SecretAccessKey": "{{ .secret_access_key }}", "SessionToken": "{{ .session_token }}", "Expiration": "{{ .expiration | int64 | date "2006-01-02T15:04:05Z" }}"}"#;
    let ini = "[default]\naws_access_key_id = {{ .access_key_id }}\naws_secret_access_key = {{ .secret_access_key }}\naws_session_token = {{ .session_token }}\n";
    let template = json!({"template": {"data": {"credentials.json": process, "credentials": ini}}});
    place.external_secret("f", ROLE, "reader", json!({"target": template})).await;
    place.wait_ready("f", "True").await;
    let data = place.data("f").await;
    let keys: Vec<_> = data.keys().map(String::as_str).collect();
    assert_eq!(keys, ["credentials", "credentials.json"]);
    let read: serde_json::Value = serde_json::from_str(&data["credentials.json"]).unwrap();
    assert_eq!(read["Version"], 1);
    let expiration: jiff::Timestamp = read["Expiration"].as_str().unwrap().parse().unwrap();
    assert!(expiration > jiff::Timestamp::now());
    assert!(data["credentials"].starts_with("[default]\naws_access_key_id = ASIAEMULATED"));
    // A template that is broken is told before any call.
    let broken = json!({"target": {"template": {"data": {"k": "{{ .no_such_key }}"}}}});
    place.external_secret("broken", ROLE, "reader", broken).await;
    place.wait_ready("broken", "False").await;
    assert_eq!(place.calls("AssumeRole").len(), 1);
    // One that would leak says its place and nothing else.
    let leaks = json!({"target": {"template": {"data": {"k": "{{ fail .secret_access_key }}"}}}});
    place.external_secret("leaks", ROLE, "reader", leaks).await;
    place.wait_ready("leaks", "False").await;
    let label =
        json!({"target": {"template": {"metadata": {"labels": {"l": "{{ .session_token }}"}}}}});
    place.external_secret("label", ROLE, "reader", label).await;
    place.wait_ready("label", "False").await;
    place.leaks_nothing().await;
}
