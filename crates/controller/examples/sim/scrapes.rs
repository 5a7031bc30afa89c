//! What Prometheus sees of a day: the product's own `/metrics`, scraped once a minute.
//!
//! A series that a scrape does not bring is marked as stale, as Prometheus does. Of a replica that a
//! failover leaves behind nothing is marked: what it told last is then seen for five minutes more,
//! beside what the new leader tells.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use rolecall_controller::failure::Reason;
use rolecall_controller::metrics::{Labelled, Metrics, Scrape};
use rolecall_controller::state::{State, States};
use rolecall_engine::error::Class;

use crate::course::minute;
use crate::day::Object;

/// Every series of a day.
pub(crate) struct Scrapes {
    leader: Replica,
    standby: Option<Replica>,
    series: BTreeMap<String, Vec<String>>,
}

/// A process that is scraped.
struct Replica {
    name: &'static str,
    metrics: Metrics,
    /// What it told at the last scrape.
    told: BTreeSet<String>,
}

impl Scrapes {
    pub(crate) fn new() -> Result<Self, String> {
        Ok(Self {
            leader: Replica::new("rolecall-0")?,
            standby: Some(Replica::new("rolecall-1")?),
            series: BTreeMap::new(),
        })
    }

    /// A call of AWS was made.
    pub(crate) fn called(&self, refusal: Option<Reason>) {
        let class = refusal.map(|reason| match reason {
            Reason::Throttled => Class::Throttled,
            Reason::AccessDenied => Class::Denied,
            _ => Class::Unavailable,
        });
        self.leader.metrics.called("AssumeRole", "eu-west-1", class);
        if let Some(reason) = refusal {
            self.leader.metrics.failed(reason);
        }
    }

    /// A pass is over.
    pub(crate) fn passed(&self, object: &Object, wakes: Option<Timestamp>) {
        self.leader.metrics.pass_begins(&object.key, None).ends(object.seen.is_failing());
        self.leader.metrics.wakes_at(&object.key, wakes);
    }

    /// A process begins, with counters at 0; after a failover it is the one that stood by.
    pub(crate) fn restart(&mut self, is_failover: bool) -> Result<(), String> {
        match self.standby.take_if(|_| is_failover) {
            Some(standby) => self.leader = standby,
            None => self.leader.metrics = metrics()?,
        }
        Ok(())
    }

    /// Scrapes every replica.
    pub(crate) fn scrape(&mut self, time: Timestamp, objects: &[Object]) -> Result<(), String> {
        let states = States::default();
        for object in objects {
            let past = object.seen.past.clone();
            states.put(&object.key, State { past, ..State::default() });
        }
        self.leader.answer(true, &states, time, &mut self.series)?;
        self.scrape_standby(time)
    }

    /// The leader does not answer.
    pub(crate) fn miss(&mut self, time: Timestamp, is_failover: bool) -> Result<(), String> {
        if !is_failover {
            self.leader.tell("", time, &mut self.series);
        }
        self.scrape_standby(time)
    }

    fn scrape_standby(&mut self, time: Timestamp) -> Result<(), String> {
        let Some(standby) = &mut self.standby else { return Ok(()) };
        standby.answer(false, &States::default(), time, &mut self.series)
    }

    /// The series in promtool's notation, in which `3x4` is five times 3.
    pub(crate) fn notation(&self) -> impl Iterator<Item = (&str, String)> {
        self.series.iter().map(|(name, values)| {
            let runs = values.chunk_by(|one, other| one == other && one != STALE);
            let runs = runs.map(|run| match run {
                [] => String::new(),
                [value] => value.clone(),
                [value, ..] if value == MISSING => format!("{value}x{}", run.len()),
                [value, ..] => format!("{value}x{}", run.len() - 1),
            });
            (name.as_str(), runs.collect::<Vec<_>>().join(" "))
        })
    }
}

impl Replica {
    fn new(name: &'static str) -> Result<Self, String> {
        Ok(Self { name, metrics: metrics()?, told: BTreeSet::new() })
    }

    fn answer(
        &mut self,
        is_held: bool,
        states: &States,
        now: Timestamp,
        series: &mut BTreeMap<String, Vec<String>>,
    ) -> Result<(), String> {
        let text = self.metrics.text(&Scrape {
            states,
            events_dropped: 0,
            election: Some(("rolecall-controller", is_held)),
            clock_offset: Some(SignedDuration::from_millis(200)),
            now,
        });
        self.tell(&text.map_err(|it| it.to_string())?, now, series);
        Ok(())
    }

    /// What it answers; nothing where it does not.
    fn tell(&mut self, text: &str, time: Timestamp, series: &mut BTreeMap<String, Vec<String>>) {
        let place = usize::try_from(minute(time)).unwrap_or_default();
        let mut put = |name: &str, value: &str| {
            let values = series.entry(name.to_owned()).or_default();
            values.resize(place, MISSING.to_owned());
            values.push(value.to_owned());
        };
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let samples = samples.filter_map(|line| line.rsplit_once(' '));
        let mut told = BTreeSet::new();
        for (name, value) in samples {
            let name = self.labelled(name);
            put(&name, value);
            told.insert(name);
        }
        for name in self.told.difference(&told) {
            put(name, STALE);
        }
        self.told = told;
    }

    /// A series with the labels of its target; what it says of its namespace itself is honoured.
    fn labelled(&self, series: &str) -> String {
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let mut all = format!("instance=\"{}\",job=\"rolecall-controller\"", self.name);
        if !labels.contains("namespace=") {
            all.push_str(",namespace=\"rolecall\"");
        }
        match labels.trim_end_matches('}') {
            "" => format!("{name}{{{all}}}"),
            labels => format!("{name}{{{labels},{all}}}"),
        }
    }
}

fn metrics() -> Result<Metrics, String> {
    Metrics::new(Labelled { per_object: true, extended: false }).map_err(|it| it.to_string())
}

const STALE: &str = "stale";
const MISSING: &str = "_";
