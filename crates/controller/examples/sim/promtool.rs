//! A day as a test of promtool: the series, and which alerts Prometheus has to give when.
//!
//! The times are calculated from the times of each object and the words of the rules, in half
//! minutes, as often as the rules are looked at; never from what the rules answer.

use std::collections::BTreeSet;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use rolecall_controller::schedule::{before, share};
use serde_json::{Value, json};

use crate::course::Kind;
use crate::day::{Day, Object};

/// Writes the test.
pub(crate) fn write(day: &Day, kind: Kind, file: &Path) -> Result<(), String> {
    let rules = std::fs::read_to_string(RULES).map_err(|it| format!("{RULES}: {it}"))?;
    let rules: Value = serde_saphyr::from_str(&rules).map_err(|it| format!("{RULES}: {it}"))?;
    let rules = rules.pointer("/groups/0/rules").and_then(Value::as_array);
    let alerts: Vec<&str> =
        rules.into_iter().flatten().filter_map(|it| it["alert"].as_str()).collect();
    let (rule_tests, expressions) = match kind {
        Kind::Rough => return Err("a rough day has alerts that nobody calculates".to_owned()),
        Kind::Well => (silence(day.end, &alerts), well(day)),
        Kind::Denied => (Vec::new(), denied(day)?),
    };
    let series = day.scrapes.notation();
    let series: Vec<_> =
        series.map(|(name, values)| json!({"series": name, "values": values})).collect();
    let count = (series.len(), rule_tests.len() + expressions.len());
    let test = json!({
        "rule_files": [RULES],
        "evaluation_interval": format!("{LOOK}s"),
        "tests": [{
            "interval": "1m",
            "input_series": series,
            "alert_rule_test": rule_tests,
            "promql_expr_test": expressions,
        }],
    });
    std::fs::write(file, format!("{test:#}")).map_err(|it| format!("{}: {it}", file.display()))?;
    println!("{} series and {} questions in {}", count.0, count.1, file.display());
    Ok(())
}

/// No alert, asked every ten minutes.
fn silence(end: Timestamp, alerts: &[&str]) -> Vec<Value> {
    let times = (0..=end.as_second()).step_by(600);
    let tests = times.flat_map(|time| {
        alerts.iter().map(move |alert| json!({"eval_time": shown(time), "alertname": alert}))
    });
    tests.collect()
}

/// No alert at any look; and that there was something to look at, two leaders for a while included.
fn well(day: &Day) -> Vec<Value> {
    let mut tests = vec![nothing_but("", day.end)];
    let objects = "count(count by (name) (rolecall_credential_expiration_timestamp_seconds))";
    tests.extend([600, day.end.as_second()].map(|time| number(objects, time, day.objects.len())));
    let leaders = "count(count by (instance) (rolecall_credential_renewal_timestamp_seconds))";
    for stop in day.course.breaks {
        let count = if stop.is_failover { 2 } else { 1 };
        tests.push(number(leaders, first_after(stop.until(), SCRAPE), count));
    }
    tests
}

