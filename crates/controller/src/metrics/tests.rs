//! What is told is there, and what is there is told.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::schedule::Life;
use crate::seen::{Past, Ready};
use crate::state::{State, States};

#[test]
fn every_metric_is_documented_and_every_documented_one_is_there() {
    let metrics = Metrics::new(Labelled { per_object: true, extended: false }).unwrap();
    let key = Key::new("team-a", "reader");
    metrics.pass_begins(&key, None).ends(true);
    metrics.failed(Reason::Throttled);
    metrics.called("AssumeRole", "eu-west-1", Some(Class::Throttled));
    let states = States::default();
    let life = Life { issued: Timestamp::UNIX_EPOCH, ends: Timestamp::UNIX_EPOCH };
    let past = Past {
        lives: vec![life],
        renewal: Some(life.ends),
        ready: Some(Ready::Synced),
        ..Past::default()
    };
    states.put(&key, State { past, ..State::default() });
    let seen = Scrape {
        states: &states,
        events_dropped: 3,
        election: Some(("rolecall-controller", true)),
        clock_offset: Some(jiff::SignedDuration::from_secs(2)),
        now: Timestamp::UNIX_EPOCH,
    };
    let text = metrics.text(&seen).unwrap();
    let kinds = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let found: BTreeSet<&str> = kinds.collect();
    let told: Vec<String> =
        METRICS.iter().map(|(name, kind, ..)| format!("{name} {kind}")).collect();
    assert_eq!(found, told.iter().map(String::as_str).collect());
    assert!(text.contains("\nrolecall_events_dropped_total 3\n"));
    metrics.is_gone(&key);
    states.remove(&key);
    let text = metrics.text(&seen).unwrap();
    let left: Vec<&str> = text.lines().filter(|line| line.contains("reader")).collect();
    let deleted = "externalsecret_status_condition{condition=\"Deleted\",name=\"reader\",namespace=\"team-a\",status=\"False\"} 1";
    assert!(left.contains(&deleted), "{left:?}");
    // ESO's counters stay.
    let others: Vec<_> = left.iter().filter(|line| **line != deleted).collect();
    assert!(others.iter().all(|line| line.starts_with("externalsecret_sync_calls")), "{left:?}");
}

#[test]
fn an_object_that_goes_during_its_pass_leaves_no_gauge() {
    let metrics = Metrics::new(Labelled { per_object: true, extended: false }).unwrap();
    let key = Key::new("team-a", "reader");
    let timer = metrics.pass_begins(&key, None);
    metrics.is_gone(&key);
    timer.ends(false);
    metrics.is_gone(&key);
    let seen = Scrape {
        states: &States::default(),
        events_dropped: 0,
        election: None,
        clock_offset: None,
        now: Timestamp::UNIX_EPOCH,
    };
    let text = metrics.text(&seen).unwrap();
    assert!(!text.contains("externalsecret_reconcile_duration{"), "{text}");
    assert!(text.contains("condition=\"Deleted\""), "{text}");
}

#[test]
fn a_replica_that_stands_by_tells_of_no_object() {
    let metrics = Metrics::new(Labelled { per_object: true, extended: true }).unwrap();
    let key = Key::new("team-a", "reader");
    let labels = BTreeMap::from([("app.kubernetes.io/name".to_owned(), "shop".to_owned())]);
    metrics.pass_begins(&key, Some(&labels)).ends(true);
    let states = States::default();
    states.put(&key, State::default());
    let seen = |is_held| Scrape {
        states: &states,
        events_dropped: 0,
        election: Some(("rolecall-controller", is_held)),
        clock_offset: None,
        now: Timestamp::UNIX_EPOCH,
    };
    let text = metrics.text(&seen(true)).unwrap();
    assert!(text.contains("app_kubernetes_io_name=\"shop\""), "{text}");
    assert!(text.contains("\nleader_election_master_status{name=\"rolecall-controller\"} 1\n"));
    metrics.stands_by();
    states.clear();
    let text = metrics.text(&seen(false)).unwrap();
    assert!(!text.contains("reader") && !text.contains("rolecall_queue_lag_seconds"), "{text}");
    assert!(text.contains("\nleader_election_master_status{name=\"rolecall-controller\"} 0\n"));
}
