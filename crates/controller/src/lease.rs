//! Which of several replicas works: the one that holds a Lease of Kubernetes.
//!
//! The rules are those of Kubernetes' own components, so that replicas and people read the same
//! fields (<https://kubernetes.io/docs/concepts/architecture/leases/>): whoever holds the Lease renews
//! it, others wait until nothing has moved for its duration **by their own clock**, and whoever cannot
//! renew stops before that time is over.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::{Api, PostParams};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::api_error::{ApiProblem, problem_of};
use crate::schedule::Seed;

/// Where the Lease is, and how long it lasts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Terms {
    /// Its namespace.
    pub namespace: String,
    /// Its name: two installations in one namespace need two.
    pub name: String,
    /// Who asks for it; no other process has this text.
    pub identity: String,
    /// How long others wait for a holder that says nothing.
    pub duration: Duration,
    /// How long a holder works that could not renew.
    pub renew_deadline: Duration,
    /// How long between two tries.
    pub retry_period: Duration,
}

impl Terms {
    /// Everything that is wrong with the spans of time: a holder has to stop before others begin, and
    /// has to have time for more than one try.
    pub fn problems(&self) -> Vec<String> {
        let Self { duration, renew_deadline, retry_period, .. } = self;
        let mut problems = Vec::new();
        if duration <= renew_deadline {
            problems.push(format!(
                "--leader-election-lease-duration ({duration:?}) has to be longer than \
                 --leader-election-renew-deadline ({renew_deadline:?}): a holder stops before others begin"
            ));
        }
        if *renew_deadline <= retry_period.mul_f64(JITTER) {
            problems.push(format!(
                "--leader-election-renew-deadline ({renew_deadline:?}) has to be longer than {JITTER} x \
                 --leader-election-retry-period ({retry_period:?}): a holder tries more than once"
            ));
        }
        if retry_period.is_zero() {
            problems.push("--leader-election-retry-period has to be above zero".to_owned());
        }
        problems
    }
}

/// The Lease, and until when it is held.
pub struct Election {
    api: Api<Lease>,
    terms: Terms,
    clock: fn() -> Timestamp,
    // A std mutex: never held across an await.
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    /// Until when this process may work.
    until: Option<Instant>,
    /// The Lease as it was written or seen last, and since when it is so.
    seen: Option<(Lease, Instant)>,
    /// Whether another process held it since this one was started.
    has_stood_by: bool,
    /// What was told last: who is waited for, or what is wrong.
    told: Option<String>,
}

/// What came of a try.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Try {
    Held,
    /// Somebody else holds it, for this long at least unless they give it back.
    Foreign(Duration),
    /// Somebody else was faster: it is looked at again.
    Raced,
    /// The API server did not answer.
    Failed,
}

impl Election {
    /// An election that this process does not take part in yet.
    pub fn new(client: kube::Client, terms: Terms, clock: fn() -> Timestamp) -> Self {
        let api = Api::namespaced(client, &terms.namespace);
        Self { api, terms, clock, held: Mutex::default() }
    }

    /// The name of the Lease.
    pub fn name(&self) -> &str {
        &self.terms.name
    }

    /// Whether this process may work right now.
    pub fn is_held(&self) -> bool {
        self.with(|held| held.until.is_some_and(|until| Instant::now() < until))
    }

    /// Whether another process held the Lease since this one was started.
    pub fn has_stood_by(&self) -> bool {
        self.with(|held| held.has_stood_by)
    }

    /// Waits until the Lease is held, or until the end; says whether it is held.
    ///
    /// A try that has begun is waited for: what it may have taken would be nobody's otherwise.
    pub async fn acquire(&self, end: &CancellationToken) -> bool {
        while !end.is_cancelled() {
            let wait = match self.answered(self.take(), self.answer()).await {
                Try::Held => {
                    tracing::info!(lease = %self, holder = self.terms.identity, "leading");
                    return true;
                }
                Try::Raced => SHORTEST,
                Try::Foreign(left) => left.min(self.pause()),
                Try::Failed => self.pause(),
            };
            // Never at once: what is over by our clock may be renewed in this moment.
            let pause = sleep(wait.max(SHORTEST));
            // Whichever is first.
            end.run_until_cancelled(pause).await;
        }
        false
    }

