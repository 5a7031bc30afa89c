//! The alerts, the dashboard and their guide: every metric that they name is one that is served, and every alert
//! leads to its heading of the guide. How they behave is `cargo xtask judge`'s.

#![allow(clippy::unwrap_used, reason = "a test panics, and says what ran")]

use std::collections::BTreeSet;

use rolecall_controller::metrics::METRICS;
use serde_json::Value;

#[test]
fn every_alert_has_its_heading_of_the_guide_and_every_heading_its_alert() {
    let guide = read("docs/guides/operate.md");
    let (_, alerts) = guide.split_once("\n## Alerts\n").unwrap();
    let (alerts, _) = alerts.split_once("\n## ").unwrap();
    let headings: Vec<&str> = alerts.lines().filter_map(|it| it.strip_prefix("### ")).collect();
    let mut names = Vec::new();
    for rule in rules() {
        let name = rule["alert"].as_str().unwrap().to_owned();
        // As a forge makes an anchor of a heading of one word.
        let anchor = name.to_lowercase();
        assert_eq!(rule["annotations"]["runbook_url"], format!("{GUIDE}#{anchor}"), "{name}");
        for text in [&rule["annotations"]["summary"], &rule["annotations"]["description"]] {
            assert!(text.as_str().is_some_and(|text| text.ends_with('.')), "{name}: {text}");
        }
        let severity = rule["labels"]["severity"].as_str().unwrap();
        // The table has the same.
        let row = alerts.lines().find(|line| line.starts_with(&format!("| [{name}](#{anchor}) |")));
        assert!(row.is_some_and(|row| row.ends_with(&format!(" | {severity} |"))), "{name}");
        names.push(name);
    }
    assert_eq!(headings, names);
}

#[test]
fn every_metric_that_is_asked_for_is_served() {
    let dashboard: Value =
        serde_json::from_str(&read("deploy/helm/rolecall/files/dashboard.json")).unwrap();
    let mut asked: Vec<String> =
        rules().iter().map(|rule| rule["expr"].as_str().unwrap().to_owned()).collect();
    texts(&dashboard, &mut asked);
    asked.push(read("docs/guides/operate.md"));
    let mut found = BTreeSet::new();
    for text in &asked {
        let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        found.extend(words.filter(|word| FAMILIES.iter().any(|it| word.starts_with(it))));
    }
    // `rolecall_credential_*`
    found.retain(|word| !word.ends_with('_'));
    assert!(found.len() > 10, "{found:?}");
    let unknown: Vec<_> = found.iter().filter(|name| !is_served(name)).collect();
    assert!(unknown.is_empty(), "nobody serves {unknown:?}");
}

fn is_served(name: &str) -> bool {
    let is = |name: &str, kind: &str| {
        METRICS.iter().any(|metric| metric.0 == name && (kind.is_empty() || metric.1 == kind))
    };
    let parts = ["_bucket", "_sum", "_count"];
    is(name, "")
        || parts.iter().any(|part| name.strip_suffix(part).is_some_and(|it| is(it, "histogram")))
}

fn rules() -> Vec<Value> {
    let file = read("deploy/helm/rolecall/files/alerts.yaml");
    let file: Value = serde_saphyr::from_str(&file).unwrap();
    let groups = file["groups"].as_array().unwrap();
    groups.iter().flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}

/// Every text that a panel or a variable asks Prometheus.
fn texts(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                match inner {
                    Value::String(text) if ["expr", "query"].contains(&name.as_str()) => {
                        into.push(text.clone());
                    }
                    inner => texts(inner, into),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| texts(item, into)),
        _ => {}
    }
}

fn read(path: &str) -> String {
    let path = format!("{}/../../{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

const GUIDE: &str = "https://github.com/rolecall/rolecall/blob/main/docs/guides/operate.md";
/// How the names of metrics begin.
const FAMILIES: [&str; 4] =
    ["rolecall_", "externalsecret_", "controller_runtime_", "leader_election_"];
