//! The day itself: the production `decide` over many objects, in the order of their wakes.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use rolecall_controller::decide::{Step, decide};
use rolecall_controller::failure::Failure;
use rolecall_controller::object::Key;
use rolecall_controller::schedule::{Life, after, before};
use rolecall_controller::seen::{
    Inputs, ObjectFacts, Owner, Pass, Past, RefreshPolicy, Rules, Seen, Spec, Target, TargetFacts,
    Wanted,
};
use rolecall_controller::status::{Report, ServedStatus, past_of};
use rolecall_engine::grant::{CreationPolicy, DeletionPolicy};

use crate::Args;
use crate::course::{Course, START, at, minute};
use crate::scrapes::Scrapes;

/// One simulated ExternalSecret.
pub(crate) struct Object {
    /// Its name, after its sessions' life.
    pub(crate) key: Key,
    /// What a pass knows of it.
    pub(crate) seen: Seen,
    life: SignedDuration,
    epoch: u64,
    status: Option<serde_json::Value>,
}

impl Object {
    fn new(index: usize, life: SignedDuration, dice: &mut Rng) -> Self {
        let interval = [60, 30, 45, 24 * 60].map(SignedDuration::from_mins)[dice.usize(..4)];
        let spec = Spec {
            refresh: RefreshPolicy::Periodic,
            interval,
            windows: None,
            creation: CreationPolicy::Owner,
            deletion: DeletionPolicy::Retain,
            is_immutable: false,
            has_both_auths: false,
        };
        let seen = Seen {
            object: ObjectFacts {
                uid: format!("{:016x}", dice.u64(..)),
                generation: 1,
                version: "1".to_owned(),
                ..ObjectFacts::default()
            },
            wanted: Wanted::Secret(spec),
            target: Target::Absent,
            orphans: Vec::new(),
            inputs: Inputs::Unread,
            past: Past { is_first: true, seen_since: Some(START), ..Past::default() },
            pass: Pass::new(START),
            rules: Rules { alarm_margin: SignedDuration::from_mins(3), is_beside_another: false },
        };
        let key = Key::new("team-a", &format!("of-{}-min-{index}", life.as_mins()));
        Self { key, seen, life, epoch: 0, status: None }
    }
}

/// A day, and what came of it.
pub(crate) struct Day {
    /// What befalls it.
    pub(crate) course: &'static Course,
    /// Its last instant.
    pub(crate) end: Timestamp,
    /// The objects.
    pub(crate) objects: Vec<Object>,
    queue: BinaryHeap<Reverse<(Timestamp, usize, u64)>>,
    without_margin: bool,
    /// What Prometheus saw.
    pub(crate) scrapes: Scrapes,
    /// Calls of AWS.
    pub(crate) calls: u64,
    /// Passes.
    pub(crate) passes: u64,
    /// Calls that failed.
    pub(crate) failures: u64,
    by_minute: BTreeMap<i64, u32>,
    /// Credentials that ended though AWS could be reached.
    pub(crate) lost: Vec<String>,
}

impl Day {
    pub(crate) fn new(args: &Args) -> Result<Self, String> {
        let course = Course::of(args.day);
        let mut dice = Rng::with_seed(args.seed);
        let mut objects = Vec::new();
        let mut queue = BinaryHeap::new();
        for index in 0..args.grants {
            let life = course.life(index, &mut dice);
            objects.push(Object::new(index, life, &mut dice));
            // All of them in the first two minutes: a crowd.
            let at = after(START, SignedDuration::from_millis(dice.i64(0..120_000)));
            queue.push(Reverse((at, index, 0)));
        }
        // People edit one object in a hundred each hour.
        for minute in 60..args.hours * 60 {
            for _ in 0..args.grants / 6_000 {
                queue.push(Reverse((at(minute), dice.usize(..args.grants), EDIT)));
            }
        }
        Ok(Self {
            course,
            end: at(args.hours * 60),
            objects,
            queue,
            without_margin: args.without_margin,
            scrapes: Scrapes::new()?,
            calls: 0,
            passes: 0,
            failures: 0,
            by_minute: BTreeMap::new(),
            lost: Vec::new(),
        })
    }

    /// Runs it; `is_watched` says that Prometheus scrapes each minute.
    pub(crate) fn run(mut self, is_watched: bool) -> Result<Self, String> {
        let mut breaks = self.course.breaks.iter().copied().peekable();
        let mut scrapes = (0..=minute(self.end)).filter(|_| is_watched).map(at).peekable();
        let mut shared_edit = Some(at(self.course.shared_edit));
        loop {
            let next = self.queue.peek().map_or(self.end, |Reverse((time, ..))| *time);
            let now = next.min(self.end);
            if let Some(stops) = breaks.next_if(|it| it.from() <= now) {
                // What is scraped before it sees what was before it.
                while let Some(time) = scrapes.next_if(|time| *time < stops.from()) {
                    self.scrapes.scrape(time, &self.objects)?;
                }
                while let Some(time) = scrapes.next_if(|time| *time < stops.until()) {
                    self.scrapes.miss(time, stops.is_failover)?;
                }
                self.scrapes.restart(stops.is_failover)?;
                self.restart(stops.until());
                continue;
            }
            if let Some(time) = scrapes.next_if(|time| *time <= now) {
                self.scrapes.scrape(time, &self.objects)?;
                continue;
            }
            if now >= self.end {
                return Ok(self);
            }
            if shared_edit.take_if(|edit| *edit <= now).is_some() {
                self.edit_shared(now);
            }
            if let Some(Reverse((_, index, epoch))) = self.queue.pop() {
                self.wake(index, epoch, now);
            }
        }
    }

