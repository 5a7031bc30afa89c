//! What is told is there, and what is there is told.

use std::collections::BTreeSet;

use rolecall_engine::arn::{Dialect, RoleArn};
use rolecall_engine::plan::SourceSpec;
use rolecall_engine::request::{RoleRequest, SessionName};

use super::*;
use crate::schedule::Life;
use crate::state::State;

#[test]
fn every_metric_is_documented_and_every_documented_one_is_there() {
    let metrics = Metrics::new(true).unwrap();
    let key = Key::new("team-a", "reader");
    metrics.pass_begins(&key).ends(Some(Reason::Throttled));
    metrics.failed(Reason::Throttled);
    let role = RoleArn::parse("arn:aws:iam::111122223333:role/reader", Dialect::Aws).unwrap();
    let request = RoleRequest::new(role, SessionName::made_from("team-a.reader"));
    let region = rolecall_engine::region::Region::parse("eu-west-1").unwrap();
    let plan = Plan::assume_role(region, SourceSpec::Environment, Vec::new(), request);
    metrics.called(&plan, Some(Class::Throttled));
    let states = States::default();
    let life = Life { issued: Timestamp::UNIX_EPOCH, ends: Timestamp::UNIX_EPOCH };
    let past = Past {
        lives: vec![life],
        renewal: Some(life.ends),
        ready: Some(Ready::Synced),
        ..Past::default()
    };
    states.put(&key, State { past, ..State::default() });
    let text = metrics.text(&states, 3, Timestamp::UNIX_EPOCH).unwrap();
    let kinds = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let found: BTreeSet<&str> = kinds.collect();
    let told: Vec<String> =
        METRICS.iter().map(|(name, kind, ..)| format!("{name} {kind}")).collect();
    assert_eq!(found, told.iter().map(String::as_str).collect());
    assert!(text.contains("\nrolecall_events_dropped_total 3\n"));
    metrics.forget(&key);
    states.remove(&key);
    let text = metrics.text(&states, 3, Timestamp::UNIX_EPOCH).unwrap();
    let left: Vec<&str> = text.lines().filter(|line| line.contains("reader")).collect();
    // ESO's counters stay.
    assert!(left.iter().all(|line| line.starts_with("externalsecret_sync_calls")), "{left:?}");
}
