//! The bare client of `cargo xtask bench cluster`: the requests that a refresh takes and nothing
//! else, and what the bench needs beside them.

#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::time::Duration;

use clap::{Parser, Subcommand};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::api::{
    Api, DynamicObject, ListParams, PartialObjectMeta, Patch, PatchParams, PostParams,
};
use kube::runtime::watcher::{self, watcher};
use kube::{Client, Resource as _};
use rolecall_controller::object::{external_secrets, generators};
use rolecall_controller::world::GENERATORS;
use rolecall_engine::grant::GeneratorKind;
use serde_json::{Value, json};
use tokio::time::Instant;

#[derive(Debug, Parser)]
struct Args {
    /// The namespace
    namespace: String,
    #[command(subcommand)]
    work: Work,
}

#[derive(Debug, Subcommand)]
enum Work {
    /// Make a generator with its key, and so many ExternalSecrets
    Create { count: usize },
    /// Make the requests of a first sync for every ExternalSecret, and print how long it took
    Run,
    /// Wait until so many are ready, and print how long it took
    Wait { count: usize },
    /// Have every one of them refreshed once more
    Touch,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let Args { namespace, work } = Args::parse();
    let client = Client::try_default().await?;
    match work {
        Work::Create { count } => create(&client, &namespace, count).await?,
        Work::Run => run(&client, &namespace).await?,
        Work::Wait { count } => wait(&client, &namespace, count).await?,
        Work::Touch => touch(&client, &namespace).await?,
    }
    Ok(())
}

type Done = Result<(), Box<dyn std::error::Error>>;

async fn create(client: &Client, namespace: &str, count: usize) -> Done {
    let apply = PatchParams::apply("bench").force();
    let spaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(client.clone());
    let space = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
    spaces.patch(namespace, &apply, &Patch::Apply(&space)).await?;
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let base = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "base"},
        "stringData": {"id": "AKIAEXAMPLECLUSTER01", "secret": "example/cluster/secret/key/0123456789ABC"}});
    secrets.patch("base", &apply, &Patch::Apply(&base)).await?;
    let kind = generators(GeneratorKind::AssumeRole);
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &kind);
    let generator = json!({"apiVersion": "generators.external-secrets.io/v1alpha1",
        "kind": "STSAssumeRoleToken", "metadata": {"name": "reader"}, "spec": {
            "region": "eu-west-1", "role": "arn:aws:iam::111122223333:role/reader",
            "auth": {"secretRef": {"accessKeyIDSecretRef": {"name": "base", "key": "id"},
                "secretAccessKeySecretRef": {"name": "base", "key": "secret"}}},
            "requestParameters": {"externalID": "abc"}}});
    api.patch("reader", &apply, &Patch::Apply(&generator)).await?;
    let api = objects(client, namespace);
    stream::iter(0..count)
        .map(|index| {
            let (api, apply) = (api.clone(), apply.clone());
            async move {
                let name = format!("es{index}");
                let document = json!({"apiVersion": "external-secrets.io/v1",
                    "kind": "ExternalSecret", "metadata": {"name": name}, "spec": {"dataFrom": [
                        {"sourceRef": {"generatorRef": {"kind": "STSAssumeRoleToken", "name": "reader"}}}]}});
                api.patch(&name, &apply, &Patch::Apply(&document)).await.map(drop)
            }
        })
        .buffer_unordered(32)
        .try_collect::<Vec<()>>()
        .await?;
    Ok(())
}

/// With the watches of the controller held, and as many requests in the air as it has.
async fn run(client: &Client, namespace: &str) -> Done {
    let mut watches = Vec::new();
    for kind in GENERATORS.map(generators).into_iter().chain([external_secrets()]) {
        let api: Api<DynamicObject> = if kind.kind == "ClusterGenerator" {
            Api::all_with(client.clone(), &kind)
        } else {
            Api::namespaced_with(client.clone(), namespace, &kind)
        };
        watches.push(tokio::spawn(hold(watcher(api, watcher::Config::default()))));
    }
    let accounts: Api<PartialObjectMeta<ServiceAccount>> =
        Api::namespaced(client.clone(), namespace);
    watches.push(tokio::spawn(hold(watcher(accounts, watcher::Config::default()))));
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let only = watcher::Config::default().labels("reconcile.external-secrets.io/managed=true");
    watches.push(tokio::spawn(hold(watcher(secrets.clone(), only))));
    let api = objects(client, namespace);
    let started = Instant::now();
    let all = api.list(&ListParams::default()).await?.items;
    let count = all.len();
    stream::iter(all)
        .map(|object| one(client.clone(), namespace.to_owned(), object))
        .buffer_unordered(64)
        .try_collect::<Vec<()>>()
        .await?;
    println!("{} {count}", started.elapsed().as_millis());
    for watch in watches {
        watch.abort();
    }
    Ok(())
}

