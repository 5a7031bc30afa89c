//! The tables of the reference, row by row, without a cluster.

mod failing;
mod model;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use rolecall_engine::grant::{CreationPolicy, DeletionPolicy};

use super::{Step, decide};
use crate::failure::Reason;
use crate::schedule::{Life, after, before};
use crate::seen::{
    Announcement, Drift, Held, Inputs, ObjectFacts, Owner, Pass, Past, Ready, RefreshPolicy,
    Refreshing, Rules, Seen, Spec, Synced, Target, TargetFacts, Wanted, Write,
};

const PLAN: &str = "plan";

fn now() -> Timestamp {
    "2026-01-01T12:00:00Z".parse().unwrap()
}

fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

fn spec() -> Spec {
    Spec {
        refresh: RefreshPolicy::Periodic,
        interval: minutes(60),
        windows: None,
        creation: CreationPolicy::Owner,
        deletion: DeletionPolicy::Retain,
        is_immutable: false,
        has_both_auths: false,
    }
}

fn target() -> TargetFacts {
    TargetFacts {
        uid: "t".to_owned(),
        resource_version: "7".to_owned(),
        is_managed: true,
        hash_fits: true,
        owner: Owner::Us,
        is_immutable: false,
        has_foreign_keys: false,
    }
}

/// Synced five minutes ago with a session of an hour, which is held.
fn synced() -> Seen {
    let at = before(now(), minutes(5));
    let life = Life { issued: at, ends: after(at, minutes(60)) };
    Seen {
        object: ObjectFacts {
            uid: "u".to_owned(),
            generation: 1,
            version: "1-a".to_owned(),
            ..ObjectFacts::default()
        },
        wanted: Wanted::Secret(spec()),
        target: Target::Present(target()),
        orphans: Vec::new(),
        inputs: Inputs::Ready { plan: PLAN.to_owned(), sharers: 1, key_version: None },
        past: Past {
            synced: Some(Synced { at, version: "1-a".to_owned() }),
            lives: vec![life],
            held: Some(Held { lives: vec![life], plan: PLAN.to_owned(), is_written: true }),
            plan: Some(PLAN.to_owned()),
            force_sync: Some(None),
            ready: Some(Ready::Synced),
            refreshing: Some(Refreshing::Scheduled),
            ..Past::default()
        },
        pass: Pass::new(now()),
        rules: Rules { alarm_margin: minutes(3), is_beside_another: false },
    }
}

/// After a restart: the status is known, the session is not.
fn restarted() -> Seen {
    let mut seen = synced();
    seen.past.held = None;
    seen.past.force_sync = None;
    seen.past.is_first = true;
    seen.past.seen_since = Some(now());
    seen
}

fn with(seen: &Seen, change: impl FnOnce(&mut Spec)) -> Seen {
    let mut seen = seen.clone();
    let Wanted::Secret(spec) = &mut seen.wanted else { panic!() };
    change(spec);
    seen
}

/// What a step is, in one word.
fn word(step: &Step) -> &'static str {
    match step {
        Step::Mint { .. } => "mint",
        Step::Apply { keeps_data: false, .. } => "write",
        Step::Apply { keeps_data: true, .. } => "marks",
        Step::WakeAt(_) | Step::Never => "wait",
        Step::WriteStatus(_) => "status",
        Step::Announce(_) => "say",
        _ => "other",
    }
}

#[track_caller]
fn check(seen: &Seen, expected: &str) {
    let step = decide(seen, now());
    assert_eq!(word(&step), expected, "{step:?}");
}

#[track_caller]
fn check_at(seen: &Seen, time: Timestamp, expected: &str) {
    let step = decide(seen, time);
    assert_eq!(word(&step), expected, "{step:?}");
}

/// What happened, by name, and what is then to be done with CreatedOnce, OnChange, Periodic, and
/// Periodic without an interval.
type Row = (&'static str, fn(&mut Seen), [&'static str; 4]);

const TRIGGERS: [Row; 11] = [
    (
        "first",
        |seen| {
            seen.target = Target::Absent;
            seen.past = Past { is_first: true, ..Past::default() };
        },
        ["mint", "mint", "mint", "mint"],
    ),
    (
        "interval elapsed",
        |seen| {
            let at = before(now(), minutes(61));
            seen.past.synced.as_mut().unwrap().at = at;
            // Long-lived, so that only the interval counts.
            live(seen, Life { issued: at, ends: after(at, minutes(720)) });
        },
        ["wait", "wait", "mint", "wait"],
    ),
    ("changed", |seen| seen.object.version = "2-a".to_owned(), ["wait", "write", "write", "wait"]),
    (
        "force-sync",
        |seen| {
            seen.object.version = "1-b".to_owned();
            seen.object.force_sync = Some("1".to_owned());
        },
        ["wait", "mint", "mint", "wait"],
    ),
    (
        "refreshTime to come",
        |seen| seen.past.synced.as_mut().unwrap().at = after(now(), minutes(10)),
        ["wait", "wait", "mint", "wait"],
    ),
    ("restart", |seen| *seen = restarted(), ["wait", "wait", "wait", "wait"]),
    (
        "target edited",
        |seen| seen.target = Target::Present(TargetFacts { hash_fits: false, ..target() }),
        ["write", "write", "write", "write"],
    ),
    ("target deleted", |seen| seen.target = Target::Absent, ["write", "write", "write", "write"]),
    (
        "label removed",
        |seen| seen.target = Target::Present(TargetFacts { is_managed: false, ..target() }),
        ["write", "write", "write", "write"],
    ),
    (
        "near its end",
        |seen| {
            let issued = before(now(), minutes(50));
            live(seen, Life { issued, ends: after(issued, minutes(60)) });
        },
        ["say", "say", "mint", "say"],
    ),
    (
        "another plan",
        |seen| {
            seen.inputs = Inputs::Ready { plan: "other".to_owned(), sharers: 1, key_version: None };
        },
        ["wait", "wait", "mint", "wait"],
    ),
];

