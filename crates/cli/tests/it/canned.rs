//! Servers that imitate STS badly: replies as they were seen in the wild, byte for byte.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use serde::Deserialize;

use crate::harness::{Case, Ran, Sink};

const ROLE: &str = "arn:aws:iam::111122223333:role/reader";

/// Answers every request with the same bytes.
struct Canned {
    url: String,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Canned {
    /// `reply` makes status and body from the request's text.
    fn start(reply: impl Fn(&str) -> (u16, String) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                // A client that gives up half-way is its own business.
                answer(stream.unwrap(), &reply).ok();
            }
        });
        Self { url, stop, thread: Some(thread) }
    }

    fn case(&self) -> Case {
        let mut case = Case::new();
        case.env("AWS_ENDPOINT_URL_STS", &self.url).env("AWS_REGION", "eu-west-1");
        case.env("AWS_ACCESS_KEY_ID", "AKIAX").env("AWS_SECRET_ACCESS_KEY", "canary-secret");
        case.canary("canary-secret");
        case
    }
}

impl Drop for Canned {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let address = self.url.trim_start_matches("http://");
        drop(TcpStream::connect(address));
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

fn answer(mut stream: TcpStream, reply: impl Fn(&str) -> (u16, String)) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        let read = stream.read(&mut buffer)?;
        request.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            if read == 0 {
                return Ok(());
            }
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| {
                line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok()
            })
            .unwrap_or(0);
        if body.len() >= length {
            let (status, body) = reply(&text);
            let head = format!(
                "HTTP/1.1 {status} X\r\ncontent-type: text/xml\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            return stream.write_all(format!("{head}{body}").as_bytes());
        }
    }
}

/// One line of the wild replies.
#[derive(Deserialize)]
struct WildReply {
    id: String,
    name: String,
    operation: String,
    status: u16,
    body: String,
    right: String,
}

#[test]
fn replies_seen_in_the_wild_are_read_right() {
    for line in include_str!("w6-replies.jsonl").lines() {
        let wild: WildReply = serde_json::from_str(line).unwrap();
        let (status, body) = (wild.status, wild.body.clone());
        let server = Canned::start(move |_| (status, body.clone()));
        let ran = ask(&server, &wild.operation);
        let about = format!("{} {}: {}", wild.id, wild.name, ran.stderr);
        match (wild.status, wild.name.as_str()) {
            (200, "no Expiration") => {
                assert_eq!(ran.status, 0, "{about}");
                assert!(!ran.stdout.contains("expiration="), "{about}");
                assert!(ran.stderr.contains("STS gave no expiry"), "{about}");
            }
            (200, _) => {
                assert_eq!(ran.status, 0, "{about}");
                assert!(ran.stdout.contains("session_token=TOKTEST\n"), "{about}");
                assert!(ran.stdout.contains("expiration=1893456000\n"), "{about}");
            }
            (_, "wrong key, policy code") => {
                assert_eq!(ran.status, 3, "{about}");
                assert!(ran.stderr.contains("no policy was sent"), "{about}");
                assert!(ran.stderr.contains("the key"), "{about}");
            }
            _ => {
                assert_eq!(ran.status, 3, "{about}");
                assert!(ran.stderr.contains("STS answered MissingFields: m"), "{about}");
            }
        }
        assert!(!wild.right.is_empty());
    }
}

/// Asks by `generate`, with keys from the environment or a token from a file.
fn ask(server: &Canned, operation: &str) -> Ran {
    let mut case = server.case();
    let web = operation == "AssumeRoleWithWebIdentity";
    let auth = if web { "auth: {jwt: {serviceAccountRef: {name: app}}}" } else { "" };
    case.file(
        "a.yaml",
        format!(
            "apiVersion: generators.external-secrets.io/v1alpha1\nkind: STSAssumeRoleToken\n\
             metadata: {{name: reader}}\nspec:\n  region: \"\"\n  role: {ROLE}\n  {auth}\n---\n\
             apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: app\n  annotations: \
             {{eks.amazonaws.com/role-arn: \"{ROLE}\"}}\n"
        ),
    );
    case.file("token", "a.b.c");
    let mut arguments = vec!["generate", "-f", "a.yaml"];
    if web {
        arguments.extend(["--web-identity-token-file", "token"]);
    }
    case.run(&arguments, Sink::Stdout)
}

