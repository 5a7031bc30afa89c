//! A day of many objects in seconds: the production `decide` on a manual clock, with an AWS that is
//! down, throttles and denies, a controller that is restarted, and people who edit.
//!
//! `cargo xtask sim` runs it. It fails where a credential ends though AWS could be reached within
//! the margin, or where calls crowd.

#![expect(
    clippy::print_stdout,
    clippy::panic,
    reason = "it prints what it found, and fails like a test"
)]

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use clap::Parser;
use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use rolecall_controller::decide::{Step, decide};
use rolecall_controller::failure::{Failure, Reason};
use rolecall_controller::schedule::{Life, after, before};
use rolecall_controller::seen::{
    Inputs, ObjectFacts, Owner, Pass, Past, RefreshPolicy, Rules, Seen, Spec, Target, TargetFacts,
    Wanted,
};
use rolecall_controller::status::{Report, ServedStatus, past_of};
use rolecall_engine::grant::{CreationPolicy, DeletionPolicy};

#[derive(Clone, Debug, Parser)]
struct Args {
    /// How many objects
    #[arg(long, default_value_t = 10_000)]
    grants: usize,
    /// How many hours
    #[arg(long, default_value_t = 24)]
    hours: i64,
    /// What the dice begin with
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Renew at the end and not before it: a fault that the simulation has to find
    #[arg(long)]
    without_margin: bool,
}

fn main() -> Result<(), String> {
    let args = Args::parse();
    let day = Day::new(&args).run();
    println!(
        "{} objects, {} h, seed {}: {} calls, {} passes, {} failed tries",
        args.grants, args.hours, args.seed, day.calls, day.passes, day.failures
    );
    let (peak, mean) = day.peak_and_mean();
    println!("calls per minute after the first hour, faults aside: mean {mean:.0}, peak {peak}");
    println!("credentials that ended though AWS could be reached: {}", day.lost.len());
    for lost in day.lost.iter().take(5) {
        println!("  {lost}");
    }
    if !day.lost.is_empty() {
        return Err("credentials were lost".to_owned());
    }
    if f64::from(peak) > 2.0 * mean {
        return Err("calls crowd".to_owned());
    }
    Ok(())
}

/// Spans of minutes from the start in which AWS does not answer as it should.
const DOWN: [(i64, i64); 3] = [(180, 200), (420, 500), (900, 902)];
const THROTTLED: (i64, i64) = (660, 690);
/// In which it denies a tenth of the objects.
const DENIED: (i64, i64) = (780, 840);
const RESTARTS: [i64; 3] = [120, 600, 1_080];
/// When a generator is edited that a fifth of the objects share.
const SHARED_EDIT: i64 = 1_200;
/// For how long AWS has to be reachable within the margin, so that a loss is ours.
const REACHABLE: SignedDuration = SignedDuration::from_secs(90);

struct Object {
    seen: Seen,
    life: SignedDuration,
    epoch: u64,
    status: Option<serde_json::Value>,
}

struct Day {
    start: Timestamp,
    end: Timestamp,
    objects: Vec<Object>,
    queue: BinaryHeap<Reverse<(Timestamp, usize, u64)>>,
    without_margin: bool,
    calls: u64,
    passes: u64,
    failures: u64,
    by_minute: BTreeMap<i64, u32>,
    lost: Vec<String>,
}

