//! `--emulate`: the emulator inside this process, in place of AWS and of every real source.

use std::path::Path;
use std::sync::Arc;

use rolecall_aws::{Endpoint, PlainHttp};
use rolecall_emulator::{Emulator, Options, Transport, World};
use rolecall_engine::ports::Clock;
use rolecall_engine::region::Region;
use rolecall_engine::session::{Credentials, Identity};
use secrecy::SecretString;

use crate::clock::SystemClock;
use crate::files::{MOST_BYTES, read_text};
use crate::report::{Exit, Failure};
use crate::terminal::Terminal;

/// A running emulator and what stands in for the machine's own identity.
#[derive(Debug)]
pub(crate) struct Emulation {
    emulator: Emulator,
    region: Region,
}

impl Emulation {
    /// Starts the emulator and says so, whatever `--quiet` says.
    pub(crate) async fn start(world: Option<&Path>) -> Result<Self, Failure> {
        let world = load_world(world)?;
        let region = Region::parse(world.region()).map_err(|problem| {
            Failure::usage("the world file is not valid").problem(format!("region: {problem}"))
        })?;
        let listen = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        let emulator = start(world, listen, Transport::Http).await?;
        Terminal::banner("EMULATED: no call leaves this machine, and the credentials open nothing");
        Ok(Self { emulator, region })
    }

    /// Where the emulated STS listens.
    pub(crate) fn endpoint(&self) -> Result<Endpoint, Failure> {
        Endpoint::parse(&self.emulator.sts_url(), PlainHttp::Loopback)
            .map_err(|problem| Failure::new(Exit::Other, format!("the emulator {problem}")))
    }

    /// The region of the world.
    pub(crate) fn region(&self) -> &Region {
        &self.region
    }

    /// The world's `ambient:` caller, who stands in for the default chain.
    pub(crate) fn ambient(&self) -> Option<Identity> {
        let found = self.emulator.ambient_credentials()?;
        Some(Identity::Keys {
            credentials: Credentials {
                access_key_id: found.access_key_id,
                secret_access_key: SecretString::from(found.secret_access_key),
                session_token: found.session_token.map(SecretString::from),
            },
            expires_at: found.expires_at,
            origin: "ambient caller of the emulated world".to_owned(),
        })
    }

    /// Ends the emulator and waits for its tasks.
    pub(crate) async fn stop(self) {
        self.emulator.shutdown().await;
    }
}

/// Reads a world file, or takes the built-in world.
pub(crate) fn load_world(file: Option<&Path>) -> Result<World, Failure> {
    let Some(file) = file else {
        return World::builtin().map_err(|error| {
            Failure::new(Exit::Other, "the built-in world is not valid").cause(error.to_string())
        });
    };
    let text = read_text(file, MOST_BYTES).map_err(|problem| {
        Failure::usage(format!("the world file {} {problem}", file.display()))
    })?;
    World::parse(&text).map_err(|error| {
        let summary = format!("the world file {} is not valid", file.display());
        let failure = error.to_string().lines().fold(Failure::usage(summary), Failure::problem);
        failure.hint("the keys of a world file are in docs/reference/world.md")
    })
}

/// Starts an emulator on the machine's clock.
pub(crate) async fn start(
    world: World,
    listen: std::net::SocketAddr,
    transport: Transport,
) -> Result<Emulator, Failure> {
    let options = Options { listen, transport, clock: Arc::new(|| SystemClock.now()) };
    Emulator::start(world, options).await.map_err(|error| {
        Failure::new(Exit::Other, format!("the emulator cannot listen on {listen}"))
            .cause(error.to_string())
    })
}
