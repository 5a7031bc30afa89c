//! Metrics: ESO's under their names, and per object when its credential ends and is renewed.
//!
//! Gauges are made from the state at each scrape, so that none outlives its object.

mod table;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use prometheus::{
    GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts,
    Registry, TextEncoder,
};
use rolecall_engine::error::Class;
use rolecall_engine::plan::Plan;
use tokio::time::Instant;

pub use self::table::METRICS;
use crate::failure::Reason;
use crate::object::Key;
use crate::seen::{Past, Ready};
use crate::state::States;

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
    is_per_object: bool,
    // Std mutexes: held for map operations only, never across an await.
    out_of_scope: Mutex<HashSet<Key>>,
    wakes: Mutex<HashMap<Key, Timestamp>>,
    passes: AtomicU64,
}

/// Measures one pass.
#[derive(Debug)]
pub struct Timer<'a> {
    metrics: &'a Metrics,
    key: Key,
    began: Instant,
}

impl Metrics {
    /// Counters that begin at 0.
    ///
    /// # Errors
    ///
    /// When two of them had one name, which would be a fault of the program.
    pub fn new(is_per_object: bool) -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let counter = |name: &str, help: &str, labels: &[&str]| {
            let counter = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let object = ["name", "namespace"];
        let durations = GaugeVec::new(
            Opts::new("externalsecret_reconcile_duration", "How long the last pass took, in ns"),
            &object,
        )?;
        registry.register(Box::new(durations.clone()))?;
        let seconds = HistogramOpts::new(
            "controller_runtime_reconcile_time_seconds",
            "How long passes take, in seconds",
        );
        let reconcile_seconds = HistogramVec::new(seconds, &["controller"])?;
        registry.register(Box::new(reconcile_seconds.clone()))?;
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
            reconcile_errors: counter(
                "controller_runtime_reconcile_errors_total",
                "Passes that failed",
                &["controller"],
            )?,
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
            is_per_object,
            out_of_scope: Mutex::default(),
            wakes: Mutex::default(),
            passes: AtomicU64::new(0),
        })
    }

    /// A pass begins.
    pub fn pass_begins(&self, key: &Key) -> Timer<'_> {
        self.wakes_at(key, None);
        Timer { metrics: self, key: key.clone(), began: Instant::now() }
    }

    /// When an object is looked at again.
    pub fn wakes_at(&self, key: &Key, time: Option<Timestamp>) {
        let mut wakes = self.wakes.lock().unwrap_or_else(PoisonError::into_inner);
        match time {
            Some(time) => drop(wakes.insert(key.clone(), time)),
            None => drop(wakes.remove(key)),
        }
    }

    /// A refresh failed.
    pub fn failed(&self, reason: Reason) {
        self.failures.with_label_values(&[reason.as_str()]).inc();
    }

    /// A call of AWS was made for a plan's last hop.
    pub fn called(&self, plan: &Plan, failed: Option<Class>) {
        let (operation, region) = (plan.last.operation(), plan.region.as_str());
        let outcome = failed.map_or("success", Class::code);
        self.sts_calls.with_label_values(&[operation, region, outcome]).inc();
        if failed == Some(Class::Throttled) {
            self.throttles.with_label_values(&[region]).inc();
        }
        let status = if failed.is_some() { "error" } else { "success" };
        self.api_calls.with_label_values(&["AWS", operation, status]).inc();
    }

    /// Whether an object is none of ours.
    ///
    /// Says whether that is news.
    pub fn out_of_scope(&self, key: &Key, is: bool) -> bool {
        let mut keys = self.out_of_scope.lock().unwrap_or_else(PoisonError::into_inner);
        if is { keys.insert(key.clone()) } else { keys.remove(key) }
    }

    /// An object is gone: its series go with it.
    pub fn forget(&self, key: &Key) {
        self.out_of_scope(key, false);
        self.wakes_at(key, None);
        // A series that was never there is as well.
        self.durations.remove_label_values(&[&key.name, &key.namespace]).ok();
    }

    /// How many passes there were.
    pub fn passes(&self) -> u64 {
        self.passes.load(Ordering::Relaxed)
    }

    /// For how long the object that has waited longest is overdue, in seconds.
    pub fn queue_lag(&self, now: Timestamp) -> f64 {
        let wakes = self.wakes.lock().unwrap_or_else(PoisonError::into_inner);
        let first = wakes.values().min();
        first.map_or(0.0, |first| now.duration_since(*first).as_secs_f64().max(0.0))
    }

    /// Everything in Prometheus' text format.
    ///
    /// # Errors
    ///
    /// When a series cannot be written, which would be a fault of the program.
    pub fn text(
        &self,
        states: &States,
        events_dropped: u64,
        now: Timestamp,
    ) -> Result<String, prometheus::Error> {
        let scrape = Registry::new();
        let gauge = |name: &str, help: &str, value: i64| {
            let gauge = IntGauge::new(name, help)?;
            gauge.set(value);
            scrape.register(Box::new(gauge))
        };
        let out_of_scope = self.out_of_scope.lock().unwrap_or_else(PoisonError::into_inner).len();
        gauge(
            "rolecall_externalsecrets_out_of_scope",
            "ExternalSecrets whose sources are none of rolecall's",
            i64::try_from(out_of_scope).unwrap_or(i64::MAX),
        )?;
        let counter = |name: &str, help: &str, value: u64| {
            let counter = IntCounter::new(name, help)?;
            counter.inc_by(value);
            scrape.register(Box::new(counter))
        };
        counter(
            "rolecall_events_dropped_total",
            "Events that could not be written",
            events_dropped,
        )?;
        counter("rolecall_passes_total", "Passes over all objects", self.passes())?;
        let lag = prometheus::Gauge::new(
            "rolecall_queue_lag_seconds",
            "For how long the object that has waited longest is overdue",
        )?;
        lag.set(self.queue_lag(now));
        scrape.register(Box::new(lag))?;
        self.objects(&scrape, states, now)?;
        let mut families = self.registry.gather();
        families.extend(scrape.gather());
        families.sort_by(|one, other| one.name().cmp(other.name()));
        TextEncoder::new().encode_to_string(&families)
    }

    /// The gauges of each object.
    fn objects(
        &self,
        scrape: &Registry,
        states: &States,
        now: Timestamp,
    ) -> Result<(), prometheus::Error> {
        let conditions = family(
            scrape,
            "externalsecret_status_condition",
            "The conditions of each ExternalSecret",
            &["name", "namespace", "condition", "status"],
        )?;
        let remaining = HistogramOpts::new(
            "rolecall_credential_remaining_seconds",
            "For how long the stored credentials are still good",
        );
        let remaining = Histogram::with_opts(remaining.buckets(REMAINING.to_vec()))?;
        scrape.register(Box::new(remaining.clone()))?;
        let expired = IntGauge::new("rolecall_credentials_expired", "Credentials that have ended")?;
        scrape.register(Box::new(expired.clone()))?;
        let per_object = if self.is_per_object { Some(PerObject::new(scrape)?) } else { None };
        states.each(|key, state| {
            let past = &state.past;
            if let Some(is) = past.ready.map(Ready::is_ready) {
                for (status, value) in [("True", is), ("False", !is)] {
                    let labels = [key.name.as_str(), &key.namespace, "Ready", status];
                    conditions.with_label_values(&labels).set(f64::from(u8::from(value)));
                }
            }
            if let Some(ends) = past.lives.iter().map(|life| life.ends).min() {
                let left = ends.duration_since(now).as_secs_f64();
                remaining.observe(left.max(0.0));
                expired.add(i64::from(left <= 0.0));
            }
            if let Some(per_object) = &per_object {
                per_object.set(key, past);
            }
        });
        Ok(())
    }
}