fn live(seen: &mut Seen, life: Life) {
    seen.past.lives = vec![life];
    seen.past.held.as_mut().unwrap().lives = vec![life];
}

/// Table 3.3: valid target.
#[test]
fn what_is_due_by_policy() {
    for (name, change, expected) in TRIGGERS {
        let policies: [fn(&mut Spec); 4] = [
            |spec| spec.refresh = RefreshPolicy::CreatedOnce,
            |spec| spec.refresh = RefreshPolicy::OnChange,
            |_| {},
            |spec| spec.interval = SignedDuration::ZERO,
        ];
        for (policy, expected) in policies.into_iter().zip(expected) {
            let mut seen = with(&synced(), policy);
            let wanted = seen.wanted.clone();
            change(&mut seen);
            seen.wanted = wanted;
            let step = decide(&seen, now());
            assert_eq!(word(&step), expected, "{name}, {:?}: {step:?}", seen.wanted);
        }
    }
}

/// Table 3.4: what each creation policy does about a target that is not what was written.
#[test]
fn what_is_repaired_by_policy() {
    use CreationPolicy::{CreateOrMerge, Merge, Orphan, Owner as Owned};
    let rows = [
        (
            "deleted",
            Target::Absent,
            [(Owned, "write"), (Orphan, "wait"), (Merge, "status"), (CreateOrMerge, "write")],
        ),
        (
            "edited",
            Target::Present(TargetFacts { hash_fits: false, ..target() }),
            [(Owned, "write"), (Orphan, "wait"), (Merge, "write"), (CreateOrMerge, "write")],
        ),
        (
            "unlabelled",
            Target::Present(TargetFacts { is_managed: false, ..target() }),
            [(Owned, "write"), (Orphan, "wait"), (Merge, "write"), (CreateOrMerge, "write")],
        ),
    ];
    for (name, target, policies) in rows {
        for (policy, expected) in policies {
            let mut seen = with(&synced(), |spec| spec.creation = policy);
            seen.target = target.clone();
            let step = decide(&seen, now());
            assert_eq!(word(&step), expected, "{name}, {policy:?}: {step:?}");
            // Without the session a repair is a mint.
            seen.past.held = None;
            let expected = if expected == "write" { "mint" } else { expected };
            assert_eq!(word(&decide(&seen, now())), expected, "{name}, {policy:?}, restarted");
        }
    }
    let none = with(&synced(), |spec| spec.creation = CreationPolicy::None);
    check(&none, "wait");
}

#[test]
fn ownership_is_checked_before_anything_is_called() {
    let mut seen = with(&synced(), |_| {});
    seen.past = Past::default();
    seen.inputs = Inputs::Unread;
    for (owner, creation, ready) in [
        (Owner::OtherExternalSecret, CreationPolicy::Owner, Some(Ready::OwnedByAnother)),
        (Owner::OtherExternalSecret, CreationPolicy::Merge, Some(Ready::OwnedByAnother)),
        (Owner::OtherController, CreationPolicy::Owner, Some(Ready::NotTaken)),
        (Owner::OtherController, CreationPolicy::Merge, None),
    ] {
        let mut seen = with(&seen, |spec| spec.creation = creation);
        seen.target = Target::Present(TargetFacts { owner, ..target() });
        match (decide(&seen, now()), ready) {
            (Step::Announce(Announcement::Failed(Reason::TargetConflict)), Some(_))
            | (Step::ReadInputs, None) => {}
            (step, _) => panic!("{owner:?} {creation:?}: {step:?}"),
        }
        seen.past.announced = BTreeSet::from([Announcement::Failed(Reason::TargetConflict)]);
        if let (Step::WriteStatus(verdict), Some(ready)) = (decide(&seen, now()), ready) {
            assert_eq!((verdict.ready, verdict.has_synced), (ready, false));
            let wait = verdict.next.unwrap().duration_since(now());
            assert!(wait > minutes(26) && wait <= minutes(30), "{wait}");
        }
    }
}

