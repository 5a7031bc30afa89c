//! Metrics: ESO's under their names, and per object when its credential ends and is renewed.
//!
//! Gauges are made from the state at each scrape, so that none outlives its object.

mod scrape;
mod table;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use prometheus::{GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry};
use rolecall_engine::error::Class;
use tokio::time::Instant;

pub use self::scrape::Scrape;
pub use self::table::METRICS;
use crate::failure::Reason;
use crate::object::Key;

/// The counters, and what is needed for the gauges.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    sync_calls: IntCounterVec,
    sync_errors: IntCounterVec,
    durations: GaugeVec,
    api_calls: IntCounterVec,
    reconciles: IntCounterVec,
    reconcile_errors: IntCounterVec,
    reconcile_seconds: HistogramVec,
    sts_calls: IntCounterVec,
    throttles: IntCounterVec,
    failures: IntCounterVec,
    what: Labelled,
    // Std mutexes: held for map operations only, never across an await.
    out_of_scope: Mutex<HashSet<Key>>,
    /// Objects that there were passes of, with the values of their labels.
    ours: Mutex<HashMap<Key, Vec<String>>>,
    deleted: Mutex<HashMap<Key, Vec<String>>>,
    wakes: Mutex<HashMap<Key, Timestamp>>,
    passes: AtomicU64,
}

/// What series there are.
#[derive(Clone, Copy, Debug)]
pub struct Labelled {
    /// Whether there are series of ours for each object.
    pub per_object: bool,
    /// Whether ESO's series have the labels `app.kubernetes.io/*` of their objects.
    pub extended: bool,
}

impl Labelled {
    /// The names of the labels that ESO's series of an object have.
    fn names(self) -> Vec<&'static str> {
        let extended = EXTENDED.iter().map(|(_, name)| *name).filter(|_| self.extended);
        ["name", "namespace"].into_iter().chain(extended).collect()
    }

    /// Their values.
    fn values(self, key: &Key, labels: Option<&BTreeMap<String, String>>) -> Vec<String> {
        let value = |name: &str| labels.and_then(|it| it.get(name)).cloned().unwrap_or_default();
        let extended = EXTENDED.iter().map(|(label, _)| value(label)).filter(|_| self.extended);
        [key.name.clone(), key.namespace.clone()].into_iter().chain(extended).collect()
    }
}

/// Measures one pass.
#[derive(Debug)]
pub struct Timer<'a> {
    metrics: &'a Metrics,
    key: Key,
    labels: Vec<String>,
    began: Instant,
}

impl Metrics {
    /// Counters that begin at 0.
    ///
    /// # Errors
    ///
    /// When two of them had one name, which would be a fault of the program.
    pub fn new(what: Labelled) -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let counter = |name: &str, help: &str, labels: &[&str]| {
            let counter = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let object = what.names();
        let durations = GaugeVec::new(
            Opts::new("externalsecret_reconcile_duration", "How long the last pass took, in ns"),
            &object,
        )?;
        registry.register(Box::new(durations.clone()))?;
        let reconcile_seconds = pass_seconds(&registry)?;
        let reconcile_errors = counter(
            "controller_runtime_reconcile_errors_total",
            "Passes that failed",
            &["controller"],
        )?;
        // Told from the start, as 0: an alert on its growth needs a first value.
        reconcile_errors.with_label_values(&[CONTROLLER]).inc_by(0);
        Ok(Self {
            sync_calls: counter("externalsecret_sync_calls_total", "Passes", &object)?,
            sync_errors: counter("externalsecret_sync_calls_error", "Passes that failed", &object)?,
            api_calls: counter(
                "externalsecret_provider_api_calls_count",
                "Calls of AWS",
                &["provider", "call", "status"],
            )?,
            reconciles: counter(
                "controller_runtime_reconcile_total",
                "Passes, by their result",
                &["controller", "result"],
            )?,
            reconcile_errors,
            sts_calls: counter(
                "rolecall_sts_calls_total",
                "Calls of AWS, by operation, region and what came of them",
                &["operation", "region", "outcome"],
            )?,
            throttles: counter(
                "rolecall_sts_throttles_total",
                "Calls that AWS refused because there were too many",
                &["region"],
            )?,
            failures: counter(
                "rolecall_refresh_failures_total",
                "Refreshes that failed, by their class",
                &["class"],
            )?,
            registry,
            durations,
            reconcile_seconds,
            what,
            out_of_scope: Mutex::default(),
            ours: Mutex::default(),
            deleted: Mutex::default(),
            wakes: Mutex::default(),
            passes: AtomicU64::new(0),
        })
    }

