//! From ESO to us and back: a cluster in the state that ESO leaves behind, policy by policy.

use std::collections::BTreeMap;
use std::process::Command;

use jiff::{SignedDuration, Timestamp};
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use rolecall_controller::object::facts;
use rolecall_engine::render::{Data, data_hash};
use serde_json::{Value, json};

use crate::bed::{Bed, Controller};
use crate::compare::decoded;
use crate::objects::{apply, eventually, kind_named, make_namespace, patch};
use crate::place::Place;

/// Scenarios whose first observation is taken for what ESO left.
const STATES: [&str; 13] = [
    "cp-owner-data-edited",
    "cp-orphan-data-edited",
    "cp-merge-foreign-key",
    "cp-createormerge-foreign-key",
    "cp-none-data-edited",
    "dp-owner-delete",
    "rp-createdonce-elapsed",
    "rp-onchange-1h-triggers",
    "iv-zero-rename",
    "im-new",
    "rw-transform",
    "tp-ini",
    "mf-stripped",
];
/// Where a template leaves no end in the Secret, or there is no Secret of its own.
const ENDLESS: [&str; 3] = ["cp-none-data-edited", "tp-ini", "mf-stripped"];
/// In each value that ESO left.
const LEFT_SECRET: &str = "left-by-eso";
const LIFE: SignedDuration = SignedDuration::from_mins(55);

#[tokio::test(flavor = "multi_thread")]
async fn what_eso_left_is_taken_over_without_a_call_and_given_back() {
    let bed = Bed::new().await;
    let mut running = tokio::task::JoinSet::new();
    for line in include_str!("../data/scenarios.jsonl").lines() {
        let scenario: Value = serde_json::from_str(line).unwrap();
        if STATES.contains(&scenario["id"].as_str().unwrap()) {
            running.spawn(over_and_back(bed.clone(), scenario));
        }
    }
    assert_eq!(running.len(), STATES.len());
    let mut counts = Vec::new();
    while let Some(done) = running.join_next().await {
        counts.push(done.unwrap());
    }
    counts.sort();
    println!(
        "taken over without one call of STS; writes of ExternalSecrets, statuses and Secrets:"
    );
    for (id, writes) in &counts {
        println!("  {id}: {writes:?}");
        // One for the finalizer that ESO puts on every object, one for the status; none of a Secret,
        // but for one whose data is locked: its marks are written, after the fields are converted.
        let finalizer = usize::from(id != "dp-owner-delete");
        let secret = if id == "im-new" { 2 } else { 0 };
        assert_eq!(writes, &[finalizer, 1, secret], "{id}");
    }
}

