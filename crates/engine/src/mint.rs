//! Mint: runs a plan against the ports and brings back what its last call gave.
//!
//! # Expected flow
//!
//! Identity of the source, then each earlier hop (shared, from memory or one flight per prefix),
//! then one live call of the last hop, which is never shared.
//!
//! # Guarantees
//!
//! Concurrent callers of one prefix cost one STS call, whether it succeeds or fails. A refusal of a
//! plan that only its source could show comes before the call it would spoil.
//!
//! # Assumptions
//!
//! The [`Aws`] port retries what is transient; what it returns is final.
//!
//! # Caveats
//!
//! Prefix sessions live in this process's memory while more than five minutes (or half their life)
//! remain; nothing is written to disk.
//!
//! # Errors
//!
//! An expired caller or a token that STS does not accept is read anew and tried once more, if it
//! turns out to be another one.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::error::{CallFacts, CallFailure, Error, SourceError};
use crate::flight::Flights;
use crate::plan::{Caller, Hop, Plan, SourceSpec};
use crate::ports::{Aws, Clock, Source};
use crate::region::Region;
use crate::request::{Mfa, RoleRequest, SessionTokenRequest};
use crate::session::{Fingerprint, Identity, Issued, Session};
use crate::token;

/// Runs plans; one for the whole process, so that its prefixes are shared.
pub struct Minter {
    ports: Arc<Ports>,
    identities: Flights<(SourceSpec, Region), Arc<Identity>, Error>,
    flights: Flights<PrefixKey, Arc<Session>, Error>,
}

/// What was issued and how it came about.
#[derive(Clone, Debug)]
pub struct Minted {
    /// What the last hop gave.
    pub issued: Issued,
    /// Where the first identity came from, for people.
    pub origin: String,
    /// When the source's own keys end, where that is known.
    pub source_ends_at: Option<Timestamp>,
    /// The sessions of the earlier hops.
    pub prefix: Vec<Arc<Session>>,
}

impl Minter {
    /// Puts the ports together.
    pub fn new(source: Arc<dyn Source>, aws: Arc<dyn Aws>, clock: Arc<dyn Clock>) -> Self {
        Self {
            ports: Arc::new(Ports { source, aws, clock, prefixes: Mutex::default() }),
            identities: Flights::new(),
            flights: Flights::new(),
        }
    }

    /// Runs the plan's last hop anew.
    ///
    /// # Errors
    ///
    /// [`Error`], shared with whoever waited for the same prefix.
    ///
    /// # Cancellation
    ///
    /// Calls of the prefix go on for others who wait; the last call is dropped.
    pub async fn mint(&self, plan: &Plan) -> Result<Minted, Arc<Error>> {
        let identity = self.identity(plan).await?;
        let mut used = Vec::new();
        match self.run(plan, &identity, &mut used).await {
            Err(error) if error.class().blames_caller() => {
                let forgot = self.forget(&used);
                let again = self.identity(plan).await?;
                if !forgot && again.fingerprint() == identity.fingerprint() {
                    return Err(error);
                }
                self.run(plan, &again, &mut used).await
            }
            result => result,
        }
    }

    /// Waits until no call is in the air.
    pub async fn drain(&self) {
        self.identities.drain().await;
        self.flights.drain().await;
    }

    async fn identity(&self, plan: &Plan) -> Result<Arc<Identity>, Arc<Error>> {
        let ports = Arc::clone(&self.ports);
        let (spec, region) = (plan.source.clone(), plan.region.clone());
        self.identities
            .join((spec.clone(), region.clone()), || async move {
                Ok(Arc::new(ports.source.identity(&spec, &region).await?))
            })
            .await
    }

