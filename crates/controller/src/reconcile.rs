//! One pass over one object: decide, do, look, until there is only to wait.

mod adopt;
mod behind;
mod finalizer;
mod inputs;
mod mint;
mod observe;
mod report;
mod secret;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::api::{Api, DynamicObject};
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;
use rolecall_engine::grant::{ExternalSecret, GeneratorKind};
use rolecall_engine::mint::Minter;
use rolecall_engine::ports::Clock;
use rolecall_engine::render::Renderer;

pub use self::behind::LeadsSince;
pub use self::observe::Observer;
use crate::api_error::ApiProblem;
use crate::calls::CountedCalls;
use crate::decide::{Step, decide};
use crate::events::Events;
use crate::failure::{Failure, KUBERNETES, Reason};
use crate::identity::ClusterSource;
use crate::lease::Election;
use crate::metrics::Metrics;
use crate::object::{
    self, Key, Scope, external_secrets, is_status_of_another, sync_of, version_of,
};
use crate::pace::Paces;
use crate::permits::Permits;
use crate::planner::{Planned, Planner};
use crate::scope::Classes;
use crate::seen::{Inputs, ObjectFacts, Pass, Ready, Rules, Seen, Target, Wanted};
use crate::served::Served;
use crate::state::{State, States};
use crate::status::past_of;
use crate::world::{Input, World};

/// What every pass shares.
pub struct Reconciler {
    /// The API server.
    pub client: kube::Client,
    /// The Lease that has to be held, where replicas are chosen by one.
    pub election: Option<Arc<Election>>,
    /// Since when it is held.
    pub leads_since: LeadsSince,
    /// Where nothing is written and nobody called: what was told instead.
    pub observer: Option<Observer>,
    /// Where calls go, for the time that it tells.
    pub aws: Arc<CountedCalls>,
    /// What the watches have told.
    pub world: Arc<World>,
    /// From generators to plans.
    pub planner: Planner,
    /// Who asks.
    pub source: Arc<ClusterSource>,
    /// Runs plans.
    pub minter: Minter,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// How decisions are made.
    pub rules: Rules,
    /// What the API server knows of `status`.
    pub served: Served,
    /// Which objects are served, by the class of the store that they name.
    pub classes: Classes,
    /// Passes.
    pub passes: Permits,
    /// Calls of AWS.
    pub calls: Permits,
    /// How fast each identity may call.
    pub paces: Paces,
    /// Requests to the API server.
    pub requests: Permits,
    /// Events.
    pub events: Events,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// What is kept of each object.
    pub states: Arc<States>,
    /// Whether labels and annotations of an object without a template go to its Secret.
    pub copies_metadata: bool,
}

