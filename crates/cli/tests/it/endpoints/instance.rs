//! The instance metadata service, version 2.

use std::net::TcpListener;

use super::server::{Asked, Reply, Server};
use super::*;

const LIST: &str = "/latest/meta-data/iam/security-credentials/";
const KEYS: &str = "/latest/meta-data/iam/security-credentials/node";
const METADATA_TOKEN: &str = "canary-metadata-token";

/// Answers as EC2 does, but for the one step that a test changes.
fn imds(keys: String, changed: impl Fn(&Asked) -> Option<Reply> + Send + Sync + 'static) -> Server {
    Server::start(move |asked| {
        if let Some(reply) = changed(asked) {
            return reply;
        }
        let is_known = asked.header("x-aws-ec2-metadata-token") == Some(METADATA_TOKEN);
        match (asked.method.as_str(), asked.path.as_str()) {
            ("PUT", "/latest/api/token") => {
                let has_ttl = asked.header("x-aws-ec2-metadata-token-ttl-seconds").is_some();
                if has_ttl {
                    Reply::Token(METADATA_TOKEN.to_owned())
                } else {
                    Reply::Answer(400, String::new())
                }
            }
            _ if !is_known => Reply::Answer(401, String::new()),
            ("GET", LIST) => Reply::Answer(200, "node".to_owned()),
            ("GET", KEYS) => Reply::Answer(200, keys.clone()),
            _ => Reply::Answer(404, String::new()),
        }
    })
}

/// A run on the instance of `server`.
fn on(mut case: Case, server: &Server) -> Case {
    case.env("AWS_EC2_METADATA_DISABLED", "false");
    case.env("AWS_EC2_METADATA_SERVICE_ENDPOINT", format!("http://{}/", server.address));
    case.canary(METADATA_TOKEN);
    case
}

#[test]
fn the_keys_of_an_instance_are_used_and_named() {
    let (sts, keys) = sts_of_hub();
    // Some servers end the role's name in a line break.
    for role in ["node", "node\n"] {
        let server = imds(document(&keys, &in_an_hour()), move |asked| {
            (asked.path == LIST && asked.method == "GET")
                .then(|| Reply::Answer(200, role.to_owned()))
        });
        let mut case = on(case_at(&sts), &server);
        case.env("HTTP_PROXY", "http://192.0.2.1:9").env("http_proxy", "http://192.0.2.1:9");
        let ran = case.run(&["assume", ROLE, "-v"], Sink::Stdout);
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        let source = "source: instance metadata (IMDSv2), until ";
        assert!(ran.stderr.contains(source), "{}", ran.stderr);
        let asked: Vec<_> =
            server.asked().iter().map(|a| format!("{} {}", a.method, a.path)).collect();
        let get = |path: &str| format!("GET {path}");
        assert_eq!(asked, ["PUT /latest/api/token".to_owned(), get(LIST), get(KEYS)]);
    }
}

/// As AWS's SDKs do in an outage of the metadata service: STS decides about keys that have ended.
#[test]
fn keys_of_an_instance_that_have_ended_are_still_tried() {
    let (sts, keys) = sts_of_hub();
    let server = imds(document(&keys, "2020-01-01T00:00:00Z"), |_| None);
    let ran = on(case_at(&sts), &server).run(&["assume", ROLE], Sink::Stdout);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
}

/// Each step that goes wrong: name, method, path, what is answered, how often anything is asked.
#[test]
fn each_bad_answer_of_the_metadata_service_has_its_message() {
    const TOKEN_PATH: &str = "/latest/api/token";
    let leak = || format!("{SECRET} {TOKEN} {METADATA_TOKEN}");
    let answer = |status| Reply::Answer(status, leak());
    let keys = |body: String| Reply::Answer(200, body);
    let with = |name: &'static str, value: &'static str| {
        leaky_document(move |document| drop(document.insert(name.to_owned(), value.into())))
    };
    let sts = Sts::start();
    for (name, path, reply, asked) in [
        ("imds-token-403", TOKEN_PATH, answer(403), 1),
        ("imds-token-404", TOKEN_PATH, answer(404), 1),
        ("imds-token-500", TOKEN_PATH, answer(500), 1),
        ("imds-token-without-a-ttl", TOKEN_PATH, answer(200), 1),
        ("imds-list-401", LIST, answer(401), 2),
        ("imds-list-404", LIST, answer(404), 2),
        ("imds-list-429", LIST, answer(429), 2),
        ("imds-list-empty", LIST, Reply::Answer(200, String::new()), 2),
        ("imds-list-odd", LIST, Reply::Answer(200, leak()), 2),
        ("imds-keys-404", KEYS, answer(404), 3),
        ("imds-keys-500", KEYS, answer(500), 3),
        ("imds-keys-not-json", KEYS, answer(200), 3),
        ("imds-keys-refused", KEYS, keys(with("Code", "AssumeRoleUnauthorizedAccess")), 3),
        ("imds-keys-failed", KEYS, keys(with("Code", "Failed")), 3),
        ("imds-keys-expiration", KEYS, keys(with("Expiration", "soon")), 3),
        ("imds-keys-lacking", KEYS, keys(leaky_document(|d| drop(d.remove("SecretAccessKey")))), 3),
        ("imds-keys-hang", KEYS, Reply::Hang, 3),
        ("imds-hangs", TOKEN_PATH, Reply::Hang, 1),
    ] {
        let server = imds(String::new(), move |a| (a.path == path).then(|| reply.clone()));
        let mut case = on(case_at(&sts), &server);
        assert_eq!(fails(name, leaky(&mut case), &server), asked, "{name}");
    }
    assert_eq!(sts.calls("AssumeRole"), 0);
}

#[test]
fn a_pod_is_told_of_the_hop_limit() {
    let sts = Sts::start();
    let server = Server::start(|_| Reply::Hang);
    let mut case = on(case_at(&sts), &server);
    case.env("KUBERNETES_SERVICE_HOST", "10.0.0.1");
    assert_eq!(fails("imds-hangs-in-a-pod", &case, &server), 1);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    case.unset("KUBERNETES_SERVICE_HOST");
    case.env("AWS_EC2_METADATA_SERVICE_ENDPOINT", format!("http://{closed}/"));
    assert_eq!(fails("imds-nobody-listens", &case, &server), 1);
    case.env("AWS_EC2_METADATA_SERVICE_ENDPOINT", "canary no uri").canary("canary");
    assert_eq!(fails("imds-address-is-none", &case, &server), 1);
}
