//! What is told at a scrape: the counters, and gauges made of the state as it is now.

use jiff::{SignedDuration, Timestamp};
use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, IntCounter, IntGauge, Opts, Registry, TextEncoder,
};

use super::{Metrics, locked};
use crate::object::Key;
use crate::seen::{Past, Ready};
use crate::state::States;

/// What a scrape looks at beside the counters.
#[derive(Clone, Copy, Debug)]
pub struct Scrape<'a> {
    /// The states of all objects.
    pub states: &'a States,
    /// How many Events could not be written.
    pub events_dropped: u64,
    /// The name of the Lease and whether it is held, where replicas are chosen by one.
    pub election: Option<(&'a str, bool)>,
    /// How far AWS's clock is ahead of ours, once AWS has told its time.
    pub clock_offset: Option<SignedDuration>,
    /// The present time.
    pub now: Timestamp,
}

impl Metrics {
    /// Everything in Prometheus' text format.
    ///
    /// # Errors
    ///
    /// When a series cannot be written, which would be a fault of the program.
    pub fn text(&self, seen: &Scrape<'_>) -> Result<String, prometheus::Error> {
        let scrape = Registry::new();
        let counter = |name: &str, help: &str, value: u64| {
            let counter = IntCounter::new(name, help)?;
            counter.inc_by(value);
            scrape.register(Box::new(counter))
        };
        counter(
            "rolecall_events_dropped_total",
            "Events that could not be written",
            seen.events_dropped,
        )?;
        counter("rolecall_passes_total", "Passes over all objects", self.passes())?;
        if let Some(offset) = seen.clock_offset {
            gauge(
                &scrape,
                "rolecall_clock_offset_seconds",
                "How far AWS's clock is ahead of this one",
                offset.as_secs_f64(),
            )?;
        }
        if let Some((name, is_held)) = seen.election {
            let master = family(
                &scrape,
                "leader_election_master_status",
                "Whether this replica works",
                &["name"],
            )?;
            master.with_label_values(&[name]).set(f64::from(u8::from(is_held)));
        }
        // What a replica that stands by knows of objects may be over.
        if seen.election.is_none_or(|(_, is_held)| is_held) {
            self.at_work(&scrape, seen)?;
        }
        let mut families = self.registry.gather();
        families.extend(scrape.gather());
        families.sort_by(|one, other| one.name().cmp(other.name()));
        TextEncoder::new().encode_to_string(&families)
    }

    /// What is known only to the replica that works.
    fn at_work(&self, scrape: &Registry, seen: &Scrape<'_>) -> Result<(), prometheus::Error> {
        let out_of_scope = locked(&self.out_of_scope).len();
        let out_of_scope = u32::try_from(out_of_scope).unwrap_or(u32::MAX);
        gauge(
            scrape,
            "rolecall_externalsecrets_out_of_scope",
            "ExternalSecrets whose sources are none of rolecall's",
            f64::from(out_of_scope),
        )?;
        gauge(
            scrape,
            "rolecall_queue_lag_seconds",
            "For how long the object that has waited longest is overdue",
            self.queue_lag(seen.now),
        )?;
        self.objects(scrape, seen.states, seen.now)
    }

    /// The gauges of each object.
    fn objects(
        &self,
        scrape: &Registry,
        states: &States,
        now: Timestamp,
    ) -> Result<(), prometheus::Error> {
        let mut labels = self.what.names();
        labels.extend(["condition", "status"]);
        let conditions = family(
            scrape,
            "externalsecret_status_condition",
            "The conditions of each ExternalSecret",
            &labels,
        )?;
        let set = |labels: &[String], condition: &str, status: &str, is: bool| {
            let labels = labels.iter().map(String::as_str).chain([condition, status]);
            let labels: Vec<&str> = labels.collect();
            conditions.with_label_values(&labels).set(f64::from(u8::from(is)));
        };
        for labels in locked(&self.deleted).values() {
            set(labels, "Deleted", "False", true);
        }
        let ours = locked(&self.ours);
        let remaining = HistogramOpts::new(
            "rolecall_credential_remaining_seconds",
            "For how long the stored credentials are still good",
        );
        let remaining = Histogram::with_opts(remaining.buckets(REMAINING.to_vec()))?;
        scrape.register(Box::new(remaining.clone()))?;
        let mut least: Option<f64> = None;
        let expired = IntGauge::new("rolecall_credentials_expired", "Credentials that have ended")?;
        scrape.register(Box::new(expired.clone()))?;
        let per_object = if self.what.per_object { Some(PerObject::new(scrape)?) } else { None };
        states.each(|key, state| {
            let past = &state.past;
            if let Some((is, labels)) = past.ready.map(Ready::is_ready).zip(ours.get(key)) {
                set(labels, "Ready", "True", is);
                set(labels, "Ready", "False", !is);
            }
            if let Some(ends) = past.lives.iter().map(|life| life.ends).min() {
                let left = ends.duration_since(now).as_secs_f64();
                remaining.observe(left.max(0.0));
                least = Some(least.map_or(left, |least| least.min(left)));
                expired.add(i64::from(left <= 0.0));
            }
            if let Some(per_object) = &per_object
                && ours.contains_key(key)
            {
                per_object.set(key, past);
            }
        });
        let Some(least) = least else { return Ok(()) };
        let name = "rolecall_credential_least_remaining_seconds";
        gauge(scrape, name, "For how long the first of the stored credentials is still good", least)
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

fn gauge(scrape: &Registry, name: &str, help: &str, value: f64) -> Result<(), prometheus::Error> {
    let gauge = Gauge::new(name, help)?;
    gauge.set(value);
    scrape.register(Box::new(gauge))
}

/// From the alarm margin to the longest life of a session.
const REMAINING: [f64; 10] =
    [0.0, 60.0, 180.0, 300.0, 600.0, 1_200.0, 2_400.0, 3_600.0, 14_400.0, 43_200.0];
const KIND: &str = "ExternalSecret";
