//! The controller as a whole: from flags to the loop, and to an end that joins what it started.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use kube::runtime::applier;
use kube::runtime::controller::{Action, Config};
use rolecall_aws::AwsClient;
use rolecall_engine::mint::Minter;
use rolecall_engine::ports::Clock;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::args::{GRACE, RunArgs};
use crate::calls::CountedCalls;
use crate::events::Events;
use crate::identity::ClusterSource;
use crate::lease::Election;
use crate::metrics::{Labelled, Metrics};
use crate::object::external_secrets;
use crate::pace::Paces;
use crate::permits::Permits;
use crate::planner::Planner;
use crate::probes::{self, Watched};
use crate::reconcile::{LeadsSince, Observer, Reconciler};
use crate::scope::{Classes, DEFAULT};
use crate::seen::Rules;
use crate::served::Served;
use crate::settings::{self, Settings, SystemClock};
use crate::state::States;
use crate::watch::{Stores, Trigger, Triggers, Watching, start};
use crate::world::World;

/// Controls until a signal says to end.
///
/// # Errors
///
/// When the environment cannot be used, there is no API server, or an address cannot be listened at.
pub async fn run(args: RunArgs) -> anyhow::Result<()> {
    let settings = Settings::read(args.allow_http)
        .map_err(|found| anyhow::anyhow!("the environment cannot be used\n{found}"))?;
    let mut config = kube::Config::infer().await.context(NO_CLUSTER)?;
    // The proxy of the environment is for AWS: the API server is reached from within.
    config.proxy_url = None;
    let terms = (args.election.enable_leader_election && !args.observe)
        .then(|| settings::terms(&args.election, &config.default_namespace));
    let terms = terms.transpose()?;
    let client =
        |config| kube::Client::try_from(config).context("cannot make a client of the API server");
    // A watch may be silent for long; whoever waits for an answer may not.
    let watching_client = client(config.clone())?;
    config.read_timeout = Some(ANSWER);
    let client = client(config)?;
    let served = Served::read(&client).await?;
    let stores = Stores::new();
    let world = Arc::clone(&stores.world);
    let (sender, receiver) = mpsc::unbounded_channel();
    let election = terms.map(|terms| Election::new(client.clone(), terms, || SystemClock.now()));
    let election = election.map(Arc::new);
    let (events, event_work) = Events::new(client.clone(), election.clone());
    let what = Labelled {
        per_object: args.metrics.metrics_per_object,
        extended: args.metrics.enable_extended_metric_labels,
    };
    let metrics = Arc::new(Metrics::new(what).context("cannot make the metrics")?);
    let states = Arc::new(States::default());
    let reconciler = reconciler(
        &args,
        settings,
        Parts {
            client,
            election,
            world: Arc::clone(&world),
            served,
            events,
            metrics: Arc::clone(&metrics),
            states: Arc::clone(&states),
        },
    );
    let reconciler = Arc::new(reconciler);
    let event_work = tokio::spawn(event_work);
    let watching = Watching {
        client: watching_client,
        namespaces: namespaces(&args.namespace),
        world: Arc::clone(&world),
        states,
        metrics,
        triggers: Triggers(sender),
    };
    let (watches, ready) = start(&watching, stores);
    let done = serve(&args, &reconciler, receiver, ready).await;
    for watch in watches {
        stop(watch).await;
    }
    reconciler.minter.drain().await;
    stop(event_work).await;
    done
}

