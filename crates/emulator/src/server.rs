//! Listens, accepts and ends connections.
//!
//! Every connection is a task of one tracker and ends with one token, hanging ones too.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The most connections at a time: far more than a test opens, and below the usual 1,024 files.
const MOST_CONNECTIONS: usize = 512;
/// The pause after an accept that failed, as when no file is left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Where connections belong, and what ends them.
#[derive(Clone, Debug)]
pub(crate) struct Tasks {
    pub(crate) tracker: TaskTracker,
    pub(crate) stop: CancellationToken,
}

/// Serves `listener` until told to stop; over TLS when there is an acceptor.
pub(crate) async fn serve<S>(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    service: S,
    tasks: Tasks,
) where
    S: Service<Request<Incoming>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let permits = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let next = async {
            let permit = Arc::clone(&permits).acquire_owned().await;
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            () = tasks.stop.cancelled() => return,
            next = next => next,
        };
        let Ok((stream, _peer)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let (tls, service, stop) = (tls.clone(), service.clone(), tasks.stop.clone());
        tasks.tracker.spawn(async move {
            let _permit = permit;
            tokio::select! {
                () = stop.cancelled() => {}
                () = greet(stream, tls, service) => {}
            }
        });
    }
}

/// One connection, with its handshake if it has one. A client that distrusts us leaves there.
async fn greet<S>(stream: TcpStream, tls: Option<TlsAcceptor>, service: S)
where
    S: Service<Request<Incoming>, Response = Response<Body>>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    match tls {
        None => converse(stream, service).await,
        Some(acceptor) => {
            if let Ok(stream) = acceptor.accept(stream).await {
                converse(stream, service).await;
            }
        }
    }
}

/// One connection, to its end. That a client leaves, or is left on cue, is no error here.
async fn converse<S, T>(stream: T, service: S)
where
    T: AsyncRead + AsyncWrite + Unpin,
    S: Service<Request<Incoming>, Response = Response<Body>>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    drop(connection.await);
}