    /// Runs the plan once; `used` gets every session that came from memory.
    async fn run(
        &self,
        plan: &Plan,
        identity: &Arc<Identity>,
        used: &mut Vec<(PrefixKey, Arc<Session>)>,
    ) -> Result<Minted, Arc<Error>> {
        if let Identity::Keys { credentials, .. } = identity.as_ref() {
            plan.check_caller(credentials.caller()).map_err(|error| Arc::new(error.into()))?;
        }
        let mut sessions: Vec<Arc<Session>> = Vec::new();
        for (index, hop) in plan.prefix.iter().enumerate() {
            let key = PrefixKey::of(plan, identity, index + 1);
            let step = Step::new(plan, identity, index, hop, sessions.last());
            if let Some(session) = self.ports.usable(&key) {
                used.push((key, Arc::clone(&session)));
                sessions.push(session);
                continue;
            }
            sessions.push(self.prefix(key, step).await?);
        }
        let step = Step::new(plan, identity, plan.prefix.len(), &plan.last, sessions.last());
        let issued = step.call(&self.ports).await.map_err(Arc::new)?;
        let source_ends_at = match identity.as_ref() {
            Identity::Keys { expires_at, .. } => *expires_at,
            Identity::Token { .. } => None,
        };
        let origin = identity.origin().to_owned();
        Ok(Minted { issued, origin, source_ends_at, prefix: sessions })
    }

    /// A session that others may use too, from a call that runs or from a new call.
    async fn prefix(&self, key: PrefixKey, step: Step) -> Result<Arc<Session>, Arc<Error>> {
        let ports = Arc::clone(&self.ports);
        let stored_as = key.clone();
        self.flights
            .join(key, || async move {
                // Another flight may have landed since memory was looked at.
                if let Some(session) = ports.usable(&stored_as) {
                    return Ok(session);
                }
                let session = Arc::new(step.session(&ports).await?);
                let mut prefixes = ports.prefixes.lock().unwrap_or_else(PoisonError::into_inner);
                prefixes.insert(stored_as, Arc::clone(&session));
                Ok(session)
            })
            .await
    }

    /// Drops sessions that did not serve, unless others have replaced them; says whether one was
    /// dropped.
    fn forget(&self, used: &[(PrefixKey, Arc<Session>)]) -> bool {
        let mut prefixes = self.ports.prefixes.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, session) in used {
            if prefixes.get(key).is_some_and(|stored| Arc::ptr_eq(stored, session)) {
                prefixes.remove(key);
            }
        }
        !used.is_empty()
    }
}

impl fmt::Debug for Minter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Minter").field("flights", &self.flights).finish_non_exhaustive()
    }
}

/// The world, and what is remembered of it.
struct Ports {
    source: Arc<dyn Source>,
    aws: Arc<dyn Aws>,
    clock: Arc<dyn Clock>,
    // A std mutex: it is held for map operations only, never across an await.
    prefixes: Mutex<HashMap<PrefixKey, Arc<Session>>>,
}

impl Ports {
    /// A remembered session, while enough of it remains.
    fn usable(&self, key: &PrefixKey) -> Option<Arc<Session>> {
        const MARGIN: SignedDuration = SignedDuration::from_mins(5);
        let now = self.clock.now();
        let mut prefixes = self.prefixes.lock().unwrap_or_else(PoisonError::into_inner);
        // Every look drops what has become useless, so the map is as large as what is in use.
        prefixes.retain(|_, session| {
            let margin = MARGIN.min(session.lifetime() / 2);
            session.ends_at().duration_since(now) > margin
        });
        prefixes.get(key).map(Arc::clone)
    }
}

/// What makes two prefixes the same: who began, where, and every parameter of every hop.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct PrefixKey {
    identity: Fingerprint,
    region: Region,
    hops: Vec<Hop>,
}

impl PrefixKey {
    fn of(plan: &Plan, identity: &Identity, length: usize) -> Self {
        Self {
            identity: identity.fingerprint(),
            region: plan.region.clone(),
            hops: plan.prefix.iter().take(length).cloned().collect(),
        }
    }
}

/// One call with everything it needs, so that it can run as a task of its own.
struct Step {
    hop: Hop,
    region: Region,
    identity: Arc<Identity>,
    /// The session that signs, from the second hop on.
    session: Option<Arc<Session>>,
    facts: CallFacts,
}