/// The series of one object, named as cert-manager's.
struct PerObject {
    expiration: GaugeVec,
    renewal: GaugeVec,
    issued: GaugeVec,
    ready: GaugeVec,
}

impl PerObject {
    fn new(scrape: &Registry) -> Result<Self, prometheus::Error> {
        let labels = ["namespace", "name", "kind"];
        let time = |what: &str, help: &str| {
            let name = format!("rolecall_credential_{what}_timestamp_seconds");
            family(scrape, &name, help, &labels)
        };
        Ok(Self {
            expiration: time("expiration", "When the stored credential ends")?,
            renewal: time("renewal", "When the stored credential is to be renewed")?,
            issued: time("issued", "When the stored credential was issued")?,
            ready: family(
                scrape,
                "rolecall_credential_ready_status",
                "Whether the stored credential is what is asked for",
                &["namespace", "name", "kind", "condition"],
            )?,
        })
    }

    fn set(&self, key: &Key, past: &Past) {
        let (namespace, name) = (key.namespace.as_str(), key.name.as_str());
        let times = [
            (&self.expiration, past.lives.iter().map(|life| life.ends).min()),
            (&self.renewal, past.renewal),
            (&self.issued, past.lives.iter().map(|life| life.issued).min()),
        ];
        for (family, time) in times {
            if let Some(time) = time {
                let labels = [namespace, name, KIND];
                family.with_label_values(&labels).set(time.as_duration().as_secs_f64());
            }
        }
        let is = past.ready.map(Ready::is_ready);
        for (status, value) in
            [("True", is == Some(true)), ("False", is == Some(false)), ("Unknown", is.is_none())]
        {
            let labels = [namespace, name, KIND, status];
            self.ready.with_label_values(&labels).set(f64::from(u8::from(value)));
        }
    }
}

fn family(
    scrape: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<GaugeVec, prometheus::Error> {
    let family = GaugeVec::new(Opts::new(name, help), labels)?;
    scrape.register(Box::new(family.clone()))?;
    Ok(family)
}

impl Timer<'_> {
    /// The pass is over.
    pub fn ends(self, failed: Option<Reason>) {
        let Self { metrics, key, began } = self;
        let took = began.elapsed();
        let labels = [key.name.as_str(), key.namespace.as_str()];
        metrics.passes.fetch_add(1, Ordering::Relaxed);
        metrics.sync_calls.with_label_values(&labels).inc();
        metrics.durations.with_label_values(&labels).set(took.as_secs_f64() * 1e9);
        metrics.reconcile_seconds.with_label_values(&[CONTROLLER]).observe(took.as_secs_f64());
        let result = if failed.is_some() { "error" } else { "success" };
        metrics.reconciles.with_label_values(&[CONTROLLER, result]).inc();
        if failed.is_some() {
            metrics.sync_errors.with_label_values(&labels).inc();
            metrics.reconcile_errors.with_label_values(&[CONTROLLER]).inc();
        }
    }
}

/// From the alarm margin to the longest life of a session.
const REMAINING: [f64; 10] =
    [0.0, 60.0, 180.0, 300.0, 600.0, 1_200.0, 2_400.0, 3_600.0, 14_400.0, 43_200.0];
const CONTROLLER: &str = "externalsecret";
const KIND: &str = "ExternalSecret";

#[cfg(test)]
mod tests;
