//! What ESO did, scenario by scenario, and what we do: the same, or a difference that is meant.

use std::collections::BTreeMap;
use std::sync::Arc;

use rolecall_emulator::IssuedSecrets;
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::bed::Bed;
use crate::compare::differences;
use crate::objects::is_out_of_reach;
use crate::scenario::{self, Observation};

#[tokio::test(flavor = "multi_thread")]
async fn every_scenario_ends_as_it_did_with_eso_or_as_it_is_meant_to() {
    let bed = Bed::new().await;
    let meant: Arc<Value> =
        Arc::new(serde_json::from_str(include_str!("../data/differences.json")).unwrap());
    let only = only();
    let at_once = Arc::new(Semaphore::new(10));
    let mut running = tokio::task::JoinSet::new();
    for line in include_str!("../data/scenarios.jsonl").lines() {
        let scenario: Value = serde_json::from_str(line).unwrap();
        let id = scenario["id"].as_str().unwrap().to_owned();
        if let Some((_, why)) = LEFT_OUT.iter().find(|(left_out, _)| *left_out == id) {
            println!("left out: {id}: {why}");
            continue;
        }
        if line.contains("ClusterGenerator") && is_out_of_reach(&id) {
            continue;
        }
        if only.as_ref().is_some_and(|only| !id.contains(only.as_str())) {
            continue;
        }
        let (bed, at_once, meant) = (bed.clone(), Arc::clone(&at_once), Arc::clone(&meant));
        running.spawn(async move {
            let _permit = at_once.acquire_owned().await.unwrap();
            let found = run(&bed, &id, &scenario, &meant).await;
            (id, found)
        });
    }
    let mut all: BTreeMap<String, BTreeMap<String, Vec<String>>> = BTreeMap::new();
    while let Some(done) = running.join_next().await {
        let (id, found) = done.unwrap();
        all.insert(id, found);
    }
    all.retain(|_, found| !found.is_empty());
    let written = serde_json::to_string_pretty(&all).unwrap();
    std::fs::write(bed.folder.join("differences.json"), &written).unwrap();
    let wrong: Vec<String> = all
        .iter()
        .flat_map(|(id, found)| found.iter().map(move |(at, lines)| (id, at, lines)))
        .flat_map(|(id, at, lines)| lines.iter().map(move |line| (id, at, line)))
        .filter(|(id, at, line)| !is_meant(&meant, id, at, line))
        .map(|(id, at, line)| format!("{id}, {at}: {line}"))
        .collect();
    assert!(wrong.is_empty(), "not meant:\n{}", wrong.join("\n"));
}

/// The differences of each observation.
async fn run(
    bed: &Bed,
    id: &str,
    scenario: &Value,
    meant: &Value,
) -> BTreeMap<String, Vec<String>> {
    let theirs = scenario["observations"].as_array().unwrap();
    let is_settled = |ours: &Observation| {
        let theirs = theirs.iter().find(|it| it["at"] == ours.at).unwrap();
        differences(theirs, ours).iter().all(|line| is_meant(meant, id, &ours.at, line))
    };
    let (ours, issued) = scenario::run(bed, scenario, &is_settled).await;
    assert_eq!(theirs.len(), ours.len(), "{id}");
    let mut found = BTreeMap::new();
    for (theirs, ours) in theirs.iter().zip(&ours) {
        let lines = differences(theirs, ours);
        if !lines.is_empty() {
            found.insert(ours.at.clone(), lines);
        }
        let texts = ours.events.iter().map(|(_, _, note)| note.clone());
        let statuses = ours.external_secrets.values().map(|it| it["status"].to_string());
        for text in texts.chain(statuses) {
            for secret in issued.iter().flat_map(IssuedSecrets::texts) {
                assert!(!text.contains(secret), "{id}: an Event or a status holds a secret");
            }
        }
    }
    found
}

/// Whether a difference is meant: it stands in the list, under a reason.
fn is_meant(meant: &Value, id: &str, at: &str, line: &str) -> bool {
    let lines =
        meant.as_object().unwrap().values().filter_map(|scenarios| scenarios[id][at].as_array());
    lines.flatten().any(|it| it == line)
}

fn only() -> Option<String> {
    std::env::var("ROLECALL_E2E_ONLY").ok()
}

/// Scenarios that have no counterpart.
const LEFT_OUT: [(&str, &str); 3] = [
    ("dp-empty-delete", "it needs ESO's generator Fake: none of AWS's gives no data"),
    ("dp-empty-retain", "it needs ESO's generator Fake: none of AWS's gives no data"),
    ("ks-token", "its session token is none that an STS gave; AWS gives no session of a session"),
];
