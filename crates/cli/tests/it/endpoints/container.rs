//! The agents of containers: EKS Pod Identity, ECS, and others that speak like them.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::server::{Reply, Server};
use super::*;

/// Where kubelet puts the token, from the working folder.
const FOLDER: &str = "pods.eks.amazonaws.com/serviceaccount";

/// A projected token with readable claims, for `pods.eks.amazonaws.com`.
fn projected(number: u8) -> String {
    let claims = serde_json::json!({
        "iss": "https://oidc.eks.eu-west-1.amazonaws.com/id/X", "aud": ["pods.eks.amazonaws.com"],
        "sub": "system:serviceaccount:shop:cart", "exp": 4_102_444_800_u32, "jti": number,
    });
    format!("head.{}.canary-signature-{number}", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

/// A run in a pod with EKS Pod Identity at `server`.
fn pod(mut case: Case, server: &Server) -> Case {
    let token = projected(1);
    case.canary(&token).canary("canary-signature-1");
    case.file(&format!("{FOLDER}/token"), token);
    let file = case.folder("work").join(FOLDER).join("token").display().to_string();
    case.env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file);
    case.env(
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        format!("http://{}/v1/credentials", server.address),
    );
    case.env("KUBERNETES_SERVICE_HOST", "10.0.0.1");
    case
}

/// A run in a task of something like ECS at `server`, with its token in a variable.
fn task(mut case: Case, server: &Server) -> Case {
    case.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("http://{}/v2/creds", server.address));
    case.env("AWS_CONTAINER_AUTHORIZATION_TOKEN", "canary-task-token").canary("canary-task-token");
    case
}

#[test]
fn the_keys_of_a_pod_are_used_and_named() {
    let (sts, keys) = sts_of_hub();
    let body = document(&keys, &in_an_hour());
    let server = Server::start(move |_| Reply::Answer(200, body.clone()));
    let case = pod(case_at(&sts), &server);
    let ran = case.run(&["assume", ROLE, "-v"], Sink::Stdout);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("source: container credentials (EKS Pod Identity), until "),
        "{}",
        ran.stderr
    );
    let asked = server.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].path, "/v1/credentials");
    assert_eq!(asked[0].header("authorization"), Some(projected(1).as_str()));
    assert_eq!(sts.calls("AssumeRole"), 1);
    // They are those of a session, so the chain's cap holds before STS is asked.
    let ran = case.run(&["assume", ROLE, "--duration", "2h"], Sink::None);
    assert_eq!(ran.status, 2, "{}", ran.stderr);
    assert_eq!(sts.calls("AssumeRole"), 1);
}

#[test]
fn the_keys_of_a_task_are_used_and_named() {
    let (sts, keys) = sts_of_hub();
    let body = document(&keys, &in_an_hour());
    let server = Server::start(move |_| Reply::Answer(200, body.clone()));
    let mut case = task(case_at(&sts), &server);
    // A proxy of the environment is not handed the token.
    case.env("HTTP_PROXY", "http://192.0.2.1:9").env("http_proxy", "http://192.0.2.1:9");
    let ran = case.run(&["assume", ROLE, "-v"], Sink::Stdout);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let source = format!("source: container credentials (http://{}), until ", server.address);
    assert!(ran.stderr.contains(&source), "{}", ran.stderr);
    assert_eq!(server.asked()[0].header("authorization"), Some("canary-task-token"));
}