impl Step {
    fn new(
        plan: &Plan,
        identity: &Arc<Identity>,
        index: usize,
        hop: &Hop,
        session: Option<&Arc<Session>>,
    ) -> Self {
        let mut facts = CallFacts::of(hop, &plan.region, identity.origin());
        facts.caller_role = index.checked_sub(1).and_then(|i| plan.prefix.get(i)?.role().cloned());
        match (session, identity.as_ref()) {
            (Some(_), _) => facts.caller = Some(Caller::Temporary),
            (None, Identity::Keys { credentials, .. }) => {
                facts.caller = Some(credentials.caller());
            }
            (None, Identity::Token { token, .. }) => {
                facts.token_claims = token::claims_for_people(token);
            }
        }
        Self {
            hop: hop.clone(),
            region: plan.region.clone(),
            identity: Arc::clone(identity),
            session: session.map(Arc::clone),
            facts,
        }
    }

    /// A call of the prefix, which always gives a session.
    async fn session(self, ports: &Ports) -> Result<Session, Error> {
        let facts = self.facts.clone();
        match self.call(ports).await? {
            Issued::Session(session) => Ok(session),
            Issued::RegistryToken(_) => {
                let reason = "a registry's token signs no call";
                Err(Error::Call {
                    facts: Box::new(facts),
                    failure: CallFailure::NotSendable { reason },
                })
            }
        }
    }

    async fn call(mut self, ports: &Ports) -> Result<Issued, Error> {
        if let Hop::AssumeRole(RoleRequest { mfa: Some(mfa), .. })
        | Hop::SessionToken(SessionTokenRequest { mfa: Some(mfa), .. }) = &mut self.hop
        {
            fill(mfa, ports.source.as_ref()).await.map_err(Error::Factor)?;
        }
        let Self { hop, region, identity, session, facts } = self;
        let keys = match (&session, identity.as_ref()) {
            (Some(session), _) => Some(&session.credentials),
            (None, Identity::Keys { credentials, .. }) => Some(credentials),
            (None, Identity::Token { .. }) => None,
        };
        let result = match (&hop, keys, identity.as_ref()) {
            (Hop::AssumeRole(request), Some(keys), _) => {
                ports.aws.assume_role(&region, keys, request).await.map(Issued::Session)
            }
            (Hop::SessionToken(request), Some(keys), _) => {
                ports.aws.session_token(&region, keys, request).await.map(Issued::Session)
            }
            (Hop::RegistryToken(registry), Some(keys), _) => {
                let token = ports.aws.registry_token(&region, keys, *registry).await;
                token.map(Issued::RegistryToken)
            }
            (Hop::WebIdentity(request), _, Identity::Token { token, .. }) => {
                let session = ports.aws.assume_role_with_web_identity(&region, token, request);
                session.await.map(Issued::Session)
            }
            // A plan pairs web identity with a token and every other hop with keys; a source that
            // answers with the other kind cannot be used.
            (Hop::WebIdentity(_), _, Identity::Keys { .. }) => {
                Err(CallFailure::NotSendable { reason: "the source has keys, not a token" })
            }
            (_, None, _) => {
                Err(CallFailure::NotSendable { reason: "the source has a token, not keys" })
            }
        };
        result.map_err(|failure| {
            let now = ports.clock.now();
            let ends_at = match identity.as_ref() {
                Identity::Keys { expires_at, .. } => *expires_at,
                Identity::Token { .. } => None,
            };
            let origin_ended = ends_at.filter(|ends_at| *ends_at <= now);
            let facts = Box::new(CallFacts { origin_ended, ..facts });
            Error::Call { facts, failure }
        })
    }
}

/// Asks for the code, unless the request brought one.
async fn fill(mfa: &mut Mfa, source: &dyn Source) -> Result<(), SourceError> {
    if mfa.code.is_none() {
        mfa.code = Some(source.mfa_code(&mfa.serial).await?);
    }
    Ok(())
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Step").field("facts", &self.facts).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