async fn hold<T: Send>(events: impl futures_util::Stream<Item = T> + Send) {
    let mut events = std::pin::pin!(events);
    while events.next().await.is_some() {}
}

/// One read of the target, one of the key, the Secret, the status, an Event.
async fn one(client: Client, namespace: String, object: DynamicObject) -> Result<(), kube::Error> {
    let name = object.metadata.name.clone().unwrap_or_default();
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &namespace);
    secrets.get_opt(&name).await?;
    secrets.get("base").await?;
    let owner = object.controller_owner_ref(&external_secrets());
    let value = "x".repeat(64);
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name,
        "labels": {"reconcile.external-secrets.io/managed": "true",
            "reconcile.external-secrets.io/created-by": value.get(..56)},
        "annotations": {"reconcile.external-secrets.io/data-hash": value.get(..56)},
        "ownerReferences": [owner]},
        "stringData": {"access_key_id": "ASIAEMULATEDEMULATED", "secret_access_key": value,
            "session_token": value.repeat(4), "expiration": "1767225600"}});
    let manager = format!("externalsecrets.external-secrets.io/{name}");
    let apply = PatchParams::apply(&manager).force();
    secrets.patch(&name, &apply, &Patch::Apply(&secret)).await?;
    let time = "2026-01-01T00:00:00Z";
    let condition = |kind: &str, reason: &str, message: &str| {
        json!({"type": kind, "status": "True", "reason": reason, "message": message,
            "lastTransitionTime": time})
    };
    let status = json!({"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
        "metadata": {"name": name}, "status": {
            "binding": {"name": name}, "refreshTime": time, "expirationTime": time,
            "renewalTime": time, "nextRefreshTime": time, "observedGeneration": 1,
            "planHash": value.get(..16), "syncedResourceVersion": value.get(..58),
            "conditions": [condition("Ready", "SecretSynced", "secret synced"),
                condition("Refreshing", "Scheduled", "the next renewal is planned")]}});
    let apply = PatchParams::apply("rolecall/status").force();
    objects(&client, &namespace).patch_status(&name, &apply, &Patch::Apply(&status)).await?;
    let kind = kube::core::ApiResource::from_gvk(&kube::core::GroupVersionKind::gvk(
        "events.k8s.io",
        "v1",
        "Event",
    ));
    let events: Api<DynamicObject> = Api::namespaced_with(client, &namespace, &kind);
    let event: DynamicObject = serde_json::from_value(json!({
        "apiVersion": "events.k8s.io/v1", "kind": "Event",
        "metadata": {"generateName": format!("{name}-"), "namespace": namespace},
        "eventTime": "2026-01-01T00:00:00.000000Z", "reportingController": "bench",
        "reportingInstance": "bench", "action": "Reconcile", "reason": "Created",
        "type": "Normal", "note": "secret created",
        "regarding": {"kind": "ExternalSecret", "name": name, "namespace": namespace}}))
    .map_err(kube::Error::SerdeError)?;
    events.create(&PostParams::default(), &event).await.map(drop)
}

async fn wait(client: &Client, namespace: &str, count: usize) -> Done {
    let started = Instant::now();
    let api = objects(client, namespace);
    loop {
        let all = api.list(&ListParams::default()).await?.items;
        let is_ready = |object: &&DynamicObject| {
            let conditions = object.data.pointer("/status/conditions").and_then(Value::as_array);
            conditions.is_some_and(|all| {
                all.iter().any(|it| it["type"] == "Ready" && it["status"] == "True")
            })
        };
        if all.iter().filter(is_ready).count() >= count {
            println!("{}", started.elapsed().as_millis());
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn touch(client: &Client, namespace: &str) -> Done {
    let api = objects(client, namespace);
    let apply = PatchParams { field_manager: Some("bench".to_owned()), ..PatchParams::default() };
    let patch = json!({"metadata": {"annotations": {"force-sync": "1"}}});
    let all = api.list(&ListParams::default()).await?.items;
    stream::iter(all)
        .map(|object| {
            let (api, apply, patch) = (api.clone(), apply.clone(), patch.clone());
            async move {
                let name = object.metadata.name.unwrap_or_default();
                api.patch(&name, &apply, &Patch::Merge(&patch)).await.map(drop)
            }
        })
        .buffer_unordered(32)
        .try_collect::<Vec<()>>()
        .await?;
    Ok(())
}

fn objects(client: &Client, namespace: &str) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), namespace, &external_secrets())
}
