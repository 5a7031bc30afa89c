//! Servers that hand out keys: an agent of a container, and an instance metadata service.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, Response};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::harness::{RUNTIME, wait};

/// One request.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
}

impl Asked {
    /// A header's text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// What a server does with a request.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    Answer(u16, String),
    /// The success of a request for a metadata token.
    Token(String),
    /// Nothing, until the server is stopped.
    Hang,
}

/// A server on a free port of loopback; it ends when it is dropped.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    stop: watch::Sender<bool>,
    task: Option<JoinHandle<()>>,
}

impl Server {
    pub(super) fn start(reply: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let (stop, stopped) = watch::channel(false);
        let (asked, reply) = (Arc::new(Mutex::new(Vec::new())), Arc::new(reply));
        let (log, until) = (Arc::clone(&asked), stopped.clone());
        let router = Router::new().fallback(move |request: Request| {
            let asked = Asked {
                method: request.method().clone(),
                path: request.uri().path().to_owned(),
                headers: request.headers().clone(),
            };
            let reply = reply(&asked);
            log.lock().unwrap().push(asked);
            respond(reply, until.clone())
        });
        let listener = wait(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let task = RUNTIME.spawn(async move {
            let ends = ended(stopped);
            axum::serve(listener, router).with_graceful_shutdown(ends).await.unwrap();
        });
        Self { address, asked, stop, task: Some(task) }
    }

    /// Every request so far.
    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(task) = self.task.take() {
            wait(task).unwrap();
        }
    }
}

async fn respond(reply: Reply, until: watch::Receiver<bool>) -> Response<Body> {
    let (status, ttl, body) = match reply {
        Reply::Answer(status, body) => (status, None, body),
        Reply::Token(token) => (200, Some("21600"), token),
        Reply::Hang => {
            ended(until).await;
            (503, None, String::new())
        }
    };
    let mut response = Response::builder().status(status);
    if let Some(ttl) = ttl {
        response = response.header("x-aws-ec2-metadata-token-ttl-seconds", ttl);
    }
    response.body(Body::from(body)).unwrap()
}

async fn ended(mut stopped: watch::Receiver<bool>) {
    // An error means that the server is gone, which is an end too.
    stopped.wait_for(|stopped| *stopped).await.ok();
}