impl fmt::Debug for Reconciler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reconciler").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl Reconciler {
    /// Runs a pass, and says when the next one is.
    ///
    /// # Cancellation
    ///
    /// What was minted and not written yet is lost; the next pass mints again.
    pub async fn reconcile(&self, object: Arc<DynamicObject>) -> Action {
        let key = Key::of(&object.metadata);
        let is_urgent = self.states.is_urgent(&key, self.clock.now(), self.rules.alarm_margin);
        let _permit = self.passes.acquire(is_urgent).await;
        // Boxed after the wait: thousands may wait, and what waits shall be small.
        Box::pin(self.pass(key, object)).await
    }

    async fn pass(&self, key: Key, object: Arc<DynamicObject>) -> Action {
        self.metrics.wakes_at(&key, None);
        let mut run = match self.begin(key, object).await {
            Ok(run) => run,
            Err(wait) => return Action::requeue(wait),
        };
        if matches!(run.seen.wanted, Wanted::OutOfScope) {
            // Nothing of it is ours, and nothing is told of it.
            self.states.remove(&run.key);
            self.is_foreign(&run.key);
            return Action::await_change();
        }
        if let Some(observer) = &self.observer {
            // Nothing is kept: what stands in the cluster counts, and somebody else writes it.
            return run.observe(observer).await;
        }
        let is_foreign = matches!(run.seen.wanted, Wanted::Mixed);
        let labels = run.object.metadata.labels.as_ref();
        let timer = (!is_foreign).then(|| self.metrics.pass_begins(&run.key, labels));
        let action = run.run().await;
        if let Some(timer) = timer {
            timer.ends(run.seen.is_failing());
        }
        if self.is_there(&run.key, &run.seen.object.uid) {
            if is_foreign {
                self.is_foreign(&run.key);
            } else {
                self.metrics.out_of_scope(&run.key, false);
            }
            if !run.is_stale {
                self.states.put(&run.key, State { past: run.seen.past, ..run.state });
            }
        } else {
            // It went while this pass ran: nothing of it is kept.
            self.metrics.is_gone(&run.key);
            self.world.uses(&run.key, &BTreeSet::new());
        }
        action
    }

    /// None of its sources, or not all of them, are ours: it has no series.
    fn is_foreign(&self, key: &Key) {
        self.metrics.forget(key);
        if self.metrics.out_of_scope(key, true) {
            let (namespace, name) = (&key.namespace, &key.name);
            tracing::info!(
                namespace,
                name,
                "out of scope: its sources, or its store, are another controller's"
            );
        }
    }

    /// Whether the object is still there, as the watch has told.
    fn is_there(&self, key: &Key, uid: &str) -> bool {
        let reference = ObjectRef::new_with(&key.name, external_secrets()).within(&key.namespace);
        let found = self.world.objects.get(&reference);
        found.is_some_and(|object| object.metadata.uid.as_deref() == Some(uid))
    }

    /// Looks at the object itself, and at the store that it names.
    async fn begin(&self, key: Key, object: Arc<DynamicObject>) -> Result<Run<'_>, Duration> {
        let (wanted, asked) = match self.scope(&key, &object).await? {
            Scope::Foreign => (Wanted::OutOfScope, None),
            Scope::Mixed => (Wanted::Mixed, None),
            Scope::Ours => object::read(&object::document(&object)),
        };
        let mut facts = object::facts(&object);
        let wanted = match wanted {
            // Its finalizer is ours to take off, whatever became of its sources and its store.
            Wanted::OutOfScope if facts.is_deleting && object::was_ours(&object) => {
                Wanted::Invalid { message: String::new(), ready: Ready::NoData }
            }
            wanted => wanted,
        };
        let now = self.clock.now();
        let known = self.states.get(&key, &facts.uid);
        let is_recalled = known.is_none();
        let state = recalled(known, &object, &mut facts, now);
        let seen = Seen {
            object: facts,
            wanted,
            target: Target::Unread,
            orphans: Vec::new(),
            inputs: Inputs::Unread,
            past: state.past.clone(),
            pass: Pass::new(now),
            rules: self.rules,
        };
        Ok(Run {
            on: self,
            key,
            object,
            asked: asked.map(Arc::new),
            planned: None,
            renderer: None,
            used: BTreeSet::new(),
            seen,
            state,
            conflicts: 0,
            is_to_convert: false,
            is_recalled,
            is_stale: false,
            looks_again: false,
        })
    }

    /// Whose the object is; after a while again where the store that it names cannot be read.
    async fn scope(&self, key: &Key, object: &DynamicObject) -> Result<Scope, Duration> {
        // What a ClusterGenerator wraps decides, and may change.
        for name in object::cluster_generators(object) {
            let input = Input::Generator(GeneratorKind::Cluster.as_str(), Key::new("", &name));
            self.world.also_uses(key, input);
        }
        let scope = object::scope_of(object, |name| self.world.wrapped_kind(name));
        if scope == Scope::Foreign {
            return Ok(scope);
        }
        let (named, now) = (object::store_of(object), self.clock.now());
        match self.classes.serves(&self.client, key, named, now).await {
            Some(true) => Ok(scope),
            Some(false) => Ok(Scope::Foreign),
            None => Err(STORE),
        }
    }
}

/// What is known of the object: from memory, or after a start from its status.
fn recalled(
    known: Option<State>,
    object: &DynamicObject,
    facts: &mut ObjectFacts,
    now: Timestamp,
) -> State {
    let status = object.data.get("status").filter(|status| !status.is_null());
    let mut state = known.unwrap_or_else(|| {
        let mut past = past_of(status, facts.generation);
        past.seen_since = Some(now);
        let binding = status.and_then(|it| it.pointer("/binding/name")?.as_str());
        State {
            uid: facts.uid.clone(),
            past,
            status: status.cloned(),
            binding: binding.filter(|name| !name.is_empty()).map(str::to_owned),
            ..State::default()
        }
    });
    let is_edited = version_of(object) > state.status_version
        && state.status_version.is_some()
        && sync_of(status) != sync_of(state.status.as_ref());
    // Times of managed fields are whole seconds.
    let since = state.status_time.and_then(|time| time.checked_add(SECOND).ok());
    facts.is_fought_for =
        is_edited && since.is_some_and(|since| is_status_of_another(object, since));
    if is_edited {
        // Somebody else wrote the status since: what it says of the last sync counts.
        state.past.synced = past_of(status, facts.generation).synced;
        state.status = status.cloned();
    }
    if state.generation != facts.generation {
        state.past.announced.clear();
        state.generation = facts.generation;
    }
    state
}