async fn over_and_back(bed: Bed, scenario: Value) -> (String, [usize; 3]) {
    let id = scenario["id"].as_str().unwrap().to_owned();
    let namespace = format!("over-{id}");
    let place = left_behind(bed, &scenario, &namespace).await;
    let object = || async { place.get("ExternalSecret", "a").await.unwrap() };
    let target = || async { place.get("Secret", "t").await };

    // Beside ESO it only tells, and touches nothing.
    let before = (object().await.metadata, target().await.map(|it| it.metadata));
    let observer = place.bed.controller(&namespace, &place.emulator, &["--observe"]).await;
    let told = || async { observed(&observer.log) };
    assert!(eventually(20.0, || async { told().await.is_some() }).await, "{id}");
    let would = told().await.unwrap();
    assert!(
        would.contains("write the status: Ready=True") && !would.contains("call"),
        "{id}: {would}"
    );
    drop(observer);
    assert_eq!(before, (object().await.metadata, target().await.map(|it| it.metadata)), "{id}");

    // Taken over: the status is told, ESO's finalizer goes, and that is all.
    let controller = place.bed.controller(&namespace, &place.emulator, &[]).await;
    let is_told = || async { !object().await.data["status"]["observedGeneration"].is_null() };
    assert!(eventually(20.0, is_told).await, "{id}: {}", object().await.data);
    let after = object().await;
    let is_kept = id == "dp-owner-delete";
    assert_eq!(after.metadata.finalizers.unwrap_or_default().len(), usize::from(is_kept), "{id}");
    let status = &after.data["status"];
    assert_eq!(status["conditions"][0]["status"], "True", "{id}");
    assert_eq!(
        status["expirationTime"].is_string(),
        !ENDLESS.contains(&id.as_str()),
        "{id}: {status}"
    );
    let writes = writes(&place, &namespace);
    assert_eq!(place.emulator.requests().len(), 0, "{id}");

    // A sync of ours: what ESO wrote by updates is ours by apply.
    let renews = !["rp-createdonce-elapsed", "iv-zero-rename", "im-new"].contains(&id.as_str());
    if id == "mf-stripped" {
        let dropped = json!({"metadata": {"labels": {"drop": null}}, "data": {"dropped": null}});
        let with = json!({"spec": {"target": {"template": dropped}}});
        patch(&place.bed.client, ["ExternalSecret", &namespace, "a"], &with, None).await.unwrap();
        let is_gone = || async { !place.data("t").await.contains_key("dropped") };
        assert!(eventually(20.0, is_gone).await, "{:?}", place.data("t").await);
        let secret = target().await.unwrap();
        assert_eq!(place.data("t").await["foreign"], "kept?");
        assert!(!secret.metadata.labels.unwrap().contains_key("drop"));
    } else if renews {
        place.annotate("ExternalSecret", "a", "force-sync", "1").await;
        let is_none = id == "cp-none-data-edited";
        let is_synced = || async { is_none || !place.emulator.requests().is_empty() };
        assert!(eventually(20.0, is_synced).await, "{id}");
    }
    let is_in_sync = || async { is_as_eso_wants_it(&object().await, target().await.as_ref()) };
    assert!(eventually(20.0, is_in_sync).await, "{id}: {}", object().await.data);
    if renews && id != "cp-none-data-edited" {
        let operations = operations_of(&target().await.unwrap());
        assert_eq!(operations, ["Apply"], "{id}");
    }
    drop(controller);
    place.leaks_nothing().await;
    // What ESO left is as secret as what we made.
    let logs = Controller::logs(&place.bed, &namespace);
    assert!(logs.contains("observed") && !logs.contains(LEFT_SECRET), "{id}");
    (id, writes)
}

/// Makes a namespace as ESO would leave it, without any controller.
async fn left_behind(bed: Bed, scenario: &Value, namespace: &str) -> Place {
    let id = scenario["id"].as_str().unwrap();
    let client = bed.client.clone();
    make_namespace(&client, namespace).await;
    let text = scenario["steps"].to_string();
    let text = text.replace(&format!("\"{id}\""), &format!("\"{namespace}\""));
    let text = text.replace("<base key id>", crate::bed::BASE_KEY);
    let steps: Value = serde_json::from_str(&text).unwrap();
    for step in steps.as_array().unwrap().iter().map_while(|step| step["apply"].as_array()) {
        for document in step {
            apply(&client, document).await.unwrap();
        }
    }
    let observation = scenario["observations"][0].clone();
    let objects: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), namespace, &kind_named("ExternalSecret"));
    let eso =
        PatchParams { field_manager: Some("external-secrets".to_owned()), ..Default::default() };
    let finalizers = json!({"metadata": {"finalizers": [FINALIZER]}});
    let object = objects.patch("a", &eso, &Patch::Merge(&finalizers)).await.unwrap();
    if let Some(secret) = observation["secrets"].get("t") {
        put_secret(&client, namespace, secret, &object.metadata.uid.clone().unwrap()).await;
    }
    let mut status = observation["externalsecrets"]["a"]["status"].clone();
    let synced = Timestamp::now() - SignedDuration::from_mins(5);
    let synced = synced.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    status.as_object_mut().unwrap().remove("synced");
    status["refreshTime"] = json!(synced);
    status["conditions"][0]["lastTransitionTime"] = json!(synced);
    // Of this namespace's object; the annotations and labels are those of the file.
    assert_eq!(status["syncedResourceVersion"], facts(&object).version, "{id}");
    let status = json!({"status": status});
    objects.patch_status("a", &eso, &Patch::Merge(&status)).await.unwrap();
    Place::without_controller(bed, namespace, &[]).await
}