/// As kubelet does it: `token` → `..data/token`, and `..data` → a folder that a rename exchanges.
#[cfg(unix)]
#[test]
fn a_rotated_token_is_read_anew() {
    use std::os::unix::fs::symlink;

    let (sts, keys) = sts_of_hub();
    let body = document(&keys, &in_an_hour());
    let accepted = Arc::new(Mutex::new(projected(1)));
    let known = Arc::clone(&accepted);
    let server = Server::start(move |asked| {
        let is_known = asked.header("authorization") == Some(known.lock().unwrap().as_str());
        let refusal = "[1]: (InvalidTokenException): unknown, fault: client".to_owned();
        if is_known { Reply::Answer(200, body.clone()) } else { Reply::Answer(400, refusal) }
    });
    let mut case = pod(case_at(&sts), &server);
    case.canary(&projected(2)).canary("canary-signature-2");
    case.file(&format!("{FOLDER}/..1/token"), projected(1));
    case.file(&format!("{FOLDER}/..2/token"), projected(2));
    let folder = case.folder("work").join(FOLDER);
    std::fs::remove_file(folder.join("token")).unwrap();
    symlink("..1", folder.join("..data")).unwrap();
    symlink("..data/token", folder.join("token")).unwrap();
    let status = |case: &Case| case.run(&["assume", ROLE], Sink::Stdout).status;
    assert_eq!(status(&case), 0);
    *accepted.lock().unwrap() = projected(2);
    assert_eq!(status(&case), 3);
    symlink("..2", folder.join("..data_tmp")).unwrap();
    std::fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
    assert_eq!(status(&case), 0);
    let tokens: Vec<_> =
        server.asked().iter().map(|a| a.header("authorization").unwrap().to_owned()).collect();
    assert_eq!(tokens, [projected(1), projected(1), projected(2)]);
}

/// Every answer of an agent that gives no keys, with how often it is asked for.
#[test]
fn each_bad_answer_of_an_agent_has_its_message() {
    let said =
        |code: &str| format!("[3f2a]: ({code}): {SECRET} {TOKEN} {}, fault: client", projected(1));
    let without = |name: &'static str| leaky_document(move |document| drop(document.remove(name)));
    let with = |name: &'static str, value: &'static str| {
        leaky_document(move |document| drop(document.insert(name.to_owned(), value.into())))
    };
    let answers = [
        ("agent-400-expired", 400, said("ExpiredTokenException"), 1),
        ("agent-400-bare", 400, SECRET.to_owned(), 1),
        ("agent-401", 401, with("code", SECRET), 1),
        ("agent-403", 403, said("AccessDeniedException"), 1),
        ("agent-404", 404, said("ResourceNotFoundException"), 1),
        ("agent-429", 429, said("ThrottlingException"), 1),
        ("agent-500", 500, said("InternalServerException"), 3),
        ("agent-302", 302, SECRET.to_owned(), 1),
        ("agent-not-json", 200, format!("<html>{SECRET}</html>"), 3),
        ("agent-a-list", 200, format!("[\"{SECRET}\"]"), 3),
        ("agent-lacks-the-token", 200, without("Token"), 3),
        ("agent-lacks-all", 200, format!("{{\"x\":\"{SECRET}\"}}"), 3),
        ("agent-refusal-in-a-success", 200, with("Code", "AssumeRoleUnauthorizedAccess"), 1),
        ("agent-refusal-without-a-code", 200, with("Code", SECRET), 1),
        (
            "agent-expiration-with-an-offset",
            200,
            with("Expiration", "2100-01-01T00:00:00+00:00"),
            3,
        ),
        ("agent-expiration-past", 200, with("Expiration", "2020-01-01T00:00:00Z"), 1),
        ("agent-without-an-end", 200, "x".repeat(2 * 1024 * 1024), 3),
        ("agent-empty-token", 200, with("Token", ""), 1),
    ];
    std::thread::scope(|scope| {
        for chunk in answers.chunks(5) {
            scope.spawn(move || {
                for (name, status, body, asked) in chunk.iter().cloned() {
                    let server = Server::start(move |_| Reply::Answer(status, body.clone()));
                    let sts = Sts::start();
                    let mut case = pod(case_at(&sts), &server);
                    assert_eq!(fails(name, leaky(&mut case), &server), asked, "{name}");
                    // Whether keys have ended is for STS to say: this clock may be wrong.
                    let calls = usize::from(name == "agent-expiration-past");
                    assert_eq!(sts.calls("AssumeRole"), calls, "{name}");
                }
            });
        }
    });
}