#[test]
fn an_immutable_secret_costs_no_call() {
    let mut seen = with(&synced(), |spec| spec.is_immutable = true);
    seen.past = Past::default();
    seen.target =
        Target::Present(TargetFacts { is_managed: false, owner: Owner::Nobody, ..target() });
    check(&seen, "marks");
    seen.target = Target::Present(TargetFacts { is_immutable: true, ..target() });
    check(&seen, "marks");
    seen.past.marked = Some(seen.object.version.clone());
    let Step::WriteStatus(verdict) = decide(&seen, now()) else { panic!() };
    assert_eq!(verdict.ready, Ready::Synced);
    assert_eq!(verdict.refreshing, Refreshing::Failed(Reason::TargetImmutable));
    // Over dead credentials it is not ready, and nothing is called.
    let issued = before(now(), minutes(70));
    seen.past.lives = vec![Life { issued, ends: after(issued, minutes(60)) }];
    seen.past.announced = BTreeSet::from([Announcement::Failed(Reason::TargetImmutable)]);
    let Step::WriteStatus(verdict) = decide(&seen, now()) else { panic!() };
    assert_eq!(verdict.ready, Ready::Immutable);
}

#[test]
fn drift_is_repaired_without_a_call_and_not_too_often() {
    let mut seen = synced();
    seen.target = Target::Present(TargetFacts { hash_fits: false, ..target() });
    seen.past.drift = Some(Drift { last: before(now(), SignedDuration::from_secs(2)), count: 1 });
    let Step::WakeAt(wake) = decide(&seen, now()) else { panic!() };
    assert_eq!(wake.duration_since(now()), SignedDuration::from_secs(3));
    check_at(&seen, wake, "write");
    seen.past.drift = Some(Drift { last: now(), count: 30 });
    let Step::WakeAt(wake) = decide(&seen, now()) else { panic!() };
    assert_eq!(wake.duration_since(now()), minutes(5));
}

#[test]
fn a_change_that_many_share_is_spread() {
    let mut times = BTreeSet::new();
    for index in 0..200 {
        let mut seen = synced();
        seen.object.uid = format!("u{index}");
        seen.inputs = Inputs::Ready { plan: "other".to_owned(), sharers: 2_000, key_version: None };
        seen.past.other_plan_since = Some(now());
        match decide(&seen, now()) {
            Step::WakeAt(time) => drop(times.insert(time.duration_since(now()).as_secs())),
            Step::Mint { .. } => drop(times.insert(0)),
            step => panic!("{step:?}"),
        }
    }
    assert!(*times.last().unwrap() > 400 && *times.last().unwrap() <= 500, "{times:?}");
    assert!(times.len() > 100);
}

#[test]
fn what_is_overdue_after_a_start_is_spread_and_never_late() {
    for index in 0..200 {
        let mut seen = restarted();
        seen.object.uid = format!("u{index}");
        let ends = after(now(), minutes(8));
        seen.past.lives = vec![Life { issued: before(ends, minutes(60)), ends }];
        let alarm = seen.alarm().unwrap();
        match decide(&seen, now()) {
            Step::WakeAt(time) => assert!(time < before(alarm, minutes(3)), "{time}"),
            Step::Mint { .. } => {}
            step => panic!("{step:?}"),
        }
    }
}

#[test]
fn the_finalizer_is_there_for_deletion_policy_delete_alone() {
    let mut seen = with(&synced(), |spec| spec.deletion = DeletionPolicy::Delete);
    assert_eq!(decide(&seen, now()), Step::AddFinalizer);
    seen.object.has_finalizer = true;
    check(&seen, "wait");
    let mut leftover = synced();
    leftover.object.has_finalizer = true;
    assert_eq!(decide(&leftover, now()), Step::RemoveFinalizer);
    leftover.rules.is_beside_another = true;
    check(&leftover, "wait");
    seen.object.is_deleting = true;
    assert_eq!(decide(&seen, now()), Step::DeleteSecret);
    seen.target = Target::Present(TargetFacts { owner: Owner::OtherExternalSecret, ..target() });
    assert_eq!(decide(&seen, now()), Step::RemoveFinalizer);
    seen.wanted = Wanted::OutOfScope;
    assert_eq!(decide(&seen, now()), Step::Never);
}

#[test]
fn what_is_minted_is_written_and_never_minted_twice() {
    let mut seen = synced();
    seen.past.held.as_mut().unwrap().is_written = false;
    check(&seen, "write");
    // After a failed write of the first session nothing is called again.
    seen.past.synced = None;
    check(&seen, "write");
    seen.pass.wrote = Some(Write::Created);
    check(&seen, "say");
}

#[test]
fn a_renewal_is_planned_only_where_the_policy_wants_one() {
    for (refresh, interval, is_planned) in [
        (RefreshPolicy::Periodic, 60, true),
        (RefreshPolicy::Periodic, 0, false),
        (RefreshPolicy::CreatedOnce, 60, false),
        (RefreshPolicy::OnChange, 60, false),
    ] {
        let mut seen = with(&synced(), |spec| {
            spec.refresh = refresh;
            spec.interval = minutes(interval);
        });
        let lives = seen.past.lives.clone();
        seen.minted(lives, PLAN.to_owned());
        seen.wrote(Write::Created, false, now());
        assert_eq!(seen.past.renewal.is_some(), is_planned, "{refresh:?} {interval}");
    }
}