/// A Secret as ESO puts it: whole, by an update.
async fn put_secret(client: &kube::Client, namespace: &str, told: &Value, uid: &str) {
    let api: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), namespace, &kind_named("Secret"));
    let ends = (Timestamp::now() + LIFE).as_second().to_string();
    let text = |value: &Value| {
        let text = value.as_str().unwrap();
        let text = if text.ends_with(".expiration>") { &ends } else { text };
        if text.starts_with('<') { format!("{LEFT_SECRET}{text}") } else { text.to_owned() }
    };
    let data = told["data"].as_object().unwrap();
    let data: BTreeMap<String, String> =
        data.iter().map(|(key, value)| (key.clone(), text(value))).collect();
    let bytes =
        data.iter().map(|(key, value)| (key.clone(), Data::new(value.clone().into_bytes())));
    let hash = data_hash(&bytes.collect());
    let mut annotations = told["annotations"].clone();
    if let Some(map) = annotations.as_object_mut() {
        map.insert("reconcile.external-secrets.io/data-hash".to_owned(), json!(hash));
    }
    let mut owners = told["ownerReferences"].clone();
    for owner in owners.as_array_mut().into_iter().flatten() {
        owner["uid"] = json!(uid);
    }
    let encoded: BTreeMap<&String, k8s_openapi::ByteString> = data
        .iter()
        .map(|(key, value)| (key, k8s_openapi::ByteString(value.clone().into_bytes())))
        .collect();
    let known = api.get_opt("t").await.unwrap();
    let version = known.as_ref().and_then(|it| it.metadata.resource_version.clone());
    let document = json!({"apiVersion": "v1", "kind": "Secret", "type": told["type"],
        "immutable": told["immutable"], "data": encoded,
        "metadata": {"name": "t", "namespace": namespace, "labels": told["labels"],
            "annotations": annotations, "ownerReferences": owners, "resourceVersion": version}});
    let secret: DynamicObject = serde_json::from_value(document).unwrap();
    let manager = "externalsecrets.external-secrets.io/a".to_owned();
    let parameters = PostParams { field_manager: Some(manager), ..Default::default() };
    if known.is_some() {
        api.replace("t", &parameters, &secret).await.unwrap();
    } else {
        api.create(&parameters, &secret).await.unwrap();
    }
}

/// What the observer says of the object.
fn observed(log: &std::path::Path) -> Option<String> {
    let text = std::fs::read_to_string(log).unwrap();
    let entries = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut told = entries.filter(|entry| entry["message"] == "observed");
    told.next().map(|entry| entry["would"].as_str().unwrap().to_owned())
}

/// The writes of the controller in a namespace, by the audit log: objects, their statuses, Secrets.
fn writes(place: &Place, namespace: &str) -> [usize; 3] {
    let log = std::fs::read_to_string(place.bed.folder.join("audit.log")).unwrap();
    let mut counts = [0; 3];
    for line in log.lines().filter(|line| line.contains(namespace)) {
        let Ok(entry) = serde_json::from_str::<Value>(line) else { continue };
        let word = |path: &str| entry.pointer(path).and_then(Value::as_str).unwrap_or_default();
        let is_ours = word("/user/username").ends_with(":rolecall-controller");
        let is_write = ["create", "update", "patch", "delete"].contains(&word("/verb"));
        if !is_ours || !is_write || word("/objectRef/namespace") != namespace {
            continue;
        }
        match (word("/objectRef/resource"), word("/objectRef/subresource")) {
            ("externalsecrets", "") => counts[0] += 1,
            ("externalsecrets", "status") => counts[1] += 1,
            ("secrets", _) => counts[2] += 1,
            _ => {}
        }
    }
    counts
}

/// ESO's own test of whether it has anything to do (kubernetes.md 3.3), written down once more.
fn is_as_eso_wants_it(object: &DynamicObject, target: Option<&DynamicObject>) -> bool {
    let (spec, status) = (&object.data["spec"], &object.data["status"]);
    let creation = spec["target"]["creationPolicy"].as_str().unwrap_or("Owner");
    let is_valid = match (creation, target) {
        ("Orphan", _) => true,
        (_, None) => false,
        (_, Some(secret)) => {
            let data = decoded(&secret.data["data"]).into_iter();
            let data = data.map(|(key, value)| (key, Data::new(value.into_bytes()))).collect();
            let label = |map: &Option<BTreeMap<String, String>>, key: &str| {
                map.as_ref().and_then(|map| map.get(key)).cloned()
            };
            label(&secret.metadata.labels, "reconcile.external-secrets.io/managed").as_deref()
                == Some("true")
                && label(&secret.metadata.annotations, "reconcile.external-secrets.io/data-hash")
                    == Some(data_hash(&data))
        }
    };
    let refreshed: Option<Timestamp> =
        status["refreshTime"].as_str().and_then(|text| text.parse().ok());
    let is_current = match spec["refreshPolicy"].as_str() {
        Some("CreatedOnce") => true,
        _ if spec["refreshInterval"] == "0s" => true,
        _ => status["syncedResourceVersion"] == facts(object).version,
    };
    is_valid && is_current && refreshed.is_some_and(|time| time <= Timestamp::now())
}