    /// Renews the Lease, and returns when it is lost: also when it was another's in between, and is
    /// free again.
    pub async fn keep(&self) {
        loop {
            sleep(self.terms.retry_period.min(self.left())).await;
            // A try ends with the time that is left, and so does the work.
            let answer = self.answer().min(self.left());
            match self.answered(self.renew(), answer).await {
                Try::Held => {}
                Try::Failed if self.is_held() => {}
                Try::Foreign(_) | Try::Raced | Try::Failed => break,
            }
        }
        self.with(|held| *held = Held { has_stood_by: true, ..Held::default() });
        tracing::warn!(lease = %self, "the lease is lost: nothing is written any more");
    }

    /// Gives the Lease back, so that nobody has to wait for its end.
    pub async fn give_back(&self) {
        let known = self.with(|held| {
            held.until = None;
            held.seen.take()
        });
        let Some((mut lease, _)) = known.filter(|(lease, _)| self.is_ours(lease)) else { return };
        let now = MicroTime((self.clock)());
        let spec = lease.spec.get_or_insert_default();
        spec.holder_identity = Some(String::new());
        spec.lease_duration_seconds = Some(1);
        spec.renew_time = Some(now);
        // Whoever cannot give it back leaves it to its end.
        let written = timeout(self.answer(), self.replace(&lease)).await;
        match written {
            Ok(Ok(_)) => tracing::info!(lease = %self, "the lease is given back"),
            _ => {
                tracing::warn!(lease = %self, "the lease could not be given back: it ends by itself");
            }
        }
    }

