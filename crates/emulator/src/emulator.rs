//! A running emulator: both ports, their tasks, and what tests ask about them.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use axum::body::Body;
use hyper::service::service_fn;
use hyper_util::service::TowerToHyperService;
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::fault::FaultRule;
use crate::issued::IssuedSecrets;
use crate::random;
use crate::record::RequestRecord;
use crate::server::{Tasks, serve};
use crate::session::{Baggage, Subject};
use crate::state::{Clock, State};
use crate::tls::Tls;
use crate::world::World;
use crate::{control, service};

/// How an emulator is started.
#[derive(Clone)]
pub struct Options {
    /// Where the STS port listens; port 0 takes a free one. The control port is always loopback.
    pub listen: SocketAddr,
    /// What the STS port speaks. The control port always speaks plain HTTP.
    pub transport: Transport,
    /// The time.
    pub clock: Clock,
}

/// What a port speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Transport {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS, with a certificate for 127.0.0.1, `::1`, `localhost` and the address listened
    /// on, signed by an authority made at start: [`Emulator::ca_certificate`].
    Https,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("listen", &self.listen)
            .field("transport", &self.transport)
            .finish_non_exhaustive()
    }
}

/// Credentials of the world's `ambient:` caller. `Debug` hides the secret and the token.
#[derive(Clone, Eq, PartialEq)]
pub struct AmbientCredentials {
    /// The key id.
    pub access_key_id: String,
    /// The secret key.
    pub secret_access_key: String,
    /// The session token, when the caller is a role.
    pub session_token: Option<String>,
    /// When they end; a user's keys never do.
    pub expires_at: Option<Timestamp>,
}

impl fmt::Debug for AmbientCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AmbientCredentials")
            .field("access_key_id", &self.access_key_id)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// A running emulator. Dropped, it stops; [`Emulator::shutdown`] also waits until it has.
pub struct Emulator {
    state: Arc<State>,
    tasks: Tasks,
    sts: SocketAddr,
    /// The certificate of the authority, when the STS port speaks TLS.
    ca_certificate: Option<String>,
    control: SocketAddr,
    control_token: String,
    ambient: Option<AmbientCredentials>,
}

impl Emulator {
    /// Binds both ports and starts to answer. Needs a tokio runtime of any flavour.
    ///
    /// # Errors
    ///
    /// A port that cannot be bound, or a system without randomness.
    ///
    /// # Cancellation
    ///
    /// Nothing runs before both ports are bound.
    pub async fn start(world: World, options: Options) -> io::Result<Self> {
        let sts_listener = TcpListener::bind(options.listen).await?;
        let control_listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let (sts, control) = (sts_listener.local_addr()?, control_listener.local_addr()?);
        let control_token = random::control_token().map_err(io::Error::other)?;
        let state = Arc::new(State::new(world, options.clock));
        let ambient = ambient(&state)?;
        let tls = match options.transport {
            Transport::Http => None,
            Transport::Https => Some(Tls::new(sts.ip())?),
        };
        let (acceptor, ca_certificate) = tls.map(|tls| (tls.acceptor, tls.ca_certificate)).unzip();
        let tasks = Tasks { tracker: TaskTracker::new(), stop: CancellationToken::new() };

        let shared = Arc::clone(&state);
        let answer = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            service::answer(Arc::clone(&shared), request.map(Body::new))
        });
        tasks.tracker.spawn(serve(sts_listener, acceptor, answer, tasks.clone()));
        let router = control::router(Arc::clone(&state), &control_token);
        let router = TowerToHyperService::new(router);
        tasks.tracker.spawn(serve(control_listener, None, router, tasks.clone()));
        Ok(Self { state, tasks, sts, ca_certificate, control, control_token, ambient })
    }

    /// The endpoint for AWS clients: `http://ADDRESS:PORT`, or `https://`.
    pub fn sts_url(&self) -> String {
        let address = match self.sts.ip() {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => IpAddr::V6(Ipv6Addr::LOCALHOST),
            address => address,
        };
        let scheme = if self.ca_certificate.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", SocketAddr::new(address, self.sts.port()))
    }

    /// The certificate, as PEM, that a client must trust for [`Transport::Https`]; new at every
    /// start. Nothing for [`Transport::Http`].
    pub fn ca_certificate(&self) -> Option<&str> {
        self.ca_certificate.as_deref()
    }

    /// The control port: `http://127.0.0.1:PORT`.
    pub fn control_url(&self) -> String {
        format!("http://{}", self.control)
    }

    /// What the control port demands as `Authorization: Bearer TOKEN`. New at every start.
    pub fn control_token(&self) -> &str {
        &self.control_token
    }

    /// Credentials of the `ambient:` caller: a user's first key, or a role's session "ambient".
    pub fn ambient_credentials(&self) -> Option<AmbientCredentials> {
        self.ambient.clone()
    }

    /// The next code of an MFA device that would be accepted now: of the present 30 s, or of the
    /// following ones when that code was used.
    ///
    /// Nothing when the world has no such device, and when both were used: then the next code comes
    /// within 30 s.
    pub fn mfa_code(&self, serial: &str) -> Option<String> {
        let (_, device) = self.state.world.mfa_device(serial)?;
        self.state.mfa().next_code(device, self.state.now())
    }

    /// The last 10,000 requests, oldest first.
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.state.log().to_vec()
    }

    /// Adds a fault after those in force.
    pub fn inject(&self, rule: FaultRule) {
        self.state.faults().push(rule);
    }

    /// Ends all faults, those of the world file too.
    pub fn clear_faults(&self) {
        self.state.faults().clear();
    }

    /// The secrets handed out: of every session, in no order, for a day after each ended and of the
    /// last 20,000 at most; then the last 10,000 registry passwords, oldest first.
    pub fn issued(&self) -> Vec<IssuedSecrets> {
        let mut issued: Vec<_> =
            self.state.sessions().iter().map(IssuedSecrets::of_session).collect();
        issued.extend(self.state.passwords().iter().map(IssuedSecrets::of_registry));
        issued
    }

    /// Stops accepting, ends every connection at once (hanging ones too) and joins the tasks.
    ///
    /// # Cancellation
    ///
    /// The tasks end all the same; nobody waits for them then.
    pub async fn shutdown(self) {
        self.tasks.stop.cancel();
        self.tasks.tracker.close();
        self.tasks.tracker.wait().await;
    }
}

impl fmt::Debug for Emulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emulator")
            .field("sts", &self.sts)
            .field("control", &self.control)
            .finish_non_exhaustive()
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.tasks.stop.cancel();
    }
}

fn ambient(state: &State) -> io::Result<Option<AmbientCredentials>> {
    let Some(arn) = state.world.ambient() else {
        return Ok(None);
    };
    if let Some(role) = state.world.role(arn) {
        let subject = Subject::role_session(&role.arn, "ambient");
        let seconds = role.max_session_duration / u64::from(state.world.lifetime_divisor);
        let life = jiff::SignedDuration::from_secs(i64::try_from(seconds.max(1)).unwrap_or(1));
        let session = state.sessions().mint(subject, Baggage::default(), life, state.now());
        let session = session.map_err(io::Error::other)?;
        return Ok(Some(AmbientCredentials {
            access_key_id: session.access_key_id,
            secret_access_key: session.secret_access_key,
            session_token: Some(session.token),
            expires_at: Some(session.expires_at),
        }));
    }
    let user = state.world.users().into_iter().find(|user| user.arn == arn);
    Ok(user.map(|user| AmbientCredentials {
        access_key_id: user.access_key_id,
        secret_access_key: user.secret_access_key,
        session_token: None,
        expires_at: None,
    }))
}
