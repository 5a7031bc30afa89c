//! The step of a Relay workflow, against a metadata API of the tests and the emulator.

mod server;

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::SignedDuration;
use rolecall_emulator::World;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::harness::{ALICE_KEY_ID, Case, Sink, Sts};
use server::{Run, Server};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    /// In place of the usual spec.
    spec: Option<Value>,
    #[serde(default)]
    change: Value,
    /// Laid over it as it stands, null and all.
    #[serde(default)]
    raw: BTreeMap<String, Value>,
    #[serde(default)]
    no_spec: bool,
    connections: Option<BTreeMap<String, Value>>,
    #[serde(default)]
    outputs: BTreeMap<String, Value>,
    #[serde(default)]
    parameters: BTreeMap<String, Value>,
    #[serde(default)]
    secrets: BTreeMap<String, Value>,
    #[serde(default)]
    faults: Vec<server::Fault>,
    /// A fault of the emulator.
    sts: Option<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// Another token than the step's.
    token: Option<String>,
}

const TOKEN: &str = "canary.of.the.token";

/// Objects are laid over each other; null takes a field away.
fn lay(over: &Value, onto: &mut Value) {
    match (over, onto) {
        (Value::Object(over), Value::Object(onto)) if !over.contains_key("$type") => {
            for (key, value) in over {
                if value.is_null() {
                    onto.remove(key);
                } else {
                    lay(value, onto.entry(key).or_insert(Value::Null));
                }
            }
        }
        (Value::Null, _) => {}
        (over, onto) => *onto = over.clone(),
    }
}

fn usual() -> Value {
    json!({
        "aws": {"connection": {"$type": "Connection", "type": "aws", "name": "base"}, "region": "eu-west-1"},
        "roleARN": "arn:aws:iam::111122223333:role/deployer",
        "roleSessionName": "job",
    })
}

