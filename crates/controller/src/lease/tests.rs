//! The rules of the Lease, against an API server that keeps one.

use std::sync::Arc;

use axum::Router;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::*;

/// An API server with one Lease, or without its namespace.
#[derive(Default)]
struct Kept {
    version: u64,
    lease: Option<Value>,
    requests: u64,
    has_no_namespace: bool,
}

impl Kept {
    /// Somebody else writes it.
    fn edit(&mut self, edit: impl FnOnce(&mut Value)) {
        self.version += 1;
        let lease = self.lease.as_mut().unwrap();
        edit(lease);
        lease["metadata"]["resourceVersion"] = json!(self.version.to_string());
    }

    fn answer(&mut self, method: &Method, body: &str) -> (StatusCode, Value) {
        self.requests += 1;
        let refusal = |code: StatusCode, reason: &str| {
            let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure",
                "code": code.as_u16(), "reason": reason, "message": reason});
            (code, status)
        };
        let known = self.lease.clone().filter(|_| !self.has_no_namespace);
        match (method, known) {
            (&Method::GET | &Method::PUT, None) => {
                return refusal(StatusCode::NOT_FOUND, "NotFound");
            }
            (&Method::GET, Some(lease)) => return (StatusCode::OK, lease),
            (&Method::POST, None) if self.has_no_namespace => {
                return refusal(StatusCode::NOT_FOUND, "NotFound");
            }
            (&Method::PUT, Some(lease)) => {
                let new: Value = serde_json::from_str(body).unwrap();
                if new["metadata"]["resourceVersion"] != lease["metadata"]["resourceVersion"] {
                    return refusal(StatusCode::CONFLICT, "Conflict");
                }
            }
            _ => {}
        }
        self.lease = Some(serde_json::from_str(body).unwrap());
        self.edit(|_| {});
        (StatusCode::OK, self.lease.clone().unwrap())
    }
}

type Server = Arc<Mutex<Kept>>;

async fn server() -> (Server, kube::Client) {
    // Whichever test is first does it.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let kept = Server::default();
    let answers = Arc::clone(&kept);
    let answer = move |method: Method, body: String| {
        let (code, value) = answers.lock().unwrap().answer(&method, &body);
        std::future::ready((code, value.to_string()))
    };
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    let config = kube::Config::new(format!("http://127.0.0.1:{port}").parse().unwrap());
    (kept, kube::Client::try_from(config).unwrap())
}

fn terms(duration: u64, renew_deadline: u64, retry_period: u64) -> Terms {
    Terms {
        namespace: "rolecall".to_owned(),
        name: "rolecall-controller".to_owned(),
        identity: "a".to_owned(),
        duration: Duration::from_millis(duration),
        renew_deadline: Duration::from_millis(renew_deadline),
        retry_period: Duration::from_millis(retry_period),
    }
}

/// Long, but for the tries.
fn patient() -> Terms {
    terms(600_000, 500_000, 20)
}

fn epoch() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

#[test]
fn a_holder_stops_before_others_begin_and_tries_more_than_once() {
    for (terms, problems) in [
        (terms(15_000, 10_000, 2_000), 0),
        (terms(1_000, 800, 200), 0),
        (terms(10_000, 10_000, 2_000), 1),
        (terms(15_000, 2_400, 2_000), 1),
        (terms(1_000, 1_000, 1_000), 2),
        (terms(15_000, 10_000, 0), 1),
    ] {
        assert_eq!(terms.problems().len(), problems, "{terms:?}");
    }
}

#[tokio::test]
async fn a_namespace_that_is_not_there_is_asked_for_at_each_period() {
    let (kept, client) = server().await;
    kept.lock().unwrap().has_no_namespace = true;
    let election = Election::new(client, terms(15_000, 10_000, 100), epoch);
    let end = CancellationToken::new();
    timeout(Duration::from_millis(550), election.acquire(&end)).await.unwrap_err();
    // A look and a try each time.
    let requests = kept.lock().unwrap().requests;
    assert!(requests <= 12, "{requests}");
}