#[test]
fn a_guard_fails_closed_where_the_reply_names_no_role() {
    let body = success("", "2030-01-01T00:00:00Z");
    let server = Canned::start(move |_| (200, body.clone()));
    let mut case = server.case();
    case.issued("SKTEST-canary").issued("TOKTEST-canary");
    let ran = case.run(&["assume", ROLE, "--allow-account", "111122223333"], Sink::None);
    assert_eq!(ran.status, 3, "{}", ran.stderr);
    assert!(ran.stderr.contains("names no role"), "{}", ran.stderr);
    // W6-12: an endpoint override needs no region, and other servers' ARNs pass.
    case.unset("AWS_REGION");
    let ran = case.run(&["assume", "urn:ecs:iam::NS:role/X1234"], Sink::Stdout);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("AWS_REGION='us-east-1'"), "{}", ran.stdout);
}

/// W6-16 and endpoints with a path: the path is kept, and `/` stands where there is none.
#[test]
fn the_path_of_an_endpoint_is_kept() {
    for (path, line) in [("", "POST / "), ("/", "POST / "), ("/sts/v1", "POST /sts/v1")] {
        let server = Canned::start(move |request| {
            let status = if request.starts_with(line) { 200 } else { 400 };
            (status, success("", "2030-01-01T00:00:00Z"))
        });
        let mut case = server.case();
        case.env("AWS_ENDPOINT_URL_STS", format!("{}{path}", server.url));
        let ran = case.run(&["assume", ROLE], Sink::Stdout);
        assert_eq!(ran.status, 0, "{path}: {}", ran.stderr);
    }
}

#[test]
fn a_server_that_repeats_the_request_leaks_nothing() {
    let server = Canned::start(|request| {
        let message = request.replace(['<', '&'], " ");
        let body = format!(
            "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code><Message>{message}</Message></Error></ErrorResponse>"
        );
        (403, body)
    });
    let mut case = server.case();
    case.env("AWS_SESSION_TOKEN", "canary-token").canary("canary-token");
    case.canary("canary/external-id");
    let ran = case.run(&["assume", ROLE, "--external-id", "canary/external-id"], Sink::None);
    assert_eq!(ran.status, 3, "{}", ran.stderr);
    assert!(ran.stderr.contains("[redacted]"), "{}", ran.stderr);
    // The same from a profile that assumes a role by itself, whose keys are not known here.
    case.file(
        "config",
        format!(
            "[profile p]\nrole_arn = {ROLE}\nsource_profile = base\n[profile base]\n\
             aws_access_key_id = AKIAX\naws_secret_access_key = canary-secret\n\
             aws_session_token = canary-profile-token\n"
        ),
    );
    case.canary("canary-profile-token");
    case.env("AWS_CONFIG_FILE", case.folder("work").join("config").display().to_string());
    case.env("AWS_ENDPOINT_URL", &server.url);
    let ran = case.run(&["assume", ROLE, "--profile", "p"], Sink::None);
    assert_eq!(ran.status, 3, "{}", ran.stderr);
    assert!(ran.stderr.contains("STS answered SignatureDoesNotMatch"), "{}", ran.stderr);
}

#[test]
fn a_server_that_knows_the_secret_leaks_it_nowhere() {
    let server = Canned::start(|_| {
        let body = "<ErrorResponse><Error><Code>canary-token</Code>\
                    <Message>canary-secret</Message></Error></ErrorResponse>";
        (403, body.to_owned())
    });
    let mut case = server.case();
    case.env("AWS_SESSION_TOKEN", "canary-token").canary("canary-token");
    let ran = case.run(&["assume", ROLE], Sink::None);
    assert_eq!(ran.status, 3, "{}", ran.stderr);
    // What has not the form of a code is not shown, and the sentence is without the secret.
    assert!(ran.stderr.contains("STS answered an unknown code: [redacted]"), "{}", ran.stderr);
}

#[test]
fn half_a_success_leaks_nothing() {
    for (name, body) in [
        ("a broken expiry", success("", "soon")),
        ("no token", success("", "2030-01-01T00:00:00Z").replace("TOKTEST-canary", "")),
        ("half a token", success("", "x").split("TEST-canary</Sess").next().unwrap().to_owned()),
        ("cut off", success("", "x").split("<Expiration>").next().unwrap().to_owned()),
        ("an error in a success", success("<Error><Code>SKTEST-canary</Code></Error>", "x")),
    ] {
        let server = Canned::start(move |_| (200, body.clone()));
        let mut case = server.case();
        case.issued("SKTEST-canary").issued("TOKTEST-canary");
        let ran = case.run(&["assume", ROLE, "-v"], Sink::Stdout);
        assert_eq!(ran.status, 4, "{name}: {}", ran.stderr);
        assert!(ran.stdout.is_empty(), "{name}");
    }
}