/// A pass that runs.
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each with a name")]
struct Run<'a> {
    on: &'a Reconciler,
    key: Key,
    object: Arc<DynamicObject>,
    asked: Option<Arc<ExternalSecret>>,
    planned: Option<Planned>,
    renderer: Option<Renderer>,
    used: BTreeSet<Input>,
    seen: Seen,
    state: State,
    /// How often somebody else wrote the Secret in between.
    conflicts: u32,
    /// Whether ESO wrote the Secret for the object, by updates.
    is_to_convert: bool,
    /// Whether what is known of it is from its status, and not from memory.
    is_recalled: bool,
    /// Whether the watch has not told yet what another replica did.
    is_stale: bool,
    /// Whether something was told that this pass did not look at.
    looks_again: bool,
}

impl Run<'_> {
    async fn run(&mut self) -> Action {
        for _ in 0..MOST_STEPS {
            let step = decide(&self.seen, self.on.clock.now());
            tracing::trace!(object = %self.key, ?step, "step");
            match step {
                Step::Never | Step::WakeAt(_) if self.looks_again => {
                    return Action::requeue(Duration::from_secs(1));
                }
                Step::Never => return Action::await_change(),
                Step::WakeAt(time) => {
                    self.on.metrics.wakes_at(&self.key, Some(time));
                    return Action::requeue(self.until(time));
                }
                Step::Mint { .. } if self.is_behind().await => {
                    self.is_stale = true;
                    return Action::requeue(Duration::from_secs(1));
                }
                step => self.act(step).await,
            }
        }
        // No table of ours leads here; if one did, the object is looked at again in a while.
        tracing::error!(object = %self.key, "a pass does not come to an end");
        Action::requeue(Duration::from_mins(1))
    }

    fn until(&self, time: Timestamp) -> Duration {
        let wait = time.duration_since(self.on.clock.now());
        // Never at once, or a fault of a table would burn a core.
        Duration::try_from(wait).unwrap_or_default().max(Duration::from_millis(20))
    }

    async fn act(&mut self, step: Step) {
        match step {
            Step::AddFinalizer => self.set_finalizer(true).await,
            Step::RemoveFinalizer => self.set_finalizer(false).await,
            Step::DeleteSecret => self.delete_secret().await,
            Step::DeleteOrphans => self.delete_orphans().await,
            Step::ReadTarget => self.read_target().await,
            Step::ReadInputs => self.read_inputs().await,
            Step::Mint { is_urgent } => self.mint(is_urgent).await,
            Step::Apply { write, keeps_data } => self.apply(write, keeps_data).await,
            Step::WipeForeign => self.wipe().await,
            Step::WriteStatus(verdict) => self.write_status(&verdict).await,
            Step::Announce(what) => self.announce(what),
            Step::WakeAt(_) | Step::Never => {}
        }
    }

    fn objects(&self) -> Api<DynamicObject> {
        let kind = external_secrets();
        Api::namespaced_with(self.on.client.clone(), &self.key.namespace, &kind)
    }

    /// A request to the API server that failed.
    fn fail_write(&mut self, problem: &ApiProblem, what: &str) {
        let now = self.on.clock.now();
        let mut message = format!("could not write {what}: {problem}");
        if let ApiProblem::Invalid(fields) = problem
            && fields.split(", ").any(|field| field.starts_with("type "))
        {
            message.push_str("; the type of a Secret that is there cannot change: delete it");
        }
        let (reason, ready) = match problem {
            ApiProblem::Invalid(_) => (Reason::InvalidSpec, Some(Ready::NotWritten)),
            ApiProblem::Forbidden => (Reason::AccessDenied, Some(Ready::NotWritten)),
            ApiProblem::NotFound | ApiProblem::Conflict | ApiProblem::Unavailable => {
                (Reason::Unavailable, None)
            }
        };
        self.fail(Failure::new(reason, KUBERNETES, message, now), ready);
    }

    /// Notes what failed in this pass, with how often it did so before.
    fn fail(&mut self, failure: Failure, ready: Option<Ready>) {
        self.on.metrics.failed(failure.reason);
        self.seen.failed(failure, ready);
    }
}

/// When a store that is not there, or cannot be read, is looked for again.
const STORE: Duration = Duration::from_secs(20);
const SECOND: SignedDuration = SignedDuration::from_secs(1);
/// A pass has a dozen steps at most.
const MOST_STEPS: usize = 40;