/// Each alert at its time and not before, for each object, and no other alert.
fn denied(day: &Day) -> Result<Vec<Value>, String> {
    let end = day.end.as_second();
    let all: Vec<_> = day.objects.iter().map(Due::of).collect::<Result<_, _>>()?;
    let mut tests = vec![nothing_but(&OF_OBJECTS.join("|"), day.end)];
    for (place, alert) in OF_OBJECTS.iter().enumerate() {
        let firing = format!("ALERTS{{alertstate=\"firing\",alertname=\"{alert}\"}}");
        let spans: Vec<_> = all.iter().map(|due| (due.name, due.spans[place])).collect();
        if let Some((name, _)) = spans.iter().find(|(_, (from, _))| *from > end) {
            return Err(format!("{alert} of {name} begins after the day"));
        }
        let edges: BTreeSet<_> =
            spans.iter().flat_map(|(_, (from, to))| [from - LOOK, *from, to - LOOK, *to]).collect();
        for time in edges.range(..=end) {
            let named = spans.iter().filter(|(_, (from, to))| (from..to).contains(&time));
            let samples: Vec<_> = named.map(|(name, _)| sample(name, 1)).collect();
            let sum = format!("sum by (name) ({firing})");
            tests.push(json!({"expr": sum, "eval_time": shown(*time), "exp_samples": samples}));
        }
        // At how many looks of the whole day.
        let looks = spans.iter().map(|(name, (from, to))| {
            let to = *to.min(&(end + LOOK));
            sample(name, (to - from) / LOOK)
        });
        let looks: Vec<_> = looks.collect();
        let sum = format!("sum by (name) (count_over_time({firing}[{}]))", shown(end));
        tests.push(json!({"expr": sum, "eval_time": shown(end), "exp_samples": looks}));
    }
    Ok(tests)
}

/// When each alert of one object begins and ends, in seconds from the start.
struct Due<'a> {
    name: &'a str,
    /// In the order of [`OF_OBJECTS`].
    spans: [(i64, i64); 4],
}

impl<'a> Due<'a> {
    fn of(object: &'a Object) -> Result<Self, String> {
        let name = object.key.name.as_str();
        let (Some(ends), Some(renewal), Some(alarm)) =
            (object.seen.ends(), object.seen.past.renewal, object.seen.alarm())
        else {
            return Err(format!("{name} has no session"));
        };
        let overdue = first_after(before(ends, share(ends.duration_since(renewal), 0.7)), LOOK);
        let expiring = first_after(before(ends, SignedDuration::from_secs(120)), LOOK);
        let expired = first_from(ends, LOOK);
        // The state is scraped each minute; the times stand in it.
        let unready = first_from(alarm, SCRAPE);
        let (overdue, unready) = (overdue + 60, unready + 600);
        let spans =
            [(overdue, expired), (expiring, expired), (expired, i64::MAX), (unready, i64::MAX)];
        if overdue < expiring && expiring < expired {
            return Ok(Self { name, spans });
        }
        Err(format!("{name}: overdue, expiring and expired do not follow each other: {spans:?}"))
    }
}

/// The first multiple of so many seconds after a time.
fn first_after(time: Timestamp, step: i64) -> i64 {
    time.as_second().div_euclid(step) * step + step
}

/// The first multiple of so many seconds at a time or after it.
fn first_from(time: Timestamp, step: i64) -> i64 {
    first_after(before(time, SignedDuration::from_nanos(1)), step)
}

/// No alert at any look but these, which are a regular expression.
fn nothing_but(alerts: &str, end: Timestamp) -> Value {
    let others = format!("ALERTS{{alertstate=\"firing\",alertname!~\"{alerts}\"}}");
    let over = format!("count_over_time({others}[{}])", shown(end.as_second()));
    json!({"expr": over, "eval_time": shown(end.as_second()), "exp_samples": []})
}

fn number(expression: &str, time: i64, value: usize) -> Value {
    let samples = [json!({"labels": "{}", "value": value})];
    json!({"expr": expression, "eval_time": shown(time), "exp_samples": samples})
}

fn sample(name: &str, value: i64) -> Value {
    json!({"labels": format!("{{name=\"{name}\"}}"), "value": value})
}

fn shown(seconds: i64) -> String {
    format!("{seconds}s")
}

/// How often the rules are looked at, as `interval` of their group says.
const LOOK: i64 = 30;
/// How often the controller is scraped.
const SCRAPE: i64 = 60;
/// The alerts of single objects.
const OF_OBJECTS: [&str; 4] = [
    "RolecallRenewalOverdue",
    "RolecallCredentialExpiring",
    "RolecallCredentialExpired",
    "RolecallNotReady",
];
const RULES: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/helm/rolecall/files/alerts.yaml");