impl Day {
    fn new(args: &Args) -> Self {
        let start = Timestamp::UNIX_EPOCH;
        let mut dice = Rng::with_seed(args.seed);
        let mut objects = Vec::new();
        let mut queue = BinaryHeap::new();
        for index in 0..args.grants {
            let life = [60, 60, 60, 15, 720].map(SignedDuration::from_mins)[dice.usize(..5)];
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
                past: Past { is_first: true, seen_since: Some(start), ..Past::default() },
                pass: Pass::new(start),
                rules: Rules {
                    alarm_margin: SignedDuration::from_mins(3),
                    is_beside_another: false,
                },
            };
            objects.push(Object { seen, life, epoch: 0, status: None });
            // All of them in the first two minutes: a crowd.
            let at = after(start, SignedDuration::from_millis(dice.i64(0..120_000)));
            queue.push(Reverse((at, index, 0)));
        }
        let mut day = Self {
            start,
            end: after(start, SignedDuration::from_hours(args.hours)),
            objects,
            queue,
            without_margin: args.without_margin,
            calls: 0,
            passes: 0,
            failures: 0,
            by_minute: BTreeMap::new(),
            lost: Vec::new(),
        };
        // People edit one object in a hundred each hour.
        for minute in 60..args.hours * 60 {
            for _ in 0..args.grants / 6_000 {
                let index = dice.usize(..args.grants);
                day.queue.push(Reverse((day.at(minute), index, EDIT)));
            }
        }
        day
    }

    fn at(&self, minute: i64) -> Timestamp {
        after(self.start, SignedDuration::from_mins(minute))
    }

    fn run(mut self) -> Self {
        let mut restarts = RESTARTS.iter().map(|minute| self.at(*minute)).collect::<Vec<_>>();
        let mut shared_edit = Some(self.at(SHARED_EDIT));
        while let Some(Reverse((now, index, epoch))) = self.queue.pop() {
            if now >= self.end {
                break;
            }
            if restarts.first().is_some_and(|restart| *restart <= now) {
                self.restart(restarts.remove(0));
            }
            if shared_edit.is_some_and(|edit| edit <= now) {
                shared_edit = None;
                for index in (0..self.objects.len()).step_by(5) {
                    self.objects[index].epoch += 1;
                    let epoch = self.objects[index].epoch;
                    self.queue.push(Reverse((now, index, epoch)));
                }
            }
            if epoch == EDIT {
                let object = &mut self.objects[index];
                object.seen.object.generation += 1;
                object.seen.object.version = object.seen.object.generation.to_string();
                object.epoch += 1;
            } else if epoch != self.objects[index].epoch {
                continue;
            }
            self.pass(index, now);
        }
        self
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
        let minute = self.minute(now);
        let plan = if minute >= SHARED_EDIT && index.is_multiple_of(5) { "other" } else { "plan" };
        self.look_for_loss(index, now);
        let seen = &mut self.objects[index].seen;
        seen.pass = Pass::new(now);
        seen.inputs = Inputs::Unread;
        for _ in 0..40 {
            let step = decide(&self.objects[index].seen, now);
            let object = &mut self.objects[index];
            let seen = &mut object.seen;
            match step {
                Step::ReadInputs => {
                    let sharers = if plan == "other" { 2_000 } else { 1 };
                    let plan = plan.to_owned();
                    if seen.past.plan.as_ref().is_some_and(|stored| *stored != plan) {
                        seen.past.other_plan_since.get_or_insert(now);
                    }
                    seen.inputs = Inputs::Ready { plan, sharers, key_version: None };
                }
                Step::Mint { .. } => self.mint(index, now, plan),
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
                    if self.without_margin {
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
                        before: object.status.as_ref(),
                        now,
                    };
                    object.status = Some(report.status(&ServedStatus::ours()));
                }
                Step::Announce(what) => seen.announced(what),
                Step::WakeAt(time) => {
                    object.epoch += 1;
                    let time = time.max(after(now, SignedDuration::from_millis(20)));
                    self.queue.push(Reverse((time, index, object.epoch)));
                    return;
                }
                Step::Never => return,
                step => panic!("a simulated object has no {step:?}"),
            }
        }
        panic!("a pass does not come to an end: {:?}", self.objects[index].seen);
    }

    fn mint(&mut self, index: usize, now: Timestamp, plan: &str) {
        let minute = self.minute(now);
        self.calls += 1;
        *self.by_minute.entry(minute).or_default() += 1;
        let within = |(from, to): (i64, i64)| (from..to).contains(&minute);
        let reason = if DOWN.into_iter().any(within) {
            Some(Reason::Unavailable)
        } else if within(THROTTLED) && self.by_minute[&minute] > 300 {
            Some(Reason::Throttled)
        } else if within(DENIED) && index % 10 == 3 {
            Some(Reason::AccessDenied)
        } else {
            None
        };
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
        if life.ends > now {
            return;
        }
        let from = before(life.ends, life.margin());
        let is_denied = index % 10 == 3 && self.overlaps(DENIED, from, life.ends);
        let is_throttled = self.overlaps(THROTTLED, from, life.ends);
        if is_denied || is_throttled || !self.was_reachable(from, life.ends) {
            return;
        }
        let lost = format!("object {index} ended at {}, it is {now}: {:?}", life.ends, seen.past);
        self.lost.push(lost);
    }

    fn was_reachable(&self, from: Timestamp, to: Timestamp) -> bool {
        let mut since = from;
        for (down, up) in DOWN {
            let (down, up) = (self.at(down), self.at(up));
            if down < to && up > since {
                if down.duration_since(since) >= REACHABLE {
                    return true;
                }
                since = up;
            }
        }
        to.duration_since(since) >= REACHABLE
    }

    fn overlaps(&self, (from, to): (i64, i64), start: Timestamp, end: Timestamp) -> bool {
        self.at(from) < end && self.at(to) > start
    }

    fn minute(&self, time: Timestamp) -> i64 {
        time.duration_since(self.start).as_mins()
    }

    /// After the first hour, outside a fault and the half hour after it.
    fn peak_and_mean(&self) -> (u32, f64) {
        let faults = DOWN.into_iter().chain([THROTTLED, DENIED]);
        let faults: Vec<_> = faults.chain(RESTARTS.map(|it| (it, it))).collect();
        let is_calm = |minute: i64| {
            minute >= 60 && !faults.iter().any(|(from, to)| (*from..to + 30).contains(&minute))
        };
        let minutes: Vec<u32> = (0..self.minute(self.end))
            .filter(|minute| is_calm(*minute))
            .map(|minute| self.by_minute.get(&minute).copied().unwrap_or_default())
            .collect();
        let sum: u32 = minutes.iter().sum();
        let count = u32::try_from(minutes.len()).unwrap_or(1).max(1);
        (minutes.into_iter().max().unwrap_or_default(), f64::from(sum) / f64::from(count))
    }
}

/// Marks an edit among the passes of the queue.
const EDIT: u64 = u64::MAX;
