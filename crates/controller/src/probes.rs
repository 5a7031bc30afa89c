//! What is served: metrics, and whether the controller is alive and ready. No secret, no object's
//! text.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::metrics::Scrape;
use crate::reconcile::Reconciler;

/// What the servers look at.
#[derive(Clone, Debug)]
pub struct Watched {
    /// The state of everything.
    pub reconciler: Arc<Reconciler>,
    /// Whether every watch has told what there is.
    pub is_ready: Arc<AtomicBool>,
}

/// Serves `/metrics` until the end.
///
/// # Errors
///
/// When the address cannot be listened at.
pub async fn metrics(
    address: SocketAddr,
    watched: Watched,
    end: CancellationToken,
) -> std::io::Result<()> {
    serve(
        "metrics",
        address,
        Router::new().route("/metrics", get(metrics_text)).with_state(watched),
        end,
    )
    .await
}

/// Serves `/healthz` and `/readyz` until the end.
///
/// # Errors
///
/// When the address cannot be listened at.
pub async fn probes(
    address: SocketAddr,
    watched: Watched,
    end: CancellationToken,
) -> std::io::Result<()> {
    let router = Router::new().route("/healthz", get(health)).route("/readyz", get(readiness));
    serve("probes", address, router.with_state(watched), end).await
}

async fn serve(
    what: &str,
    address: SocketAddr,
    router: Router,
    end: CancellationToken,
) -> std::io::Result<()> {
    let listener = match TcpListener::bind(address).await {
        // A node without IPv6.
        Err(error) if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) && !is_taken(&error) => {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port())).await?
        }
        bound => bound.map_err(|error| {
            std::io::Error::new(error.kind(), format!("{what} at {address}: {error}"))
        })?,
    };
    tracing::info!(what, address = %listener.local_addr()?, "listening");
    axum::serve(listener, router).with_graceful_shutdown(end.cancelled_owned()).await
}

fn is_taken(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::AddrInUse
}

async fn metrics_text(State(watched): State<Watched>) -> Response {
    let on = &watched.reconciler;
    let election = on.election.as_ref();
    let seen = Scrape {
        states: &on.states,
        events_dropped: on.events.dropped(),
        election: election.map(|election| (election.name(), election.is_held())),
        clock_offset: on.aws.clock_offset(),
        now: on.clock.now(),
    };
    match on.metrics.text(&seen) {
        Ok(text) => ([("content-type", "text/plain; version=0.0.4")], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// The scheduler moves: what AWS does is no reason to restart a pod.
async fn health(State(watched): State<Watched>) -> Response {
    let on = &watched.reconciler;
    let lag = on.metrics.queue_lag(on.clock.now());
    if lag < MOST_LAG {
        return "ok".into_response();
    }
    let text = format!("the object that has waited longest is overdue by {lag:.0} s");
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}

async fn readiness(State(watched): State<Watched>) -> Response {
    if watched.is_ready.load(Ordering::Relaxed) {
        return "ok".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, "the watches have not told yet what there is").into_response()
}

/// For how long an object may be overdue before the scheduler counts as stuck.
const MOST_LAG: f64 = 300.0;