#[tokio::test]
async fn whoever_lost_it_in_between_is_told_so_though_it_is_free_again() {
    let (kept, client) = server().await;
    let election = Election::new(client, patient(), epoch);
    election.acquire(&CancellationToken::new()).await;
    assert!(!election.has_stood_by());
    kept.lock().unwrap().edit(|lease| lease["spec"]["holderIdentity"] = json!(""));
    election.keep().await;
    assert!(!election.is_held() && election.has_stood_by());
    assert_eq!(kept.lock().unwrap().lease.as_ref().unwrap()["spec"]["holderIdentity"], "");
    // And takes it again as anybody would.
    election.acquire(&CancellationToken::new()).await;
    assert!(election.is_held());
    election.give_back().await;
    assert!(!election.is_held());
    assert_eq!(kept.lock().unwrap().lease.as_ref().unwrap()["spec"]["holderIdentity"], "");
}

#[tokio::test]
async fn whoever_took_it_has_it_and_whoever_labels_it_does_not() {
    let (kept, client) = server().await;
    let election = Arc::new(Election::new(client, patient(), epoch));
    election.acquire(&CancellationToken::new()).await;
    let keeper = Arc::clone(&election);
    let keeping = tokio::spawn(async move { keeper.keep().await });
    kept.lock().unwrap().edit(|lease| lease["metadata"]["labels"] = json!({"team": "a"}));
    let renewed = |kept: &Server| kept.lock().unwrap().version;
    let before = renewed(&kept);
    while renewed(&kept) < before + 3 {
        sleep(Duration::from_millis(5)).await;
    }
    assert!(election.is_held() && !keeping.is_finished());
    kept.lock().unwrap().edit(|lease| lease["spec"]["holderIdentity"] = json!("b"));
    keeping.await.unwrap();
    assert!(!election.is_held());
    assert_eq!(kept.lock().unwrap().lease.as_ref().unwrap()["spec"]["holderIdentity"], "b");
}

#[tokio::test]
async fn a_silent_holder_is_followed_when_its_time_is_over_whatever_is_labelled() {
    let (kept, client) = server().await;
    let first = Election::new(client.clone(), terms(1_000, 800, 50), epoch);
    first.acquire(&CancellationToken::new()).await;
    let other = Terms { identity: "b".to_owned(), ..terms(1_000, 800, 50) };
    let second = Election::new(client, other, epoch);
    let labels = async {
        loop {
            sleep(Duration::from_millis(200)).await;
            kept.lock().unwrap().edit(|lease| lease["metadata"]["labels"] = json!({"n": "1"}));
        }
    };
    let end = CancellationToken::new();
    tokio::select! {
        is_held = second.acquire(&end) => assert!(is_held),
        () = labels => {}
    }
    assert!(second.is_held() && !first.is_held());
    assert!(second.has_stood_by() && !first.has_stood_by());
    let lease = kept.lock().unwrap().lease.clone().unwrap();
    assert_eq!(
        (&lease["spec"]["holderIdentity"], &lease["spec"]["leaseTransitions"]),
        (&json!("b"), &json!(1))
    );
}

#[tokio::test]
async fn odd_leases_are_taken_or_waited_for() {
    for (spec, is_free) in [
        (json!(null), true),
        (json!({}), true),
        (json!({"holderIdentity": ""}), true),
        (json!({"holderIdentity": "b"}), false),
        (json!({"holderIdentity": "b", "leaseDurationSeconds": 0}), false),
        (json!({"holderIdentity": "b", "leaseDurationSeconds": i32::MAX}), false),
    ] {
        let (kept, client) = server().await;
        let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "spec": spec,
            "metadata": {"name": "rolecall-controller", "resourceVersion": "0"}});
        kept.lock().unwrap().lease = Some(lease);
        let election = Election::new(client, terms(15_000, 10_000, 20), epoch);
        let most = if is_free { Duration::from_secs(30) } else { Duration::from_millis(300) };
        let end = CancellationToken::new();
        let taken = timeout(most, election.acquire(&end)).await;
        assert_eq!(taken.is_ok(), is_free, "{spec}");
    }
}

#[tokio::test]
async fn a_try_that_has_begun_is_waited_for_at_the_end() {
    let (kept, client) = server().await;
    let election = Election::new(client, patient(), epoch);
    let end = CancellationToken::new();
    let stop = async {
        // As early as it can be while the first request is in the air.
        while kept.lock().unwrap().requests == 0 {
            tokio::task::yield_now().await;
        }
        end.cancel();
    };
    let (is_held, ()) = tokio::join!(election.acquire(&end), stop);
    assert!(is_held);
    election.give_back().await;
    assert_eq!(kept.lock().unwrap().lease.as_ref().unwrap()["spec"]["holderIdentity"], "");
    assert!(!election.acquire(&end).await);
}