    /// A pass over an object with these labels begins.
    pub fn pass_begins(&self, key: &Key, labels: Option<&BTreeMap<String, String>>) -> Timer<'_> {
        let labels = self.what.values(key, labels);
        locked(&self.deleted).remove(key);
        let before = locked(&self.ours).insert(key.clone(), labels.clone());
        if let Some(before) = before.filter(|before| *before != labels) {
            self.ends_duration(&before);
        }
        Timer { metrics: self, key: key.clone(), labels, began: Instant::now() }
    }

    /// Another replica works from now on: nothing is told of any object.
    pub fn stands_by(&self) {
        for counter in [&self.sync_calls, &self.sync_errors] {
            counter.reset();
        }
        self.durations.reset();
        locked(&self.out_of_scope).clear();
        locked(&self.ours).clear();
        locked(&self.deleted).clear();
        locked(&self.wakes).clear();
    }

    fn ends_duration(&self, labels: &[String]) {
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        // A series that was never there is as well.
        self.durations.remove_label_values(&labels).ok();
    }

    /// When an object is looked at again.
    pub fn wakes_at(&self, key: &Key, time: Option<Timestamp>) {
        let mut wakes = locked(&self.wakes);
        match time {
            Some(time) => drop(wakes.insert(key.clone(), time)),
            None => drop(wakes.remove(key)),
        }
    }

    /// A refresh failed.
    pub fn failed(&self, reason: Reason) {
        self.failures.with_label_values(&[reason.as_str()]).inc();
    }

    /// A call of AWS was made.
    pub fn called(&self, operation: &str, region: &str, failed: Option<Class>) {
        let outcome = failed.map_or("success", Class::code);
        self.sts_calls.with_label_values(&[operation, region, outcome]).inc();
        if failed == Some(Class::Throttled) {
            self.throttles.with_label_values(&[region]).inc();
        }
        let status = if failed.is_some() { "error" } else { "success" };
        self.api_calls.with_label_values(&["AWS", operation, status]).inc();
    }

    /// Notes whether an object is none of ours; says whether that is news.
    pub fn out_of_scope(&self, key: &Key, is: bool) -> bool {
        let mut keys = locked(&self.out_of_scope);
        if is { keys.insert(key.clone()) } else { keys.remove(key) }
    }

    /// An object is gone: its series go with it, but for ESO's counters and its condition `Deleted`.
    pub fn is_gone(&self, key: &Key) {
        self.out_of_scope(key, false);
        if let Some(labels) = self.forget(key) {
            locked(&self.deleted).insert(key.clone(), labels);
        }
    }

    /// An object is none of ours any more: its series go, but for ESO's counters.
    ///
    /// Says what its labels were.
    pub fn forget(&self, key: &Key) -> Option<Vec<String>> {
        self.wakes_at(key, None);
        let labels = locked(&self.ours).remove(key);
        if let Some(labels) = &labels {
            self.ends_duration(labels);
        }
        labels
    }

    /// How many passes there were.
    pub fn passes(&self) -> u64 {
        self.passes.load(Ordering::Relaxed)
    }

    /// For how long the object that has waited longest is overdue, in seconds.
    pub fn queue_lag(&self, now: Timestamp) -> f64 {
        let wakes = locked(&self.wakes);
        let first = wakes.values().min();
        first.map_or(0.0, |first| now.duration_since(*first).as_secs_f64().max(0.0))
    }
}

impl Timer<'_> {
    /// The pass is over.
    pub fn ends(self, has_failed: bool) {
        let Self { metrics, key, labels, began } = self;
        let took = began.elapsed();
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        metrics.passes.fetch_add(1, Ordering::Relaxed);
        metrics.sync_calls.with_label_values(&labels).inc();
        // One that went meanwhile has none any more.
        if locked(&metrics.ours).contains_key(&key) {
            metrics.durations.with_label_values(&labels).set(took.as_secs_f64() * 1e9);
        }
        metrics.reconcile_seconds.with_label_values(&[CONTROLLER]).observe(took.as_secs_f64());
        let result = if has_failed { "error" } else { "success" };
        metrics.reconciles.with_label_values(&[CONTROLLER, result]).inc();
        if has_failed {
            metrics.sync_errors.with_label_values(&labels).inc();
            metrics.reconcile_errors.with_label_values(&[CONTROLLER]).inc();
        }
    }
}

fn pass_seconds(registry: &Registry) -> Result<HistogramVec, prometheus::Error> {
    let name = "controller_runtime_reconcile_time_seconds";
    let seconds = HistogramOpts::new(name, "How long passes take, in seconds");
    let seconds = HistogramVec::new(seconds, &["controller"])?;
    registry.register(Box::new(seconds.clone()))?;
    Ok(seconds)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Labels of objects, and what ESO calls them in series.
const EXTENDED: [(&str, &str); 6] = [
    ("app.kubernetes.io/name", "app_kubernetes_io_name"),
    ("app.kubernetes.io/instance", "app_kubernetes_io_instance"),
    ("app.kubernetes.io/version", "app_kubernetes_io_version"),
    ("app.kubernetes.io/component", "app_kubernetes_io_component"),
    ("app.kubernetes.io/part-of", "app_kubernetes_io_part_of"),
    ("app.kubernetes.io/managed-by", "app_kubernetes_io_managed_by"),
];
const CONTROLLER: &str = "externalsecret";

#[cfg(test)]
mod tests;
