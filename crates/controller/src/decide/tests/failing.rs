//! Failures: two margins, ladders, and what makes another question of it.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::{PLAN, check, check_at, minutes, now, synced};
use crate::decide::{Step, decide};
use crate::failure::{Failure, Reason};
use crate::schedule::{Life, after, before};
use crate::seen::{Announcement, Inputs, PassFailure, Ready, Refreshing, Seen};

fn failing(reason: Reason, minutes_left: i64) -> Seen {
    let mut seen = synced();
    let ends = after(now(), minutes(minutes_left));
    let life = Life { issued: before(ends, minutes(60)), ends };
    seen.past.lives = vec![life];
    seen.past.held.as_mut().unwrap().lives = vec![life];
    let mut failure = Failure::new(reason, "code", "it failed".to_owned(), now());
    failure.asking = Some(seen.asking());
    seen.pass.failure = Some(PassFailure { failure, ready: None });
    seen.past.announced = BTreeSet::from([Announcement::Failed(reason)]);
    seen
}

/// Two margins: a failed renewal is told at once, and makes an object not ready only near the end.
#[test]
fn a_failed_renewal_keeps_it_ready_until_the_alarm() {
    for reason in
        [Reason::Throttled, Reason::Unavailable, Reason::AccessDenied, Reason::BadBaseCredential]
    {
        for (left, is_ready) in [(12, true), (4, true), (3, false), (1, false)] {
            let Step::WriteStatus(verdict) = decide(&failing(reason, left), now()) else {
                panic!()
            };
            assert_eq!(verdict.ready.is_ready(), is_ready, "{reason:?}, {left} min left");
            assert_eq!(verdict.refreshing, Refreshing::Failed(reason));
        }
    }
    // A change of plan that fails is told at once: what is stored answers another question.
    let mut seen = failing(Reason::AccessDenied, 30);
    seen.inputs = Inputs::Ready { plan: "other".to_owned(), sharers: 1, key_version: None };
    let Step::WriteStatus(verdict) = decide(&seen, now()) else { panic!() };
    assert!(!verdict.ready.is_ready());
    // So is what could not be written.
    let mut seen = failing(Reason::InvalidSpec, 30);
    seen.pass.failure.as_mut().unwrap().ready = Some(Ready::NotWritten);
    let Step::WriteStatus(verdict) = decide(&seen, now()) else { panic!() };
    assert_eq!(verdict.ready, Ready::NotWritten);
}

#[test]
fn once_more_just_before_the_alarm_whatever_the_class() {
    let seen = failing(Reason::InvalidRequest, 10);
    let Step::WriteStatus(verdict) = decide(&seen, now()) else { panic!() };
    let mut seen = seen;
    seen.past.failure = seen.pass.failure.take().map(|it| it.failure);
    let attempts = 20;
    seen.past.failure.as_mut().unwrap().attempts = attempts;
    seen.past.refreshing = Some(verdict.refreshing);
    // By its ladder it would be tried in hours.
    let Step::WakeAt(wake) = decide(&seen, now()) else { panic!() };
    let alarm = seen.alarm().unwrap();
    assert!(wake < alarm && wake > before(alarm, SignedDuration::from_secs(30)), "{wake}");
    check_at(&seen, wake, "mint");
}

#[test]
fn a_failure_is_tried_again_at_once_when_the_question_changes() {
    let mut seen = failing(Reason::AccessDenied, 10);
    seen.past.failure = seen.pass.failure.take().map(|it| it.failure);
    seen.past.refreshing = Some(Refreshing::Failed(Reason::AccessDenied));
    seen.past.failure.as_mut().unwrap().last = now();
    check(&seen, "wait");
    let mut changed = seen.clone();
    changed.object.version = "2-a".to_owned();
    check(&changed, "mint");
    let mut generator = seen.clone();
    generator.inputs = Inputs::Ready { plan: "other".to_owned(), sharers: 500, key_version: None };
    check(&generator, "mint");
    // A key that was put right is seen by its version alone.
    let mut key = seen.clone();
    let failure = key.past.failure.as_mut().unwrap();
    failure.reason = Reason::BadBaseCredential;
    failure.key_version = Some("base=u/1".to_owned());
    key.past.refreshing = Some(Refreshing::Failed(Reason::BadBaseCredential));
    key.past.announced = BTreeSet::from([Announcement::Failed(Reason::BadBaseCredential)]);
    let looked = |version: &str| Inputs::Ready {
        plan: PLAN.to_owned(),
        sharers: 1,
        key_version: Some(version.to_owned()),
    };
    key.inputs = looked("base=u/1");
    check(&key, "wait");
    key.inputs = looked("base=u/2");
    check(&key, "mint");
}