#[test]
fn a_refused_task_is_told_about_its_own_token() {
    for (name, status) in [("task-401", 401), ("task-403", 403), ("task-404", 404)] {
        let body = format!("{{\"code\":\"{SECRET}\",\"message\":\"{TOKEN}\"}}");
        let server = Server::start(move |_| Reply::Answer(status, body.clone()));
        let mut case = task(case_at(&Sts::start()), &server);
        assert_eq!(fails(name, leaky(&mut case), &server), 1, "{name}");
    }
}

/// The one that waits for its limit runs beside those whose port is closed, or closes.
#[test]
fn an_agent_that_does_not_answer_is_told_from_one_that_is_not_there() {
    let sts = Sts::start();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let server = Server::start(|_| Reply::Hang);
            let case = pod(case_at(&sts), &server);
            assert!(fails("agent-hangs", &case, &server) >= 1);
        });
        let server = Server::start(|_| Reply::Hang);
        for (name, case) in [
            ("agent-nobody-listens", pod(case_at(&sts), &server)),
            ("task-nobody-listens", task(case_at(&sts), &server)),
        ] {
            let mut case = case;
            let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            case.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("http://{closed}/x"));
            assert_eq!(fails(name, &case, &server), 0, "{name}");
        }
        // The server takes the first bytes of TLS for a bad request, and so never sees one.
        let mut case = task(case_at(&sts), &server);
        let url = format!("https://{}/x", server.address);
        case.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", url);
        assert_eq!(fails("task-speaks-no-tls", &case, &server), 0);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let closes = scope.spawn(move || closes_until_told(&listener));
        let mut case = pod(case_at(&sts), &server);
        case.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("http://{address}/x"));
        assert_eq!(fails("agent-closes", &case, &server), 0);
        TcpStream::connect(address).unwrap().write_all(b"!").unwrap();
        assert_eq!(closes.join().unwrap(), 3);
    });
}

/// Closes each connection after its first byte, until that is `!`; says how many it closed before.
fn closes_until_told(listener: &TcpListener) -> usize {
    for closed in 0.. {
        let mut first = [0];
        listener.accept().unwrap().0.read_exact(&mut first).unwrap();
        if first == *b"!" {
            return closed;
        }
    }
    0
}

#[test]
fn what_is_wrong_with_the_variables_is_told_before_anything_is_sent() {
    const FULL: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
    const FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
    let server = Server::start(|_| Reply::Hang);
    let sts = Sts::start();
    for (name, variable, value) in [
        ("token-file-missing", FILE, "nowhere"),
        ("token-file-is-a-folder", FILE, "."),
        ("token-file-ends-in-a-line-break", FILE, "broken"),
        ("token-file-holds-a-line-break", FILE, "within"),
        ("container-uri-is-none", FULL, "canary no uri"),
        ("container-uri-in-clear", FULL, "http://user:canary@192.0.2.1/canary?canary"),
        ("container-uri-of-ftp", FULL, "ftp://127.0.0.1/canary"),
        ("container-relative-uri-is-none", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "canary"),
        ("container-relative-uri-is-empty", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", ""),
    ] {
        let mut case = pod(case_at(&sts), &server);
        case.canary("canary").env(variable, value);
        case.file("broken", "canary-token\n").file("within", "canary\r\ntoken");
        assert_eq!(fails(name, &case, &server), 0, "{name}");
    }
    // Only a refusal shows that an endpoint wanted a token.
    let server = Server::start(|_| Reply::Answer(401, SECRET.to_owned()));
    let mut case = pod(case_at(&sts), &server);
    case.file("empty", "").env(FILE, "empty").canary(SECRET);
    assert_eq!(fails("token-file-empty", &case, &server), 1);
    // A token file that was left over names no endpoint: the next place is asked.
    let mut case = pod(case_at(&sts), &server);
    case.unset(FULL);
    let ran = case.run(&["assume", ROLE], Sink::None);
    assert!(
        ran.stderr
            .contains("container credentials: no AWS_CONTAINER_CREDENTIALS_… variable is set"),
        "{}",
        ran.stderr
    );
    assert_eq!(ran.status, 2);
}