    fn edit_shared(&mut self, now: Timestamp) {
        for index in (0..self.objects.len()).step_by(5) {
            self.objects[index].epoch += 1;
            self.queue.push(Reverse((now, index, self.objects[index].epoch)));
        }
    }

    fn wake(&mut self, index: usize, epoch: u64, now: Timestamp) {
        let object = &mut self.objects[index];
        if epoch == EDIT {
            object.seen.object.generation += 1;
            object.seen.object.version = object.seen.object.generation.to_string();
            object.epoch += 1;
        } else if epoch != object.epoch {
            return;
        }
        self.pass(index, now);
    }

    /// Memory is gone, the status is not.
    fn restart(&mut self, now: Timestamp) {
        for index in 0..self.objects.len() {
            let object = &mut self.objects[index];
            object.seen.past = past_of(object.status.as_ref(), object.seen.object.generation);
            object.seen.past.seen_since = Some(now);
            object.epoch += 1;
            self.queue.push(Reverse((now, index, object.epoch)));
        }
    }

    fn pass(&mut self, index: usize, now: Timestamp) {
        self.passes += 1;
        let plan = self.course.plan(index, now);
        self.look_for_loss(index, now);
        let object = &mut self.objects[index];
        object.seen.pass = Pass::new(now);
        object.seen.inputs = Inputs::Unread;
        for _ in 0..40 {
            let step = decide(&self.objects[index].seen, now);
            let object = &mut self.objects[index];
            match step {
                Step::Mint { .. } => self.mint(index, now, plan),
                Step::WakeAt(time) => {
                    self.scrapes.passed(object, Some(time));
                    object.epoch += 1;
                    let time = time.max(after(now, SignedDuration::from_millis(20)));
                    self.queue.push(Reverse((time, index, object.epoch)));
                    return;
                }
                Step::Never => return self.scrapes.passed(object, None),
                step => object.act(step, now, plan, self.without_margin),
            }
        }
        panic!("a pass does not come to an end: {:?}", self.objects[index].seen);
    }

    fn mint(&mut self, index: usize, now: Timestamp, plan: &str) {
        let minute = minute(now);
        self.calls += 1;
        let calls = self.by_minute.entry(minute).or_default();
        *calls += 1;
        let reason = self.course.refusal(index, minute, *calls);
        self.scrapes.called(reason);
        let object = &mut self.objects[index];
        match reason {
            Some(reason) => {
                self.failures += 1;
                object.seen.failed(Failure::new(reason, "code", "it failed".to_owned(), now), None);
            }
            None => {
                let life = Life { issued: now, ends: after(now, object.life) };
                object.seen.minted(vec![life], plan.to_owned());
            }
        }
    }

    /// A credential that ended before this pass, though AWS could be reached within its margin.
    fn look_for_loss(&mut self, index: usize, now: Timestamp) {
        let seen = &self.objects[index].seen;
        let Some(life) = seen.past.lives.first() else { return };
        let from = before(life.ends, life.margin());
        if life.ends > now || self.course.excuses(index, from, life.ends) {
            return;
        }
        let lost = format!("object {index} ended at {}, it is {now}: {:?}", life.ends, seen.past);
        self.lost.push(lost);
    }

    /// Calls in a minute, where nothing befalls.
    pub(crate) fn peak_and_mean(&self) -> (u32, f64) {
        let minutes: Vec<u32> = (0..minute(self.end))
            .filter(|minute| self.course.is_calm(*minute))
            .map(|minute| self.by_minute.get(&minute).copied().unwrap_or_default())
            .collect();
        let sum: u32 = minutes.iter().sum();
        let count = u32::try_from(minutes.len()).unwrap_or(1).max(1);
        (minutes.into_iter().max().unwrap_or_default(), f64::from(sum) / f64::from(count))
    }
}

impl Object {
    /// What the controller does with the cluster.
    fn act(&mut self, step: Step, now: Timestamp, plan: &str, without_margin: bool) {
        let seen = &mut self.seen;
        match step {
            Step::ReadInputs => {
                let sharers = if plan == "other" { 2_000 } else { 1 };
                let plan = plan.to_owned();
                if seen.past.plan.as_ref().is_some_and(|stored| *stored != plan) {
                    seen.past.other_plan_since.get_or_insert(now);
                }
                seen.inputs = Inputs::Ready { plan, sharers, key_version: None };
            }
            Step::Apply { write, keeps_data } => {
                seen.wrote(write, keeps_data, now);
                seen.target = Target::Present(TargetFacts {
                    uid: String::new(),
                    resource_version: String::new(),
                    is_managed: true,
                    hash_fits: true,
                    owner: Owner::Us,
                    is_immutable: false,
                    has_foreign_keys: false,
                });
                if without_margin {
                    seen.past.renewal = seen.ends();
                }
            }
            Step::WriteStatus(verdict) => {
                seen.reported(&verdict);
                let report = Report {
                    verdict: &verdict,
                    past: &seen.past,
                    generation: seen.object.generation,
                    binding: Some("t"),
                    before: self.status.as_ref(),
                    now,
                };
                self.status = Some(report.status(&ServedStatus::ours()));
            }
            Step::Announce(what) => seen.announced(what),
            step => panic!("a simulated object has no {step:?}"),
        }
    }
}

/// Marks an edit among the passes of the queue.
const EDIT: u64 = u64::MAX;
