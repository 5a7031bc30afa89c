//! What is due, against a small model that was written from the tables alone.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use rolecall_engine::grant::CreationPolicy;

use super::{PLAN, minutes, now, synced, target, with, word};
use crate::decide::decide;
use crate::schedule::{Life, after, before};
use crate::seen::{Inputs, Past, RefreshPolicy, Seen, Target, TargetFacts};

/// One object in one state, in the words of the tables.
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each with a name")]
#[derive(Clone, Copy, Debug)]
struct Case {
    policy: RefreshPolicy,
    creation: CreationPolicy,
    is_interval_zero: bool,
    was_synced: bool,
    /// Minutes since the last sync; negative is a time to come.
    age: i64,
    is_changed: bool,
    is_forced: bool,
    is_absent: bool,
    is_edited: bool,
    is_held: bool,
    /// Minutes until the credential ends, of an hour.
    left: i64,
    has_other_plan: bool,
}

fn cases() -> impl Strategy<Value = Case> {
    let policies = prop_oneof![
        Just(RefreshPolicy::CreatedOnce),
        Just(RefreshPolicy::OnChange),
        Just(RefreshPolicy::Periodic),
    ];
    let creations = prop_oneof![
        Just(CreationPolicy::Owner),
        Just(CreationPolicy::Orphan),
        Just(CreationPolicy::CreateOrMerge),
    ];
    let flags = any::<[bool; 8]>();
    // Away from the edges: intervals and renewals have jitter.
    let ages = prop_oneof![Just(-10_i64), 0..50_i64, 61..200_i64];
    let lefts = prop_oneof![1..10_i64, 20..60_i64];
    (policies, creations, flags, ages, lefts).prop_map(|(policy, creation, flags, age, left)| {
        let [zero, synced, changed, forced, absent, edited, held, other] = flags;
        Case {
            policy,
            creation,
            is_interval_zero: zero,
            was_synced: synced,
            age,
            is_changed: changed || forced,
            is_forced: forced,
            is_absent: absent,
            is_edited: edited,
            is_held: held,
            left,
            has_other_plan: other,
        }
    })
}

/// From the tables: `mint`, `write` or `wait`.
fn model(case: Case) -> &'static str {
    let repeats = case.policy == RefreshPolicy::Periodic && !case.is_interval_zero;
    let near_end = case.left < 18;
    // A session that is held can be written again while it may wait, and answers the question.
    let can_rewrite = case.is_held && !case.has_other_plan && !(repeats && near_end);
    let rewrite = if can_rewrite { "write" } else { "mint" };
    if !case.was_synced {
        return "mint";
    }
    let is_invalid = case.is_absent || case.is_edited;
    if is_invalid && case.creation != CreationPolicy::Orphan {
        return rewrite;
    }
    let reacts = match case.policy {
        RefreshPolicy::CreatedOnce => false,
        RefreshPolicy::OnChange => true,
        RefreshPolicy::Periodic => !case.is_interval_zero,
    };
    if reacts && case.is_changed {
        return if case.is_forced { "mint" } else { rewrite };
    }
    if !repeats {
        return "wait";
    }
    let is_due = case.age < 0 || case.age > 60 || near_end || case.has_other_plan;
    if is_due { "mint" } else { "wait" }
}

fn seen(case: Case) -> Seen {
    let mut seen = with(&synced(), |spec| {
        spec.refresh = case.policy;
        spec.creation = case.creation;
        if case.is_interval_zero {
            spec.interval = SignedDuration::ZERO;
        }
    });
    let at: Timestamp = before(now(), minutes(case.age));
    let ends = after(now(), minutes(case.left));
    let life = Life { issued: before(ends, minutes(60)), ends };
    seen.past.lives = vec![life];
    seen.past.held.as_mut().unwrap().lives = vec![life];
    seen.past.synced.as_mut().unwrap().at = at;
    if !case.is_held {
        seen.past.held = None;
        seen.past.force_sync = Some(None);
    }
    if case.is_changed {
        seen.object.version = "2-b".to_owned();
    }
    if case.is_forced {
        seen.object.force_sync = Some("1".to_owned());
    }
    seen.target = match (case.is_absent, case.is_edited) {
        (true, _) => Target::Absent,
        (false, edited) => Target::Present(TargetFacts { hash_fits: !edited, ..target() }),
    };
    if case.has_other_plan {
        seen.inputs = Inputs::Ready { plan: "other".to_owned(), sharers: 1, key_version: None };
    } else {
        seen.inputs = Inputs::Ready { plan: PLAN.to_owned(), sharers: 1, key_version: None };
    }
    if !case.was_synced {
        seen.past = Past { is_first: true, ..Past::default() };
    }
    seen
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_096, ..ProptestConfig::default() })]

    #[test]
    fn what_is_due_is_what_the_tables_say(case in cases()) {
        let step = decide(&seen(case), now());
        let found = match word(&step) {
            // The end of what is not renewed is told on the way.
            "say" | "status" => "wait",
            found => found,
        };
        prop_assert_eq!(found, model(case), "{:?}", step);
    }
}