/// The words of a row that stand for something of this run.
fn fill<T: serde::Serialize + serde::de::DeserializeOwned>(
    value: &T,
    words: &[(&str, Value)],
) -> T {
    fn each(value: &mut Value, words: &[(&str, Value)]) {
        match value {
            Value::String(text) => {
                if let Some((_, known)) = words.iter().find(|(word, _)| word == text) {
                    *value = known.clone();
                } else if text == "ID\n" {
                    *text = format!("{ALICE_KEY_ID}\n");
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| each(item, words)),
            Value::Object(map) => map.values_mut().for_each(|item| each(item, words)),
            _ => {}
        }
    }
    let mut json = serde_json::to_value(value).unwrap();
    each(&mut json, words);
    serde_json::from_value(json).unwrap()
}

fn sts_of(row: &Row) -> Sts {
    let Some(fault) = &row.sts else { return Sts::start() };
    let yaml = World::DEFAULT_YAML.replace("faults: []", &format!("faults: [{fault:?}]"));
    Sts::with(World::parse(&yaml).unwrap(), SignedDuration::ZERO)
}

fn check(row: &Row) {
    let sts = sts_of(row);
    let web = crate::sources::token();
    let hub = json!({"accessKeyID": ALICE_KEY_ID, "secretAccessKey": sts.alice_secret});
    let words = [
        ("ID", ALICE_KEY_ID.into()),
        ("SECRET", sts.alice_secret.as_str().into()),
        ("ID64", STANDARD.encode(ALICE_KEY_ID).into()),
        ("SESSION", hub.clone()),
        ("TOKEN", web.as_str().into()),
        ("CODE", sts.emulator.mfa_code("arn:aws:iam::111122223333:mfa/alice").into()),
    ];
    let mut spec = row.spec.clone().unwrap_or_else(usual);
    lay(&row.change, &mut spec);
    for (key, value) in &row.raw {
        spec[key] = value.clone();
    }
    let base = BTreeMap::from([("aws/base".to_owned(), hub)]);
    let run = Run {
        spec: (!row.no_spec).then(|| fill(&spec, &words)),
        connections: fill(row.connections.as_ref().unwrap_or(&base), &words),
        outputs: fill(&row.outputs, &words),
        parameters: row.parameters.clone(),
        secrets: row.secrets.clone(),
        faults: row.faults.clone(),
    };
    let relay = Server::start("127.0.0.1:0", run, Some(TOKEN));
    let token = row.token.as_deref().unwrap_or(TOKEN);
    let mut case = Case::new();
    case.canary(TOKEN).canary(&sts.alice_secret).canary(&web).canary("canary-of-a-proxy");
    case.env("METADATA_API_URL", format!("http://:{token}@{}", relay.address));
    case.env("AWS_ENDPOINT_URL_STS", sts.emulator.sts_url()).env("RELAY_DEFAULT_TIMEOUT", "2s");
    for (name, value) in &row.env {
        case.env(name, fill(value, &words));
    }
    case.file("token.jwt", &web);
    let ran = case.run(&["relay-step"], Sink::None);
    sts.add_canaries(&mut case);
    case.search(&ran, Sink::None);
    let written = relay.written();
    let keys = |name: &str| -> Vec<String> {
        let value = written.get(name).and_then(Value::as_object);
        value.into_iter().flat_map(|map| map.keys().cloned()).collect()
    };
    let role = |key: &str| written.get("role").map_or(Value::Null, |role| role[key].clone());
    let told = format!(
        "exit status {}\n── stdout\n{}── stderr\n{}── metadata\n{}\n── STS: {} calls\n── connection {:?} sensitive {}, role {:?}: {} in {}\n",
        ran.status,
        ran.stdout,
        case.filtered(&ran.stderr).replace(&sts.emulator.sts_url(), "[STS]"),
        relay.asked().join("\n"),
        sts.emulator.requests().len(),
        keys("connection"),
        written.get("connection/metadata").is_some_and(|mark| mark["sensitive"] == true),
        keys("role"),
        role("arn"),
        role("region"),
    );
    insta::with_settings!({
        snapshot_path => "relay/snapshots", prepend_module_to_snapshot => false, omit_expression => true,
    }, { insta::assert_snapshot!(row.name.as_str(), told); });
}

#[test]
fn a_step_does_what_relay_knows() {
    let rows: Vec<Row> = serde_saphyr::from_str(include_str!("relay/cases.yaml")).unwrap();
    for row in &rows {
        check(row);
    }
}

/// A step with alice's keys at a metadata API that listens there.
fn at(listen: &str, token: Option<&str>, url: impl Fn(u16) -> String) -> crate::harness::Ran {
    let sts = Sts::start();
    let keys = json!({"accessKeyID": ALICE_KEY_ID, "secretAccessKey": sts.alice_secret});
    let run = Run {
        spec: Some(usual()),
        connections: BTreeMap::from([("aws/base".to_owned(), keys)]),
        ..Run::default()
    };
    let relay = Server::start(listen, run, token);
    let mut case = Case::new();
    case.canary(TOKEN).canary(&sts.alice_secret);
    case.env("METADATA_API_URL", url(relay.address.port()));
    case.env("AWS_ENDPOINT_URL_STS", sts.emulator.sts_url()).env("RELAY_DEFAULT_TIMEOUT", "0");
    let ran = case.run(&["relay-step"], Sink::None);
    sts.add_canaries(&mut case);
    case.search(&ran, Sink::None);
    ran
}

#[track_caller]
fn check_url(listen: &str, token: Option<&str>, is_taken: bool, url: impl Fn(u16) -> String) {
    let ran = at(listen, token, url);
    assert_eq!(ran.status, i32::from(!is_taken), "{}", ran.stderr);
    if !is_taken {
        assert_eq!(ran.stdout, "");
        assert!(ran.stderr.starts_with("error: ") && ran.stderr.lines().count() == 1, "{ran:?}");
    }
}

#[test]
fn every_form_of_the_url_is_taken() {
    let v4 = "127.0.0.1:0";
    check_url(v4, None, true, |port| format!("http://127.0.0.1:{port}"));
    check_url(v4, None, true, |port| format!("http://127.0.0.1:{port}/a/base/path/"));
    check_url(v4, Some(TOKEN), true, |port| format!("http://token:{TOKEN}@0.0.0.0:{port}"));
    check_url(v4, Some(TOKEN), true, |port| {
        format!("http://:{}@127.0.0.1:{port}", TOKEN.replace('.', "%2E"))
    });
    check_url(v4, Some(TOKEN), false, |port| format!("http://other:{TOKEN}@127.0.0.1:{port}"));
    check_url(v4, Some(TOKEN), false, |port| format!("http://:{TOKEN}127.0.0.1:{port}"));
    check_url(v4, Some(TOKEN), false, |port| format!("http://:{TOKEN}[::]:{port}"));
    check_url(v4, None, false, |_| format!("http://:{TOKEN}@127.0.0.1:1"));
    check_url(v4, None, false, |_| format!("ftp://:{TOKEN}@127.0.0.1"));
    check_url(v4, None, false, |_| String::new());
}

/// What `relay dev metadata` prints.
#[test]
fn the_any_address_of_ipv6_is_taken() {
    check_url("[::1]:0", Some(TOKEN), true, |port| format!("http://:{TOKEN}@[::]:{port}"));
}

#[track_caller]
fn try_locally(sample: &str, args: &[&str]) -> crate::harness::Ran {
    let mut case = Case::new();
    case.file("sample.yaml", sample);
    case.file("world.yaml", include_str!("../../../../examples/relay-world.yaml"));
    let mut words = vec!["relay-step", "--local", "sample.yaml"];
    words.extend(args);
    case.run(&words, Sink::Stdout)
}

const SAMPLE: &str = include_str!("../../../../examples/relay-sample.yaml");

#[test]
fn a_sample_file_stands_in_for_relay() {
    let ran = try_locally(SAMPLE, &["--emulate=world.yaml"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let outputs: Value = serde_json::from_str(&ran.stdout).unwrap();
    let keys = |name: &str| {
        let map = outputs[name].as_object().unwrap();
        map.iter().map(|(key, value)| (key.clone(), value.is_string())).collect::<Vec<_>>()
    };
    let expected =
        |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), true)).collect::<Vec<_>>();
    assert_eq!(keys("connection"), expected(&["accessKeyID", "secretAccessKey", "sessionToken"]));
    assert_eq!(
        keys("role"),
        expected(&["accountId", "arn", "assumedRoleId", "expiration", "region"])
    );
    assert_eq!(outputs["role"]["region"], "us-west-2");
}

#[track_caller]
fn check_sample(from: &str, to: &str, args: &[&str], expected: &str) {
    let sample = SAMPLE.replace(from, to);
    let ran = try_locally(&sample, args);
    assert_eq!((ran.status, ran.stdout.as_str()), (1, ""), "{}", ran.stderr);
    assert!(ran.stderr.contains(expected), "{}", ran.stderr);
}

#[test]
fn what_is_wrong_with_a_sample_is_told() {
    let emulate = "--emulate=world.yaml";
    check_sample("", "", &[emulate, "--run", "2"], "has no run 2 under runs; it has 1");
    check_sample("", "", &[emulate, "--step", "no"], "has no step no under runs.1.steps; it has");
    check_sample("my-aws-account }", "other }", &[emulate], "names the connection aws/other");
    check_sample(
        "my-session",
        "!Fn.now []",
        &[emulate],
        "roleSessionName: has !Fn.now, which is not",
    );
    check_sample("my-session", "${now()}", &[emulate], "calls now(), which is not evaluated here");
    check_sample("spec:", "spek:", &[emulate], "has no spec; write it below spec:");
    check_sample("runs:", "runs: [", &[emulate], "is not YAML (line ");
}