    /// What came of a try, within some time.
    async fn answered(
        &self,
        question: impl Future<Output = Result<Try, ApiProblem>>,
        time: Duration,
    ) -> Try {
        match timeout(time, question).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(ApiProblem::Conflict)) => Try::Raced,
            Ok(Err(problem)) => self.failed(&problem),
            Err(_) => self.failed(&ApiProblem::Unavailable),
        }
    }

    /// Says once for each outage what is wrong.
    fn failed(&self, problem: &ApiProblem) -> Try {
        let text = match problem {
            ApiProblem::Forbidden => {
                "the role has to allow create of leases, and get and update of this one".to_owned()
            }
            ApiProblem::NotFound => "there is no such namespace".to_owned(),
            problem => problem.to_string(),
        };
        if self.is_news(&text) {
            tracing::warn!(lease = %self, problem = text, "the lease cannot be had: nothing is done without it");
        }
        Try::Failed
    }

    /// Takes the Lease, if it is free or over.
    async fn take(&self) -> Result<Try, ApiProblem> {
        let start = Instant::now();
        let Some(lease) = self.read().await? else { return self.create(start).await };
        let holder = lease.spec.as_ref().and_then(|spec| spec.holder_identity.clone());
        let holder = holder.filter(|holder| !holder.is_empty() && *holder != self.terms.identity);
        if let Some(holder) = holder {
            let left = self.left_to(&lease, Instant::now());
            if !left.is_zero() {
                self.with(|held| held.has_stood_by = true);
                self.tell(&holder);
                return Ok(Try::Foreign(left));
            }
        }
        self.write(lease, start).await
    }

    /// Renews what is held. It is written at once, without a look: whoever took it is told of by a
    /// conflict, and from then on nothing is done before it is known who.
    async fn renew(&self) -> Result<Try, ApiProblem> {
        let start = Instant::now();
        let held = self.with(|held| held.seen.as_ref().map(|(lease, _)| lease.clone()));
        let Some(lease) = held else { return Ok(LOST) };
        match self.write(lease, start).await {
            Err(ApiProblem::Conflict) => {}
            Err(ApiProblem::NotFound) => return Ok(LOST),
            answer => return answer,
        }
        self.with(|held| held.until = None);
        match self.read().await? {
            // Somebody has labelled it, or the like.
            Some(lease) if self.is_ours(&lease) => self.write(lease, start).await,
            _ => Ok(LOST),
        }
    }

    async fn read(&self) -> Result<Option<Lease>, ApiProblem> {
        self.api.get_opt(&self.terms.name).await.map_err(|error| problem_of(&error))
    }

    /// How long somebody else's Lease is still to be waited for, by our own clock alone.
    fn left_to(&self, lease: &Lease, now: Instant) -> Duration {
        let seconds = lease.spec.as_ref().and_then(|spec| spec.lease_duration_seconds);
        let seconds = seconds.and_then(|it| u64::try_from(it).ok()).filter(|it| *it > 0);
        // One that tells no duration is waited for as if it were ours.
        let duration = seconds.map_or(self.terms.duration, Duration::from_secs);
        let since = self.with(|held| match &held.seen {
            // Labels and the like are no sign of life.
            Some((known, since)) if known.spec == lease.spec => *since,
            _ => {
                held.seen = Some((lease.clone(), now));
                now
            }
        });
        (since + duration).saturating_duration_since(now)
    }

    /// Writes ourselves as the holder, over the Lease as it was seen.
    async fn write(&self, mut lease: Lease, start: Instant) -> Result<Try, ApiProblem> {
        let is_ours = self.is_ours(&lease);
        let spec = lease.spec.get_or_insert_default();
        let now = MicroTime((self.clock)());
        if !is_ours {
            spec.acquire_time = Some(now.clone());
            spec.lease_transitions =
                Some(spec.lease_transitions.unwrap_or_default().saturating_add(1));
            spec.holder_identity = Some(self.terms.identity.clone());
        }
        spec.renew_time = Some(now);
        spec.lease_duration_seconds = Some(self.seconds());
        let written = self.replace(&lease).await?;
        Ok(self.holds(written, start))
    }

    async fn create(&self, start: Instant) -> Result<Try, ApiProblem> {
        let now = MicroTime((self.clock)());
        let lease = Lease {
            metadata: ObjectMeta {
                name: Some(self.terms.name.clone()),
                namespace: Some(self.terms.namespace.clone()),
                ..ObjectMeta::default()
            },
            spec: Some(LeaseSpec {
                holder_identity: Some(self.terms.identity.clone()),
                lease_duration_seconds: Some(self.seconds()),
                lease_transitions: Some(0),
                acquire_time: Some(now.clone()),
                renew_time: Some(now),
                ..LeaseSpec::default()
            }),
        };
        let created = self.api.create(&PostParams::default(), &lease).await;
        Ok(self.holds(created.map_err(|it| problem_of(&it))?, start))
    }

    async fn replace(&self, lease: &Lease) -> Result<Lease, ApiProblem> {
        // The version that was seen goes with it: whoever wrote in between is not overwritten.
        let replaced = self.api.replace(&self.terms.name, &PostParams::default(), lease).await;
        replaced.map_err(|it| problem_of(&it))
    }

    /// The time counts from before the request: others cannot have seen it earlier.
    fn holds(&self, lease: Lease, start: Instant) -> Try {
        self.with(|held| {
            held.until = Some(start + self.terms.renew_deadline);
            held.seen = Some((lease, start));
            held.told = None;
        });
        Try::Held
    }

    fn is_ours(&self, lease: &Lease) -> bool {
        let holder = lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_ref());
        holder == Some(&self.terms.identity)
    }

    /// Says once who is waited for.
    fn tell(&self, holder: &str) {
        if self.is_news(holder) {
            tracing::info!(lease = %self, holder, "standing by");
        }
    }

    /// Whether something else was told last.
    fn is_news(&self, text: &str) -> bool {
        self.with(|held| held.told.replace(text.to_owned()).as_deref() != Some(text))
    }

    fn left(&self) -> Duration {
        let until = self.with(|held| held.until);
        until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()))
    }

    /// Replicas that were started together do not ask together.
    fn pause(&self) -> Duration {
        let seed = Seed { uid: &self.terms.identity, entry: 0 };
        self.terms.retry_period.mul_f64(1.0 + seed.part("lease") * (JITTER - 1.0))
    }

    /// How long one answer is waited for: a holder has time for a second try.
    fn answer(&self) -> Duration {
        self.terms.renew_deadline / 2
    }

    /// The Lease counts in whole seconds; others wait rather longer.
    fn seconds(&self) -> i32 {
        let seconds = self.terms.duration.as_millis().div_ceil(1_000).max(1);
        i32::try_from(seconds).unwrap_or(i32::MAX)
    }

    fn with<T>(&self, look: impl FnOnce(&mut Held) -> T) -> T {
        look(&mut self.held.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Election {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Election").field("terms", &self.terms).finish_non_exhaustive()
    }
}

/// Namespace and name.
impl fmt::Display for Election {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.terms.namespace, self.terms.name)
    }
}

/// How much longer than the retry period a wait can be.
const JITTER: f64 = 1.2;
/// It is another's, or nobody's: whoever held it begins anew.
const LOST: Try = Try::Foreign(Duration::ZERO);
const SHORTEST: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests;