fn operations_of(secret: &DynamicObject) -> Vec<String> {
    let entries = secret.metadata.managed_fields.iter().flatten();
    let manager = Some("externalsecrets.external-secrets.io/a");
    let of_it = entries.filter(|entry| entry.manager.as_deref() == manager);
    of_it.filter_map(|entry| entry.operation.clone()).collect()
}

/// What ESO makes out of one object for many namespaces is told of before anybody takes over.
#[tokio::test(flavor = "multi_thread")]
async fn objects_of_a_cluster_external_secret_are_counted() {
    let bed = Bed::new().await;
    make_namespace(&bed.client, "counted").await;
    let place = Place::without_controller(bed, "counted", &[]).await;
    for (name, owner) in [("one", "many"), ("two", "many"), ("three", "more"), ("own", "")] {
        let owners = json!([{"apiVersion": "external-secrets.io/v1", "kind": "ClusterExternalSecret",
            "name": owner, "uid": "00000000-0000-0000-0000-000000000001"}]);
        let metadata =
            if owner.is_empty() { json!({}) } else { json!({"ownerReferences": owners}) };
        let spec = json!({"dataFrom": [{"sourceRef": {"generatorRef": {"kind": "STSSessionToken", "name": "g"}}}]});
        let document = json!({"metadata": metadata, "spec": spec});
        place.apply("external-secrets.io/v1", "ExternalSecret", name, document).await;
    }
    let observer = place.bed.controller("counted", &place.emulator, &["--observe"]).await;
    let counted = || async {
        let text = std::fs::read_to_string(&observer.log).unwrap();
        let entries = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut told = entries.filter(|entry| entry["cluster_external_secrets"].is_number());
        told.next()
            .map(|it| json!([it["cluster_external_secrets"], it["external_secrets"], it["names"]]))
    };
    assert!(eventually(10.0, || async { counted().await.is_some() }).await);
    assert_eq!(counted().await, Some(json!([2, 3, "many more"])));
}

/// Before an uninstall: nothing hangs, and no Secret goes with its object.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_released_outlives_its_controller_and_its_objects() {
    let mut place = Place::new("released", &["reader"], 1, &[]).await;
    place.role("reader", json!({})).await;
    for (name, policy) in [("kept", "Retain"), ("deleted", "Delete")] {
        let more = json!({"target": {"deletionPolicy": policy}});
        place.external_secret(name, "STSAssumeRoleToken", "reader", more).await;
        place.wait_ready(name, "True").await;
    }
    // While the controller runs it does no harm.
    assert!(
        release(&place).contains("2 ExternalSecrets of this controller: 1 finalizers and 2 owners")
    );
    let has_finalizer = || async {
        let object = place.get("ExternalSecret", "deleted").await.unwrap();
        !object.metadata.finalizers.unwrap_or_default().is_empty()
    };
    assert!(eventually(20.0, has_finalizer).await);
    place.controller.kill();
    let first = release(&place);
    assert!(
        first.contains("ExternalSecret released/deleted: its finalizer is taken off"),
        "{first}"
    );
    let second = release(&place);
    assert!(
        second.ends_with(
            "2 ExternalSecrets of this controller: 0 finalizers and 0 owners taken off\n"
        ),
        "{second}"
    );
    for name in ["kept", "deleted"] {
        crate::objects::delete(&place.bed.client, ["ExternalSecret", "released", name], 20).await;
        assert!(place.get("ExternalSecret", name).await.is_none(), "{name} hangs");
        assert_eq!(place.data(name).await.len(), 4, "{name}");
        let metadata = place.get("Secret", name).await.unwrap().metadata;
        assert!(metadata.owner_references.unwrap_or_default().is_empty(), "{name}");
    }
}

fn release(place: &Place) -> String {
    let output = Command::new(std::env::var_os("ROLECALL_E2E_CONTROLLER").unwrap())
        .args(["release", "--namespace=released"])
        .env("KUBECONFIG", place.bed.folder.join("controller"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{text}");
    String::from_utf8(output.stdout).unwrap()
}

const FINALIZER: &str = "externalsecrets.external-secrets.io/externalsecret-cleanup";