/// Each namespace once.
fn namespaces(given: &[String]) -> Vec<String> {
    let names: BTreeSet<&str> = given.iter().map(String::as_str).collect();
    names.into_iter().filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// Ends a task, and waits until it has ended.
async fn stop(task: JoinHandle<()>) {
    task.abort();
    // That it was cancelled is what is wanted of it.
    let _cancelled = task.await;
}

/// Serves and controls until a signal, and then waits for what runs.
async fn serve(
    args: &RunArgs,
    reconciler: &Arc<Reconciler>,
    receiver: mpsc::UnboundedReceiver<Trigger>,
    ready: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let end = CancellationToken::new();
    let is_ready = Arc::new(AtomicBool::new(false));
    let watched = Watched { reconciler: Arc::clone(reconciler), is_ready: Arc::clone(&is_ready) };
    let mut servers = tokio::task::JoinSet::new();
    servers.spawn(probes::metrics(args.metrics.metrics_addr, watched.clone(), end.clone()));
    servers.spawn(probes::probes(args.live_addr, watched, end.clone()));
    let mut signals = Signals::listen()?;
    tokio::select! {
        () = ready => {}
        () = signals.next() => return Ok(()),
        Some(ended) = servers.join_next() => return listening(ended),
    }
    is_ready.store(true, Ordering::Relaxed);
    let objects = reconciler.world.objects.len();
    tracing::info!(objects, "the watches have told what there is");
    if reconciler.observer.is_some() {
        tell_of_cluster_objects(&reconciler.world);
    }
    let mut passes = std::pin::pin!(work(reconciler, receiver, &end));
    let done = tokio::select! {
        () = &mut passes => Ok(()),
        () = signals.next() => {
            tracing::info!("ending: passes that run are waited for");
            end.cancel();
            if tokio::time::timeout(GRACE, &mut passes).await.is_err() {
                tracing::warn!("some passes did not end in time");
            }
            Ok(())
        }
        Some(ended) = servers.join_next() => listening(ended),
    };
    if let Some(election) = &reconciler.election {
        election.give_back().await;
    }
    servers.shutdown().await;
    done
}

/// What a `ClusterExternalSecret` makes stays with ESO, and so does making it.
fn tell_of_cluster_objects(world: &World) {
    let objects = world.objects.state();
    let owners = objects.iter().filter_map(|object| {
        let owners = object.metadata.owner_references.as_ref()?;
        owners.iter().find(|it| it.kind == "ClusterExternalSecret").map(|it| it.name.as_str())
    });
    let mut names: Vec<&str> = owners.collect();
    let objects = names.len();
    names.sort_unstable();
    names.dedup();
    if objects > 0 {
        tracing::warn!(
            cluster_external_secrets = names.len(),
            external_secrets = objects,
            names = names.join(" "),
            "ESO makes these ExternalSecrets: without it no new namespace gets its own"
        );
    }
}

/// Works whenever the Lease is held, or all the time where there is none, until the end.
async fn work(
    on: &Arc<Reconciler>,
    mut triggers: mpsc::UnboundedReceiver<Trigger>,
    end: &CancellationToken,
) {
    let Some(election) = &on.election else { return control(on, &mut triggers, end).await };
    loop {
        let is_held = tokio::select! {
            is_held = election.acquire(end) => is_held,
            // What changes while another replica works is its affair; the stores keep up with it.
            () = forget(&mut triggers) => false,
        };
        if !is_held {
            return;
        }
        if lead(on, election, &mut triggers, end).await {
            return;
        }
        // Another replica goes on: what it does stands in the cluster, not in this memory.
        on.states.clear();
        on.metrics.stands_by();
    }
}

/// Works until the Lease is lost, or until the end; says whether it was the end.
async fn lead(
    on: &Arc<Reconciler>,
    election: &Election,
    triggers: &mut mpsc::UnboundedReceiver<Trigger>,
    end: &CancellationToken,
) -> bool {
    // At a start the watches have just told what there is.
    on.leads_since.set(election.has_stood_by().then(|| on.clock.now()));
    let mut passes = std::pin::pin!(control(on, triggers, end));
    // Between two looks at the Lease a pass may be anywhere: none goes on when the time is over.
    let passes = std::future::poll_fn(|context| {
        if election.is_held() { passes.as_mut().poll(context) } else { Poll::Pending }
    });
    tokio::select! {
        biased;
        // The passes end with it, wherever they are.
        () = election.keep() => false,
        () = passes => true,
    }
}

/// Ends when the watches do.
async fn forget(triggers: &mut mpsc::UnboundedReceiver<Trigger>) {
    while triggers.recv().await.is_some() {}
}

/// A server ends by itself only where it could not listen.
fn listening(ended: Result<std::io::Result<()>, tokio::task::JoinError>) -> anyhow::Result<()> {
    ended
        .context("a server ended")?
        .context("cannot listen where --metrics-addr or --live-addr says")
}

struct Parts {
    client: kube::Client,
    election: Option<Arc<Election>>,
    world: Arc<World>,
    served: Served,
    events: Events,
    metrics: Arc<Metrics>,
    states: Arc<States>,
}

fn reconciler(args: &RunArgs, settings: Settings, parts: Parts) -> Reconciler {
    let Settings { network, region, dialect, ambient, machine } = settings;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let source = Arc::new(ClusterSource::new(parts.client.clone(), machine, Arc::clone(&clock)));
    let aws = AwsClient::new(network, Arc::clone(&clock));
    let aws = Arc::new(CountedCalls::new(aws, Arc::clone(&parts.metrics)));
    let asked = Arc::<ClusterSource>::clone(&source);
    Reconciler {
        client: parts.client,
        election: parts.election,
        leads_since: LeadsSince::default(),
        observer: args.observe.then(Observer::default),
        world: parts.world,
        planner: Planner { ambient, ambient_identity: args.ambient_identity, region, dialect },
        minter: Minter::new(asked, Arc::<CountedCalls>::clone(&aws), Arc::clone(&clock)),
        aws,
        source,
        clock,
        rules: Rules {
            alarm_margin: args.alarm_margin,
            is_beside_another: args.controller_class != DEFAULT,
        },
        served: parts.served,
        classes: Classes::new(&args.controller_class, args.store_requeue_interval),
        passes: Permits::new(PASSES),
        calls: Permits::new(CALLS),
        paces: Paces::default(),
        requests: Permits::new(REQUESTS),
        events: parts.events,
        metrics: parts.metrics,
        states: parts.states,
        copies_metadata: args.copy_metadata,
    }
}

/// Runs a pass over every object, and then one for every trigger, one at a time for each object, until
/// the end.
async fn control(
    on: &Arc<Reconciler>,
    triggers: &mut mpsc::UnboundedReceiver<Trigger>,
    end: &CancellationToken,
) {
    let all = on.world.objects.state();
    let all = all.iter().map(|it| Trigger::from_obj_with(it.as_ref(), external_secrets()));
    let changes = stream::poll_fn(|context| triggers.poll_recv(context));
    let triggers = stream::iter(all.collect::<Vec<_>>()).chain(changes).map(Ok::<_, Infallible>);
    let triggers = triggers.take_until(end.cancelled().boxed());
    let passes = applier(
        |object, on: Arc<Reconciler>| {
            Box::pin(async move { Ok::<_, Infallible>(on.reconcile(object).await) })
        },
        |_, _, _| Action::requeue(Duration::from_mins(1)),
        Arc::clone(on),
        on.world.objects.clone(),
        Box::pin(triggers),
        Config::default(),
    );
    // An object that is gone by the time of its pass is no fault.
    passes.for_each(|_| std::future::ready(())).await;
}

struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot wait for signals");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// What is wrong where nothing says where the cluster is.
pub(crate) const NO_CLUSTER: &str = "there is no cluster: run it in a pod, or set KUBECONFIG";
/// How long an answer of the API server is waited for.
const ANSWER: Duration = Duration::from_secs(30);
/// Passes that run at once: each holds what it needs for its object.
const PASSES: usize = 256;
/// Calls of AWS that are in the air at once.
const CALLS: usize = 64;
/// Requests to the API server that are in the air at once.
const REQUESTS: usize = 64;