/// An access key ID that is the secret, since somebody exchanged the two.
#[test]
fn swapped_keys_are_neither_sent_nor_shown() {
    let server = Canned::start(|_| (200, success("", "2030-01-01T00:00:00Z")));
    let mut case = server.case();
    case.env("AWS_ACCESS_KEY_ID", "canary/swapped").canary("canary/swapped");
    case.env("AWS_SECRET_ACCESS_KEY", "AKIAIOSFODNN7EXAMPLE");
    let ran = case.run(&["assume", ROLE], Sink::None);
    assert_eq!(ran.status, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("swapped"), "{}", ran.stderr);
}

#[test]
fn an_answer_that_never_stops_is_refused() {
    let server = Canned::start(|_| {
        (200, success(&format!("<!--{}-->", "x".repeat(2 * 1024 * 1024)), "2030-01-01T00:00:00Z"))
    });
    let ran = server.case().run(&["assume", ROLE], Sink::None);
    assert_eq!(ran.status, 4, "{}", ran.stderr);
}

/// Seen from a proxy, which the environment names: which address of the region is called.
#[test]
fn each_form_of_a_regions_address_is_called() {
    for (flags, host) in [
        (&[][..], "sts.eu-west-1.amazonaws.com:443"),
        (&["--fips"], "sts-fips.eu-west-1.amazonaws.com:443"),
        (&["--dual-stack"], "sts.eu-west-1.api.aws:443"),
        (&["--fips", "--dual-stack"], "sts-fips.eu-west-1.api.aws:443"),
        // The hop that the profile itself makes.
        (&["--fips", "--profile", "p"], "sts-fips.eu-west-1.amazonaws.com:443"),
    ] {
        let asked = Arc::new(std::sync::Mutex::new(String::new()));
        let seen = Arc::clone(&asked);
        let proxy = Canned::start(move |request| {
            request.lines().next().unwrap_or_default().clone_into(&mut seen.lock().unwrap());
            (502, String::new())
        });
        let mut case = proxy.case();
        case.unset("AWS_ENDPOINT_URL_STS").env("HTTPS_PROXY", &proxy.url);
        case.file(
            "config",
            format!("[profile p]\nrole_arn = {ROLE}\ncredential_source = Environment\n"),
        );
        case.env("AWS_CONFIG_FILE", case.folder("work").join("config").display().to_string());
        let arguments: Vec<&str> = ["assume", ROLE].iter().chain(flags).copied().collect();
        let ran = case.run(&arguments, Sink::None);
        assert_eq!(ran.status, 4, "{flags:?}: {}", ran.stderr);
        assert!(asked.lock().unwrap().starts_with(&format!("CONNECT {host} ")), "{flags:?}");
    }
}

/// One attempt, and no more than its second, off EC2.
#[test]
fn instance_metadata_that_does_not_answer_is_asked_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let silent = std::thread::spawn(move || {
        let mut held = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().unwrap();
            let mut first = [0];
            // The test itself ends the wait, by a connection that says nothing.
            if stream.read(&mut first).unwrap() == 0 {
                return held.len();
            }
            held.push(stream);
        }
    });
    let mut case = Case::new();
    case.env("AWS_EC2_METADATA_DISABLED", "false").env("AWS_REGION", "eu-west-1");
    case.env("AWS_EC2_METADATA_SERVICE_ENDPOINT", format!("http://{address}/"));
    let ran = case.run(&["assume", ROLE], Sink::None);
    drop(TcpStream::connect(address).unwrap());
    assert_eq!(silent.join().unwrap(), 1);
    assert_eq!(ran.status, 2, "{}", ran.stderr);
    let reason = "instance metadata (IMDSv2): nothing answered within 1 s";
    assert!(ran.stderr.contains(reason), "{}", ran.stderr);
}

#[test]
fn too_many_requests_without_a_body_is_throttling() {
    let calls = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let server = Canned::start(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        (429, String::new())
    });
    let ran = server.case().run(&["assume", ROLE], Sink::None);
    assert_eq!(ran.status, 4, "{}", ran.stderr);
    assert_eq!(calls.load(Ordering::SeqCst), 3);
    assert!(ran.stderr.contains("HTTP 429"), "{}", ran.stderr);
}

fn success(more: &str, expiration: &str) -> String {
    format!(
        "<AssumeRoleResponse><AssumeRoleResult>{more}<Credentials>\
         <AccessKeyId>AKIDTEST</AccessKeyId><SecretAccessKey>SKTEST-canary</SecretAccessKey>\
         <SessionToken>TOKTEST-canary</SessionToken><Expiration>{expiration}</Expiration>\
         </Credentials></AssumeRoleResult></AssumeRoleResponse>"
    )
}
